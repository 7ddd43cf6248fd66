//! `[findings]`, and the compartments of `[projects]`.

use super::*;

#[test]
fn what_is_worth_telling_is_checked_like_the_rest() {
    let findings = |text: &str| central(&format!("{LEAST}[findings]\n{text}\n"));
    let user = "user = 'ocid1.user.oc1..a', name = 'ci', rotate_after = '90d'";
    for (text, words) in [
        ("budget = '350MB'\nwarn_at = '350MB'", "warn_at must be under findings.budget"),
        ("budget = '0MB'", "findings.budget must be at least"),
        ("naming = ['{project}-[']", "is not a glob"),
        ("naming = []", "findings.naming is empty"),
        ("expected = ['Not A Name']", "Not A Name"),
        ("recommended = { keep_newest = 0 }", "keep_newest must be a number from 1"),
        ("recommended = { untagged_older_than = '1h' }", "must be at least 1day"),
        ("auth_tokens = [{ user = 'ocid1.user.oc1..a', name = 'ci' }]", "needs rotate_after"),
        (
            "auth_tokens = [{ user = 'ocid1.tenancy.oc1..a', name = 'ci', rotate_after = '90d' }]",
            "not the OCID of a user",
        ),
        (&format!("auth_tokens = [{{ {user} }}, {{ {user} }}]"), "watched above already"),
        ("nameing = ['*']", "did you mean `naming`?"),
    ] {
        let refused = findings(text).unwrap_err();
        assert!(refused.contains(words), "{text}: {refused}");
    }
    assert!(findings(&format!("auth_tokens = [{{ {user} }}]")).is_ok());
}

#[test]
fn a_home_where_ocird_does_not_look_is_warned_of() {
    let config = central(&format!(
        "{LEAST}[projects.mgh]\nrepositories = ['mgh-*']\ncompartments = ['ocid1.compartment.oc1..b']\n"
    ));
    let config = config.unwrap();
    assert!(
        warnings(&config).iter().any(|text| text.contains("ocird does not look there")),
        "{:?}",
        config.warnings
    );
    assert_eq!(config.findings.homes.len(), 1);
}
