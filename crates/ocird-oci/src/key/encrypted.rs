//! Encrypted private keys, in the two forms that OpenSSL and Oracle's command line write: PKCS#8 by PBES2 with PBKDF2
//! (RFC 8018), and the traditional PEM with a `DEK-Info` line (RFC 1421, keys as `EVP_BytesToKey` derives them).
//!
//! AES in CBC mode only. DES and scrypt are refused by name; nothing is ever encrypted here.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{
    AES_128, AES_128_KEY_LEN, AES_192, AES_192_KEY_LEN, AES_256, AES_256_KEY_LEN, Algorithm,
    DecryptionContext, PaddedBlockDecryptingKey, UnboundCipherKey,
};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2::{self, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA384, PBKDF2_HMAC_SHA512};
use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use x509_parser::asn1_rs::{Any, FromDer as _, Oid, Tag, oid};

use super::KeyError;
use crate::error::clean;

/// The most rounds of PBKDF2 that are done, some seconds of work. OpenSSL writes 2048, careful people a million.
const MAX_ROUNDS: u32 = 10_000_000;

/// The two algorithms that an encrypted PKCS#8 names.
const PBES2: Oid<'static> = oid!(1.2.840.113549.1.5.13);
const PBKDF2: Oid<'static> = oid!(1.2.840.113549.1.5.12);

/// The bytes of a derived key that MD5 gives at a time.
const MD5_BYTES: usize = 16;

/// AES in CBC mode with keys of one length.
struct Aes {
    /// As a `DEK-Info` names it.
    name: &'static str,
    /// As PKCS#8 numbers it.
    number: Oid<'static>,
    algorithm: &'static Algorithm,
    key_bytes: usize,
}

static AES: [Aes; 3] = [
    Aes {
        name: "AES-128-CBC",
        number: oid!(2.16.840.1.101.3.4.1.2),
        algorithm: &AES_128,
        key_bytes: AES_128_KEY_LEN,
    },
    Aes {
        name: "AES-192-CBC",
        number: oid!(2.16.840.1.101.3.4.1.22),
        algorithm: &AES_192,
        key_bytes: AES_192_KEY_LEN,
    },
    Aes {
        name: "AES-256-CBC",
        number: oid!(2.16.840.1.101.3.4.1.42),
        algorithm: &AES_256,
        key_bytes: AES_256_KEY_LEN,
    },
];

/// A private key that a pass phrase opens.
pub(crate) struct EncryptedKey {
    form: Form,
    derivation: Derivation,
    cipher: &'static Aes,
    iv: [u8; 16],
    sealed: Zeroizing<Vec<u8>>,
}

/// What is inside.
#[derive(Clone, Copy)]
enum Form {
    Pkcs1,
    Pkcs8,
}

/// How the cipher's key comes from the pass phrase.
enum Derivation {
    Pbkdf2 {
        prf: pbkdf2::Algorithm,
        salt: Vec<u8>,
        n_rounds: NonZeroU32,
    },
    /// MD5, once, salted with the first half of the initialisation vector.
    Traditional,
}

/// One block of a PEM: its label and what stands between the two lines.
struct Armour<'a> {
    label: &'a str,
    inside: &'a str,
}

impl EncryptedKey {
    /// The encrypted key of this PEM; `None` when its first block is no encrypted key.
    pub(crate) fn find(pem: &[u8]) -> Result<Option<Self>, KeyError> {
        let Some(armour) = str::from_utf8(pem).ok().and_then(Armour::first) else {
            return Ok(None);
        };
        match (armour.label, armour.header("DEK-Info")) {
            ("ENCRYPTED PRIVATE KEY", _) => Self::pkcs8(&armour.body()?).map(Some),
            ("RSA PRIVATE KEY", Some(info)) => Self::traditional(info, armour.body()?).map(Some),
            _ => Ok(None),
        }
    }

    /// The key inside. A wrong pass phrase leaves bad padding or, once in 256 times, something that is no key.
    pub(crate) fn open(mut self, passphrase: &SecretString) -> Result<RsaKeyPair, KeyError> {
        let form = self.form;
        let der = self.decrypt(passphrase.expose_secret().as_bytes()).map_err(|_| KeyError::Passphrase)?;
        let key = match form {
            Form::Pkcs1 => RsaKeyPair::from_der(der),
            Form::Pkcs8 => RsaKeyPair::from_pkcs8(der),
        };
        key.map_err(|_| KeyError::Passphrase)
    }

    /// Decrypts in place.
    fn decrypt(&mut self, passphrase: &[u8]) -> Result<&[u8], Unspecified> {
        let mut bytes = Zeroizing::new([0; AES_256_KEY_LEN]);
        let key = &mut bytes[..self.cipher.key_bytes];
        match &self.derivation {
            Derivation::Pbkdf2 { prf, salt, n_rounds } => {
                pbkdf2::derive(*prf, *n_rounds, salt, passphrase, key);
            }
            Derivation::Traditional => derive_traditional(passphrase, &self.iv[..8], key),
        }
        let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(self.cipher.algorithm, key)?)?;
        let opened = key.decrypt(&mut self.sealed, DecryptionContext::Iv128(FixedLength::from(self.iv)))?;
        Ok(opened)
    }

    /// Reads a `DEK-Info` such as `AES-256-CBC,<hex>`.
    fn traditional(info: &str, sealed: Zeroizing<Vec<u8>>) -> Result<Self, KeyError> {
        let (name, iv) = info.split_once(',').ok_or(KeyError::NotPem)?;
        let cipher = AES.iter().find(|aes| aes.name == name);
        let cipher = cipher.ok_or_else(|| KeyError::Encryption { scheme: clean(name) })?;
        let iv = u128::from_str_radix(iv.trim(), 16).map_err(|_| KeyError::NotPem)?.to_be_bytes();
        Ok(Self { form: Form::Pkcs1, derivation: Derivation::Traditional, cipher, iv, sealed })
    }

    /// Reads an `EncryptedPrivateKeyInfo`: an algorithm with its parameters, and what is sealed.
    fn pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let [info] = &parts(der)?[..] else { return Err(KeyError::NotPem) };
        let [algorithm, sealed] = &parts(info.data)?[..] else { return Err(KeyError::NotPem) };
        let parameters = parameters(algorithm, &PBES2)?;
        let [derivation, encryption] = &parts(parameters.data)?[..] else { return Err(KeyError::NotPem) };
        let (cipher, iv) = aes(encryption)?;
        Ok(Self {
            form: Form::Pkcs8,
            derivation: derivation_of(derivation)?,
            cipher,
            iv,
            sealed: Zeroizing::new(sealed.data.to_vec()),
        })
    }
}

impl<'a> Armour<'a> {
    /// The first block of a PEM.
    fn first(pem: &'a str) -> Option<Self> {
        let (_, rest) = pem.split_once("-----BEGIN ")?;
        let (label, rest) = rest.split_once("-----")?;
        let (inside, _) = rest.split_once("-----END ")?;
        Some(Self { label, inside })
    }

    /// The value of a header line.
    fn header(&self, name: &str) -> Option<&'a str> {
        let mut headers = self.inside.lines().filter_map(|line| line.split_once(':'));
        headers.find(|(given, _)| *given == name).map(|(_, value)| value.trim())
    }

    /// The bytes, which every line that is no header is base64 of.
    fn body(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let lines = self.inside.lines().filter(|line| !line.contains(':'));
        let base64 = Zeroizing::new(lines.map(str::trim).collect::<String>());
        STANDARD.decode(&*base64).map(Zeroizing::new).map_err(|_| KeyError::NotPem)
    }
}

/// The elements of some DER, one after the other.
fn parts(der: &[u8]) -> Result<Vec<Any<'_>>, KeyError> {
    let (mut parts, mut rest) = (Vec::new(), der);
    while !rest.is_empty() {
        let (after, part) = Any::from_der(rest).map_err(|_| KeyError::NotPem)?;
        parts.push(part);
        rest = after;
    }
    Ok(parts)
}

/// The name of an algorithm, and its parameters.
fn algorithm<'a>(identifier: &Any<'a>) -> Result<(Oid<'a>, Option<Any<'a>>), KeyError> {
    let mut parts = parts(identifier.data)?.into_iter();
    let name = parts.next().and_then(|name| name.oid().ok()).ok_or(KeyError::NotPem)?;
    Ok((name, parts.next()))
}

/// The parameters of an algorithm, if it is the `wanted` one.
fn parameters<'a>(identifier: &Any<'a>, wanted: &Oid<'_>) -> Result<Any<'a>, KeyError> {
    match algorithm(identifier)? {
        (name, Some(parameters)) if name == *wanted => Ok(parameters),
        (name, _) => Err(unread(&name)),
    }
}

/// PBKDF2 with its salt and rounds, perhaps the length of the key, and perhaps the function: SHA-1 unless it says so.
fn derivation_of(identifier: &Any<'_>) -> Result<Derivation, KeyError> {
    let parameters = parameters(identifier, &PBKDF2)?;
    let [salt, n_rounds, more @ ..] = &parts(parameters.data)?[..] else { return Err(KeyError::NotPem) };
    let n_rounds = n_rounds.as_u32().ok().filter(|n| *n <= MAX_ROUNDS).and_then(NonZeroU32::new);
    let n_rounds = n_rounds
        .ok_or_else(|| KeyError::Encryption { scheme: format!("PBKDF2 of more than {MAX_ROUNDS} rounds") })?;
    let function = more.iter().find(|part| part.tag() == Tag::Sequence);
    let prf = function.map_or(Ok(PBKDF2_HMAC_SHA1), function_of)?;
    Ok(Derivation::Pbkdf2 { prf, salt: salt.data.to_vec(), n_rounds })
}

fn function_of(identifier: &Any<'_>) -> Result<pbkdf2::Algorithm, KeyError> {
    let (name, _) = algorithm(identifier)?;
    let known = [
        (oid!(1.2.840.113549.2.7), PBKDF2_HMAC_SHA1),
        (oid!(1.2.840.113549.2.9), PBKDF2_HMAC_SHA256),
        (oid!(1.2.840.113549.2.10), PBKDF2_HMAC_SHA384),
        (oid!(1.2.840.113549.2.11), PBKDF2_HMAC_SHA512),
    ];
    known.into_iter().find(|(known, _)| *known == name).map(|(_, prf)| prf).ok_or_else(|| unread(&name))
}

/// The cipher with its initialisation vector.
fn aes(identifier: &Any<'_>) -> Result<(&'static Aes, [u8; 16]), KeyError> {
    let (number, iv) = algorithm(identifier)?;
    let cipher = AES.iter().find(|aes| aes.number == number).ok_or_else(|| unread(&number))?;
    let iv = iv.and_then(|iv| iv.data.try_into().ok()).ok_or(KeyError::NotPem)?;
    Ok((cipher, iv))
}

/// What is told of an algorithm that is not read: the name of one that people are likely to meet, else its number.
fn unread(name: &Oid<'_>) -> KeyError {
    let scheme = match name.to_id_string().as_str() {
        "1.3.6.1.4.1.11591.4.11" => "scrypt".to_owned(),
        "1.2.840.113549.3.7" => "DES-EDE3-CBC".to_owned(),
        number => format!("algorithm {number}"),
    };
    KeyError::Encryption { scheme }
}

/// The traditional derivation: MD5 over what it gave before, the pass phrase and the salt, until the key is full.
fn derive_traditional(passphrase: &[u8], salt: &[u8], key: &mut [u8]) {
    let mut block = Zeroizing::new(Vec::new());
    for chunk in key.chunks_mut(MD5_BYTES) {
        let hash = Md5::new().chain_update(&*block).chain_update(passphrase).chain_update(salt).finalize();
        chunk.copy_from_slice(&hash[..chunk.len()]);
        *block = hash.to_vec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key;

    const PASSPHRASE: &str = "canary-phrase";

    /// What OpenSSL 3.0 calls the one key inside all samples.
    const FINGERPRINT: &str = "5d:f1:58:8a:c9:6f:b2:3e:93:bc:5f:f9:56:25:d8:ae";

    const PBKDF2_SHA256_AES256: &str = include_str!("samples/pbkdf2_sha256_aes256.txt");
    const TRADITIONAL_AES256: &str = include_str!("samples/traditional_aes256.txt");

    /// The samples lie about without their first and last line, lest they pass for secrets.
    fn pem(label: &str, sample: &str) -> String {
        format!("-----BEGIN {label}-----\n{sample}-----END {label}-----\n")
    }

    fn open(pem: &str, passphrase: &str) -> Result<String, KeyError> {
        key::read(pem.as_bytes(), Some(&passphrase.to_owned().into())).map(|key| key::fingerprint(&key))
    }

    #[test]
    fn keys_that_others_encrypted_are_opened() {
        for (label, sample) in [
            // As `oci setup config` writes it, through Python's cryptography.
            ("ENCRYPTED PRIVATE KEY", include_str!("samples/oci_cli.txt")),
            ("ENCRYPTED PRIVATE KEY", include_str!("samples/pbkdf2_sha1_aes128.txt")),
            ("ENCRYPTED PRIVATE KEY", PBKDF2_SHA256_AES256),
            ("ENCRYPTED PRIVATE KEY", include_str!("samples/pbkdf2_sha512_aes192.txt")),
            ("RSA PRIVATE KEY", include_str!("samples/traditional_aes128.txt")),
            ("RSA PRIVATE KEY", TRADITIONAL_AES256),
        ] {
            assert_eq!(open(&pem(label, sample), PASSPHRASE).as_deref(), Ok(FINGERPRINT));
        }
    }

    #[test]
    fn a_wrong_pass_phrase_and_none_are_told_apart() {
        for pem in
            [pem("ENCRYPTED PRIVATE KEY", PBKDF2_SHA256_AES256), pem("RSA PRIVATE KEY", TRADITIONAL_AES256)]
        {
            assert_eq!(open(&pem, "canary-other"), Err(KeyError::Passphrase));
            let Err(error) = key::read(pem.as_bytes(), None) else { panic!("opened without a pass phrase") };
            assert_eq!(error, KeyError::NoPassphrase);
        }
    }

    #[test]
    fn an_encryption_that_is_not_read_is_named_with_what_to_do() {
        for (label, sample, scheme) in [
            ("ENCRYPTED PRIVATE KEY", include_str!("samples/scrypt_aes256.txt"), "scrypt"),
            ("RSA PRIVATE KEY", include_str!("samples/traditional_des3.txt"), "DES-EDE3-CBC"),
        ] {
            let text = open(&pem(label, sample), PASSPHRASE).unwrap_err().to_string();
            assert!(text.contains(scheme) && text.contains("openssl pkcs8 -topk8"), "{text}");
        }
    }

    #[test]
    fn a_damaged_head_is_an_error_or_does_not_matter() {
        let whole = STANDARD.decode(PBKDF2_SHA256_AES256.replace('\n', "")).unwrap();
        for at in 0..120 {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            let damaged = STANDARD.encode(damaged) + "\n";
            if let Ok(fingerprint) = open(&pem("ENCRYPTED PRIVATE KEY", &damaged), PASSPHRASE) {
                assert_eq!(fingerprint, FINGERPRINT, "byte {at}");
            }
        }
    }

    #[test]
    fn rounds_without_end_are_refused_before_the_first() {
        let derivation = [
            0x30, 0x1f, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c, 0x30, 0x12, 0x04,
            0x08, 1, 2, 3, 4, 5, 6, 7, 8, 0x02, 0x04, 0x7f, 0xff, 0xff, 0xff, 0x02, 0x00,
        ];
        let (_, identifier) = Any::from_der(&derivation).unwrap();
        assert!(matches!(derivation_of(&identifier), Err(KeyError::Encryption { .. })));
    }
}
