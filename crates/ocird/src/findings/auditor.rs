//! Asks what [`Audit`] can tell, at the start and once a day, and remembers the answers. Nothing of it is written down: after a
//! restart it is asked again.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{ErrorChain, RegistryError, RepositoryId, RepositoryRow, UserId};
use ocird_oci::AuthToken;

use super::Audit;
use crate::config::FindingsConfig;

/// How long an answer serves, of whatever kind. Tokens are rotated by the month, and repositories made immutable once.
const ASKED_EVERY: TimeDelta = TimeDelta::hours(24);

/// What the cloud said beside the registry's lists, as far as it was asked.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answers {
    /// The tokens of each user who is watched.
    pub(crate) tokens: BTreeMap<UserId, Tokens>,
    /// Whether the tags of a repository cannot be moved.
    pub(crate) is_immutable: BTreeMap<RepositoryId, bool>,
}

/// What came of asking for the tokens of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tokens {
    /// These are all.
    Listed(Vec<AuthToken>),
    /// They cannot be read.
    Unreadable {
        /// Why, with the whole chain of causes.
        why: String,
    },
}

/// Asks once a day.
#[derive(Default)]
pub(crate) struct Auditor {
    /// `None` where nobody can be asked.
    audit: Option<Arc<dyn Audit>>,
    answers: Answers,
    users_asked_at: BTreeMap<UserId, DateTime<Utc>>,
    repositories_asked_at: BTreeMap<RepositoryId, DateTime<Utc>>,
}

impl fmt::Debug for Auditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auditor").field("answers", &self.answers).finish_non_exhaustive()
    }
}

impl Auditor {
    /// An auditor that has not asked yet.
    pub(crate) fn new(audit: Arc<dyn Audit>) -> Self {
        Self { audit: Some(audit), ..Self::default() }
    }

    /// What has been answered so far.
    pub(crate) const fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Asks what is due. A failure is an answer about tokens, because somebody must allow the reading; about a repository
    /// it is none, and the next day asks again.
    pub(crate) async fn ask(&mut self, config: &FindingsConfig, rows: &[RepositoryRow], now: DateTime<Utc>) {
        let Some(audit) = self.audit.clone() else { return };
        for watched in &config.auth_tokens {
            if is_due(&mut self.users_asked_at, &watched.user, now) {
                let answer = tokens(audit.auth_tokens(&watched.user).await, &watched.name);
                self.answers.tokens.insert(watched.user.clone(), answer);
            }
        }
        self.repositories_asked_at.retain(|id, _| rows.iter().any(|row| row.id == *id));
        let Some(patterns) = &config.immutable else { return };
        for row in rows.iter().filter(|row| patterns.matches(row.name.as_str())) {
            if is_due(&mut self.repositories_asked_at, &row.id, now) {
                match audit.is_immutable(&row.id).await {
                    Ok(is_immutable) => {
                        self.answers.is_immutable.insert(row.id.clone(), is_immutable);
                    }
                    Err(error) => {
                        tracing::warn!(repository = %row.name, kind = error.kind().as_str(), error = %ErrorChain(&error),
                            "nobody can tell whether the repository is immutable");
                    }
                }
            }
        }
    }
}

fn tokens(answer: Result<Vec<AuthToken>, RegistryError>, name: &str) -> Tokens {
    match answer {
        Ok(tokens) => Tokens::Listed(tokens),
        Err(error) => {
            let why = ErrorChain(&error).to_string();
            tracing::warn!(
                subject = %format_args!("user {name}"),
                kind = error.kind().as_str(),
                error = %why,
                "auth tokens cannot be read"
            );
            Tokens::Unreadable { why }
        }
    }
}

/// Whether it is time to ask; takes note that it is asked. A clock that went back must not put a question off for ever.
fn is_due<K: Ord + Clone>(asked_at: &mut BTreeMap<K, DateTime<Utc>>, key: &K, now: DateTime<Utc>) -> bool {
    let is_due = asked_at.get(key).is_none_or(|at| !(TimeDelta::zero()..ASKED_EVERY).contains(&(now - *at)));
    if is_due {
        asked_at.insert(key.clone(), now);
    }
    is_due
}
