//! As much DER as three certificates need, and PEM around it. `rcgen` is not used: its names hold each attribute
//! once, and the leaf of an instance carries four `OU`s that clients tell apart by their prefix.
//!
//! Writes only; certificates are read with `x509-parser`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Datelike as _, Utc};

/// `SEQUENCE` and `SET`, with the bit that says that they hold other values.
const SEQUENCE: u8 = 0x30;
/// See [`SEQUENCE`].
const SET: u8 = 0x31;

/// One value: tag, length, content.
pub(super) fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![tag];
    let length = content.len();
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => bytes.push(short),
        _ => {
            let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|&digit| digit == 0).collect();
            let n_digits = u8::try_from(digits.len()).expect("a usize has at most eight bytes");
            bytes.push(0x80 | n_digits);
            bytes.extend(digits);
        }
    }
    bytes.extend_from_slice(content);
    bytes
}

/// A `SEQUENCE` of values that are already encoded.
pub(super) fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    value(SEQUENCE, &parts.concat())
}

/// A `SET` of one value.
pub(super) fn set_of_one(part: &[u8]) -> Vec<u8> {
    value(SET, part)
}

/// An `OBJECT IDENTIFIER` whose arcs are already encoded.
pub(super) fn object_identifier(encoded: &[u8]) -> Vec<u8> {
    value(0x06, encoded)
}

/// A non-negative `INTEGER`.
pub(super) fn integer(number: u64) -> Vec<u8> {
    let mut digits: Vec<u8> = number.to_be_bytes().into_iter().skip_while(|&digit| digit == 0).collect();
    if digits.first().is_none_or(|&first| first >= 0x80) {
        digits.insert(0, 0);
    }
    value(0x02, &digits)
}

/// `BOOLEAN TRUE`; false is never written in DER, being the default wherever certificates use one.
pub(super) fn truth() -> Vec<u8> {
    value(0x01, &[0xff])
}

/// `NULL`.
pub(super) fn null() -> Vec<u8> {
    value(0x05, &[])
}

/// A `UTF8String`.
pub(super) fn text(text: &str) -> Vec<u8> {
    value(0x0c, text.as_bytes())
}

/// A `BIT STRING` of whole bytes.
pub(super) fn bit_string(bytes: &[u8]) -> Vec<u8> {
    value(0x03, &[&[0], bytes].concat())
}

/// A `Time`: `UTCTime` through 2049 and `GeneralizedTime` after, as RFC 5280 section 4.1.2.5 wants.
pub(super) fn time(at: DateTime<Utc>) -> Vec<u8> {
    if at.year() < 2050 {
        value(0x17, at.format("%y%m%d%H%M%SZ").to_string().as_bytes())
    } else {
        value(0x18, at.format("%Y%m%d%H%M%SZ").to_string().as_bytes())
    }
}

/// PEM with lines of 64 characters.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// The bytes inside PEM, or inside PEM whose first and last line and line breaks were taken away, as the clients
/// send it. `None` when it is not base64.
pub(super) fn unpem(text: &str) -> Option<Vec<u8>> {
    let encoded: String =
        text.lines().filter(|line| !line.starts_with("-----")).flat_map(|line| line.trim().chars()).collect();
    STANDARD.decode(encoded).ok().filter(|der| !der.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_over_127_take_as_many_bytes_as_they_need() {
        assert_eq!(value(0x04, &[7]), [0x04, 1, 7]);
        assert_eq!(value(0x04, &[0; 200])[..3], [0x04, 0x81, 200]);
        assert_eq!(value(0x04, &[0; 300])[..4], [0x04, 0x82, 1, 44]);
    }

    #[test]
    fn an_integer_never_looks_negative() {
        assert_eq!(integer(0), [0x02, 1, 0]);
        assert_eq!(integer(127), [0x02, 1, 127]);
        assert_eq!(integer(128), [0x02, 2, 0, 128]);
    }

    #[test]
    fn a_year_from_2050_on_is_written_in_full() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(time(at("2049-12-31T23:59:59Z"))[2..], *b"491231235959Z");
        assert_eq!(time(at("2050-01-01T00:00:00Z"))[2..], *b"20500101000000Z");
    }

    #[test]
    fn pem_reads_back_with_and_without_its_first_and_last_line() {
        let der: Vec<u8> = (0..=255).collect();
        let written = pem("CERTIFICATE", &der);
        let stripped: String = written.lines().filter(|line| !line.starts_with('-')).collect();
        assert_eq!(unpem(&written), Some(der.clone()));
        assert_eq!(unpem(&stripped), Some(der));
        assert_eq!(unpem("-----BEGIN CERTIFICATE-----"), None);
    }
}
