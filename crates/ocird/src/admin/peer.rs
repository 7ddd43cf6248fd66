//! Who may command the daemon (S-32): root, the daemon's own user, and the members of one configured group. The kernel says
//! who asks (`SO_PEERCRED`); nothing that the other side says of itself is looked at.

use ocird_model::Rule;
use ocird_store::Operator;
use tokio::net::unix::UCred;

use super::accounts::Accounts;

/// The number by which the kernel tells every user whom the daemon's user namespace does not know, such as under
/// `PrivateUsers=yes`. Whoever it stands for, it is nobody in particular.
/// <https://man7.org/linux/man-pages/man7/user_namespaces.7.html>
const NOBODY: u32 = 65534;

/// Decides who is let in.
#[derive(Debug, Clone)]
pub(super) struct Porter {
    own_uid: u32,
    group: Option<String>,
    accounts: Accounts,
}

/// Somebody who may not command the daemon.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{who} may not command this daemon: {rule}")]
pub(super) struct Denied {
    who: String,
    rule: String,
}

impl Porter {
    /// For a daemon that runs as this user, and the group of the configuration.
    pub(super) fn new(own_uid: u32, group: Option<String>) -> Self {
        Self { own_uid, group, accounts: Accounts::default() }
    }

    /// The number of the configured group; `None` without one, or when this machine does not know it.
    pub(super) fn group_id(&self) -> Option<u32> {
        self.accounts.group_id(self.group.as_deref()?)
    }

    /// Who is at the other end, if they may come in.
    pub(super) fn admit(&self, peer: UCred) -> Result<Operator, Denied> {
        self.admit_user(peer.uid(), peer.gid())
    }

    /// The same, by numbers.
    pub(super) fn admit_user(&self, uid: u32, gid: u32) -> Result<Operator, Denied> {
        let operator = Operator { uid, name: self.accounts.user_name(uid) };
        if Rule::S32.in_force() && !self.may(&operator, gid) {
            return Err(Denied { who: operator.to_string(), rule: self.rule(uid) });
        }
        Ok(operator)
    }

    fn may(&self, operator: &Operator, gid: u32) -> bool {
        let Operator { uid, name } = operator;
        if *uid == NOBODY {
            return false;
        }
        *uid == 0 || *uid == self.own_uid || self.is_of_the_group(name.as_deref(), gid)
    }

    fn is_of_the_group(&self, name: Option<&str>, gid: u32) -> bool {
        let Some(group) = &self.group else { return false };
        self.accounts.group_id(group).is_some_and(|id| id == gid && id != NOBODY)
            || name.is_some_and(|name| self.accounts.is_member(name, group))
    }

    fn rule(&self, uid: u32) -> String {
        let own = Operator { uid: self.own_uid, name: self.accounts.user_name(self.own_uid) };
        let group = match &self.group {
            Some(group) => format!(", {own} and members of the group {group} may"),
            None => format!(" and {own} may; [admin] group can add a group"),
        };
        let hidden = if uid == NOBODY {
            " (a daemon under PrivateUsers=yes cannot tell users apart, beside root and its own)"
        } else {
            ""
        };
        format!("root{group}{hidden}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAEMON: u32 = 990;

    fn admitted(group: Option<&str>, uid: u32, gid: u32) -> bool {
        let directory = tempfile::tempdir().unwrap();
        let accounts = Accounts::of(
            directory.path(),
            "root:x:0:0::/:\nocird:x:990:990::/:\nalice:x:1000:1000::/:\nbob:x:1001:42::/:\nnobody:x:65534:65534::/:\n",
            "ops:x:42:alice,nobody\nnogroup:x:65534:\n",
        );
        let porter = Porter { own_uid: DAEMON, group: group.map(str::to_owned), accounts };
        porter.admit_user(uid, gid).is_ok()
    }

    #[test]
    fn root_the_daemon_and_the_group_come_in_and_nobody_else() {
        let cases = [
            (None, 0, 0, true),
            (None, DAEMON, 990, true),
            (None, 1000, 1000, false),
            (None, 1000, 0, false),
            (None, 1000, 990, false),
            (Some("ops"), 1000, 1000, true),
            (Some("ops"), 1001, 42, true),
            (Some("ops"), 1002, 42, true),
            (Some("ops"), 1002, 1002, false),
            (Some("ops"), 65534, 65534, false),
            (Some("nogroup"), 1000, 65534, false),
            (Some("unknown"), 1000, 1000, false),
            (Some("unknown"), 0, 0, true),
        ];
        for (group, uid, gid, expected) in cases {
            assert_eq!(admitted(group, uid, gid), expected, "{uid}:{gid} with {group:?}");
        }
    }

    #[test]
    fn a_daemon_that_is_nobody_does_not_take_everybody_for_itself() {
        let porter = Porter::new(NOBODY, None);
        let denied = porter.admit_user(NOBODY, NOBODY).unwrap_err().to_string();
        assert!(denied.contains("PrivateUsers"), "{denied}");
    }

    #[test]
    fn a_refusal_says_who_may() {
        let denied = Porter::new(0, None).admit_user(1_000_000, 5).unwrap_err().to_string();
        assert!(
            denied.starts_with("uid 1000000 may not command this daemon: root and root (uid 0) may"),
            "{denied}"
        );
    }
}
