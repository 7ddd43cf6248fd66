//! Who answers for what ocird cannot know: who shares its rights, how much room there must be, whether signed images go.

use super::*;

/// The armed configuration with these lines in `[armed_for]`, and this way of signing in.
fn armed(lines: &str, oci: &str) -> Result<Config, String> {
    let text = format!(
        "mode = 'enforce'\n[armed_for]\ntenancy = 'ocid1.tenancy.oc1..t'\nregion = 'eu-milan-1'\n\
         compartments = ['ocid1.compartment.oc1..a']\n{lines}\n[oci]\ncompartments = ['ocid1.compartment.oc1..a']\n{oci}\n\
         [[in_use.files]]\npath = 'in-use.json'\nrepositories = ['mgh-*']\n"
    );
    Files::new(&text, &[("mgh.toml", POLICY)]).load()
}

#[test]
fn an_instance_whose_rights_others_may_share_is_not_armed_until_somebody_answers_for_it() {
    let words = |lines: &str| armed(lines, "").unwrap().shared_identity();
    assert!(words("").unwrap().contains("accept_shared_identity = true"));
    assert!(words("accept_shared_identity = false").is_some());
    for lines in ["metadata = 'fenced'", "metadata = 'own_instance'", "accept_shared_identity = true"] {
        assert_eq!(words(lines), None, "{lines}");
    }
}

#[test]
fn a_profile_has_no_metadata_service_to_share() {
    let key = "auth = 'api_key'\nconfig_file = '/etc/ocird/oci-config'";
    assert_eq!(armed("", key).unwrap().shared_identity(), None);
}

#[test]
fn the_two_answers_contradict_each_other() {
    let both = armed("metadata = 'fenced'\naccept_shared_identity = true", "");
    refused(both, "ocird.toml:6", "says both");
    refused(armed("metadata = 'open'", ""), "ocird.toml:6", "open");
}

#[test]
fn the_room_that_must_be_left_has_a_floor_and_is_never_zero() {
    assert_eq!(central(LEAST).unwrap().min_free, Bytes(256_000_000));
    let with = |size: &str| central(&format!("{LEAST}\n[store]\nmin_free = {size}\n"));
    assert_eq!(with("'2GB'").unwrap().min_free, Bytes(2_000_000_000));
    for size in ["'0MB'", "'999kB'", "'9PB'", "''", "5"] {
        assert!(with(size).unwrap_err().contains("min_free"), "{size}");
    }
}

#[test]
fn signed_images_stay_unless_the_policy_says_otherwise() {
    let of = |line: &str| {
        let policy = format!("{POLICY}{line}");
        Files::new(ARMED, &[("mgh.toml", policy.as_str())])
            .load()
            .map(|config| config.policies.policies[0].enforce_signed)
    };
    assert_eq!((of(""), of("signed = 'keep'"), of("signed = 'enforce'")), (Ok(false), Ok(false), Ok(true)));
    assert!(of("signed = true").is_err());
}

#[test]
fn in_a_container_somebody_must_say_which_image_ocird_runs_from() {
    let with = |line: &str, variables: &[(&str, &str)]| {
        let files = Files::new(&format!("{ARMED}{line}\n"), &[("mgh.toml", POLICY)]);
        let environment = Environment::of(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
        });
        load_in(&files.0.path().join("ocird.toml"), &environment).unwrap()
    };
    let pod = ("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    let image = ("OCIRD_IMAGE", "lin.ocir.io/ns/ocird:1");
    assert_eq!(with("", &[]).unsaid_own_image(), None);
    assert!(with("", &[pod]).unsaid_own_image().unwrap().contains("container (KUBERNETES_SERVICE_HOST)"));
    let said = with("", &[pod, image]);
    assert_eq!((said.unsaid_own_image(), said.in_use.own_image.as_deref()), (None, Some(image.1)));
    let both = with("in_use.own_image = 'lin.ocir.io/ns/ocird:2'", &[pod, image]);
    assert_eq!(
        (both.unsaid_own_image(), both.in_use.own_image.as_deref()),
        (None, Some("lin.ocir.io/ns/ocird:2"))
    );
    assert!(with("", &[pod, ("OCIRD_IMAGE", " ")]).unsaid_own_image().is_some(), "blank says nothing");
    assert!(central(&format!("{LEAST}\n[in_use]\nown_image = ' '\n")).unwrap_err().contains("own_image"));
}

#[test]
fn the_store_is_copied_once_a_day_unless_somebody_says_otherwise() {
    let backup = central(LEAST).unwrap().backup.unwrap();
    assert_eq!((backup.every, backup.keep.get()), (TimeDelta::hours(24), 7));
    let with = |keys: &str| central(&format!("{LEAST}\n[store]\n{keys}\n"));
    let backup = with("backup_every = '6h'\nbackup_keep = 30").unwrap().backup.unwrap();
    assert_eq!((backup.every, backup.keep.get()), (TimeDelta::hours(6), 30));
    assert_eq!(with("backup = false").unwrap().backup, None);
    for bad in ["backup_keep = 0", "backup_keep = 1000", "backup_every = '0h'", "backup_every = 24"] {
        assert!(with(bad).unwrap_err().contains("backup"), "{bad}");
    }
}

#[test]
fn a_price_is_told_whole_or_not_at_all() {
    assert_eq!(central(LEAST).unwrap().price, None);
    let with = |keys: &str| central(&format!("{LEAST}\n[price]\n{keys}\n"));
    let price = with("per_gb_month = '0.026 USD'").unwrap().price.unwrap();
    assert_eq!((price.per_gb_month, &*price.currency, price.free), (0.026, "USD", Bytes::ZERO));
    for bad in
        ["", "free = '500MB'", "per_gb_month = '0.026'", "per_gb_month = 0.026", "per_gb_month = '0 USD'"]
    {
        assert!(with(bad).is_err(), "{bad}");
    }
}
