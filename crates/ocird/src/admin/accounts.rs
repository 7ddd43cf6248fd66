//! Names and groups of the users of this machine, from `/etc/passwd` and `/etc/group`.
//!
//! Deliberately not by the system's resolver: it may ask a directory over the network, and a command that stops deletion must
//! not wait for one. A user who is known only there is told by number, and belongs to a group by its primary one.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The most bytes of either file that are read.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Where the two files are.
#[derive(Debug, Clone)]
pub(super) struct Accounts {
    passwd: PathBuf,
    group: PathBuf,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { passwd: "/etc/passwd".into(), group: "/etc/group".into() }
    }
}

impl Accounts {
    /// The name of a user, if this machine knows one.
    pub(super) fn user_name(&self, uid: u32) -> Option<String> {
        let text = read(&self.passwd)?;
        user(&text, uid).map(str::to_owned)
    }

    /// The number of a group, if this machine knows it.
    pub(super) fn group_id(&self, name: &str) -> Option<u32> {
        let text = read(&self.group)?;
        group(&text, name).map(|group| group.gid)
    }

    /// Whether a user of this name is among the members of a group. The primary group of a user is not told here.
    pub(super) fn is_member(&self, user: &str, group_name: &str) -> bool {
        let text = read(&self.group);
        text.as_deref()
            .and_then(|text| group(text, group_name))
            .is_some_and(|group| group.members.split(',').any(|member| !member.is_empty() && member == user))
    }
}

/// One line of `/etc/group`.
struct Group<'a> {
    gid: u32,
    /// Names with commas between.
    members: &'a str,
}

/// A file that cannot be read knows nobody.
fn read(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// `name:password:uid:...`
fn user(passwd: &str, uid: u32) -> Option<&str> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number) = (fields.next()?, fields.nth(1)?);
        (!name.is_empty() && number.parse() == Ok(uid)).then_some(name)
    })
}

/// `name:password:gid:members`
fn group<'a>(groups: &'a str, name: &str) -> Option<Group<'a>> {
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (found, gid, members) = (fields.next()?, fields.nth(1)?, fields.next()?);
        (found == name).then(|| Some(Group { gid: gid.parse().ok()?, members }))?
    })
}

#[cfg(test)]
impl Accounts {
    /// Accounts with these files.
    pub(super) fn of(directory: &Path, passwd: &str, group: &str) -> Self {
        let accounts = Self { passwd: directory.join("passwd"), group: directory.join("group") };
        std::fs::write(&accounts.passwd, passwd).unwrap();
        std::fs::write(&accounts.group, group).unwrap();
        accounts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_found_by_their_whole_names() {
        let directory = tempfile::tempdir().unwrap();
        let accounts = Accounts::of(
            directory.path(),
            "root:x:0:0:root:/root:/bin/sh\nodd line\n:x:1000:1000::/:\nalice:x:1000:1000::/home/alice:/bin/sh\n",
            "ops-old:x:7:alice\nops:x:42:bob,alice\nempty:x:43:\nbroken:x:many:alice\n",
        );
        assert_eq!(accounts.user_name(0).as_deref(), Some("root"));
        assert_eq!(accounts.user_name(1000).as_deref(), Some("alice"));
        assert_eq!(accounts.user_name(100), None);
        assert_eq!(accounts.group_id("ops"), Some(42));
        assert_eq!((accounts.group_id("op"), accounts.group_id("broken")), (None, None));
        assert!(accounts.is_member("alice", "ops") && accounts.is_member("bob", "ops"));
        for (user, group) in [("alic", "ops"), ("bob,alice", "ops"), ("", "empty"), ("alice", "empty")] {
            assert!(!accounts.is_member(user, group), "{user} in {group}");
        }
    }

    #[test]
    fn files_that_cannot_be_read_know_nobody() {
        let nowhere = Accounts { passwd: "/nonexistent/passwd".into(), group: "/nonexistent/group".into() };
        assert_eq!((nowhere.user_name(0), nowhere.group_id("root")), (None, None));
        assert!(!nowhere.is_member("root", "root"));
    }
}
