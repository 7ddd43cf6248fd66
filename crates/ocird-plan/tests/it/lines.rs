//! Lines in the account: two repositories side by side, every image 101 bytes unless it says otherwise.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use insta::assert_snapshot;
use ocird_model::{
    Bytes, DeleteReason, DeleteRule, KeepReason, KeepRule, Mark, MarkKey, Plan, RepositoryPlan, Selects,
    Usage, Verdict,
};
use ocird_plan::{advance, due};

use crate::estate::Estate;
use crate::fleet::{Fleet, days, digest, now};

type Marks = BTreeMap<MarkKey, Mark>;

/// A repository with one image of each of these ages in days, named by its letter and age.
fn repository(letter: char, ages: &[i64]) -> Fleet {
    ages.iter().fold(Fleet::new(), |fleet, age| push(fleet, letter, *age))
}

fn push(fleet: Fleet, letter: char, age: i64) -> Fleet {
    let name = format!("{letter}{age:02}");
    fleet.image(&name, days(age), &[&format!("v{age}")]).layers(&name, &[(&name, 100)])
}

fn beyond(line: u64) -> DeleteRule {
    DeleteRule {
        while_usage_above: Some(Bytes(line)),
        ..DeleteRule::about("beyond".parse().unwrap(), Selects::Tagged)
    }
}

fn newest(n: u32, line: Option<u64>) -> KeepRule {
    KeepRule {
        newest: n.try_into().ok(),
        unless_usage_above: line.map(Bytes),
        ..KeepRule::named(format!("newest {n}").parse().unwrap())
    }
}

/// Seven images, 707 bytes. The floor holds the newest of each repository.
fn estate(api_line: u64, web_line: u64) -> Estate {
    Estate::of(&[
        ("api", repository('a', &[90, 70, 50, 2]).delete_rule(beyond(api_line))),
        ("web", repository('w', &[80, 60, 2]).delete_rule(beyond(web_line))),
    ])
}

fn gone(estate: &Estate) -> Vec<String> {
    let lines = estate.show();
    let gone = lines.lines().filter(|line| line.contains(": delete"));
    gone.map(|line| line.split([' ', ':']).nth(1).unwrap().to_owned()).collect()
}

#[test]
fn at_or_under_the_line_nothing_goes() {
    assert_eq!(estate(707, 708).deletions().len(), 0);
    assert_eq!(estate(706, 707).deletions().len(), 1);
    assert_eq!(
        estate(707, 707).plan().usage,
        Usage::Known { now: Bytes(707), after: Bytes(707), shortfall: None }
    );
}

#[test]
fn the_fewest_go_and_the_oldest_first_over_all_repositories() {
    let estate = estate(500, 500);
    assert_eq!(gone(&estate), ["a70", "a90", "w80"]);
    assert_snapshot!(estate.show(), @r#"
    api a02: keep: among the newest that always stay
    api a50: keep: rule "beyond" could take it, but older ones are enough
    api a70: delete: rule "beyond"
    api a90: delete: rule "beyond"
    web w02: keep: among the newest that always stay
    web w60: keep: rule "beyond" could take it, but older ones are enough
    web w80: delete: rule "beyond"
    "#);
    let usage = Usage::Known { now: Bytes(707), after: Bytes(404), shortfall: None };
    assert_eq!(estate.plan().usage, usage);
}

#[test]
fn each_rule_looks_at_its_own_line_when_its_turn_comes() {
    assert_eq!(gone(&estate(500, 600)), ["a70", "a90", "w80"]);
    assert_eq!(
        gone(&estate(500, 650)),
        ["a50", "a70", "a90"],
        "606 is under the line of web when its turn comes"
    );
    assert_eq!(gone(&estate(700, 500)), ["a90", "w60", "w80"]);
    assert!(estate(500, 900).show().contains("web w80: keep: no delete rule selects it"));
}

#[test]
fn of_equal_age_the_order_is_by_repository_and_digest() {
    let twins = |line| {
        let fleet = |letter| repository(letter, &[90, 2]).delete_rule(beyond(line));
        Estate::of(&[("web", fleet('w')), ("api", fleet('a'))])
    };
    assert_eq!(gone(&twins(400)), ["a90"]);
    assert_eq!(gone(&twins(300)), ["a90", "w90"]);
}

#[test]
fn a_layer_counts_until_the_last_image_that_shares_it_goes() {
    let mut estate = estate(550, 550);
    let shared = [("shared", 100)];
    let api = estate.fleet("api");
    *api = api.clone().layers("a90", &shared).layers("a70", &shared);
    // 607 in all: a90 frees its manifest alone, and after w80 505 are left.
    assert_eq!(gone(&estate), ["a90", "w80"]);
    let api = estate.fleet("api");
    *api = api.clone().layers("a02", &shared);
    // 507 in all.
    assert_eq!(gone(&estate), [""; 0]);
}

#[test]
fn what_anything_holds_is_passed_over() {
    let mut estate = estate(500, 500);
    let api = estate.fleet("api");
    *api = api.clone().used_by_tag("v90").keep("channels", Some(&["v70"]), None);
    assert_eq!(gone(&estate), ["a50", "w60", "w80"]);
}

#[test]
fn what_is_closed_stays_and_says_why_and_costs_no_other_repository() {
    let mut estate = estate(500, 500);
    assert_eq!(gone(&estate), ["a70", "a90", "w80"]);
    estate.fleet("api").in_use.doubt(crate::fleet::patterns(&["api"]), "a source is silent");
    assert_eq!(gone(&estate), ["w80"]);
    let why = "keep: what runs from this repository is not known";
    assert_snapshot!(estate.show().replace(why, "doubt"), @r#"
    api a02: keep: among the newest that always stay
    api a50: doubt
    api a70: doubt
    api a90: doubt
    web w02: keep: among the newest that always stay
    web w60: keep: rule "beyond" could take it, but older ones are enough
    web w80: delete: rule "beyond"
    "#);
    let Usage::Known { now, after, shortfall } = estate.plan().usage else { panic!("the account is known") };
    assert_eq!((now, after), (Bytes(707), Bytes(606)), "what stays is in the account");
    assert_eq!(shortfall.unwrap().held.values().copied().sum::<Bytes>(), Bytes(606));
}

#[test]
fn what_is_closed_counts_as_gone_where_it_would_go_at_any_account() {
    let mut estate = estate(500, 600);
    let old = DeleteRule::about("old".parse().unwrap(), Selects::Tagged);
    *estate.fleet("api") = estate.fleet("api").clone().delete_rule(old);
    assert_eq!(gone(&estate), ["a50", "a70", "a90"]);
    estate.fleet("api").repository.is_public = true;
    assert_eq!(gone(&estate), [""; 0], "404 of 707 would be left");
}

#[test]
fn an_open_repository_that_pays_for_a_closed_one_is_refused() {
    let mut estate = estate(500, 500);
    estate.fleet("api").in_use.doubt(crate::fleet::patterns(&["api"]), "a source is silent");
    let text = refused(&estate, &[("web", "w60", goes())]);
    assert_eq!(text, "S-16 web@773630000000: the account is at its line without it");
}

#[test]
fn what_goes_in_any_case_goes_first_and_counts() {
    let mut estate = estate(500, 500);
    let api = estate.fleet("api");
    let old = DeleteRule {
        older_than: Some(days(45)),
        ..DeleteRule::about("old".parse().unwrap(), Selects::Tagged)
    };
    *api = api.clone().delete_rule(old);
    // The three of `api` that are old leave 404.
    assert_eq!(gone(&estate), ["a50", "a70", "a90"]);
    assert!(estate.show().contains("api a50: delete: rule \"old\""), "{}", estate.show());
}

#[test]
fn the_check_counts_what_went_in_any_case_as_gone_with_its_layers() {
    let old = DeleteRule {
        older_than: Some(days(45)),
        ..DeleteRule::about("old".parse().unwrap(), Selects::Tagged)
    };
    let api = repository('a', &[90, 70, 50, 40, 2]).delete_rule(old).delete_rule(beyond(100));
    let estate = Estate::of(&[("api", api), ("web", repository('w', &[80, 60, 2]).delete_rule(beyond(450)))]);
    // 808 in all, 505 without the three that are old, 404 without w80: w60 is spared, and a40 goes all the same.
    assert_eq!(gone(&estate), ["a40", "a50", "a70", "a90", "w80"]);
}

#[test]
fn a_keep_rule_with_a_line_holds_until_the_account_is_above_it() {
    let of = |line| {
        Estate::of(&[(
            "api",
            repository('a', &[90, 70, 50, 30, 2])
                .keep_rule(newest(4, Some(line)))
                .keep_rule(newest(2, None))
                .delete_rule(beyond(250)),
        )])
    };
    // 505 in all. Beyond the newest four there is one, beyond the newest two there are three.
    assert_eq!(gone(&of(505)), ["a90"]);
    assert_eq!(gone(&of(504)), ["a90"], "with the oldest gone, 404 are under the line again");
    assert_eq!(gone(&of(403)), ["a70", "a90"]);
    assert_eq!(gone(&of(1)), ["a50", "a70", "a90"]);
    assert!(of(504).show().contains("api a70: keep: rule \"beyond\" could take it"), "{}", of(504).show());
    assert!(of(505).show().contains("api a70: keep: rule \"newest 4\""), "{}", of(505).show());
}

#[test]
fn a_keep_rule_with_a_line_also_gives_way_to_a_rule_without() {
    let of = |line| {
        let all = DeleteRule::about("all".parse().unwrap(), Selects::Tagged);
        Estate::of(&[(
            "api",
            repository('a', &[90, 70, 50, 2]).keep_rule(newest(3, Some(line))).delete_rule(all),
        )])
    };
    // 404 in all, 303 without the one that goes in any case.
    assert_eq!(gone(&of(303)), ["a90"]);
    assert_eq!(gone(&of(302)), ["a70", "a90"]);
}

#[test]
fn an_account_that_is_not_known_takes_nothing_and_ends_no_keep_rule() {
    let known = || {
        let mut estate = estate(500, 500);
        let web = estate.fleet("web");
        let old = DeleteRule {
            older_than: Some(days(75)),
            ..DeleteRule::about("old".parse().unwrap(), Selects::Tagged)
        };
        *web = web.clone().keep_rule(newest(2, Some(100))).delete_rule(old);
        estate
    };
    assert_eq!(gone(&known()), ["a70", "a90", "w80"]);
    let mut layers = known();
    let api = layers.fleet("api");
    *api = api.clone().with("a02", |image| image.layers = None);
    assert_eq!(gone(&layers), ["w80"], "a rule without a line asks no account");
    assert_eq!(layers.plan().usage, Usage::Unknown { because: "api".parse().unwrap() });
    let unread = Estate::of(&[("cli", Fleet::new())]);
    let mut unreadable = known();
    unreadable.fleets.extend(unread.fleets);
    let unreadable = unreadable.unreadable("cli");
    assert_eq!(gone(&unreadable), ["w80"]);
    assert_eq!(unreadable.plan().usage, Usage::Unknown { because: "cli".parse().unwrap() });
}

#[test]
fn a_sum_that_is_no_longer_exact_is_not_known() {
    let mut estate = estate(500, 500);
    let api = estate.fleet("api");
    *api = api.clone().layers("a02", &[("huge", u64::MAX)]);
    assert_eq!(gone(&estate), [""; 0]);
}

#[test]
fn without_a_line_nobody_counts() {
    let estate = Estate::of(&[("api", repository('a', &[90, 2]).delete_old())]);
    assert_eq!(gone(&estate), ["a90"]);
    assert_eq!(estate.plan().usage, Usage::NotAsked);
}

#[test]
fn a_family_goes_whole_and_what_is_left_of_it_counts_no_more() {
    let family = Fleet::new()
        .index("app", days(90), &["v1"], &["arm", "x86"])
        .image("arm", days(90), &[])
        .image("x86", days(90), &[])
        .image("old", days(80), &["v2"])
        .image("new", days(2), &["v3"])
        .layers("arm", &[("arm", 100)])
        .layers("x86", &[("x86", 100)])
        .layers("old", &[("old", 100)])
        .layers("new", &[("new", 100)])
        .delete_rule(beyond(300));
    let estate = Estate::of(&[("api", family)]);
    // 405 in all, 202 without the family.
    assert_eq!(gone(&estate), ["app", "arm", "x86"]);
    let after = estate.without(&estate.heads());
    assert_eq!(after.account(), Some(Bytes(202)));
    assert_eq!(gone(&after), ["arm", "x86"], "the rest follows, and nothing else");
}

/// Two indexes over one platform image, and two plain images: 405 bytes.
fn twins(line: u64) -> Fleet {
    repository('a', &[50, 2])
        .index("one", days(90), &["v1"], &["arm"])
        .index("two", days(80), &["v3"], &["arm"])
        .image("arm", days(90), &[])
        .layers("arm", &[("arm", 200)])
        .delete_rule(beyond(line))
}

#[test]
fn the_last_head_that_goes_takes_along_what_it_shared() {
    let estate = Estate::of(&[("api", twins(300))]);
    // 405 in all, and 202 without both indexes and what they share: the next oldest need not go.
    assert_eq!(gone(&estate), ["arm", "one", "two"]);
    assert!(estate.show().contains("api a50: keep: rule \"beyond\" could take it"), "{}", estate.show());
    let first = estate.heads().into_iter().filter(|key| key.head == digest("one")).collect();
    let halfway = estate.without(&first);
    assert_eq!(halfway.account(), Some(Bytes(404)));
    assert_eq!(gone(&halfway), ["arm", "two"]);
    let after = halfway.without(&halfway.heads());
    assert_eq!(after.account(), Some(Bytes(202)));
    assert_eq!(gone(&after), ["arm"], "the rest follows, and nothing else");
}

#[test]
fn a_head_that_goes_out_of_turn_leaves_the_shared_one_to_the_other() {
    // The newer one went first, as the older had no ripe mark.
    let mut fleet = twins(300).rest("arm", "two");
    fleet.repository.images.retain(|image| image.digest != digest("two"));
    let estate = Estate::of(&[("api", fleet)]);
    assert_eq!(estate.account(), Some(Bytes(404)), "what is shared counts on");
    assert_eq!(gone(&estate), ["arm", "one"]);
    let lent = KeepRule { newest: None, tags: None, newer_than: Some(days(100)), ..newest(1, Some(350)) };
    let mut held = estate;
    let api = held.fleet("api");
    *api = api.clone().keep_rule(lent);
    assert_eq!(gone(&held), ["arm", "one"], "and is a matter of usage still");
}

#[test]
fn a_keep_rule_with_a_line_may_cost_another_although_what_it_holds_goes_too() {
    let of = |kept: Option<KeepRule>| {
        let all = DeleteRule {
            older_than: Some(days(1)),
            ..DeleteRule::about("pr".parse().unwrap(), Selects::Tags(crate::fleet::patterns(&["v50"])))
        };
        let fleet = repository('a', &[90, 50, 2]).delete_rule(beyond(250)).delete_rule(all);
        Estate::of(&[("api", kept.into_iter().fold(fleet, Fleet::keep_rule))])
    };
    // 303 in all, 202 without what goes at any account.
    assert_eq!(gone(&of(None)), ["a50"]);
    let lent = KeepRule { tags: Some(crate::fleet::patterns(&["v50"])), ..newest(9, Some(150)) };
    assert_eq!(gone(&of(Some(lent))), ["a50", "a90"], "the older one is asked first");
}

#[test]
fn a_size_that_somebody_made_up_calls_for_no_deletion() {
    let mut estate = estate(707, 707);
    let api = estate.fleet("api");
    *api = api.clone().layers("a02", &[("a02", 100), ("a90", 1_000_000)]);
    assert_eq!(gone(&estate), [""; 0]);
    assert_eq!(estate.account(), Some(Bytes(707)));
}

#[test]
fn a_rest_that_counted_for_a_family_ceases_to_count_with_it() {
    let shared = Fleet::new()
        .index("app", days(90), &["v1"], &["m"])
        .index("r", days(90), &[], &["m"])
        .image("m", days(90), &[])
        .image("mid", days(60), &["v2"])
        .image("new", days(2), &["v3"])
        .layers("m", &[("m", 100)])
        .layers("mid", &[("mid", 100)])
        .layers("new", &[("new", 100)])
        .rest("r", "gone")
        .rest("m", "gone")
        .delete_rule(beyond(250));
    let estate = Estate::of(&[("api", shared)]);
    // 304 in all, as `app` carries `m`; 202 without it, as `r` does not count.
    assert_eq!(gone(&estate), ["app", "r"]);
    assert!(estate.show().contains("api mid: keep: rule \"beyond\" could take it"), "{}", estate.show());
    assert_eq!(estate.without(&estate.heads()).account(), Some(Bytes(202)));
}

#[test]
fn a_tagged_rest_counts_and_goes_by_a_line_like_any_other_image() {
    let rest = |line| {
        let fleet = repository('a', &[60, 2]).rest("a60", "gone").delete_rule(beyond(line));
        Estate::of(&[("api", fleet)])
    };
    assert_eq!(rest(200).account(), Some(Bytes(202)));
    assert_eq!(gone(&rest(202)), [""; 0]);
    assert_eq!(gone(&rest(201)), ["a60"]);
    assert!(rest(201).show().contains("api a60: delete: rule \"beyond\""), "and not as a rest");
    let mut kept = rest(201);
    *kept.fleet("api") = kept.fleet("api").clone().keep_rule(newest(9, Some(202)));
    assert_eq!(gone(&kept), [""; 0]);
}

fn marks_after(estate: &Estate, marks: &Marks, hours: i64) -> Marks {
    advance(marks, &estate.checked(), &estate.policies(), now() + TimeDelta::hours(hours))
}

fn due_after(estate: &Estate, marks: &Marks, hours: i64) -> Vec<String> {
    let at = now() + TimeDelta::hours(hours);
    let due = due(
        &estate.checked(),
        &estate.inventory(),
        marks,
        &estate.policies(),
        at,
        &std::collections::BTreeSet::new(),
    );
    due.iter().map(|due| due.image().tags.keys().next().unwrap().to_string()).collect()
}

#[test]
fn all_that_a_line_could_take_are_marked_and_only_the_fewest_are_due() {
    let estate = estate(500, 500);
    let marks =
        [0, 12, 24].into_iter().fold(Marks::new(), |marks, hours| marks_after(&estate, &marks, hours));
    assert_eq!(marks.len(), 5);
    assert_eq!(due_after(&estate, &marks, 24), ["v90", "v80", "v70"]);
}

#[test]
fn a_push_above_the_line_takes_the_next_oldest_without_another_grace() {
    let mut estate = estate(500, 500);
    let marks =
        [0, 12, 24].into_iter().fold(Marks::new(), |marks, hours| marks_after(&estate, &marks, hours));
    let web = estate.fleet("web");
    *web = push(web.clone(), 'w', 1);
    let marks = marks_after(&estate, &marks, 25);
    assert_eq!(due_after(&estate, &marks, 25), ["v90", "v80", "v70", "v60"]);
}

#[test]
fn an_account_back_at_the_line_clears_every_mark() {
    let above = estate(500, 500);
    let marks = [0, 12, 24].into_iter().fold(Marks::new(), |marks, hours| marks_after(&above, &marks, hours));
    let under = above.without(&above.heads());
    let marks = marks_after(&under, &marks, 25);
    assert_eq!(marks, Marks::new());
    let again = marks_after(&above, &marks, 26);
    assert_eq!(due_after(&above, &again, 49), [""; 0], "the grace begins anew");
}

#[test]
fn what_must_stay_beyond_a_line_is_told_by_what_holds_it() {
    let mut estate = estate(100, 300);
    let api = estate.fleet("api");
    *api = api.clone().used_by_tag("v90").keep("channels", Some(&["v70"]), None);
    let Usage::Known { now, after, shortfall } = estate.plan().usage else { panic!("the account is known") };
    assert_eq!((now, after), (Bytes(707), Bytes(404)));
    let shortfall = shortfall.unwrap();
    assert_eq!(
        shortfall.to_string(),
        "101 B in use, 101 B held by keep rules, 202 B held by guardrails, lines 100 B, 300 B"
    );
    assert_eq!(shortfall.held.values().copied().sum::<Bytes>(), after);
}

#[test]
fn a_shared_layer_is_held_by_the_first_that_holds_it() {
    let mut estate = estate(100, 100);
    let api = estate.fleet("api");
    *api = api.clone().used_by_tag("v90").layers("a90", &[("shared", 100)]).layers("a02", &[("shared", 100)]);
    let Usage::Known { shortfall, .. } = estate.plan().usage else { panic!("the account is known") };
    assert_eq!(shortfall.unwrap().to_string(), "101 B in use, 102 B held by guardrails, line 100 B");
}

/// What the check says of a plan with other verdicts on these images.
fn refused(estate: &Estate, changes: &[(&str, &str, Verdict)]) -> String {
    let mut plan = estate.plan();
    for (repository, image, verdict) in changes {
        set(&mut plan, repository, image, verdict.clone());
    }
    estate.check(plan).map(drop).unwrap_err().to_string()
}

fn set(plan: &mut Plan, repository: &str, image: &str, verdict: Verdict) {
    let Some(RepositoryPlan::Decided { id: _, decisions }) =
        plan.repositories.get_mut(&repository.parse().unwrap())
    else {
        panic!("{repository} is decided");
    };
    decisions.iter_mut().find(|decision| decision.digest == digest(image)).unwrap().verdict = verdict;
}

fn goes() -> Verdict {
    Verdict::Delete(DeleteReason::Rule { rule: "beyond".parse().unwrap() })
}

fn spared() -> Verdict {
    Verdict::Keep(KeepReason::Spared { rule: "beyond".parse().unwrap() })
}

#[test]
fn one_family_too_many_is_refused() {
    let text = refused(&estate(500, 500), &[("web", "w60", goes())]);
    assert_eq!(text, "S-16 web@773630000000: the account is at its line without it");
}

#[test]
fn a_younger_one_in_place_of_an_older_is_refused() {
    let text = refused(&estate(500, 500), &[("api", "a70", spared()), ("web", "w60", goes())]);
    assert_eq!(text, "S-16 web@773630000000: an older one is spared in its place");
    let kept = Verdict::Keep(KeepReason::NotSelected);
    let text = refused(&estate(500, 900), &[("web", "w80", goes()), ("api", "a70", kept)]);
    assert!(text.contains("S-16 web@773830000000: the account is at its line"), "{text}");
}

#[test]
fn a_mark_for_what_no_line_asks_for_is_refused() {
    let text = refused(&estate(500, 900), &[("web", "w60", spared())]);
    assert_eq!(text, "S-16 web@773630000000: it is spared, and its line is not exceeded");
    let text = refused(&estate(500, 500), &[("web", "w02", spared())]);
    assert!(text.contains("S-13 web@773032000000"), "{text}");
    let unlined = Estate::of(&[("api", repository('a', &[90, 2]).delete_old())]);
    let spared = Verdict::Keep(KeepReason::Spared { rule: "old".parse().unwrap() });
    let text = refused(&unlined, &[("api", "a90", spared)]);
    assert_eq!(text, "S-16 api@613930000000: it is spared, and no line speaks of it");
}

#[test]
fn a_deletion_by_a_line_is_refused_while_the_account_is_not_known() {
    let estate = estate(500, 500);
    let plan = estate.plan();
    let mut unknown = estate.clone();
    let api = unknown.fleet("api");
    *api = api.clone().with("a02", |image| image.layers = None);
    let text = unknown.check(plan).map(drop).unwrap_err().to_string();
    assert_eq!(text.matches("S-7").count(), 5, "{text}");
}

#[test]
fn a_deletion_that_a_keep_rule_with_a_line_holds_is_refused() {
    let mut kept = estate(500, 500);
    let plan = kept.plan();
    let api = kept.fleet("api");
    *api = api.clone().keep_rule(newest(9, Some(600)));
    let text = kept.check(plan).map(drop).unwrap_err().to_string();
    assert_eq!(text, "S-16 api@613730000000: the account is at its line without it");
}
