//! The tenancy as its users see it: worlds of a few images, one thing moved, the result compared.

mod deletion;
mod face;
mod life;
mod listing;
mod push;
mod truth;

use chrono::TimeDelta;
use ocird_model::{Digest, ImageId, RepositoryName, Tag};

use crate::manifest::Platform;
use crate::settings::{Settings, parsed};
use crate::tenancy::{NewRepository, Tenancy};
use crate::view::{ImageQuery, ImageRowView};
use crate::workload::PullPolicy;
use crate::{Build, Pushed, Reference};

/// A tenancy with one repository `web` and one arm64 host `milan-1`.
struct World {
    tenancy: Tenancy,
    web: RepositoryName,
}

impl World {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let tenancy = Tenancy::new(settings);
        let web: RepositoryName = parsed("web");
        let new = NewRepository::private(web.clone(), tenancy.compartment());
        tenancy.create_repository(new).unwrap();
        tenancy.add_host("milan-1", Platform::Arm64, PullPolicy::Always);
        Self { tenancy, web }
    }

    /// Pushes a small image for two platforms an hour after whatever was before.
    fn push(&self, revision: &str, tags: &[&str]) -> Pushed {
        self.push_build(&Build::small(revision), tags)
    }

    fn push_build(&self, build: &Build, tags: &[&str]) -> Pushed {
        self.pass(TimeDelta::hours(1));
        let tags: Vec<Tag> = tags.iter().map(|tag| parsed(tag)).collect();
        self.tenancy.push(&self.web, build, &tags, "ci").unwrap()
    }

    fn deploy(&self, workload: &str, reference: &str) {
        let reference: Reference = parsed(reference);
        self.tenancy.deploy("milan-1", workload, &self.web, reference).unwrap();
    }

    fn pass(&self, time: TimeDelta) {
        self.tenancy.clock().advance(time);
    }

    fn id(&self, digest: &Digest) -> ImageId {
        self.tenancy.find(&self.web, digest).unwrap()
    }

    fn is_there(&self, digest: &Digest) -> bool {
        self.tenancy.find(&self.web, digest).is_some()
    }

    fn delete(&self, digest: &Digest) {
        self.tenancy.delete_image(&self.id(digest), None).unwrap();
    }

    /// The query for the first page of `web`.
    fn query(&self) -> ImageQuery {
        let everything = ImageQuery::in_compartment(self.tenancy.compartment());
        let rows = self.tenancy.list_images(&everything).unwrap().items;
        ImageQuery { repository: rows.first().map(|row| row.repository.clone()), ..everything }
    }

    /// Every row of `web`, page by page.
    fn rows(&self, mut query: ImageQuery) -> Vec<ImageRowView> {
        let mut rows = Vec::new();
        loop {
            let page = self.tenancy.list_images(&query).unwrap();
            rows.extend(page.items);
            query.cursor.page = page.next;
            if query.cursor.page.is_none() {
                return rows;
            }
        }
    }
}

fn tag(text: &str) -> Tag {
    parsed(text)
}
