//! What is written down before a deletion (S-21): everything that is needed to undo it, and what the decision rested on.

use ocird_model::{Bytes, DeleteTarget, Etag, FetchedManifest, Intent};
use ocird_plan::Due;

use crate::pass::observe;

/// What the deletion names: all three, or it does not happen (S-10).
pub(crate) fn target(due: &Due) -> DeleteTarget {
    let image = due.image();
    DeleteTarget { image: image.id.clone(), digest: image.digest, repository: due.repository_id().clone() }
}

/// The intent to delete what is due, by the etag of the second look; `frees` is what that gives back.
pub(crate) fn intent(due: &Due, etag: Etag, manifest: FetchedManifest, frees: Option<Bytes>) -> Intent {
    let image = due.image();
    Intent {
        image: image.id.clone(),
        digest: image.digest,
        repository: due.repository_id().clone(),
        repository_name: due.repository_name().clone(),
        tags: image.tags.clone(),
        media_type: manifest.media_type,
        manifest: manifest.bytes,
        etag,
        head: *due.head(),
        members: due.members().to_vec(),
        rule: due.rule(),
        evidence: evidence(due),
        frees,
    }
}

/// What the decision rested on, for people who ask later.
fn evidence(due: &Due) -> String {
    let newest = due.image().newest_time().map_or_else(|| "unknown".to_owned(), |time| time.to_rfc3339());
    let pulled = match due.image().last_pulled_at {
        None => "never".to_owned(),
        Some(at) if at == observe::NOBODY_KNOWS_WHEN => "at a time that nobody knows".to_owned(),
        Some(at) => at.to_rfc3339(),
    };
    let marked = due.since().map_or_else(String::new, |since| {
        format!("; selected since {} in {} passes in a row", since.to_rfc3339(), due.n_passes())
    });
    format!("newest time {newest}, last pulled {pulled}{marked}")
}
