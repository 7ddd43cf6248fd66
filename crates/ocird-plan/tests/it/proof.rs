//! What ocird deleted and the present listing needs (S-26).

use std::collections::BTreeMap;

use chrono::TimeDelta;
use ocird_model::{Digest, Hold, HoldOn, RepositoryId, RepositoryState, Unreadable};
use ocird_plan::{Gone, Need, missing};

use crate::fleet::{Fleet, days, digest, name, now, repository_id};

type Deleted = BTreeMap<(RepositoryId, Digest), Gone>;

fn deleted(name: &str, tags: &[&str]) -> Deleted {
    let tags = tags.iter().map(|tag| tag.parse().unwrap()).collect();
    BTreeMap::from([((repository_id(), digest(name)), Gone { tags, at: now() - TimeDelta::hours(1) })])
}

fn fleet() -> Fleet {
    Fleet::new().index("app", days(1), &["v2"], &["arm", "amd"]).image("amd", days(1), &[])
}

fn needs(fleet: &Fleet, deleted: &Deleted) -> Vec<Need> {
    let missing = missing(&fleet.inventory(), &fleet.in_use, deleted);
    missing.into_iter().map(|missing| missing.need).collect()
}

#[test]
fn nothing_deleted_is_nothing_missing_even_when_a_child_is_absent() {
    assert_eq!(needs(&fleet(), &Deleted::new()), []);
}

#[test]
fn a_deleted_child_of_a_present_index_is_missing() {
    assert_eq!(needs(&fleet(), &deleted("arm", &[])), [Need::ChildOf { parent: digest("app") }]);
    let all = missing(&fleet().inventory(), &fleet().in_use, &deleted("arm", &[]));
    assert_eq!(all[0].to_string(), "api@61726d000000 is gone, but index 617070000000 names it");
    assert_eq!(needs(&fleet().image("arm", days(0), &[]), &deleted("arm", &[])), []);
}

#[test]
fn what_runs_is_missing_by_digest_and_by_a_tag_nobody_bears_now() {
    let by = || vec![Need::InUse { by: "web on milan-1".into() }];
    assert_eq!(needs(&fleet().used_by_digest("old"), &deleted("old", &[])), by());
    assert_eq!(needs(&fleet().used_by_tag("v1"), &deleted("old", &["v1"])), by());
    assert_eq!(needs(&fleet().used_by_tag("v2"), &deleted("old", &["v2"])), []);
    assert_eq!(needs(&fleet().used_by_tag("v3"), &deleted("old", &["v1"])), []);
}

#[test]
fn a_signature_of_a_deleted_image_is_no_need() {
    let fleet = fleet().signature("sig", days(1), "old").referrer("att", days(1), "old");
    assert_eq!(needs(&fleet, &deleted("old", &[])), []);
}

#[test]
fn an_unreadable_repository_proves_nothing() {
    let mut inventory = fleet().inventory();
    let state = RepositoryState::Unreadable { id: repository_id(), why: Unreadable::UnknownState };
    inventory.repositories.insert(name(), state);
    inventory.taken_at = now();
    assert_eq!(missing(&inventory, &fleet().in_use, &deleted("arm", &[])), []);
}

#[test]
fn what_was_held_when_it_went_is_needed_and_what_was_held_later_is_not() {
    let held = |hours_ago: i64, on: HoldOn| {
        let since = now() - TimeDelta::hours(hours_ago);
        fleet().hold(Hold { on, by: "ada".into(), why: "".into(), since, until: None })
    };
    let need = [Need::Held { by: "held by ada".into() }];
    let tag = || HoldOn::Tag("v1".parse().unwrap());
    assert_eq!(needs(&held(2, HoldOn::Digest(digest("old"))), &deleted("old", &[])), need);
    assert_eq!(needs(&held(2, tag()), &deleted("old", &["v1"])), need);
    assert_eq!(needs(&held(0, tag()), &deleted("old", &["v1"])), [], "it came too late");
    let moved = held(2, tag()).image("new", days(0), &["v1"]);
    assert_eq!(needs(&moved, &deleted("old", &["v1"])), [], "another image has the tag by now");
}
