//! Images that hang together: children, referrers and what cannot be read, which others judged one by one.

use serde_json::json;

use super::{UNTAGGED, Wrongs, build_on, wrongs, wrongs_and_lost};
use crate::fates::replay::Replay;
use crate::manifest::{Child, Flavour, Manifest, Platform};
use crate::push::Build;
use crate::settings::parsed;

pub(super) async fn children_of_a_kept_index_counted_as_untagged() -> Wrongs {
    let mut replay = Replay::new(UNTAGGED)?;
    replay.push(&Build::small("kept"), &["prod"])?;
    let untagged = replay.push(&Build::small("litter").single(), &[])?;
    replay.run("prod")?;
    replay.passes(16).await?;
    Ok(wrongs(&replay, &[untagged.digest]))
}

/// Whoever counts what an index names among its releases keeps two parts of one, and not the release before it.
pub(super) async fn children_counted_as_releases() -> Wrongs {
    let rules = "[[keep]]\nname = \"newest\"\nnewest = 2\n[[delete]]\nname = \"tagged\"\ntagged = true\n";
    let mut replay = Replay::new(rules)?;
    let litter = replay.push_singles(&["v0"])?;
    let mut releases = Vec::new();
    for number in 1..=2 {
        let release = replay.push(&Build::small(&format!("v{number}")), &[&format!("v{number}")])?;
        for (place, child) in release.children.iter().enumerate() {
            let tag = parsed(&format!("v{number}-{place}"));
            replay.tenancy.retag(&replay.web, child, &tag, "ci")?;
        }
        releases.push(release.digest);
    }
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[litter[0].digest], &releases))
}

/// A release index was made by naming an image that stands in staging too.
pub(super) async fn a_staging_tag_on_a_child_of_a_release() -> Wrongs {
    let rules = "[[delete]]\nname = \"staging\"\ntags = [\"staging-*\"]\nolder_than = \"24h\"\n";
    let mut replay = Replay::new(rules)?;
    let litter = replay.push_singles(&["staging-0"])?;
    let staged = replay.push(&Build::small("staged").single(), &["staging-1"])?;
    build_on(&replay.tenancy, &replay.web, &staged.digest);
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[litter[0].digest], &[staged.digest]))
}

pub(super) async fn nested_indexes_counted_as_untagged() -> Wrongs {
    let mut replay = Replay::new(UNTAGGED)?;
    let inner = replay.push(&Build::small("inner"), &[])?;
    let untagged = replay.push(&Build::small("litter").single(), &[])?;
    let manifest = {
        let (state, _) = replay.tenancy.lock();
        state.images[&inner.image].manifest.clone()
    };
    let child = Child { manifest, platform: Platform::Arm64, attests: None };
    let outer = Manifest::index(Flavour::Oci, &[child]);
    replay.tenancy.put_manifest(&replay.web, &outer, Some(&parsed("release")), "ci")?;
    replay.passes(16).await?;
    Ok(wrongs(&replay, &[untagged.digest]))
}

pub(super) async fn a_signature_outlived_by_nothing_but_its_subject() -> Wrongs {
    let mut replay = Replay::new(UNTAGGED)?;
    let kept = replay.push(&Build::small("kept").single(), &["prod"])?;
    let signature = replay.tenancy.cosign(&replay.web, &kept.digest, "ci")?;
    let untagged = replay.push(&Build::small("litter").single(), &[])?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[untagged.digest], &[signature.digest]))
}

pub(super) async fn a_referrer_of_a_kept_platform() -> Wrongs {
    let mut replay = Replay::new(UNTAGGED)?;
    let kept = replay.push(&Build::small("kept"), &["prod"])?;
    let materials = replay.tenancy.attach(&replay.web, &kept.children[0], "materials", "ci")?;
    let untagged = replay.push(&Build::small("litter").single(), &[])?;
    replay.run("prod")?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[untagged.digest], &[materials.digest]))
}

/// Whoever cannot read a manifest cannot know what it names.
pub(super) async fn a_manifest_of_no_known_kind() -> Wrongs {
    let mut replay = Replay::new(UNTAGGED)?;
    let named = replay.push(&Build::small("named").single(), &[])?;
    let strange = json!({"schemaVersion": 3, "carries": [named.digest.to_string()]}).to_string();
    let strange = Manifest::raw("application/vnd.tomorrow.bundle+json", strange.into_bytes());
    replay.tenancy.put_manifest(&replay.web, &strange, Some(&parsed("prod")), "ci")?;
    replay.passes(16).await?;
    Ok(wrongs_and_lost(&replay, &[], &[named.digest]))
}
