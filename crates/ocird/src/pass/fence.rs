//! The fence around the writer: whatever asks for a deletion, it goes on only for an image of a repository that this pass read
//! whole inside the configured compartments, and in the region and tenancy that are armed (S-10). It shares nothing with the
//! plan but the inventory, and it is the last thing before the wire.

use ocird_model::{
    CompartmentId, DeleteTarget, ErrorKind, Etag, Inventory, RegistryError, Rule, TenancyId, WriteRegistry,
};

use crate::config::{ArmedFor, Config};
use crate::pass::estate::is_elsewhere;

/// A writer that deletes nothing outside its fence.
pub(crate) struct Fenced<'a, W> {
    writer: &'a W,
    armed_for: Option<&'a ArmedFor>,
    identity: &'a (TenancyId, String),
    compartments: &'a [CompartmentId],
    inventory: &'a Inventory,
}

impl<'a, W> Fenced<'a, W> {
    /// A fence around what `inventory` saw. `identity` is the tenancy and region of the credentials.
    pub(crate) fn new(
        writer: &'a W,
        config: &'a Config,
        identity: &'a (TenancyId, String),
        inventory: &'a Inventory,
    ) -> Self {
        let (armed_for, compartments) = (config.armed_for.as_ref(), config.oci.compartments.as_slice());
        Self { writer, armed_for, identity, compartments, inventory }
    }

    /// Why a target lies outside.
    fn outside(&self, target: &DeleteTarget) -> Option<&'static str> {
        let (tenancy, region) = self.identity;
        let Some(armed) = self.armed_for.filter(|armed| armed.tenancy == *tenancy && armed.region == *region)
        else {
            return Some("the tenancy and region of the credentials are not those that are armed");
        };
        let ocids = [target.image.as_str(), target.repository.as_str()];
        if ocids.into_iter().any(|ocid| is_elsewhere(ocid, region)) {
            return Some("its OCID is of another region");
        }
        let Some(repository) =
            self.inventory.complete().find(|repository| repository.id == target.repository)
        else {
            return Some("this pass has not read its repository");
        };
        let compartment = &repository.compartment;
        if !self.compartments.contains(compartment) || !armed.compartments.contains(compartment) {
            return Some("its compartment is not among those that are armed");
        }
        let seen = repository.image(&target.digest).filter(|image| image.id == target.image);
        seen.is_none().then_some("this pass has not seen it in that repository under that digest")
    }
}

impl<W: WriteRegistry> WriteRegistry for Fenced<'_, W> {
    async fn delete(&self, target: &DeleteTarget, if_match: &Etag) -> Result<(), RegistryError> {
        match self.outside(target) {
            Some(why) if Rule::S10.in_force() => {
                Err(RegistryError::new("DeleteContainerImage", ErrorKind::Forbidden, format!("S-10: {why}")))
            }
            Some(_) | None => self.writer.delete(target, if_match).await,
        }
    }
}

impl<W> std::fmt::Debug for Fenced<'_, W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fenced").field("compartments", &self.compartments).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use chrono::DateTime;
    use ocird_model::{Bytes, Content, Digest, Image, Repository, RepositoryState};

    use super::*;
    use crate::config::{Restoring, Sharing};

    const REGION: &str = "eu-milan-1";

    /// Takes down what it was asked to delete.
    #[derive(Default)]
    struct Asked(Mutex<Vec<DeleteTarget>>);

    impl WriteRegistry for Asked {
        async fn delete(&self, target: &DeleteTarget, _: &Etag) -> Result<(), RegistryError> {
            self.0.lock().unwrap().push(target.clone());
            Ok(())
        }
    }

    fn compartment(text: &str) -> CompartmentId {
        format!("ocid1.compartment.oc1..{text}").parse().unwrap()
    }

    fn tenancy(text: &str) -> TenancyId {
        format!("ocid1.tenancy.oc1..{text}").parse().unwrap()
    }

    fn target(region: &str) -> DeleteTarget {
        DeleteTarget {
            image: format!("ocid1.containerimage.oc1.{region}.0.ns.i").parse().unwrap(),
            digest: Digest::from_bytes([1; 32]),
            repository: format!("ocid1.containerrepo.oc1.{region}.0.ns.r").parse().unwrap(),
        }
    }

    /// What a pass saw: one repository with the one image of a target, in this compartment.
    fn seen(target: &DeleteTarget, lies_in: CompartmentId) -> Inventory {
        let image = Image {
            id: target.image.clone(),
            digest: target.digest,
            tags: BTreeMap::new(),
            created_at: None,
            first_seen_at: None,
            last_pulled_at: None,
            resource_tags: None,
            read_at: None,
            content: Content::Manifest { subject: None, config: None },
            layers: None,
            manifest_size: Bytes::ZERO,
        };
        let repository = Repository {
            id: target.repository.clone(),
            name: "app".parse().unwrap(),
            compartment: lies_in,
            namespace: "ns".parse().unwrap(),
            is_public: false,
            images: vec![image],
            rests: BTreeMap::new(),
            holds: Vec::new(),
        };
        let state = RepositoryState::Complete(repository);
        let repositories = BTreeMap::from([("app".parse().unwrap(), state)]);
        Inventory { taken_at: DateTime::UNIX_EPOCH, repositories, n_unlisted: 0 }
    }

    /// Whether a target reaches the writer through a fence around `inventory`, for these credentials.
    async fn goes(target: &DeleteTarget, inventory: &Inventory, identity: &(TenancyId, String)) -> bool {
        let armed = ArmedFor {
            tenancy: tenancy("ours"),
            region: REGION.to_owned(),
            compartments: [compartment("ours")].into(),
            sharing: Sharing::Fenced,
            restoring: Restoring::Unsaid,
        };
        let (writer, compartments) = (Asked::default(), [compartment("ours")]);
        let armed_for = Some(&armed);
        let fence = Fenced { writer: &writer, armed_for, identity, compartments: &compartments, inventory };
        let answer = fence.delete(target, &Etag("\"1\"".to_owned())).await;
        let asked = writer.0.lock().unwrap().clone();
        assert_eq!(answer.is_ok(), !asked.is_empty());
        if let Err(error) = answer {
            assert_eq!(error.kind(), ErrorKind::Forbidden);
        }
        asked == [target.clone()]
    }

    #[tokio::test]
    async fn what_this_pass_has_seen_inside_what_is_armed_goes_and_nothing_else() {
        let us = (tenancy("ours"), REGION.to_owned());
        let one = target(REGION);
        let inventory = seen(&one, compartment("ours"));
        assert!(goes(&one, &inventory, &us).await);
        let other_digest = DeleteTarget { digest: Digest::from_bytes([2; 32]), ..one.clone() };
        let other_image = DeleteTarget {
            image: "ocid1.containerimage.oc1.eu-milan-1.0.ns.j".parse().unwrap(),
            ..one.clone()
        };
        let other_repository = DeleteTarget {
            repository: "ocid1.containerrepo.oc1.eu-milan-1.0.ns.s".parse().unwrap(),
            ..one.clone()
        };
        for wrong in [other_digest, other_image, other_repository] {
            assert!(!goes(&wrong, &inventory, &us).await, "{wrong:?}");
        }
        assert!(!goes(&one, &seen(&one, compartment("theirs")), &us).await);
        let frankfurt = target("eu-frankfurt-1");
        assert!(!goes(&frankfurt, &seen(&frankfurt, compartment("ours")), &us).await);
        for them in [(tenancy("theirs"), REGION.to_owned()), (tenancy("ours"), "eu-frankfurt-1".to_owned())] {
            assert!(!goes(&one, &inventory, &them).await, "{them:?}");
        }
    }
}
