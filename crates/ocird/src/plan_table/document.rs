//! A plan as programs read it: one JSON document with every image. The README describes it, and a test here holds its
//! shape; within one schema fields are only ever added.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{Bytes, Decision, Image, InUse, Repository, RepositoryName, Usage, Use, Verdict};
use serde::Serialize;

use super::{PlanTable, Totals};

/// The version of the document. It grows when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// The document.
#[derive(Debug, Serialize)]
pub struct Document {
    schema: u32,
    /// The moment the plan is made for.
    at: DateTime<Utc>,
    /// When the registry was looked at; before `at` when the plan is made for a later moment.
    looked_at: DateTime<Utc>,
    totals: TotalsRow,
    /// The account against the lines of the rules, over everything that is watched.
    usage: Usage,
    images: Vec<ImageRow>,
    /// The repositories about which nothing was decided.
    undecided: Vec<String>,
    /// Why, for each of them.
    undecided_because: BTreeMap<String, String>,
    /// What is in use, what a rollback would pull included.
    in_use: Vec<UseRow>,
    /// The repositories of which nobody knows what runs.
    in_use_unknown: Vec<DoubtRow>,
}

#[derive(Debug, Serialize)]
struct TotalsRow {
    images: usize,
    delete: usize,
    /// Bytes; null while layers are not known.
    before: Option<Bytes>,
    freed: Option<Bytes>,
}

#[derive(Debug, Serialize)]
struct UseRow {
    repository: String,
    #[serde(flatten)]
    used: Use,
}

#[derive(Debug, Serialize)]
struct DoubtRow {
    /// A pattern.
    repositories: String,
    why: String,
}

/// One image and what was decided about it.
#[derive(Debug, Serialize)]
pub struct ImageRow {
    pub(crate) repository: String,
    /// The OCID.
    id: String,
    pub(crate) digest: String,
    /// The head of its family.
    head: String,
    pub(crate) tags: Vec<String>,
    /// `keep` or `delete`.
    pub(crate) verdict: &'static str,
    /// A word of a fixed list.
    pub(crate) code: &'static str,
    /// The reason in words.
    pub(crate) reason: String,
    /// The newest of its times.
    newest_time: Option<DateTime<Utc>>,
    /// The sum of its layers and manifest, whoever shares them.
    size: Bytes,
}

impl PlanTable<'_> {
    /// The document. `in_use` is what the plan was made with.
    pub(crate) fn document(&self, in_use: &InUse) -> Document {
        let Totals { n_images, n_delete, before, freed } = self.totals();
        let doubts = in_use.doubts().map(|(repositories, why)| DoubtRow {
            repositories: repositories.to_string(),
            why: why.to_owned(),
        });
        let undecided_because: BTreeMap<String, String> =
            self.undecided().map(|(name, why)| (name.to_owned(), why)).collect();
        Document {
            schema: SCHEMA,
            at: self.plan.at,
            looked_at: self.inventory.taken_at,
            totals: TotalsRow { images: n_images, delete: n_delete, before, freed },
            usage: self.plan.usage.clone(),
            images: self.images(),
            undecided: undecided_because.keys().cloned().collect(),
            undecided_because,
            in_use: in_use
                .all()
                .filter(|(repository, _)| self.shows(repository.as_str()))
                .flat_map(|(repository, uses)| use_rows(repository, uses))
                .collect(),
            in_use_unknown: doubts.collect(),
        }
    }

    /// One row for each image, by repository and digest.
    pub(crate) fn images(&self) -> Vec<ImageRow> {
        self.decided().flat_map(|(repository, decisions)| rows_of(repository, decisions)).collect()
    }
}

fn use_rows(repository: &RepositoryName, uses: &[Use]) -> Vec<UseRow> {
    let row = |used: &Use| UseRow { repository: repository.to_string(), used: used.clone() };
    uses.iter().map(row).collect()
}

fn rows_of(repository: &Repository, decisions: &[Decision]) -> Vec<ImageRow> {
    let row = |decision: &Decision| {
        let image = repository.image(&decision.digest)?;
        let (verdict, reason) = match &decision.verdict {
            Verdict::Keep(reason) => ("keep", reason.to_string()),
            Verdict::Delete(reason) => ("delete", reason.to_string()),
        };
        Some(ImageRow {
            repository: repository.name.to_string(),
            id: image.id.to_string(),
            digest: image.digest.to_string(),
            head: decision.head.to_string(),
            tags: image.tags.keys().map(ToString::to_string).collect(),
            verdict,
            code: decision.verdict.as_str(),
            reason,
            newest_time: image.newest_time(),
            size: size(image),
        })
    };
    decisions.iter().filter_map(row).collect()
}

/// The sum of an image's layers and manifest.
pub(crate) fn size(image: &Image) -> Bytes {
    let layers = image.layers.iter().flat_map(|layers| layers.iter()).map(|layer| layer.size).sum::<Bytes>();
    layers + image.manifest_size
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use ocird_model::{
        Content, DeleteRule, Digest, EffectivePolicy, Guardrails, Inventory, Layer, Patterns, Policies,
        Policy, RepositoryState, Selects, Unreadable,
    };

    use super::*;

    fn image(number: u8, time: &str, layer: u64) -> Image {
        let time: DateTime<Utc> = time.parse().unwrap();
        let layer = Layer { digest: Digest::from_bytes([number; 32]), size: Bytes(layer) };
        Image {
            id: format!("ocid1.containerimage.oc1.x.{number}").parse().unwrap(),
            digest: Digest::from_bytes([number; 32]),
            tags: [(format!("v{number}").parse().unwrap(), Some(time))].into(),
            created_at: Some(time),
            first_seen_at: None,
            last_pulled_at: None,
            resource_tags: None,
            read_at: None,
            content: Content::Manifest { subject: None, config: None },
            layers: Some(Arc::new([layer])),
            manifest_size: Bytes(500),
        }
    }

    fn inventory() -> Inventory {
        let app = Repository {
            id: "ocid1.containerrepo.oc1.x.app".parse().unwrap(),
            name: "app".parse().unwrap(),
            compartment: "ocid1.compartment.oc1..x".parse().unwrap(),
            namespace: "ns".parse().unwrap(),
            is_public: false,
            images: vec![image(1, "2026-10-01T00:00:00Z", 7000), image(2, "2026-11-01T00:00:00Z", 9000)],
            rests: BTreeMap::new(),
            holds: Vec::new(),
        };
        let lost = RepositoryState::Unreadable {
            id: "ocid1.containerrepo.oc1.x.lost".parse().unwrap(),
            why: Unreadable::UnknownState,
        };
        let repositories =
            [("app".parse().unwrap(), RepositoryState::Complete(app)), ("lost".parse().unwrap(), lost)]
                .into();
        Inventory { taken_at: "2026-11-21T12:00:00Z".parse().unwrap(), repositories, n_unlisted: 0 }
    }

    /// The golden document: a change of it that is no mere addition needs another [`SCHEMA`].
    #[test]
    fn the_document_has_its_documented_shape() {
        let rule = DeleteRule {
            older_than: Some(chrono::TimeDelta::days(30)),
            ..DeleteRule::about("old".parse().unwrap(), Selects::Tagged)
        };
        let policy = Policy {
            project: "x".to_owned(),
            repositories: Patterns::all(),
            keep: Vec::new(),
            delete: vec![rule],
            enforce_public: false,
            enforce_signed: false,
        };
        let guardrails = Guardrails { min_newest: 1.try_into().unwrap(), ..Guardrails::default() };
        let policies = Policies { guardrails, policies: vec![policy] };
        let inventory = inventory();
        assert!(matches!(policies.governing(&"app".parse().unwrap()), EffectivePolicy::One(_)));
        let mut in_use = InUse::nothing();
        in_use.doubt(Patterns::new(vec!["lost".parse().unwrap()]).unwrap(), "no source covers it");
        let plan = ocird_plan::plan(&inventory, &policies, &in_use, inventory.taken_at);
        let document = PlanTable::new(&plan, &inventory, 80).document(&in_use);
        insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
    }
}
