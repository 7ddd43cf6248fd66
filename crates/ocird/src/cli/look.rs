//! One look at the registry for a command: nothing is written, nobody is held up, and there is no writer anywhere near.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use ocird_model::{
    Clock, ErrorChain, InUse, Inventory, Mark, MarkKey, Plan, Policies, RepositoryId, TenancyId,
};
use ocird_store::Glance;

use crate::cli::at::{At, still_so};
use crate::cli::{Exit, Failure, say};
use crate::clock::SystemClock;
use crate::cloud;
use crate::config::Config;
use crate::in_use::reference::Folder;
use crate::pass::{Decided, Purpose, Survey, SurveyError};
use crate::status::Refusal;

/// What was seen, and the moment for which decisions are asked.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) config: Config,
    /// The tenancy and region of the credentials.
    pub(crate) identity: (TenancyId, String),
    /// Tells which references point into this registry; `None` while it has no repository.
    pub(crate) folder: Option<Folder>,
    /// The repositories that are only observed now, and why.
    pub(crate) observe_only: BTreeMap<RepositoryId, Refusal>,
    /// The marks on record; `None` where there is no store that can be read.
    pub(crate) marks: Option<BTreeMap<MarkKey, Mark>>,
    /// The moment of the plan.
    pub(crate) at: DateTime<Utc>,
    /// True when that moment is later than the look.
    pub(crate) is_later: bool,
    /// What was seen, as it would be at that moment.
    pub(crate) inventory: Inventory,
    /// What runs, as it would be at that moment.
    pub(crate) in_use: InUse,
}

impl Look {
    /// Looks at everything, by the store too where there is one.
    pub(crate) async fn at_everything(config: Config, at: Option<At>) -> Result<Self, Failure> {
        let clock = SystemClock::new();
        let now = clock.now();
        let at = match at {
            None => now,
            Some(at) => {
                at.moment(now).ok_or_else(|| Failure::usage(anyhow::anyhow!("--at lies in the past")))?
            }
        };
        let oci = cloud::client(&config.oci, clock)?;
        let mut survey = Survey::new(config.clone(), oci);
        let store = match survey.consult_store().await {
            Ok(true) => None,
            Ok(false) => {
                Some("made without a store: there is none yet, so everything was read anew".to_owned())
            }
            Err(error) => {
                Some(format!("made without the store, which cannot be read: {}", ErrorChain(&error)))
            }
        };
        let marks = match &store {
            Some(note) => {
                say(note, Exit::Ok);
                None
            }
            None => marks(&config).await,
        };
        let Decided { identity, folder, gathered, inventory, observe_only, .. } =
            survey.decide(Purpose::Observe, now, &clock).await.map_err(Failure::unavailable)?;
        let is_later = at > now;
        let (inventory, in_use) = if is_later {
            still_so(inventory, gathered.in_use, now, at)
        } else {
            (inventory, gathered.in_use)
        };
        Ok(Self { config, identity, folder, observe_only, marks, at, is_later, inventory, in_use })
    }

    /// The plan of the moment, checked like every other.
    pub(crate) fn plan(&self, policies: &Policies) -> Result<Plan, Failure> {
        let plan = ocird_plan::plan(&self.inventory, policies, &self.in_use, self.at);
        let checked = ocird_plan::check(plan, &self.inventory, policies, &self.in_use, self.at);
        let checked = checked.map_err(SurveyError::Refused)?;
        Ok(checked.plan().clone())
    }

    /// What a plan for a later moment takes for granted; nothing for one of now.
    pub(crate) fn assumption(&self) -> Option<String> {
        self.is_later.then(|| {
            format!(
                "As of {}, if nothing is pushed, tagged, pulled or deployed until then.",
                self.at.format("%F %H:%M UTC")
            )
        })
    }
}

/// The marks on record. A store that cannot be read now, and could a moment ago, has none to show.
async fn marks(config: &Config) -> Option<BTreeMap<MarkKey, Mark>> {
    let glance = Glance::open(&config.state_dir).await.ok().flatten()?;
    glance.marks().await.ok()
}
