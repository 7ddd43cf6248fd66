//! A small tenancy with something of every kind, for real clients to look at: every image in it can be pulled.
//!
//! Nothing here lives on: what happens after the sample is furnished is up to whoever looks.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{ParseNameError, RepositoryName, Tag};

use crate::error::ApiError;
use crate::manifest::Manifest;
use crate::push::{Attestations, Build, Pushed};
use crate::settings::{Settings, parsed};
use crate::tenancy::{NewRepository, Tenancy};
use crate::view::{Mutability, Visibility};

/// A person of the sample, who holds two auth tokens.
pub const USER: &str = "ocid1.user.oc1..aaaaaaaasimulateduser";

/// How many single images `mgh-website` holds: `v1` and so on.
pub const N_WEBSITE: u32 = 10;

/// How long before its present the sample begins.
const HISTORY: TimeDelta = TimeDelta::days(30);
/// How much time lies between two pushes.
const STEP: TimeDelta = TimeDelta::hours(6);

/// Settings of a sample whose present is `now`. A deleted image can be restored at once: nobody waits there.
pub fn settings(seed: u64, now: DateTime<Utc>) -> Settings {
    Settings { seed, start: now - HISTORY, deletion_delay: TimeDelta::zero(), ..Settings::default() }
}

/// Fills a tenancy of [`settings`], and brings its clock to the present.
///
/// # Errors
/// A name is taken: the tenancy was not empty.
pub fn furnish(tenancy: &Tenancy) -> Result<(), ApiError> {
    let now = tenancy.now() + HISTORY;
    let sample = Sample { tenancy };
    sample.website()?;
    sample.platforms()?;
    sample.referrers()?;
    sample.others()?;
    for description in ["pull secret of the cluster", "laptop"] {
        tenancy.add_auth_token(USER, description);
    }
    tenancy.clock().advance_to(now);
    Ok(())
}

struct Sample<'a> {
    tenancy: &'a Tenancy,
}

impl Sample<'_> {
    fn create(
        &self,
        name: &str,
        change: impl FnOnce(&mut NewRepository),
    ) -> Result<RepositoryName, ApiError> {
        let name: RepositoryName = parsed(name);
        let mut new = NewRepository::private(name.clone(), self.tenancy.compartment());
        change(&mut new);
        self.tenancy.create_repository(new)?;
        Ok(name)
    }

    /// Pushes a build a while after whatever was before.
    fn push(&self, repository: &RepositoryName, build: &Build, tags: &[&str]) -> Result<Pushed, ApiError> {
        self.tenancy.clock().advance(STEP);
        let tags: Result<Vec<Tag>, ParseNameError> = tags.iter().map(|tag| tag.parse()).collect();
        let tags = tags.expect("the sample's own tags are well formed");
        self.tenancy.push(repository, build, &tags, "ocid1.user.oc1..aaaaaaaasimulatedci")
    }

    /// `mgh-website`: single images, one for each version.
    fn website(&self) -> Result<(), ApiError> {
        let website = self.create("mgh-website", |_| {})?;
        for number in 1..=N_WEBSITE {
            let version = format!("v{number}");
            self.push(&website, &Build::pullable(&version).single(), &[&version])?;
        }
        Ok(())
    }

    /// `team/app`: indexes for two platforms, of either flavour, with attestations, and one that lost its tag.
    fn platforms(&self) -> Result<(), ApiError> {
        let app = self.create("team/app", |_| {})?;
        let attested = |revision, how| Build::pullable(revision).attested(how);
        self.push(&app, &attested("r1", Attestations::Children), &["v1", "latest"])?;
        self.push(&app, &attested("r2", Attestations::Subjects), &["v2"])?;
        self.push(&app, &Build::pullable("r3").docker(), &["docker"])?;
        self.push(&app, &Build::pullable("r4"), &["nightly"])?;
        self.push(&app, &Build::pullable("r5"), &["nightly"])?;
        Ok(())
    }

    /// `mgh-docs`: whatever refers to something else, in each way; and one image that is deleted.
    fn referrers(&self) -> Result<(), ApiError> {
        let docs = self.create("mgh-docs", |_| {})?;
        let single = |revision| Build::pullable(revision).single();
        let signed = self.push(&docs, &single("signed"), &["signed"])?;
        self.tenancy.cosign(&docs, &signed.digest, USER)?;
        self.tenancy.sign_image(&signed.image, USER)?;
        let listed = self.push(&docs, &single("listed"), &["with-bill-of-materials"])?;
        self.tenancy.attach(&docs, &listed.digest, r#"{"spdxVersion":"SPDX-2.3"}"#, USER)?;
        let deleted = self.push(&docs, &single("deleted"), &["deleted"])?;
        self.tenancy.vanish(&deleted.image)
    }

    /// A public repository, an immutable one, an empty one, and a manifest that nobody understands.
    fn others(&self) -> Result<(), ApiError> {
        let public = self.create("public/base", |new| new.visibility = Visibility::Public)?;
        self.push(&public, &Build::pullable("base"), &["1", "1.0", "latest"])?;
        let immutable = self.create("mgh-releases", |new| new.mutability = Mutability::Immutable)?;
        self.push(&immutable, &Build::pullable("release").single(), &["1.0.0"])?;
        self.create("mgh-empty", |_| {})?;
        let strange = self.create("charts", |_| {})?;
        let manifest = Manifest::raw("application/vnd.tomorrow+json", br#"{"tomorrow":true}"#.to_vec());
        self.tenancy.put_manifest(&strange, &manifest, Some(&parsed("next")), USER)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::Facts;
    use crate::registry::Reference;
    use crate::view::ImageQuery;

    fn now() -> DateTime<Utc> {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn sample() -> Tenancy {
        let tenancy = Tenancy::new(settings(1, now()));
        furnish(&tenancy).unwrap();
        tenancy
    }

    #[test]
    fn a_sample_ends_in_its_present_and_is_the_same_for_the_same_seed() {
        assert_eq!(sample().now(), now());
        assert_eq!(sample().fingerprint(), sample().fingerprint());
    }

    #[test]
    fn every_blob_of_every_image_can_be_read_and_is_what_its_digest_says() {
        let tenancy = sample();
        let rows = tenancy.list_images(&ImageQuery::in_compartment(tenancy.compartment())).unwrap().items;
        let mut n_blobs = 0;
        for row in rows.iter().filter(|row| row.lifecycle == ocird_model::Lifecycle::Available) {
            let reference = Reference::Digest(row.digest);
            let view = tenancy.manifest_head(&row.repository_name, &reference).unwrap();
            for (digest, size) in Facts::read(&Manifest::raw(&view.media_type, view.bytes)).blobs {
                let bytes = tenancy.blob(&row.repository_name, &digest).unwrap();
                assert_eq!((crate::digest::sha256(&bytes), bytes.len() as u64), (digest, size));
                n_blobs += 1;
            }
        }
        assert!(n_blobs > 60, "{n_blobs}");
    }
}
