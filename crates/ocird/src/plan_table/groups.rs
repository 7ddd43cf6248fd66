//! The images of a repository by what was decided about them, in words.

use std::collections::BTreeMap;

use ocird_model::{Bytes, Decision, DeleteReason, Image, KeepReason, Repository, Verdict};

/// The images about which the same was decided.
#[derive(Debug)]
pub(super) struct Group<'a> {
    /// The verdict in words.
    pub(super) words: String,
    pub(super) is_delete: bool,
    pub(super) images: Vec<&'a Image>,
    /// What goes with this group, when those before it are gone: what several groups share goes with the last of them, so
    /// that the sum is what the plan frees. `None` for what stays, and while layers are not known.
    pub(super) freed: Option<Bytes>,
}

/// The groups, those that go first. A family is told with its head's rule, and reasons that name another image (the index
/// that holds a child) are one group: the list of every image is in the JSON.
pub(super) fn groups<'a>(repository: &'a Repository, decisions: &'a [Decision]) -> Vec<Group<'a>> {
    let mut by_words: BTreeMap<(bool, String), Vec<&Decision>> = BTreeMap::new();
    for decision in decisions {
        let key = (!decision.verdict.is_delete(), in_words(&decision.verdict));
        by_words.entry(key).or_default().push(decision);
    }
    let mut going: Vec<Decision> = Vec::new();
    let mut freed_before = Some(Bytes::ZERO);
    let group = |((stays, words), decisions): ((bool, String), Vec<&Decision>)| {
        let images = decisions.iter().filter_map(|decision| repository.image(&decision.digest)).collect();
        let freed = (!stays).then(|| {
            going.extend(decisions.into_iter().cloned());
            let freed = ocird_plan::freed(repository, &going);
            let alone = freed.zip(freed_before).map(|(sum, before)| sum.saturating_sub(before));
            freed_before = freed;
            alone
        });
        Group { words, is_delete: !stays, images, freed: freed.flatten() }
    };
    by_words.into_iter().map(group).collect()
}

fn in_words(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Keep(KeepReason::ChildOf { parent: _ }) => "keep: named by an index that stays".to_owned(),
        Verdict::Keep(KeepReason::ReferrerOf { subject: _ }) => {
            "keep: speaks about an image that stays".to_owned()
        }
        Verdict::Keep(KeepReason::InUse { by: _ }) => "keep: in use".to_owned(),
        Verdict::Keep(KeepReason::RollbackRoom { by: _ }) => "keep: a rollback would pull it".to_owned(),
        Verdict::Keep(KeepReason::Held { by: _ }) => "keep: held by hand".to_owned(),
        Verdict::Delete(DeleteReason::WithHead { rule }) => format!("delete: rule \"{rule}\""),
        verdict @ (Verdict::Keep(_) | Verdict::Delete(_)) => verdict.to_string(),
    }
}

impl Group<'_> {
    /// What the images weigh together.
    pub(super) fn size(&self) -> Bytes {
        distinct_size(&self.images)
    }
}

/// What these images weigh together: a layer that several of them share counts once.
pub(crate) fn distinct_size(images: &[&Image]) -> Bytes {
    let layers = images.iter().flat_map(|image| image.layers.iter()).flat_map(|layers| layers.iter());
    let layers: BTreeMap<_, _> = layers.map(|layer| (layer.digest, layer.size)).collect();
    layers.into_values().chain(images.iter().map(|image| image.manifest_size)).sum()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ocird_model::{Content, Digest, Layer};

    use super::*;

    fn image(number: u8, layers: &[(u8, u64)]) -> Image {
        let layers = layers
            .iter()
            .map(|(name, size)| Layer { digest: Digest::from_bytes([*name; 32]), size: Bytes(*size) });
        Image {
            id: format!("ocid1.containerimage.oc1.x.{number}").parse().unwrap(),
            digest: Digest::from_bytes([number; 32]),
            tags: BTreeMap::new(),
            created_at: None,
            first_seen_at: None,
            last_pulled_at: None,
            resource_tags: None,
            read_at: None,
            content: Content::Manifest { subject: None, config: None },
            layers: Some(layers.collect::<Arc<[Layer]>>()),
            manifest_size: Bytes(1),
        }
    }

    #[test]
    fn what_groups_free_adds_up_to_what_the_plan_frees() {
        let images = vec![
            image(1, &[(11, 100), (99, 1000)]),
            image(2, &[(12, 200), (99, 1000), (98, 5000)]),
            image(3, &[(98, 5000)]),
        ];
        let repository = Repository {
            id: "ocid1.containerrepo.oc1.x.app".parse().unwrap(),
            name: "app".parse().unwrap(),
            compartment: "ocid1.compartment.oc1..x".parse().unwrap(),
            namespace: "ns".parse().unwrap(),
            is_public: false,
            images,
            rests: BTreeMap::new(),
            holds: Vec::new(),
        };
        let rule = |name: &str| Verdict::Delete(DeleteReason::Rule { rule: name.parse().unwrap() });
        let verdicts = [rule("a"), rule("b"), Verdict::Keep(KeepReason::Floor)];
        let decision = |(image, verdict): (&Image, Verdict)| Decision {
            image: image.id.clone(),
            digest: image.digest,
            head: image.digest,
            verdict,
        };
        let decisions: Vec<_> = repository.images.iter().zip(verdicts).map(decision).collect();
        let groups = groups(&repository, &decisions);
        let freed: Vec<_> = groups.iter().map(|group| group.freed).collect();
        // The layer that both rules take goes with the second, and what the third keeps does not go at all.
        assert_eq!(freed, [Some(Bytes(101)), Some(Bytes(1201)), None]);
        assert_eq!(ocird_plan::freed(&repository, &decisions), Some(Bytes(1302)));
        assert_eq!(groups[1].size(), Bytes(6201));
    }
}
