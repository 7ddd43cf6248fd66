//! The commands that stop deletion and let it go on: `pause`, `resume`, `reset` and `approve`. Each says what it changed and
//! what still stands in the way; whatever lets something go wakes the daemon.

use ocird_model::ErrorChain;
use ocird_store::{Brakes, Operator, PlanId, StoreError};

use super::desk::{Asked, Deed, Desk, Record};
use super::pending;
use super::problem::Problem;
use super::wire::{Answer, ControlAnswer};
use crate::pause::{self, Pausing};

/// Makes the kill switch's file (S-24). Works on a full disk and without a store.
pub(super) async fn pause(
    desk: Desk,
    by: Operator,
    why: Option<String>,
) -> Result<Answer<ControlAnswer>, Problem> {
    let detail = why.clone().unwrap_or_default();
    let asked = Asked { by: by.clone(), word: "pause", detail, record: Record::Wanted };
    let inner = desk.clone();
    let work = async move {
        let paused = pause::pause(&inner.state_dir, &by.to_string(), why.as_deref(), inner.now());
        let paused =
            paused.map_err(|error| Problem::failed(format!("the pause file cannot be made: {error}")))?;
        let (changed, done) = in_words(&paused);
        inner.deed(changed, vec![done]).await
    };
    desk.carry_out(asked, work).await
}

/// Takes the kill switch's file away, and clears nothing else.
pub(super) async fn resume(desk: Desk, by: Operator) -> Result<Answer<ControlAnswer>, Problem> {
    let asked = Asked { by, word: "resume", detail: String::new(), record: Record::Wanted };
    let inner = desk.clone();
    let work = async move {
        let lifted = pause::resume(&inner.state_dir)
            .map_err(|error| Problem::failed(format!("the pause file cannot be removed: {error}")))?;
        if lifted.is_some() {
            inner.wake.notify_one();
        }
        inner.deed(lifted.is_some(), vec![lifted_in_words(lifted.as_deref())]).await
    };
    desk.carry_out(asked, work).await
}

/// Clears breaker and freeze (S-25, S-26), and says what it cleared.
pub(super) async fn reset(desk: Desk, by: Operator) -> Result<Answer<ControlAnswer>, Problem> {
    let asked = Asked { by: by.clone(), word: "reset", detail: String::new(), record: Record::Required };
    let inner = desk.clone();
    let work = async move {
        let store = inner.open_store()?;
        let brakes = store.brakes().await.map_err(|error| cannot("read what stands", &error))?;
        store.reset(&by.to_string(), inner.now()).await.map_err(|error| cannot("reset", &error))?;
        inner.wake.notify_one();
        let (changed, done) = cleared_in_words(&brakes);
        inner.deed(changed, done).await
    };
    desk.carry_out(asked, work).await
}

/// Approves the plan of this number, if it is the one that waits (S-19).
pub(super) async fn approve(
    desk: Desk,
    by: Operator,
    plan: PlanId,
) -> Result<Answer<ControlAnswer>, Problem> {
    let asked =
        Asked { by: by.clone(), word: "approve", detail: format!("plan {plan}"), record: Record::Required };
    let inner = desk.clone();
    let work = async move {
        let store = inner.open_store()?;
        match store.approve(plan, &by.to_string(), inner.now()).await {
            Ok(()) => {}
            Err(StoreError::NotWaiting { plan }) => {
                let text = format!(
                    "plan {plan} does not wait for an approval any more, and nothing was approved; `ocird pending` shows \
                     what does"
                );
                return Err(Problem::refused(text));
            }
            Err(error) => return Err(cannot("approve", &error)),
        }
        inner.wake.notify_one();
        let brakes = store.brakes().await.map_err(|error| cannot("read what stands", &error))?;
        let n = brakes.approval.map_or(0, |approval| approval.plan.families.len());
        let text = format!(
            "Plan {plan} is approved: its {n} families go in later passes, so far as they are still due then."
        );
        inner.deed(true, vec![text]).await
    };
    desk.carry_out(asked, work).await
}

impl Desk {
    /// The answer with what still stands in the way. A store that cannot be read says nothing about it; the pass will.
    async fn deed(&self, changed: bool, done: Vec<String>) -> Result<Deed<ControlAnswer>, Problem> {
        let brakes = match self.store.get() {
            Ok(store) => store.brakes().await.ok(),
            Err(_) => None,
        };
        let in_the_way = pending::in_the_way(self, brakes.as_ref());
        let summary = done.join(" ");
        Ok(Deed { answer: ControlAnswer { changed, done, in_the_way }, summary })
    }
}

/// What a pause came to, in a sentence.
pub(crate) fn in_words(pausing: &Pausing) -> (bool, String) {
    match pausing {
        Pausing::Paused => (true, "Paused: nothing is deleted until `ocird resume`.".to_owned()),
        Pausing::AlreadyPaused(said) if said.is_empty() => (false, "It was paused already.".to_owned()),
        Pausing::AlreadyPaused(said) => (false, format!("It was paused already; the file says \"{said}\".")),
    }
}

/// What a resume came to, in a sentence.
pub(crate) fn lifted_in_words(lifted: Option<&str>) -> String {
    match lifted {
        None => "It was not paused; `resume` lifts a pause and nothing else.".to_owned(),
        Some("") => "The pause is lifted.".to_owned(),
        Some(said) => format!("The pause is lifted; the file said \"{said}\"."),
    }
}

fn cleared_in_words(brakes: &Brakes) -> (bool, Vec<String>) {
    let breaker = brakes.breaker.as_ref().map(|stop| format!("The breaker is cleared; it stood {stop}."));
    let freeze = brakes.freeze.as_ref().map(|stop| format!("The freeze is cleared; it stood {stop}."));
    let withdrawn = brakes.refused.as_ref().map(|plan| {
        format!("Plan {} no longer waits: the next pass that finds too much asks anew.", plan.id)
    });
    let approval = brakes
        .approval
        .as_ref()
        .map(|approval| format!("The approval of plan {} by {} has ended.", approval.plan.id, approval.by));
    let mut said: Vec<String> = [breaker, freeze, withdrawn, approval].into_iter().flatten().collect();
    let changed = !said.is_empty();
    if !changed {
        said.push("Neither breaker nor freeze stood.".to_owned());
    }
    said.push("The next deletions begin in small batches again: one family, then ten.".to_owned());
    (changed, said)
}

fn cannot(doing: &str, error: &StoreError) -> Problem {
    Problem::failed(format!("cannot {doing}: {}", ErrorChain(error)))
}
