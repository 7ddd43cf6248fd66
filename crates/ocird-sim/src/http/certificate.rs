//! The chain that vouches for the instance: root, intermediate, and a leaf that names the instance, its compartment
//! and its tenancy; and the check that a certificate somebody sends hangs on that chain.
//!
//! No extension beyond basic constraints and no revocation: the clients look at none, and rotation is a new leaf.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use chrono::{DateTime, TimeDelta, Utc};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::der;
use super::rsa::{PrivateKey, Verifier};

/// `sha256WithRSAEncryption`.
const SHA256_WITH_RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
/// The attribute `CN` of a name.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// The attribute `OU` of a name.
const ORGANIZATIONAL_UNIT: [u8; 3] = [0x55, 0x04, 0x0b];
/// The extension that tells an authority's certificate from a leaf.
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];
/// The prefix of the `OU` that names the tenancy.
const TENANT: &str = "opc-tenant:";
/// Certificates hold for this long on both sides of their making: a simulated life lasts years, and what becomes of
/// an expired leaf is the metadata service's matter, which never hands one out.
const VALID_FOR: TimeDelta = TimeDelta::days(20 * 365);

/// What the leaf says about the instance.
#[derive(Debug, Clone)]
pub(super) struct Subject {
    /// The instance's OCID.
    pub(super) instance: String,
    /// The OCID of the compartment it lives in.
    pub(super) compartment: String,
    /// The OCID of its tenancy.
    pub(super) tenancy: String,
}

/// A certificate with the key it certifies.
#[derive(Debug)]
pub(super) struct Certified {
    /// The certificate.
    pub(super) der: Vec<u8>,
    /// The key.
    pub(super) key: PrivateKey,
}

/// The chain of one simulated tenancy.
#[derive(Debug)]
pub(super) struct Authority {
    root: Certified,
    intermediate: Certified,
    leaf: Certified,
    subject: Subject,
    n_issued: u64,
}

/// Why a certificate is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ChainError {
    /// Not a certificate.
    #[error("{what} is not a certificate with an RSA key")]
    Malformed {
        /// Which certificate of the chain.
        what: &'static str,
    },
    /// The name of the issuer or its signature does not fit.
    #[error("the {what} is not signed by the certificate above it")]
    NotSigned {
        /// Which certificate of the chain.
        what: &'static str,
    },
    /// Not yet or no longer valid.
    #[error("the {what} is outside its period of validity")]
    Expired {
        /// Which certificate of the chain.
        what: &'static str,
    },
    /// No `OU` names a tenancy.
    #[error("the leaf names no tenancy")]
    NoTenancy,
}

/// What a believed leaf says.
#[derive(Debug, Clone)]
pub(super) struct Leaf {
    /// Its public key.
    pub(super) verifier: Verifier,
    /// The tenancy it names.
    pub(super) tenancy: String,
}

impl Authority {
    /// A chain made at `now`.
    pub(super) fn new(subject: Subject, now: DateTime<Utc>) -> Self {
        let root_name = name(&[(&COMMON_NAME, "Simulated Root CA")]);
        let key = PrivateKey::generate();
        let der = certificate(&Draft::authority(1, &root_name, &root_name, now), &key, &key);
        let root = Certified { der, key };
        let key = PrivateKey::generate();
        let draft = Draft::authority(2, &root_name, &intermediate_name(), now);
        let der = certificate(&draft, &key, &root.key);
        let intermediate = Certified { der, key };
        let leaf = issue_leaf(&subject, &intermediate.key, 3, now);
        Self { root, intermediate, leaf, subject, n_issued: 3 }
    }

    /// Replaces the leaf by a new one over a new key, as the cloud does several times a day.
    /// <https://docs.oracle.com/en-us/iaas/Content/Identity/Tasks/callingservicesfrominstances.htm>
    pub(super) fn rotate(&mut self, now: DateTime<Utc>) {
        self.n_issued += 1;
        self.leaf = issue_leaf(&self.subject, &self.intermediate.key, self.n_issued, now);
    }

    /// Replaces the leaf by one whose last second was the one before `now`: a rotation that came too late.
    pub(super) fn expire(&mut self, now: DateTime<Utc>) {
        self.rotate(now - VALID_FOR - TimeDelta::seconds(1));
    }

    /// The leaf and its key.
    pub(super) const fn leaf(&self) -> &Certified {
        &self.leaf
    }

    /// The intermediate certificate, DER.
    pub(super) fn intermediate_der(&self) -> &[u8] {
        &self.intermediate.der
    }

    /// Believes a leaf that hangs on this root by way of the intermediate that was sent along.
    pub(super) fn verify(
        &self,
        leaf: &[u8],
        intermediate: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Leaf, ChainError> {
        let root = parse("root", &self.root.der)?;
        let intermediate = parse("intermediate", intermediate)?;
        let leaf = parse("leaf", leaf)?;
        signed_by("intermediate", &intermediate, &root)?;
        signed_by("leaf", &leaf, &intermediate)?;
        valid_at("intermediate", &intermediate, now)?;
        valid_at("leaf", &leaf, now)?;
        Ok(Leaf { verifier: verifier("leaf", &leaf)?, tenancy: tenancy(&leaf).ok_or(ChainError::NoTenancy)? })
    }
}

/// The SHA-1 fingerprint of a certificate: upper-case hex with colons.
pub(super) fn sha1_fingerprint(der: &[u8]) -> String {
    colons(digest(&SHA1_FOR_LEGACY_USE_ONLY, der).as_ref())
}

/// The SHA-256 fingerprint of a certificate: upper-case hex with colons.
pub(super) fn sha256_fingerprint(der: &[u8]) -> String {
    colons(digest(&SHA256, der).as_ref())
}

fn colons(bytes: &[u8]) -> String {
    let pairs: Vec<String> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
    pairs.join(":")
}

fn parse<'a>(what: &'static str, der: &'a [u8]) -> Result<X509Certificate<'a>, ChainError> {
    match X509Certificate::from_der(der) {
        Ok((_, certificate)) => Ok(certificate),
        Err(_) => Err(ChainError::Malformed { what }),
    }
}

fn verifier(what: &'static str, certificate: &X509Certificate<'_>) -> Result<Verifier, ChainError> {
    Verifier::from_info(certificate.public_key()).ok_or(ChainError::Malformed { what })
}

/// The feature of `x509-parser` that verifies signatures is left off, so that the daemon's own build of it stays
/// as small as it is; the check is one call.
fn signed_by(
    what: &'static str,
    certificate: &X509Certificate<'_>,
    issuer: &X509Certificate<'_>,
) -> Result<(), ChainError> {
    let key = verifier(what, issuer)?;
    let named = certificate.issuer().as_raw() == issuer.subject().as_raw();
    let signed = key.verifies(certificate.tbs_certificate.as_ref(), &certificate.signature_value.data);
    if named && signed && issuer.is_ca() { Ok(()) } else { Err(ChainError::NotSigned { what }) }
}

fn valid_at(
    what: &'static str,
    certificate: &X509Certificate<'_>,
    now: DateTime<Utc>,
) -> Result<(), ChainError> {
    let validity = certificate.validity();
    let period = validity.not_before.timestamp()..=validity.not_after.timestamp();
    if period.contains(&now.timestamp()) { Ok(()) } else { Err(ChainError::Expired { what }) }
}

fn tenancy(certificate: &X509Certificate<'_>) -> Option<String> {
    certificate
        .subject()
        .iter_organizational_unit()
        .filter_map(|unit| unit.as_str().ok())
        .find_map(|unit| unit.strip_prefix(TENANT))
        .map(str::to_owned)
}

/// The fields of a certificate that differ from one to the next.
struct Draft {
    serial: u64,
    issuer: Vec<u8>,
    subject: Vec<u8>,
    is_authority: bool,
    now: DateTime<Utc>,
}

impl Draft {
    fn authority(serial: u64, issuer: &[u8], subject: &[u8], now: DateTime<Utc>) -> Self {
        Self { serial, issuer: issuer.to_vec(), subject: subject.to_vec(), is_authority: true, now }
    }
}

fn intermediate_name() -> Vec<u8> {
    name(&[(&COMMON_NAME, "Simulated PKISVC Identity Intermediate")])
}

fn issue_leaf(subject: &Subject, issuer: &PrivateKey, serial: u64, now: DateTime<Utc>) -> Certified {
    let draft = Draft {
        serial,
        issuer: intermediate_name(),
        subject: name(&[
            (&COMMON_NAME, &subject.instance),
            (&ORGANIZATIONAL_UNIT, "opc-certtype:instance"),
            (&ORGANIZATIONAL_UNIT, &format!("opc-compartment:{}", subject.compartment)),
            (&ORGANIZATIONAL_UNIT, &format!("opc-instance:{}", subject.instance)),
            (&ORGANIZATIONAL_UNIT, &format!("{TENANT}{}", subject.tenancy)),
        ]),
        is_authority: false,
        now,
    };
    let key = PrivateKey::generate();
    let der = certificate(&draft, &key, issuer);
    Certified { der, key }
}

/// One certificate of RFC 5280 section 4.1.
fn certificate(draft: &Draft, key: &PrivateKey, issuer: &PrivateKey) -> Vec<u8> {
    let algorithm = der::sequence(&[der::object_identifier(&SHA256_WITH_RSA), der::null()]);
    let constraints = if draft.is_authority { vec![der::truth()] } else { Vec::new() };
    let extension = der::sequence(&[
        der::object_identifier(&BASIC_CONSTRAINTS),
        der::truth(),
        der::value(0x04, &der::sequence(&constraints)),
    ]);
    let to_be_signed = der::sequence(&[
        der::value(0xa0, &der::integer(2)),
        der::integer(draft.serial),
        algorithm.clone(),
        draft.issuer.clone(),
        der::sequence(&[der::time(draft.now - VALID_FOR), der::time(draft.now + VALID_FOR)]),
        draft.subject.clone(),
        key.public_der(),
        der::value(0xa3, &der::sequence(&[extension])),
    ]);
    let signature = der::bit_string(&issuer.sign(&to_be_signed));
    der::sequence(&[to_be_signed, algorithm, signature])
}

fn name(attributes: &[(&[u8], &str)]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = attributes
        .iter()
        .map(|(kind, text)| der::set_of_one(&der::sequence(&[der::object_identifier(kind), der::text(text)])))
        .collect();
    der::sequence(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        Subject {
            instance: "ocid1.instance.oc1.eu-milan-1.i".to_owned(),
            compartment: "ocid1.compartment.oc1..c".to_owned(),
            tenancy: "ocid1.tenancy.oc1..t".to_owned(),
        }
    }

    fn now() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    #[test]
    fn a_leaf_is_believed_before_and_after_its_rotation() {
        let mut authority = Authority::new(subject(), now());
        let first = authority.leaf().der.clone();
        authority.rotate(now());
        let second = authority.leaf().der.clone();
        assert_ne!(first, second);
        for leaf in [first, second] {
            let believed = authority.verify(&leaf, authority.intermediate_der(), now()).unwrap();
            assert_eq!(believed.tenancy, "ocid1.tenancy.oc1..t");
        }
    }

    #[test]
    fn a_leaf_of_another_authority_with_the_same_names_is_refused() {
        let ours = Authority::new(subject(), now());
        let theirs = Authority::new(subject(), now());
        let verify = |leaf, intermediate| ours.verify(leaf, intermediate, now()).unwrap_err();
        assert_eq!(
            verify(&theirs.leaf().der, ours.intermediate_der()),
            ChainError::NotSigned { what: "leaf" }
        );
        assert_eq!(
            verify(&theirs.leaf().der, theirs.intermediate_der()),
            ChainError::NotSigned { what: "intermediate" }
        );
    }

    #[test]
    fn a_certificate_ends_at_last() {
        let authority = Authority::new(subject(), now());
        let later = now() + VALID_FOR + TimeDelta::seconds(1);
        let refused = authority.verify(&authority.leaf().der, authority.intermediate_der(), later);
        assert_eq!(refused.unwrap_err(), ChainError::Expired { what: "intermediate" });
    }

    #[test]
    fn an_expired_leaf_is_refused_under_an_authority_that_is_not() {
        let mut authority = Authority::new(subject(), now());
        authority.expire(now());
        let refused = authority.verify(&authority.leaf().der, authority.intermediate_der(), now());
        assert_eq!(refused.unwrap_err(), ChainError::Expired { what: "leaf" });
    }

    #[test]
    fn a_leaf_cannot_issue_another_leaf() {
        let authority = Authority::new(subject(), now());
        let leaf = &authority.leaf().der;
        assert!(authority.verify(leaf, leaf, now()).is_err());
    }
}
