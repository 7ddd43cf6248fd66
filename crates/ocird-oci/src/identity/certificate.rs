//! The instance's certificate with its key: what it proves, and whether the two belong together.

use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use ocird_model::{CompartmentId, TenancyId};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::SignInError;
use crate::key::{self, KeyError};

/// Where the metadata service has each part.
pub(crate) const CERTIFICATE: &str = "identity/cert.pem";
pub(crate) const KEY: &str = "identity/key.pem";
pub(crate) const INTERMEDIATE: &str = "identity/intermediate.pem";

/// The most intermediates that make sense; the service has one.
const MAX_INTERMEDIATES: usize = 8;

/// A certificate, its key and what leads to its issuer.
pub(crate) struct InstanceCertificate {
    der: Vec<u8>,
    key: RsaKeyPair,
    intermediates: Vec<String>,
    tenancy: TenancyId,
    compartment: Option<CompartmentId>,
    instance: Option<String>,
    ends_at: DateTime<Utc>,
}

impl InstanceCertificate {
    /// Reads the three documents. [`SignInError::KeyMismatch`] when the key is of another certificate: a rotation
    /// fell between reading the two.
    pub(crate) fn read(certificate: &[u8], key: &[u8], intermediate: &[u8]) -> Result<Self, SignInError> {
        let der = CertificateDer::from_pem_slice(certificate)
            .map_err(|_| unusable(CERTIFICATE, "not a PEM certificate"))?
            .to_vec();
        let key = read_key(key)?;
        let (_, parsed) =
            X509Certificate::from_der(&der).map_err(|_| unusable(CERTIFICATE, "not an X.509 certificate"))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key().as_ref() {
            return Err(SignInError::KeyMismatch);
        }
        let tenancy = named(&parsed, "opc-tenant:")
            .ok_or(unusable(CERTIFICATE, "its subject has no opc-tenant:<tenancy OCID>"))?;
        let ends_at = DateTime::from_timestamp(parsed.validity().not_after.timestamp(), 0)
            .ok_or(unusable(CERTIFICATE, "it ends at no time that there is"))?;
        Ok(Self {
            compartment: named(&parsed, "opc-compartment:"),
            instance: named(&parsed, "opc-instance:"),
            intermediates: read_intermediates(intermediate)?,
            tenancy,
            ends_at,
            key,
            der,
        })
    }

    /// The tenancy that the certificate speaks for.
    pub(crate) const fn tenancy(&self) -> &TenancyId {
        &self.tenancy
    }

    /// The compartment of the instance, where the certificate names it.
    pub(crate) const fn compartment(&self) -> Option<&CompartmentId> {
        self.compartment.as_ref()
    }

    /// The OCID of the instance, where the certificate names it.
    pub(crate) fn instance(&self) -> Option<&str> {
        self.instance.as_deref()
    }

    /// When it ends.
    pub(crate) const fn ends_at(&self) -> DateTime<Utc> {
        self.ends_at
    }

    /// The certificate as the federation service wants it: the inside of its PEM without line ends.
    pub(crate) fn stripped(&self) -> String {
        STANDARD.encode(&self.der)
    }

    /// The issuers' certificates in the same form.
    pub(crate) fn intermediates(&self) -> &[String] {
        &self.intermediates
    }

    /// The name under which the federation service knows the key.
    pub(crate) fn key_id(&self) -> String {
        let bytes = digest(&SHA256, &self.der);
        let hex: Vec<String> = bytes.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        format!("{}/fed-x509-sha256/{}", self.tenancy, hex.join(":"))
    }

    /// The key, for signing one federation request.
    pub(crate) fn into_key(self) -> RsaKeyPair {
        self.key
    }
}

/// The key, which the service gives in clear.
fn read_key(pem: &[u8]) -> Result<RsaKeyPair, SignInError> {
    key::read(pem, None).map_err(|error| match error {
        KeyError::NotPem => unusable(KEY, "not a PEM private key"),
        KeyError::NotRsa => unusable(KEY, "not an RSA key of 2048 bits or more"),
        KeyError::NoPassphrase
        | KeyError::Passphrase
        | KeyError::Encryption { scheme: _ }
        | KeyError::KeyId => unusable(KEY, "an encrypted key"),
    })
}

/// Every certificate of the document; the service has one, but nothing says that it always will.
fn read_intermediates(pem: &[u8]) -> Result<Vec<String>, SignInError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(all) if (1..=MAX_INTERMEDIATES).contains(&all.len()) => {
            Ok(all.iter().map(|der| STANDARD.encode(der)).collect())
        }
        _ => Err(unusable(INTERMEDIATE, "not one or a few PEM certificates")),
    }
}

/// The value that a subject attribute gives after `prefix`, if there is one and it is well-formed.
fn named<T: FromStr>(certificate: &X509Certificate<'_>, prefix: &str) -> Option<T> {
    certificate
        .subject()
        .iter_attributes()
        .filter_map(|attribute| attribute.as_str().ok())
        .find_map(|value| value.strip_prefix(prefix)?.parse().ok())
}

const fn unusable(path: &'static str, detail: &'static str) -> SignInError {
    SignInError::Document { path, detail }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use rcgen::{CertificateParams, DnType, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

    use super::*;
    use crate::fuzz::{self, Reading};

    static KEYS: LazyLock<[KeyPair; 2]> = LazyLock::new(|| {
        [(); 2].map(|()| KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap())
    });

    /// The PEM of a certificate with these organisational units.
    fn certificate(units: &[&str]) -> String {
        let mut params = CertificateParams::default();
        for unit in units {
            params.distinguished_name.push(DnType::OrganizationalUnitName, (*unit).to_owned());
        }
        params.self_signed(&KEYS[0]).unwrap().pem()
    }

    fn read(certificate: &str, key: &str, intermediate: &str) -> Result<InstanceCertificate, SignInError> {
        InstanceCertificate::read(certificate.as_bytes(), key.as_bytes(), intermediate.as_bytes())
    }

    #[test]
    fn the_tenancy_comes_from_the_subject() {
        let pem = certificate(&["opc-tenant:ocid1.tenancy.oc1..t"]);
        let read = read(&pem, &KEYS[0].serialize_pem(), &pem).unwrap();
        assert_eq!(read.tenancy().as_str(), "ocid1.tenancy.oc1..t");
        assert_eq!(read.compartment(), None);
    }

    #[test]
    fn the_key_id_is_the_tenancy_and_the_certificates_sha256() {
        let pem = certificate(&["opc-tenant:ocid1.tenancy.oc1..t"]);
        let read = read(&pem, &KEYS[0].serialize_pem(), &pem).unwrap();
        let der = STANDARD.decode(read.stripped()).unwrap();
        let hex: Vec<String> =
            digest(&SHA256, &der).as_ref().chunks(1).map(|b| format!("{:02X}", b[0])).collect();
        let wanted = format!("ocid1.tenancy.oc1..t/fed-x509-sha256/{}", hex.join(":"));
        assert_eq!(read.key_id(), wanted);
        assert_eq!(wanted.len(), "ocid1.tenancy.oc1..t/fed-x509-sha256/".len() + 32 * 3 - 1);
    }

    #[test]
    fn a_key_of_another_certificate_is_noticed() {
        let pem = certificate(&["opc-tenant:ocid1.tenancy.oc1..t"]);
        let result = read(&pem, &KEYS[1].serialize_pem(), &pem);
        assert!(matches!(result, Err(SignInError::KeyMismatch)));
    }

    #[test]
    fn a_certificate_without_a_sound_tenancy_is_refused() {
        for units in [&["opc-certtype:instance"][..], &["opc-tenant:evil/../"], &["opc-tenant:"]] {
            let pem = certificate(units);
            let result = read(&pem, &KEYS[0].serialize_pem(), &pem);
            assert!(matches!(result, Err(SignInError::Document { path: CERTIFICATE, .. })), "{units:?}");
        }
    }

    #[test]
    fn several_intermediates_are_several_elements() {
        let pem = certificate(&["opc-tenant:ocid1.tenancy.oc1..t"]);
        let both = pem.clone() + &pem;
        assert_eq!(read(&pem, &KEYS[0].serialize_pem(), &both).unwrap().intermediates().len(), 2);
        let none = read(&pem, &KEYS[0].serialize_pem(), "");
        assert!(matches!(none, Err(SignInError::Document { path: INTERMEDIATE, .. })));
    }

    #[test]
    fn a_key_that_is_not_rsa_is_refused_without_being_shown() {
        let pem = certificate(&["opc-tenant:ocid1.tenancy.oc1..t"]);
        let curve = KeyPair::generate().unwrap().serialize_pem();
        for key in ["", "-----BEGIN PRIVATE KEY-----\nY2FuYXJ5\n-----END PRIVATE KEY-----\n", &curve] {
            let Err(error) = read(&pem, key, &pem) else {
                panic!("accepted {key}");
            };
            let shown = format!("{error:?} {error}");
            assert!(matches!(error, SignInError::Document { path: KEY, .. }));
            assert!(!shown.contains("Y2FuYXJ5") && !shown.contains("canary"), "{shown}");
        }
    }

    /// What is made of this certificate, which is to be of the instance's key. Whatever is read can be signed by.
    fn try_read(certificate: &[u8], intermediate: &[u8]) -> Result<Reading, TestCaseError> {
        static KEY: LazyLock<String> = LazyLock::new(|| KEYS[0].serialize_pem());
        match InstanceCertificate::read(certificate, KEY.as_bytes(), intermediate) {
            Ok(read) => {
                prop_assert!(read.key_id().starts_with("ocid1.tenancy."), "{}", read.key_id());
                prop_assert!(read.key_id().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'));
                prop_assert!((1..=MAX_INTERMEDIATES).contains(&read.intermediates().len()));
                Ok(Reading::Read)
            }
            Err(_) => Ok(Reading::Refused),
        }
    }

    fn of_an_instance() -> String {
        certificate(&["opc-tenant:ocid1.tenancy.oc1..t"])
    }

    #[test]
    fn any_pem_is_read_as_certificates_or_refused() {
        let whole = of_an_instance();
        let seeds =
            [whole.clone(), whole.replace('\n', "\r\n"), whole.clone() + &whole].map(String::into_bytes);
        fuzz::any_input_like("certificate (PEM)", seeds.to_vec(), |pem| {
            try_read(pem, whole.as_bytes())?;
            try_read(whole.as_bytes(), pem)
        });
    }

    #[test]
    fn any_der_is_read_as_a_certificate_or_refused() {
        let whole = of_an_instance();
        let der = CertificateDer::from_pem_slice(whole.as_bytes()).unwrap().to_vec();
        fuzz::any_input_like("certificate (DER)", vec![der], |der| {
            let inside = STANDARD.encode(der);
            let pem = format!("-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n");
            try_read(pem.as_bytes(), whole.as_bytes())
        });
    }
}
