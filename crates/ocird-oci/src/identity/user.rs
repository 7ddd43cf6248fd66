//! Signing in as a user, by the API key or the session token of a profile. Nobody is asked: the profile is read again,
//! with its key and its token, and what it holds by now is what is signed with.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{Session, SignInError};
use crate::Profile;
use crate::profile::{Credential, Loaded, ProfileProblem};
use crate::sign::Signer;

/// A session of what the profile holds at `now`. It stays in the tenancy that it was first read with.
pub(crate) async fn sign_in(profile: &Profile, now: DateTime<Utc>) -> Result<Session, SignInError> {
    let read = profile.clone();
    // Reading files may block, and opening an encrypted key takes its time.
    let loaded = tokio::task::spawn_blocking(move || read.load()).await;
    let Loaded { tenancy, region: _, key, key_file: _, is_exposed: _, credential } =
        loaded.map_err(|_| SignInError::Interrupted)??;
    if tenancy != *profile.tenancy() {
        return Err(SignInError::TenancyChanged { was: profile.tenancy().clone(), is: tenancy });
    }
    match credential {
        Credential::ApiKey { user, fingerprint } => {
            let key_id = SecretString::from(format!("{tenancy}/{user}/{fingerprint}"));
            Ok(Session::lasting(Signer::new(key_id, key), tenancy))
        }
        Credential::SessionToken { token, stamp: _ } if token.expires_at() <= now => {
            let problem = ProfileProblem::TokenExpired { expired_at: token.expires_at() };
            Err(profile.error(problem).into())
        }
        Credential::SessionToken { token, stamp } => {
            Ok(Session::of_token(&token, key, tenancy, now).with_stamp(stamp))
        }
    }
}
