//! The ground truth: it fires on every deletion that hurts and is silent on every one that does not.

use super::{World, tag};
use crate::manifest::{Child, Flavour, Manifest, Platform};
use crate::workload::PullPolicy;
use crate::{Attestations, Build, Need, Oracle, Reference, Violation};

/// The needs of the deletions that were wrong.
fn wrong(world: &World) -> Vec<Need> {
    world
        .tenancy
        .violations()
        .into_iter()
        .filter_map(|violation| match violation {
            Violation::WrongDeletion { need, .. } => Some(need),
            Violation::Missing { .. } | Violation::BrokenPush { .. } | Violation::Gone { .. } => None,
        })
        .collect()
}

#[test]
fn what_nobody_needs_may_go_head_first_and_its_rests_in_any_order() {
    for attestations in [Attestations::None, Attestations::Children, Attestations::Subjects] {
        for reversed in [false, true] {
            let world = World::new();
            let pushed = world.push_build(&Build::small("a").attested(attestations), &["v1"]);
            world.tenancy.cosign(&world.web, &pushed.digest, "ci").unwrap();
            let attached = world.tenancy.attach(&world.web, &pushed.digest, "sbom", "ci").unwrap();
            let fallback = world
                .tenancy
                .lookup_image(&format!("axsimulated/web:sha256-{}", pushed.digest.hex()))
                .unwrap();
            let mut rests: Vec<_> =
                pushed.children.iter().copied().chain([attached.digest, fallback.digest]).collect();
            if reversed {
                rests.reverse();
            }
            world.delete(&pushed.digest);
            for rest in &rests {
                world.delete(rest);
            }
            assert_eq!(world.tenancy.violations(), [], "{attestations:?}");
            assert_eq!(Oracle::check(&world.tenancy), [], "{attestations:?}");
        }
    }
}

#[test]
fn an_image_that_runs_is_needed_by_its_digest_after_its_tag_has_moved() {
    let world = World::new();
    let first = world.push("a", &["latest"]);
    world.deploy("web", "latest");
    let second = world.push("b", &["latest"]);
    world.delete(&first.digest);
    world.delete(&second.digest);
    let workload = "web on milan-1".to_owned();
    assert_eq!(
        wrong(&world),
        [Need::Workload { workload: workload.clone() }, Need::Workload { workload }],
        "what runs, and what its tag means at the next restart"
    );
}

#[test]
fn a_stopped_workload_still_needs_its_image_and_one_that_is_gone_does_not() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    world.deploy("web", "v1");
    world.tenancy.stop("milan-1", "web").unwrap();
    assert!(world.tenancy.needed().contains_key(&(world.web.clone(), pushed.digest)));
    world.tenancy.undeploy("milan-1", "web").unwrap();
    assert!(world.tenancy.needed().is_empty());
}

#[test]
fn as_many_earlier_deployments_are_needed_as_the_settings_say() {
    for (n_kept, wanted) in [(0, vec![]), (1, vec!["b"]), (2, vec!["b", "a"])] {
        let world = World::new();
        world.tenancy.configure(|settings| settings.rollback_keep = n_kept);
        let pushed = ["a", "b", "c"].map(|revision| {
            let pushed = world.push(revision, &[revision]);
            world.deploy("web", revision);
            (revision, pushed.digest)
        });
        let needed = world.tenancy.needed();
        let rollback = Need::Rollback { workload: "web on milan-1".to_owned() };
        let kept: Vec<&str> = pushed
            .iter()
            .rev()
            .filter(|(_, digest)| needed.get(&(world.web.clone(), *digest)) == Some(&rollback))
            .map(|(revision, _)| *revision)
            .collect();
        assert_eq!(kept, wanted);
    }
}

#[test]
fn a_child_of_a_living_index_may_be_deleted_and_it_is_a_violation() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    world.delete(&pushed.children[1]);
    assert_eq!(wrong(&world), [Need::ChildOf { parent: pushed.digest }]);
    let reference = Reference::Tag(tag("v1"));
    assert!(world.tenancy.pull(&world.web, &reference, Platform::Amd64).is_ok());
    assert!(world.tenancy.deploy("milan-1", "web", &world.web, reference).is_err());
    assert!(
        matches!(world.tenancy.violations()[1], Violation::Missing { .. }),
        "the arm64 host did not find it"
    );
    assert_eq!(Oracle::check(&world.tenancy).len(), 1);
}

#[test]
fn a_child_of_two_indexes_is_held_by_the_one_that_lives() {
    let world = World::new();
    let attested = world.push_build(&Build::small("a").attested(Attestations::Children), &["v1"]);
    let plain = world.push("a", &["v2"]);
    assert_eq!(plain.children, attested.children[..2]);
    world.delete(&attested.digest);
    world.delete(&attested.children[2]);
    assert_eq!(wrong(&world), [], "only the dead one named the attestation");
    world.delete(&plain.children[0]);
    assert_eq!(wrong(&world), [Need::ChildOf { parent: plain.digest }]);
}

#[test]
fn whatever_speaks_about_a_living_image_is_held_by_it() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    let signature = world.tenancy.cosign(&world.web, &pushed.digest, "ci").unwrap();
    let attached = world.tenancy.attach(&world.web, &pushed.digest, "sbom", "ci").unwrap();
    world.delete(&signature.digest);
    world.delete(&attached.digest);
    let [Need::ReferrerOf { subject }, Need::ChildOf { parent: _ }] = wrong(&world)[..] else {
        panic!("{:?}", wrong(&world));
    };
    assert_eq!(subject, pushed.digest);
}

#[test]
fn the_signature_of_what_runs_is_needed_too() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    let signature = world.tenancy.cosign(&world.web, &pushed.digest, "ci").unwrap();
    world.deploy("web", "v1");
    let needed = world.tenancy.needed();
    assert_eq!(needed[&(world.web.clone(), signature.digest)], Need::ReferrerOf { subject: pushed.digest });
    assert_eq!(needed.len(), 4, "the index, its two children and the signature: {needed:?}");
}

#[test]
fn a_child_that_runs_by_its_own_digest_needs_its_index() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    world.deploy("web", &pushed.children[1].to_string());
    world.delete(&pushed.digest);
    assert_eq!(wrong(&world), [Need::ParentOf { child: pushed.children[1] }]);
}

#[test]
fn images_that_speak_about_each_other_in_a_circle_hold_nothing() {
    let world = World::new();
    let first = world.push_build(&Build::small("a").single(), &[]);
    let second = world.push_build(&Build::small("b").single(), &[]);
    for (image, about) in [(&first, &second), (&second, &first)] {
        let circle = tag(&format!("sha256-{}", about.digest.hex()));
        world.tenancy.retag(&world.web, &image.digest, &circle, "eve").unwrap();
    }
    world.delete(&first.digest);
    assert_eq!(world.tenancy.violations(), []);
}

#[test]
fn a_child_with_a_tag_of_its_own_outlives_its_index_and_holds_its_signature() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    let child = pushed.children[1];
    let signature = world.tenancy.cosign(&world.web, &child, "ci").unwrap();
    world.tenancy.retag(&world.web, &child, &tag("v1-arm64"), "ci").unwrap();
    world.delete(&pushed.digest);
    world.delete(&signature.digest);
    assert_eq!(wrong(&world), [Need::ReferrerOf { subject: child }]);
}

#[test]
fn a_tag_that_speaks_about_nothing_known_is_a_tag_like_any_other() {
    let world = World::new();
    let stray = format!("sha256-{}.sig", "0".repeat(64));
    let pushed = world.push("a", &[&stray]);
    world.delete(&pushed.children[0]);
    assert_eq!(wrong(&world), [Need::ChildOf { parent: pushed.digest }]);
}

#[test]
fn what_another_hand_took_is_no_wrong_deletion_and_the_oracle_misses_it() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    world.deploy("web", "v1");
    world.tenancy.vanish(&pushed.image).unwrap();
    assert_eq!(world.tenancy.violations(), []);
    let gone = Oracle::check(&world.tenancy);
    assert_eq!(gone.len(), 2, "its digest and its tag: {gone:?}");
    assert!(world.tenancy.restart("milan-1", "web").is_err());
    assert!(matches!(world.tenancy.violations()[..], [Violation::Missing { .. }]));
}

#[test]
fn a_cache_hides_a_wrong_deletion_until_the_machine_is_replaced() {
    let world = World::new();
    world.tenancy.add_host("node", Platform::Amd64, PullPolicy::IfNotPresent);
    let pushed = world.push("a", &["v1"]);
    world.tenancy.deploy("node", "web", &world.web, Reference::Tag(tag("v1"))).unwrap();
    world.delete(&pushed.digest);
    assert_eq!(world.tenancy.restart("node", "web"), Ok(pushed.digest));
    assert_eq!(world.tenancy.replace_machine("node"), ["web"]);
}

#[test]
fn a_pusher_whose_child_the_daemon_took_meanwhile_is_a_violation() {
    let world = World::new();
    let (manifest, _) = Manifest::image(Flavour::Oci, Platform::Arm64, "a", &[]);
    let child = Child { manifest: manifest.clone(), platform: Platform::Arm64, attests: None };
    let index = Manifest::index(Flavour::Oci, &[child]);
    let put = |manifest: &Manifest| world.tenancy.put_manifest(&world.web, manifest, None, "ci");
    assert!(put(&index).is_err());
    assert_eq!(world.tenancy.violations(), [], "what never was here is the pusher's fault");
    put(&manifest).unwrap();
    world.delete(&manifest.digest);
    assert!(put(&index).is_err());
    assert!(matches!(
        world.tenancy.violations()[..],
        [Violation::BrokenPush { child, .. }] if child == manifest.digest
    ));
}

#[test]
fn a_restart_follows_its_tag_and_a_rollback_goes_back_once() {
    let world = World::new();
    let first = world.push("a", &["latest"]);
    world.deploy("web", "latest");
    let second = world.push("b", &["latest"]);
    assert_eq!(world.tenancy.restart("milan-1", "web"), Ok(second.digest));
    assert_eq!(world.tenancy.rollback("milan-1", "web"), Ok(Some(first.digest)));
    assert_eq!(world.tenancy.rollback("milan-1", "web"), Ok(None));
    assert_eq!(world.tenancy.restart("milan-1", "web"), Ok(first.digest), "by digest from now on");
}

#[test]
fn a_violation_reads_as_a_sentence() {
    let world = World::new();
    let pushed = world.push("a", &["v1"]);
    world.deploy("web", "v1");
    world.delete(&pushed.digest);
    let text = world.tenancy.violations()[0].to_string();
    assert_eq!(
        text,
        format!(
            "2026-01-01 01:00:00 UTC: web@{} was deleted, and it is what web on milan-1 starts from",
            pushed.digest.short()
        )
    );
}
