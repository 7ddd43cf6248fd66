//! What a tag is by its form: a plain one that somebody gave, or one that ties an artifact to its subject.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema>

use ocird_model::{Digest, Tag};

/// The subject that a tag names by its form: `sha256-<64 hex digits>`, alone or with a suffix of any kind such as `.sig`,
/// `.att` or `.sbom`. Upper-case digits are no digest, and make it a plain tag.
pub(crate) fn subject_named_by(tag: &Tag) -> Option<Digest> {
    let rest = tag.as_str().strip_prefix("sha256-")?;
    let hex = rest.get(..64)?;
    let suffix = &rest[64..];
    if !(suffix.is_empty() || suffix.starts_with('.')) {
        return None;
    }
    format!("sha256:{hex}").parse().ok()
}
