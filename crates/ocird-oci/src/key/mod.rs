//! Private RSA keys, read from PEM: PKCS#1 and PKCS#8, in clear or encrypted by a pass phrase.
//!
//! It reads bytes, not files, and says nothing of what was in them.

mod encrypted;

use std::fmt::Write as _;

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::signature::{KeyPair as _, RsaKeyPair};
use md5::{Digest as _, Md5};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject as _;
use secrecy::SecretString;

use self::encrypted::EncryptedKey;

/// Why a PEM gives no key to sign with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// There is no private key in it.
    #[error("not a private key in PEM")]
    NotPem,
    /// Another algorithm, or too short; Oracle wants 2048 bits at least.
    #[error("not an RSA key of 2048 bits or more")]
    NotRsa,
    /// The key is encrypted, and there is no pass phrase.
    #[error("encrypted, and no pass phrase is given for it")]
    NoPassphrase,
    /// What the pass phrase makes of it is no RSA key.
    #[error("encrypted, and the pass phrase does not open it")]
    Passphrase,
    /// The name under which the key is to be used could not stand in a header.
    #[error("the name of the key is not printable ASCII without blanks and quotes")]
    KeyId,
    /// The encryption is not one that is read.
    #[error(
        "encrypted by {scheme}, which is not read here; `openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEW` \
         makes a copy that is"
    )]
    Encryption {
        /// What it is encrypted by, as far as that can be told.
        scheme: String,
    },
}

/// The RSA key of this PEM. `passphrase` is used if the key is encrypted.
pub(crate) fn read(pem: &[u8], passphrase: Option<&SecretString>) -> Result<RsaKeyPair, KeyError> {
    match EncryptedKey::find(pem)? {
        Some(encrypted) => encrypted.open(passphrase.ok_or(KeyError::NoPassphrase)?),
        None => read_plain(pem),
    }
}

/// The name of a key among a user's API keys: the MD5 of its public half in DER, in lower case with colons.
/// <https://docs.oracle.com/en-us/iaas/Content/API/Concepts/apisigningkey.htm>
pub(crate) fn fingerprint(key: &RsaKeyPair) -> String {
    let public: PublicKeyX509Der<'_> =
        key.public_key().as_der().expect("a key that was loaded has a public half that can be written down");
    let mut text = String::with_capacity(16 * 3);
    for byte in Md5::digest(public.as_ref()) {
        let colon = if text.is_empty() { "" } else { ":" };
        write!(text, "{colon}{byte:02x}").expect("writing to a string cannot fail");
    }
    text
}

fn read_plain(pem: &[u8]) -> Result<RsaKeyPair, KeyError> {
    let key = match PrivateKeyDer::from_pem_slice(pem).map_err(|_| KeyError::NotPem)? {
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()),
        _ => return Err(KeyError::NotRsa),
    };
    key.map_err(|_| KeyError::NotRsa)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize};

    use super::*;

    /// PKCS#8 puts this many bytes before the PKCS#1 of a key of 2048 to 8192 bits.
    const PKCS8_HEAD: usize = 26;

    fn armoured(label: &str, der: &[u8]) -> String {
        format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
    }

    #[test]
    fn both_forms_of_a_key_are_one_key_of_one_fingerprint() {
        for size in [RsaKeySize::_2048, RsaKeySize::_4096] {
            let der = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size).unwrap().serialize_der();
            let pkcs8 = read(armoured("PRIVATE KEY", &der).as_bytes(), None).unwrap();
            let pkcs1 = armoured("RSA PRIVATE KEY", &der[PKCS8_HEAD..]);
            // The console appends such a line to the keys that it makes.
            let pkcs1 = read((pkcs1 + "OCI_API_KEY\n").as_bytes(), None).unwrap();
            assert_eq!(pkcs8.public_key().as_ref(), pkcs1.public_key().as_ref());
            assert_eq!(fingerprint(&pkcs8), fingerprint(&pkcs1));
        }
    }

    #[test]
    fn what_is_no_rsa_key_is_refused_without_being_shown() {
        let curve = KeyPair::generate().unwrap().serialize_pem();
        let nonsense = armoured("PRIVATE KEY", b"canary");
        for (pem, why) in [
            ("", KeyError::NotPem),
            ("canary", KeyError::NotPem),
            ("-----BEGIN PRIVATE KEY-----\ncanary%\n-----END PRIVATE KEY-----\n", KeyError::NotPem),
            (&*nonsense, KeyError::NotRsa),
            (&*curve, KeyError::NotRsa),
        ] {
            let Err(error) = read(pem.as_bytes(), None) else { panic!("accepted {pem}") };
            assert_eq!(error, why);
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }
}
