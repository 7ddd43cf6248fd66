//! What is odd is told, on every surface, and confuses nothing: a shop in which much is wrong still goes as its policy says.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use ocird::status::RefusalCode;
use ocird_model::{FindingKind, Severity, Standing};
use ocird_sim::Reference;
use ocird_sim::manifest::Manifest;
use ocird_sim::view::Visibility;
use serde_json::Value;

use crate::world::{N_DUE, SHOP_POLICY, World, name, play, ripe, shop_of, tag};

/// The user whose tokens can be read.
const USER: &str = "ocid1.user.oc1..ci";

impl World {
    fn finding(&self, kind: FindingKind, about: &str) -> Option<Standing> {
        let status = self.status();
        let mut findings = status.findings.iter();
        findings.find(|one| one.finding.kind == kind && one.finding.subject.name() == about).cloned()
    }

    /// Adds to the configuration what is worth telling.
    fn tell(&self, findings: &str) {
        let identity = format!("identity = \"{}\"", self.stage.server.base_url());
        self.edit_config("[schedule]", &format!("{identity}\n{findings}\n[schedule]"));
    }

    /// Images go by another hand: native retention, or a person.
    fn vanish(&self, repository: &str, tags: &[&str]) {
        for of_tag in tags {
            let digest = self.digest(repository, of_tag);
            let image = self.stage.tenancy.find(&name(repository), &digest).unwrap();
            self.stage.tenancy.vanish(&image).unwrap();
        }
    }
}

#[tokio::test]
async fn much_that_is_odd_is_told_on_every_page_and_the_rest_goes_as_its_policy_says() {
    let keep_prod = "[[keep]]\nname = \"prod\"\ntags = [\"prod\"]\n";
    let lines = "[[delete]]\nname = \"past a line\"\ntagged = true\nwhile_usage_above = \"1MB\"\n";
    let mut play = play(&format!("{SHOP_POLICY}{keep_prod}{lines}"));
    for (project, repositories) in [("docs", "*-docs"), ("idle", "idle-*")] {
        let policy = format!("project = \"{project}\"\nrepositories = [\"{repositories}\"]\n");
        play.policies.push((format!("{project}.toml"), policy));
    }
    let world = shop_of(play);
    for repository in ["shop-docs", "stray"] {
        world.create(repository);
        world.push(repository, "v1");
    }
    world.stage.tenancy.set_visibility(&name("stray"), Visibility::Public).unwrap();
    let schema_1 = Manifest::raw("application/vnd.docker.distribution.manifest.v1+json", b"{}".as_slice());
    world.stage.tenancy.put_manifest(&name("stray"), &schema_1, Some(&tag("ancient")), "ci").unwrap();
    world.stage.tenancy.add_auth_token(USER, "laptop");
    world.tell(&format!(
        "[findings]\nnaming = [\"{{project}}-*\"]\nexpected = [\"shop-lost\"]\nimmutable = [\"shop-api\"]\n\
         budget = \"1MB\"\nauth_tokens = [\n  {{ user = \"{USER}\", name = \"ci\", rotate_after = \"1d\" }},\n  \
         {{ user = \"ocid1.user.oc1..nobody\", name = \"nobody\", rotate_after = \"90d\" }},\n]\n\
         [findings.recommended]\nuntagged_older_than = \"14d\"\nkeep_newest = 4\n\
         [projects.shop]\nrepositories = [\"shop-*\"]\ncompartments = [\"ocid1.compartment.oc1..other\"]\n\
         [projects.docs]\nrepositories = [\"*-docs\"]\n[projects.idle]\nrepositories = [\"idle-*\"]"
    ));
    let mut world = ripe(world).await;
    world.live(TimeDelta::hours(24)).await;
    for (kind, about) in [
        (FindingKind::NoPolicy, "stray"),
        (FindingKind::Contested, "shop-docs"),
        (FindingKind::LoosePolicy, "shop"),
        (FindingKind::Public, "stray"),
        (FindingKind::Misplaced, "shop-web"),
        (FindingKind::Misnamed, "stray"),
        (FindingKind::Missing, "shop-lost"),
        (FindingKind::Mutable, "shop-api"),
        (FindingKind::IdlePolicy, "idle"),
        (FindingKind::IdleKeepRule, "shop"),
        (FindingKind::NearBudget, ""),
        (FindingKind::TokenOverdue, "ci"),
        (FindingKind::TokenUnreadable, "nobody"),
        (FindingKind::Shortfall, ""),
        (FindingKind::OpaqueManifest, "stray"),
    ] {
        assert!(world.finding(kind, about).is_some(), "{kind:?} {about}: {:#?}", world.status().findings);
    }
    assert_eq!(
        world.finding(FindingKind::LoosePolicy, "docs").map(|one| one.finding.severity),
        Some(Severity::Warning)
    );
    assert_eq!(world.sample("ocird_findings{kind=\"contested\",severity=\"problem\"}").await, 1);
    assert_eq!(world.sample("ocird_findings{kind=\"vanished\",severity=\"problem\"}").await, 0);
    assert!(world.page("/status").await.contains("problem  shop-docs is claimed by the policies of"));
    let status: Value = serde_json::from_str(&world.page("/api/v1/status").await).unwrap();
    let told: BTreeSet<&str> =
        status["findings"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    assert!(told.contains("token_overdue") && told.len() >= 15, "{told:?}");
    world.assert_shop_is_tidy();
}

#[tokio::test]
async fn images_that_went_by_another_hand_are_told_for_a_week_and_confuse_no_proof() {
    let mut world = ripe(shop_of(play(SHOP_POLICY))).await;
    world.vanish("shop-api", &["v1", "v5", "v6"]);
    world.act().await;
    world.live(TimeDelta::hours(3)).await;
    let found = world.finding(FindingKind::Vanished, "shop-api").unwrap();
    assert_eq!(found.finding.severity, Severity::Problem);
    assert!(found.finding.what.starts_with("In a week 3 images went from shop-api"), "{found:?}");
    assert!(world.finding(FindingKind::Vanished, "shop-web").is_none(), "ocird's own deletions are none");
    assert!(world.n_deleted_from("shop-web") > 0);
    let held: BTreeSet<RefusalCode> =
        world.refusals().into_iter().filter(|code| code.stops_everything()).collect();
    assert_eq!(held, BTreeSet::new());
    world.stop().await;
    world.start();
    world.live(TimeDelta::hours(2)).await;
    assert_eq!(world.finding(FindingKind::Vanished, "shop-api"), Some(found), "as before the restart");
    world.live(TimeDelta::days(8)).await;
    assert_eq!(world.finding(FindingKind::Vanished, "shop-api"), None);
    let newest = world.stage.tenancy.manifest_head(&name("shop-api"), &Reference::Tag(tag("v8")));
    assert!(newest.is_ok() && world.n_deleted() < N_DUE, "v1 was not ocird's to delete");
    world.assert_nobody_misses_anything();
}

#[tokio::test]
async fn a_claim_that_is_refused_at_a_reload_is_told_until_it_is_mended() {
    let world = shop_of(play(SHOP_POLICY));
    world.tell("[projects.shop]\nrepositories = [\"shop-*\"]");
    let mut world = ripe(world).await;
    world.stage.write_policy("shop.toml", &SHOP_POLICY.replace("shop-*", "*")).unwrap();
    world.reload().await;
    world.live(TimeDelta::hours(1)).await;
    let found = world.finding(FindingKind::PoliciesRefused, "").unwrap();
    assert!(found.finding.what.contains("is not within shop-*"), "{found:?}");
    world.stage.write_policy("shop.toml", SHOP_POLICY).unwrap();
    world.reload().await;
    world.live(TimeDelta::hours(1)).await;
    assert_eq!(world.finding(FindingKind::PoliciesRefused, ""), None);
}

#[tokio::test]
async fn while_no_store_can_be_written_findings_stand_as_they_are_known() {
    let world = shop_of(play(SHOP_POLICY));
    world.tell("[findings]\nexpected = [\"shop-lost\"]");
    let mut world = ripe(world).await;
    let before = world.finding(FindingKind::Missing, "shop-lost").unwrap();
    let (state, aside) = (world.stage.state_dir(), world.stage.directory().join("state.aside"));
    std::fs::rename(&state, &aside).unwrap();
    std::fs::write(&state, "no directory").unwrap();
    world.create("stray");
    world.live(TimeDelta::hours(2)).await;
    assert_eq!(world.finding(FindingKind::Missing, "shop-lost"), Some(before.clone()));
    let stray = world.finding(FindingKind::NoPolicy, "stray").unwrap();
    std::fs::remove_file(&state).unwrap();
    std::fs::rename(&aside, &state).unwrap();
    world.live(TimeDelta::hours(2)).await;
    assert_eq!(world.finding(FindingKind::Missing, "shop-lost"), Some(before));
    assert!(
        world.finding(FindingKind::NoPolicy, "stray").unwrap().since > stray.since,
        "amnesia makes younger"
    );
}
