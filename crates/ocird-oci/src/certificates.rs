//! The certificate authorities to trust, from a file of the operator's.

use std::path::Path;

use reqwest::Certificate;

use crate::BuildError;

/// Every certificate of the PEM file at `path`; an error when there is none.
pub(crate) fn read(path: &Path) -> Result<Vec<Certificate>, BuildError> {
    let pem = std::fs::read(path).map_err(|source| BuildError::CaFile { path: path.to_owned(), source })?;
    Certificate::from_pem_bundle(&pem)
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| BuildError::CaFileContent { path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_and_a_file_without_certificates_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        assert!(matches!(read(&path), Err(BuildError::CaFile { .. })));
        std::fs::write(&path, "nothing of the kind").unwrap();
        assert!(matches!(read(&path), Err(BuildError::CaFileContent { .. })));
    }

    #[test]
    fn every_certificate_of_the_file_is_trusted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ca.pem");
        let one = rcgen::generate_simple_self_signed(["one".to_owned()]).unwrap();
        let two = rcgen::generate_simple_self_signed(["two".to_owned()]).unwrap();
        std::fs::write(&path, one.cert.pem() + &two.cert.pem()).unwrap();
        assert_eq!(read(&path).unwrap().len(), 2);
    }
}
