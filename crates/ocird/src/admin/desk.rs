//! Where commands are carried out: put on record with who asks, done to their end whoever hangs up, and put on record with
//! what came of them.

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocird_model::ErrorChain;
use ocird_store::{Command, CommandId, CommandResultKind, Operator, Store};
use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use super::problem::{Problem, ProblemKind};
use super::undoing::Restore;
use super::wire::Answer;
use crate::pass::SharedStore;
use crate::status::Board;

/// What commands work with. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Desk {
    pub(crate) state_dir: PathBuf,
    pub(crate) store: SharedStore,
    pub(crate) board: Board,
    /// Brings back what was deleted.
    pub(crate) restore: Restore,
    /// Makes a pass.
    pub(crate) wake: Arc<Notify>,
    pub(crate) clock: Arc<dyn Fn() -> DateTime<Utc> + Send + Sync>,
    /// The commands under way.
    pub(crate) under_way: TaskTracker,
}

/// Whether a command may be carried out that is not on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// No: it lets something go, or changes what may.
    Required,
    /// Yes, and it is said: a disk that is full must not keep anybody from stopping deletion. Lifting that stop lets nothing
    /// go while nothing can be put on record (S-28).
    Wanted,
}

/// A command as it came in.
pub(super) struct Asked {
    pub(super) by: Operator,
    pub(super) word: &'static str,
    /// With what it was asked, for people.
    pub(super) detail: String,
    pub(super) record: Record,
}

/// What came of a command.
#[derive(Debug)]
pub(super) struct Deed<T> {
    /// For whoever asked.
    pub(super) answer: T,
    /// For the record.
    pub(super) summary: String,
}

impl Desk {
    /// The time.
    pub(super) fn now(&self) -> DateTime<Utc> {
        (self.clock)()
    }

    /// The open store, or the problem that there is none.
    pub(super) fn open_store(&self) -> Result<Arc<Store>, Problem> {
        self.store.get().map_err(|why| {
            Problem::new(
                ProblemKind::Unavailable,
                format!("nothing was done, because there is no store: {why}"),
            )
        })
    }

    /// Carries a command out. It goes on when whoever asked hangs up.
    pub(super) async fn carry_out<T: Send + 'static>(
        &self,
        asked: Asked,
        work: impl Future<Output = Result<Deed<T>, Problem>> + Send + 'static,
    ) -> Result<Answer<T>, Problem> {
        let desk = self.clone();
        let carried_out = self.under_way.spawn(async move { desk.on_record(asked, work).await }).await;
        carried_out.unwrap_or_else(|error| {
            tracing::error!(error = %ErrorChain(&error), "a command over the admin socket panicked");
            Err(Problem::failed("the command failed; the log says more"))
        })
    }

    async fn on_record<T>(
        &self,
        asked: Asked,
        work: impl Future<Output = Result<Deed<T>, Problem>>,
    ) -> Result<Answer<T>, Problem> {
        let Asked { by, word, detail, record } = asked;
        let recorded = self.record(Command { by: by.clone(), word: word.to_owned(), detail }).await;
        let begun = match (recorded, record) {
            (Err(why), Record::Required) => {
                let text = format!("nothing was done, because it cannot be put on record: {why}");
                return Err(Problem::new(ProblemKind::Unavailable, text));
            }
            (recorded, _) => recorded,
        };
        let done = work.await;
        let (kind, summary) = match &done {
            Ok(deed) => (CommandResultKind::Done, deed.summary.as_str()),
            Err(problem) => (result_kind(problem), problem.detail()),
        };
        tracing::info!(command = word, operator = %by, outcome = kind.as_str(), detail = summary, "an operator asked");
        let ended = match begun {
            Ok((store, id)) => self.record_result(&store, id, kind, summary).await,
            Err(why) => Err(why),
        };
        let Deed { answer, summary: _ } = done?;
        Ok(Answer { not_on_record: ended.err(), ..Answer::new(answer) })
    }

    async fn record(&self, command: Command) -> Result<(Arc<Store>, CommandId), String> {
        let store = self.store.get()?;
        let id = store.record_command(&command, self.now()).await;
        let id = id.map_err(|error| ErrorChain(&error).to_string())?;
        Ok((store, id))
    }

    async fn record_result(
        &self,
        store: &Store,
        id: CommandId,
        kind: CommandResultKind,
        summary: &str,
    ) -> Result<(), String> {
        let recorded = store.record_command_result(id, kind, summary, self.now()).await;
        recorded.map_err(|error| {
            tracing::error!(error = %ErrorChain(&error), "what came of a command cannot be put on record");
            ErrorChain(&error).to_string()
        })
    }
}

fn result_kind(problem: &Problem) -> CommandResultKind {
    match problem.kind() {
        ProblemKind::Failed | ProblemKind::Unavailable => CommandResultKind::Failed,
        ProblemKind::Denied
        | ProblemKind::NotFound
        | ProblemKind::MethodNotAllowed
        | ProblemKind::Malformed
        | ProblemKind::Refused => CommandResultKind::Refused,
    }
}
