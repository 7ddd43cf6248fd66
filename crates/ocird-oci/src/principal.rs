//! Who the credentials say that we are, for a person who wants to see it. Nothing is signed, and nothing is decided by it.

use chrono::{DateTime, Utc};
use ocird_model::{Clock, CompartmentId, TenancyId};

use crate::client::Client;
use crate::identity::Who;
use crate::{OciError, ProfileKind};

/// Who the credentials are of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// The instance that this runs on.
    Instance {
        /// Its OCID, where its certificate names it.
        instance: Option<String>,
        /// The tenancy it belongs to.
        tenancy: TenancyId,
        /// The compartment it is in, where its certificate names it.
        compartment: Option<CompartmentId>,
        /// When the certificate ends. A new one is there hours before.
        certificate_ends_at: DateTime<Utc>,
    },
    /// A user, by a profile.
    User {
        /// The OCID; a session token keeps it to itself.
        user: Option<String>,
        /// The tenancy the profile belongs to.
        tenancy: TenancyId,
    },
}

impl<C: Clock> Client<C> {
    /// Looks at the credentials as they are now.
    pub(crate) async fn principal(&self) -> Result<Principal, OciError> {
        match self.identity.who() {
            Who::Instance(instance) => {
                let certificate = instance.certificate().await?;
                Ok(Principal::Instance {
                    instance: certificate.instance().map(str::to_owned),
                    tenancy: certificate.tenancy().clone(),
                    compartment: certificate.compartment().cloned(),
                    certificate_ends_at: certificate.ends_at(),
                })
            }
            Who::User(profile) => {
                let user = match profile.kind() {
                    ProfileKind::ApiKey { user } => Some(user.to_string()),
                    ProfileKind::SessionToken => None,
                };
                Ok(Principal::User { user, tenancy: profile.tenancy().clone() })
            }
        }
    }
}
