//! Every call that `ocird-oci` can make, against a sample tenancy, in the order in which `wire.py` makes them with the
//! SDK.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{
    DeleteTarget, ImageDetails, ReadRegistry as _, RepositoryRow, RestoreRegistry as _, Tag,
    WriteRegistry as _,
};
use ocird_oci::{Auth, Endpoint, Oci, Profile, Settings, TagOrDigest};
use ocird_sim::clock::ClockView;
use ocird_sim::http::{Comparable, Options, Recorded, Server};
use ocird_sim::{Tenancy, sample};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Rows of a page, so that lists have several.
const PAGE_SIZE: u32 = 4;

struct World {
    tenancy: Tenancy,
    server: Server,
    recorded: UnboundedReceiver<Recorded>,
}

impl World {
    fn open() -> Self {
        let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        let tenancy = Tenancy::new(sample::settings(1, now));
        sample::furnish(&tenancy).unwrap();
        let (record, recorded) = unbounded_channel();
        let options = Options { record: Some(record), ..Options::default() };
        let server = Server::start(tenancy.clone(), options).unwrap();
        Self { tenancy, server, recorded }
    }

    fn client(&self, auth: Auth) -> Oci<ClockView> {
        let base: Endpoint = self.server.base_url().parse().unwrap();
        let settings = Settings {
            auth,
            metadata_base: Some(Endpoint::metadata(&self.server.metadata_base()).unwrap()),
            auth_endpoint: Some(base.clone()),
            artifacts_endpoint: Some(base.clone()),
            registry_endpoint: Some(base.clone()),
            identity_endpoint: Some(base),
            page_size: PAGE_SIZE.try_into().unwrap(),
            ..Settings::default()
        };
        Oci::new(settings, Arc::new(self.tenancy.clock().view(TimeDelta::zero()))).unwrap()
    }

    async fn configuration(&self, oci: &Oci<ClockView>) {
        let root = self.tenancy.settings().tenancy.as_str().parse().unwrap();
        oci.configuration(&root).await.unwrap();
    }

    /// Reads of the Artifacts API; returns the image that the changes are made to.
    async fn reads(&self, oci: &Oci<ClockView>) -> ImageDetails {
        self.configuration(oci).await;
        let compartment = self.tenancy.compartment();
        let repositories = oci.repositories(&compartment).await.unwrap();
        let is_website = |row: &&RepositoryRow| row.name.as_str() == "mgh-website";
        let website = repositories.iter().find(is_website).unwrap();
        oci.repository(&website.id).await.unwrap();
        let images = oci.images(&compartment, &website.id).await.unwrap();
        let wanted = images.iter().find(|row| row.tag == Some(v3())).unwrap();
        oci.image_by_uri(&website.namespace, &website.name, &TagOrDigest::Tag(v3())).await.unwrap();
        oci.image_signatures(&compartment, &website.id).await.unwrap();
        oci.image(&wanted.id).await.unwrap()
    }

    /// Every change that ocird can make, on one image.
    async fn changes(&self, oci: &Oci<ClockView>, image: ImageDetails) {
        let writer = oci.writer();
        let restorer = oci.restorer();
        let etag = || self.tenancy.get_image(&image.id).unwrap().etag;
        let target = DeleteTarget {
            image: image.id.clone(),
            digest: image.digest,
            repository: image.repository.clone(),
        };
        writer.delete(&target, &image.etag.unwrap()).await.unwrap();
        restorer.restore(&image.id, Some(&v3())).await.unwrap();
        writer.remove_version(&image.id, &v3(), &ocird_model::Etag(etag())).await.unwrap();
        writer.delete(&target, &ocird_model::Etag(etag())).await.unwrap();
        restorer.restore(&image.id, None).await.unwrap();
    }

    /// One read by each profile.
    async fn by_profiles(&self) {
        let directory = tempfile::tempdir().unwrap();
        let file = self.server.write_profiles(sample::USER, directory.path()).unwrap();
        for name in ["DEFAULT", "SESSION"] {
            let profile = Profile::read(&file, name, None).unwrap();
            self.configuration(&self.client(Auth::Profile(profile))).await;
        }
    }
}

fn v3() -> Tag {
    "v3".parse().unwrap()
}

/// What goes over the wire for every call.
pub(crate) async fn every_call() -> Vec<Comparable> {
    let mut world = World::open();
    let oci = world.client(Auth::InstancePrincipal);
    oci.metadata_region().await.unwrap();
    let image = world.reads(&oci).await;
    world.changes(&oci, image).await;
    oci.auth_tokens(&sample::USER.parse().unwrap()).await.unwrap();
    let registry: Endpoint = world.server.registry_url().parse().unwrap();
    oci.registry_login(&registry).await.unwrap();
    world.by_profiles().await;
    let mut requests = Vec::new();
    while let Ok(recorded) = world.recorded.try_recv() {
        requests.push(Comparable::from(&recorded));
    }
    requests
}
