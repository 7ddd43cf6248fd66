//! `[admin]`: where the admin socket is, and who beside root may use it. Whether the group exists is asked of the machine it
//! runs on, not here: a configuration is checked elsewhere, too.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::raw::Given;
use super::source::Check;

/// The name of the socket in the state directory.
const SOCKET: &str = "admin.sock";

/// The longest path of a socket in bytes: 108 hold it with its end, and it is made under a name that is 4 longer.
/// <https://man7.org/linux/man-pages/man7/unix.7.html>
const MAX_SOCKET: usize = 103;

/// `[admin]` as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawAdmin {
    socket: Given<String>,
    group: Given<String>,
}

/// The admin socket (S-32).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminConfig {
    /// Where it is.
    pub socket: PathBuf,
    /// The group whose members may use it, beside root and the daemon's own user.
    pub group: Option<String>,
}

/// The settings of the socket; in the state directory unless it is said otherwise.
pub(super) fn admin(raw: &RawAdmin, state_dir: &Path, check: &mut Check<'_>) -> AdminConfig {
    let RawAdmin { socket, group } = raw;
    let path = check.path(socket.as_ref(), "admin.socket");
    if let (Some(given), Some(path)) = (socket, &path)
        && path.as_os_str().len() > MAX_SOCKET
    {
        check.problem(
            &given.span(),
            format!("admin.socket is longer than the {MAX_SOCKET} bytes that a socket's path can have"),
        );
    }
    let name = check.text(group.as_ref(), "admin.group");
    if let (Some(given), Some(name)) = (group, &name)
        && name.contains([':', ',', ' ', '/'])
    {
        check.problem(&given.span(), format!("admin.group: {name:?} is not the name of a group"));
    }
    AdminConfig { socket: path.unwrap_or_else(|| state_dir.join(SOCKET)), group: name }
}
