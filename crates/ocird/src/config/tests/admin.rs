//! `[admin]`: where its socket is, and what it must not say.

use super::{LEAST, central};

#[test]
fn the_socket_is_in_the_state_directory_unless_it_is_said_otherwise() {
    let usual = central(LEAST).unwrap().admin;
    assert_eq!((usual.socket.to_str(), usual.group), (Some("/var/lib/ocird/admin.sock"), None));
    let moved = central(&format!("state_dir = '/srv/ocird'\n{LEAST}")).unwrap().admin;
    assert_eq!(moved.socket.to_str(), Some("/srv/ocird/admin.sock"));
    let table = "[admin]\nsocket = '/run/ocird/a.sock'\ngroup = 'ops'\n";
    let said = central(&format!("{LEAST}{table}")).unwrap().admin;
    assert_eq!((said.socket.to_str(), said.group.as_deref()), (Some("/run/ocird/a.sock"), Some("ops")));
}

#[test]
fn what_cannot_be_a_socket_or_a_group_is_refused_at_its_place() {
    let long = format!("[admin]\nsocket = '/{}'\n", "x".repeat(103));
    for (table, expected) in [
        (long.as_str(), "admin.socket is longer than"),
        ("[admin]\ngroup = 'ops,all'\n", "is not the name of a group"),
        ("[admin]\ngroup = ''\n", "admin.group is blank"),
        ("[admin]\nsocket = ' '\n", "admin.socket is blank"),
        ("[admin]\nusers = ['alice']\n", "users"),
    ] {
        let problems = central(&format!("{LEAST}{table}")).unwrap_err();
        assert!(problems.contains(expected) && problems.contains("ocird.toml:"), "{problems}");
    }
}
