//! The record of what operators asked for over the admin socket: the question before anything is done, the result after
//! it. It only grows; the file itself refuses anything else. Who may ask, and what is done, is not the store's to say.

use std::fmt;

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use crate::column::{millis, optional_time, time};
use crate::{Glance, PassId, Store, StoreError};

/// The number of a command on record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommandId(i64);

/// Who asks, by the kernel's word and not by their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The number of the user.
    pub uid: u32,
    /// The name of that user, where anybody knows one.
    pub name: Option<String>,
}

/// One command, before anything is done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Who asks.
    pub by: Operator,
    /// The word of the command, such as `pause`.
    pub word: String,
    /// With what it was asked, for people; blank where there is nothing to say.
    pub detail: String,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandResultKind {
    /// It did what was asked.
    Done,
    /// It was not done, for a reason that lies in what was asked.
    Refused,
    /// It could not be done, or not wholly.
    Failed,
}

/// A command on record with what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedCommand {
    /// When it was asked.
    pub at: DateTime<Utc>,
    /// What was asked, by whom.
    pub command: Command,
    /// When and how it ended; `None` when the daemon ended before it.
    pub ended: Option<(DateTime<Utc>, CommandResultKind)>,
    /// What is said of the end, for people; blank without an end.
    pub result: String,
}

#[derive(FromRow)]
struct CommandRow {
    at: i64,
    uid: i64,
    user: Option<String>,
    command: String,
    detail: String,
    ended_at: Option<i64>,
    kind: Option<String>,
    result: Option<String>,
}

impl Store {
    /// Writes down that somebody asks for something. Committed and synced when it answers: only then is it done.
    pub async fn record_command(
        &self,
        command: &Command,
        now: DateTime<Utc>,
    ) -> Result<CommandId, StoreError> {
        let Command { by: Operator { uid, name }, word, detail } = command;
        let mut write = self.begin(now).await?;
        let insert = "INSERT INTO commands (at, uid, user, command, detail) VALUES (?, ?, ?, ?, ?)";
        let inserted = sqlx::query(insert)
            .bind(millis(now))
            .bind(i64::from(*uid))
            .bind(name)
            .bind(word)
            .bind(detail)
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("recording a command"))?;
        write.commit().await?;
        Ok(CommandId(inserted.last_insert_rowid()))
    }

    /// Writes down how a command ended; once for each.
    pub async fn record_command_result(
        &self,
        id: CommandId,
        kind: CommandResultKind,
        detail: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut write = self.begin(now).await?;
        let insert = "INSERT INTO command_results (command, at, kind, detail) VALUES (?, ?, ?, ?)";
        sqlx::query(insert)
            .bind(id.0)
            .bind(millis(now))
            .bind(kind.as_str())
            .bind(detail)
            .execute(write.connection())
            .await
            .map_err(StoreError::sqlite("recording what came of a command"))?;
        write.commit().await
    }
}

/// What commands ask about.
impl Store {
    /// The passes that began at `since` or later and the last one before it, each with the time at which it began, in the
    /// order in which they are on record.
    pub async fn passes_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Vec<(PassId, DateTime<Utc>)>, StoreError> {
        let select = "SELECT id, started_at FROM passes WHERE started_at >= ?1 \
             OR id = (SELECT max(id) FROM passes WHERE started_at < ?1) ORDER BY id";
        let rows: Vec<(i64, i64)> = sqlx::query_as(select)
            .bind(millis(since))
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading which passes there were"))?;
        rows.into_iter().map(|(id, at)| Ok((PassId(id), time("passes.started_at", at)?))).collect()
    }
}

impl Glance {
    /// The latest commands on record, the last one first.
    pub async fn recent_commands(&self, limit: u32) -> Result<Vec<RecordedCommand>, StoreError> {
        let select = "SELECT commands.at, uid, user, commands.command, commands.detail, \
             command_results.at AS ended_at, kind, command_results.detail AS result \
             FROM commands LEFT JOIN command_results ON command_results.command = commands.id \
             ORDER BY commands.id DESC LIMIT ?";
        let rows: Vec<CommandRow> = sqlx::query_as(select)
            .bind(limit)
            .fetch_all(&self.reader)
            .await
            .map_err(StoreError::sqlite("reading the latest commands"))?;
        rows.into_iter().map(CommandRow::decode).collect()
    }
}

impl CommandRow {
    fn decode(self) -> Result<RecordedCommand, StoreError> {
        let Self { at, uid, user, command, detail, ended_at, kind, result } = self;
        let uid = u32::try_from(uid).map_err(StoreError::decode("commands.uid"))?;
        let ended_at = optional_time("command_results.at", ended_at)?;
        let kind = kind.map(|word| CommandResultKind::named(&word)).transpose()?;
        Ok(RecordedCommand {
            at: time("commands.at", at)?,
            command: Command { by: Operator { uid, name: user }, word: command, detail },
            ended: ended_at.zip(kind),
            result: result.unwrap_or_default(),
        })
    }
}

impl CommandResultKind {
    /// The kind as a column, a log field and a word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }

    fn named(word: &str) -> Result<Self, StoreError> {
        let kinds = [Self::Done, Self::Refused, Self::Failed];
        let found = kinds.into_iter().find(|kind| kind.as_str() == word);
        found.ok_or_else(|| StoreError::decode("command_results.kind")(format!("{word:?} is no result")))
    }
}

impl fmt::Display for Operator {
    /// `alice (uid 1000)`, or `uid 1000`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} (uid {})", self.uid),
            None => write!(f, "uid {}", self.uid),
        }
    }
}
