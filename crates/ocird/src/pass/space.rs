//! Room on the disk of the state directory: every deletion is written down before and after, so nothing is deleted on a disk
//! that is about to be full (S-28). Looking and serving go on.

use std::path::Path;

use ocird_model::{Bytes, Rule};
use rustix::fs::statvfs;
use rustix::io;

/// What is left on the disk of the state directory.
///
/// # Errors
/// The directory is not there, or nobody can tell.
pub(crate) fn room_left(state_dir: &Path) -> io::Result<Bytes> {
    let disk = statvfs(state_dir)?;
    // What a process without privileges may still use, as ocird has none.
    Ok(Bytes(disk.f_bavail.saturating_mul(disk.f_frsize)))
}

/// Why there is too little room for the journal; `None` when there is enough. Where nobody can tell, there is not.
pub(crate) fn little_room(state_dir: &Path, min_free: Bytes) -> Option<String> {
    if !Rule::S28.in_force() {
        return None;
    }
    match room_left(state_dir) {
        Ok(free) => (free < min_free).then(|| {
            format!(
                "the disk of {} has {free} left, and nothing is deleted under {min_free}",
                state_dir.display()
            )
        }),
        Err(error) => {
            Some(format!("how much room is left for {} is not known: {error}", state_dir.display()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_with_less_than_the_floor_is_too_full_and_one_that_nobody_can_ask_too() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(little_room(directory.path(), Bytes(1)), None);
        let why = little_room(directory.path(), Bytes(u64::MAX)).unwrap();
        assert!(why.contains("left"), "{why}");
        let why = little_room(&directory.path().join("missing"), Bytes(1)).unwrap();
        assert!(why.contains("not known"), "{why}");
    }
}
