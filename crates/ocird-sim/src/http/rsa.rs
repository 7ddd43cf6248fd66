//! RSA keys: making, signing, verifying. RSA 2048 with SHA-256 and PKCS#1 v1.5 padding is all that Oracle's request
//! signing knows.
//! <https://docs.oracle.com/en-us/iaas/Content/API/Concepts/signingrequests.htm>

use std::fmt;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize, PublicKeyComponents};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::der;

/// A private key of 2048 bits.
pub(super) struct PrivateKey(KeyPair);

/// A public key by its two numbers, big-endian and without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verifier {
    /// The modulus.
    pub(super) modulus: Vec<u8>,
    /// The public exponent.
    pub(super) exponent: Vec<u8>,
}

impl PrivateKey {
    /// A new key; takes some tens of milliseconds.
    pub(super) fn generate() -> Self {
        Self(KeyPair::generate(KeySize::Rsa2048).expect("the system gives random bytes"))
    }

    /// The public half as a DER `SubjectPublicKeyInfo`.
    pub(super) fn public_der(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> =
            self.0.public_key().as_der().expect("a generated key has a public half");
        der.as_ref().to_vec()
    }

    /// What checks this key's signatures.
    pub(super) fn verifier(&self) -> Verifier {
        Verifier::from_der(&self.public_der()).expect("a generated key is an RSA key")
    }

    /// The private key as unencrypted PEM, PKCS#8.
    pub(super) fn private_pem(&self) -> String {
        let der: Pkcs8V1Der<'_> = self.0.as_der().expect("a generated key can be written");
        der::pem("PRIVATE KEY", der.as_ref())
    }

    /// The signature of a message.
    pub(super) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)
            .expect("the buffer is as long as the modulus");
        signature
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

impl Verifier {
    /// The key inside a DER `SubjectPublicKeyInfo`; `None` when it is not one of an RSA key.
    pub(super) fn from_der(der: &[u8]) -> Option<Self> {
        let (_, info) = SubjectPublicKeyInfo::from_der(der).ok()?;
        Self::from_info(&info)
    }

    /// The key of a certificate; `None` when it is not an RSA key.
    pub(super) fn from_info(info: &SubjectPublicKeyInfo<'_>) -> Option<Self> {
        let PublicKey::RSA(key) = info.parsed().ok()? else {
            return None;
        };
        Some(Self {
            modulus: without_leading_zeros(key.modulus),
            exponent: without_leading_zeros(key.exponent),
        })
    }

    /// True when `signature` is this key's over `message`, and the key has 2048 bits at least.
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = PublicKeyComponents { n: &self.modulus, e: &self.exponent };
        key.verify(&RSA_PKCS1_2048_8192_SHA256, message, signature).is_ok()
    }
}

fn without_leading_zeros(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().copied().skip_while(|&byte| byte == 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_its_message_and_its_key_only() {
        let key = PrivateKey::generate();
        let verifier = Verifier::from_der(&key.public_der()).unwrap();
        let other = Verifier::from_der(&PrivateKey::generate().public_der()).unwrap();
        let signature = key.sign(b"date: now");
        assert!(verifier.verifies(b"date: now", &signature));
        assert!(!verifier.verifies(b"date: then", &signature));
        assert!(!other.verifies(b"date: now", &signature));
    }

    #[test]
    fn the_private_key_does_not_show_in_debug_output() {
        assert_eq!(format!("{:?}", PrivateKey::generate()), "PrivateKey");
    }
}
