//! `hold`, `release` and `restore`, and what can be restored: what people say is handed to [`crate::undo`], and what came of it
//! is told whole.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::BoxFuture;
use ocird_model::{ErrorChain, Hold, RESTORE_WINDOW, RepositoryName};
use ocird_store::{Deletion, Operator, PassId, Store, StoreError};

use super::desk::{Asked, Deed, Desk, Record};
use super::problem::{Problem, ProblemKind};
use super::wire::{
    Answer, HoldAnswer, HoldQuestion, HoldsAnswer, ReleaseQuestion, ReleasedAnswer, RestorableAnswer,
    RestorableImage, RestoreAnswer, RestoreQuestion, RestoreWhat,
};
use crate::undo::{self, HoldOrder, ImageName, Placed, Released, RestoreOrder, Restored, UndoError, What};

/// Brings back what was deleted. A function, so that the socket need not know the registry.
pub(crate) type Restore =
    Arc<dyn Fn(Arc<Store>, RestoreOrder) -> BoxFuture<'static, Result<Restored, UndoError>> + Send + Sync>;

/// Places a hold.
pub(super) async fn hold(
    desk: Desk,
    by: Operator,
    question: HoldQuestion,
) -> Result<Answer<HoldAnswer>, Problem> {
    let HoldQuestion { image, hold_for_seconds, why } = question;
    let order = HoldOrder {
        image: named(&image)?,
        hold_for: stretch(hold_for_seconds)?,
        by: by.to_string(),
        why: why.unwrap_or_default(),
    };
    let asked = Asked { by, word: "hold", detail: image, record: Record::Required };
    let inner = desk.clone();
    let work = async move {
        let store = inner.open_store()?;
        let now = inner.now();
        let Placed { repository, hold, is_on_something } =
            undo::hold(&store, &order, now).await.map_err(|error| problem(&error))?;
        let answer =
            HoldAnswer { is_on_something: Some(is_on_something), ..HoldAnswer::of(&repository, &hold, now) };
        let summary = format!("{repository}{} {hold}", hold.on);
        Ok(Deed { answer, summary })
    };
    desk.carry_out(asked, work).await
}

/// Releases holds. What they held is marked anew and waits a whole grace, so that no pass needs to be woken for it.
pub(super) async fn release(
    desk: Desk,
    by: Operator,
    question: ReleaseQuestion,
) -> Result<Answer<ReleasedAnswer>, Problem> {
    let ReleaseQuestion { image } = question;
    let name = named(&image)?;
    let asked = Asked { by: by.clone(), word: "release", detail: image, record: Record::Required };
    let inner = desk.clone();
    let work = async move {
        let store = inner.open_store()?;
        let now = inner.now();
        let released =
            undo::release(&store, &name, &by.to_string(), now).await.map_err(|error| problem(&error))?;
        let Released { repository, holds } = released;
        let released: Vec<_> = holds.iter().map(|hold| HoldAnswer::of(&repository, hold, now)).collect();
        let summary = format!("{} holds on {name} released", released.len());
        Ok(Deed { answer: ReleasedAnswer { released }, summary })
    };
    desk.carry_out(asked, work).await
}

/// Every hold that nobody has released.
pub(super) async fn holds(desk: &Desk) -> Result<HoldsAnswer, Problem> {
    let store = desk.open_store()?;
    let now = desk.now();
    let holds = store.holds().await.map_err(|error| problem(&error.into()))?;
    let holds = holds
        .iter()
        .flat_map(|(repository, holds)| holds.iter().map(move |hold| HoldAnswer::of(repository, hold, now)));
    Ok(HoldsAnswer { at: now, holds: holds.collect() })
}

/// Brings back what is wanted, with its tags.
pub(super) async fn restore(
    desk: Desk,
    by: Operator,
    question: RestoreQuestion,
) -> Result<Answer<RestoreAnswer>, Problem> {
    let RestoreQuestion { what, why, hold_for_seconds } = question;
    let asked = Asked { by: by.clone(), word: "restore", detail: what.to_string(), record: Record::Required };
    let inner = desk.clone();
    let work = async move {
        let store = inner.open_store()?;
        let what = meant(&store, &what, inner.now()).await?;
        let hold_for = stretch(hold_for_seconds)?.or(Some(RestoreOrder::HOLD_FOR));
        let order = RestoreOrder { what, by: by.to_string(), why: why.unwrap_or_default(), hold_for };
        let restored = (inner.restore)(store, order).await.map_err(|error| problem(&error))?;
        // The board shows what came back only after a look.
        inner.wake.notify_one();
        let summary = restored.lines().pop().unwrap_or_default();
        Ok(Deed { answer: RestoreAnswer::of(&restored), summary })
    };
    desk.carry_out(asked, work).await
}

/// Everything that can still be brought back, the latest first.
pub(super) async fn restorable(desk: &Desk) -> Result<RestorableAnswer, Problem> {
    let store = desk.open_store()?;
    let now = desk.now();
    let listed = list(&store, now).await.map_err(|error| problem(&error.into()))?;
    Ok(RestorableAnswer { at: now, images: listed })
}

async fn list(store: &Store, now: DateTime<Utc>) -> Result<Vec<RestorableImage>, StoreError> {
    let since = now - RESTORE_WINDOW;
    let passes = store.passes_since(since).await?;
    let restored = store.restored_since(since).await?;
    let deletions = store.deletions_since(since).await?;
    let listed = deletions.iter().rev().map(|deletion| {
        let is_back = restored.contains(&deletion.intent);
        RestorableImage::of(deletion, run_of(&passes, deletion.intended_at), is_back)
    });
    Ok(listed.collect())
}

/// The pass in which something was meant: the last one that had begun by then.
fn run_of(passes: &[(PassId, DateTime<Utc>)], at: DateTime<Utc>) -> Option<PassId> {
    passes.iter().rev().find(|(_, started_at)| *started_at <= at).map(|(pass, _)| *pass)
}

/// What somebody wants back.
async fn meant(store: &Store, what: &RestoreWhat, now: DateTime<Utc>) -> Result<What, Problem> {
    match what {
        RestoreWhat::Image { image } => Ok(What::Family(named(image)?)),
        RestoreWhat::LastRun => Ok(What::LastRun),
        RestoreWhat::Run { pass } => {
            let passes =
                store.passes_since(now - RESTORE_WINDOW).await.map_err(|error| problem(&error.into()))?;
            let place = passes.iter().position(|(known, _)| known == pass).ok_or_else(|| {
                Problem::refused(format!(
                    "there was no pass {pass} in the last 48 h, and nothing older can be brought back; `ocird restore \
                     --list` shows what can"
                ))
            })?;
            let until = passes.get(place + 1).map_or(DateTime::<Utc>::MAX_UTC, |(_, next)| *next);
            Ok(What::Span { from: passes[place].1, until })
        }
        RestoreWhat::Since { seconds } => {
            let ago = stretch(Some(*seconds))?.unwrap_or_default();
            Ok(What::Span { from: now - ago, until: DateTime::<Utc>::MAX_UTC })
        }
    }
}

fn named(image: &str) -> Result<ImageName, Problem> {
    image.parse().map_err(|error: undo::ParseImageNameError| {
        Problem::new(ProblemKind::Malformed, ErrorChain(&error).to_string())
    })
}

/// A stretch of time; at most a hundred years, so that it can be added to any date.
fn stretch(seconds: Option<i64>) -> Result<Option<TimeDelta>, Problem> {
    const LONGEST: i64 = 36_500 * 24 * 60 * 60;
    match seconds {
        Some(seconds) if !(1..=LONGEST).contains(&seconds) => Err(Problem::new(
            ProblemKind::Malformed,
            "a stretch of time is a second at least, and at most 100 years",
        )),
        seconds => Ok(seconds.map(TimeDelta::seconds)),
    }
}

fn problem(error: &UndoError) -> Problem {
    let text = ErrorChain(error).to_string();
    match error {
        UndoError::Store(_) => Problem::failed(text),
        _ => Problem::refused(text),
    }
}

impl HoldAnswer {
    fn of(repository: &RepositoryName, hold: &Hold, now: DateTime<Utc>) -> Self {
        let Hold { on, by, why, since, until } = hold;
        Self {
            image: format!("{repository}{on}"),
            repository: repository.clone(),
            on: on.clone(),
            by: by.to_string(),
            why: why.to_string(),
            since: *since,
            until: *until,
            in_force: hold.is_in_force(now),
            is_on_something: None,
        }
    }
}

impl RestorableImage {
    fn of(deletion: &Deletion, pass: Option<PassId>, is_back: bool) -> Self {
        Self {
            pass,
            repository: deletion.repository_name.clone(),
            digest: deletion.digest,
            is_head: deletion.digest == deletion.head,
            tags: deletion.tags.keys().cloned().collect(),
            rule: deletion.rule.clone(),
            deleted_at: deletion.deleted_at,
            until: deletion.deleted_at + RESTORE_WINDOW,
            is_back,
        }
    }
}
