//! What happened, in one stream out of all tables: passes that were not as usual, pushes, verdicts that turned, deletions,
//! proofs that were not clean, restores, what people asked for, findings, stops. Newest first, in pages.
//!
//! Each kind is a query over one table by an index on its time; the stream is their merge. So a page costs the same however
//! much lies before it.

use std::cmp::{Ordering, Reverse};

use chrono::{DateTime, Utc};
use ocird_model::{Digest, RepositoryName};
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, FromRow, SqliteConnection};

use super::{Page, Past, limited};
use crate::StoreError;
use crate::column::{digest, millis, parse, time};

macro_rules! kinds {
    ($($(#[$doc:meta])+ $variant:ident $word:literal $sql:literal)+) => {
        /// What kind of thing happened. The order is that of things which happened at the same millisecond.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum EventKind {
            $($(#[$doc])+ $variant,)+
        }

        impl EventKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The kind as people write it.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// Its events, as a table of `at`, `id`, `repository`, `digest`, `what`, `detail` and `by`.
            const fn table(self) -> &'static str {
                match self {
                    $(Self::$variant => $sql,)+
                }
            }
        }
    };
}

kinds! {
    /// A pass that could not look, or not at everything.
    Pass "pass"
    "SELECT finished_at AS at, id, NULL AS repository, NULL AS digest, result AS what, mode AS detail, NULL AS by \
     FROM passes WHERE result <> 'complete'"
    /// An image was seen for the first time: somebody pushed it, or it was there when ocird began.
    Push "push"
    "SELECT images.first_seen_at AS at, images.id, repositories.name AS repository, images.digest, 'pushed' AS what, \
     coalesce((SELECT group_concat(tag, ', ') FROM tags WHERE tags.image = images.id \
     AND tags.first_seen_at <= images.first_seen_at + 3600000), '') AS detail, \
     json_extract(images.details, '$.created_by') AS by \
     FROM images JOIN repositories ON repositories.id = images.repository"
    /// A verdict turned: to delete, or from delete back to keep.
    Verdict "verdict"
    "SELECT passes.finished_at AS at, images.id, repositories.name AS repository, images.digest, \
     verdicts.decision AS what, verdicts.reason || coalesce(': ' || verdicts.detail, '') AS detail, NULL AS by \
     FROM passes CROSS JOIN verdicts ON verdicts.pass = passes.id JOIN images ON images.id = verdicts.image \
     JOIN repositories ON repositories.id = images.repository WHERE verdicts.decision <> coalesce((SELECT decision \
     FROM verdicts AS earlier WHERE earlier.image = verdicts.image AND earlier.pass < verdicts.pass \
     ORDER BY earlier.pass DESC LIMIT 1), 'keep')"
    /// ocird meant to delete an image, and this came of it.
    Deletion "deletion"
    "SELECT outcomes.at, intents.id, intents.name AS repository, intents.digest, outcomes.kind AS what, \
     intents.rule || iif(outcomes.detail = '', '', '; ' || outcomes.detail) AS detail, NULL AS by \
     FROM outcomes JOIN intents ON intents.id = outcomes.intent"
    /// A proof after deletions missed something, or could not be made.
    Proof "proof"
    "SELECT made_at AS at, id, NULL AS repository, NULL AS digest, result AS what, \
     kind || iif(detail = '', '', ': ' || detail) AS detail, NULL AS by FROM proofs WHERE result <> 'clean'"
    /// An image was brought back, or a tag put back.
    Restore "restore"
    "SELECT restore_outcomes.at, restores.id, intents.name AS repository, intents.digest, restore_outcomes.kind AS what, \
     restores.step || coalesce(' ' || restores.tag, '') || ': ' || restores.why AS detail, restores.asked_by AS by \
     FROM restore_outcomes JOIN restores ON restores.id = restore_outcomes.restore \
     JOIN intents ON intents.id = restores.intent"
    /// Somebody asked the daemon for something.
    Command "command"
    "SELECT commands.at, commands.id, NULL AS repository, NULL AS digest, commands.command AS what, \
     commands.detail || coalesce('; ' || command_results.kind || iif(command_results.detail = '', '', ': ' \
     || command_results.detail), '') AS detail, coalesce(commands.user, 'uid ' || commands.uid) AS by \
     FROM commands LEFT JOIN command_results ON command_results.command = commands.id"
    /// Something odd was found.
    Finding "finding"
    "SELECT first_seen_at AS at, id, iif(subject = 'repository', name, NULL) AS repository, NULL AS digest, \
     kind AS what, findings.what AS detail, NULL AS by FROM findings"
    /// Something odd was found no more.
    Cleared "cleared"
    "SELECT cleared_at AS at, id, iif(subject = 'repository', name, NULL) AS repository, NULL AS digest, \
     kind AS what, findings.what AS detail, NULL AS by FROM findings WHERE cleared_at IS NOT NULL"
    /// Deletion was stopped, by the breaker or by a freeze.
    Stop "stop"
    "SELECT at, id, NULL AS repository, NULL AS digest, kind AS what, why AS detail, NULL AS by FROM stops"
    /// A stop was cleared.
    Reset "reset"
    "SELECT cleared_at AS at, id, NULL AS repository, NULL AS digest, kind AS what, why AS detail, cleared_by AS by \
     FROM stops WHERE cleared_at IS NOT NULL"
}

/// Which events are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsQuery {
    /// Only of these kinds; every kind when it is empty.
    pub kinds: Vec<EventKind>,
    /// Only those that are about this repository.
    pub repository: Option<RepositoryName>,
    /// Not before this instant.
    pub since: Option<DateTime<Utc>>,
    /// Before this one: the cursor of the page before, or [`EventCursor::until`].
    pub before: Option<EventCursor>,
    /// At most so many; between 1 and [`Past::MAX_ROWS`].
    pub limit: u32,
}

/// Where a page of events ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCursor {
    at: i64,
    kind: EventKind,
    id: i64,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Event {
    /// When.
    pub at: DateTime<Utc>,
    /// What kind of thing.
    pub kind: EventKind,
    /// The repository it is about.
    pub repository: Option<RepositoryName>,
    /// The image it is about.
    pub digest: Option<Digest>,
    /// In one word: the outcome, the command, the kind of finding, the verdict.
    pub what: String,
    /// More, for people: tags, rule, sentence.
    pub detail: String,
    /// Who, where somebody did it: an operator, or a pusher's OCID.
    pub by: Option<String>,
    /// Its place in the stream.
    #[serde(skip)]
    pub cursor: EventCursor,
}

#[derive(FromRow)]
struct EventRow {
    at: i64,
    id: i64,
    repository: Option<String>,
    digest: Option<Vec<u8>>,
    what: String,
    detail: String,
    by: Option<String>,
}

impl Past {
    /// A page of what happened, newest first.
    pub async fn events(&self, query: &EventsQuery) -> Result<Page<Event, EventCursor>, StoreError> {
        let limit = limited(query.limit);
        let beginning = self.reader.begin().await;
        let mut transaction = beginning.map_err(StoreError::sqlite("beginning to read what happened"))?;
        let kinds = if query.kinds.is_empty() { EventKind::ALL } else { &query.kinds };
        let mut events = Vec::new();
        for kind in kinds {
            events.extend(of_kind(&mut transaction, *kind, query, limit).await?);
        }
        events.sort_by_key(|event| Reverse(event.cursor.order()));
        events.dedup_by_key(|event| event.cursor.order());
        Ok(Page::of(events, limit, |event| event.cursor))
    }
}

/// The newest events of one kind, one more than a page takes.
async fn of_kind(
    connection: &mut SqliteConnection,
    kind: EventKind,
    query: &EventsQuery,
    limit: u32,
) -> Result<Vec<Event>, StoreError> {
    // Only words of ours are put together here; what was asked for is bound.
    let select = format!(
        "SELECT at, id, repository, digest, what, detail, by FROM ({}) \
         WHERE at >= ?1 AND at <= ?2 AND (at < ?2 OR id < ?3) AND (?4 IS NULL OR repository = ?4) \
         ORDER BY at DESC, id DESC LIMIT ?5",
        kind.table()
    );
    let (until, id) = query.before.map_or((i64::MAX, i64::MAX), |cursor| cursor.bound_of(kind));
    let rows: Vec<EventRow> = sqlx::query_as(AssertSqlSafe(select))
        .bind(query.since.map_or(i64::MIN, millis))
        .bind(until)
        .bind(id)
        .bind(query.repository.as_ref().map(RepositoryName::as_str))
        .bind(limit + 1)
        .fetch_all(connection)
        .await
        .map_err(StoreError::sqlite("reading what happened"))?;
    rows.into_iter().map(|row| row.decode(kind)).collect()
}

impl EventCursor {
    /// The cursor of everything before an instant.
    pub fn until(at: DateTime<Utc>) -> Self {
        // The first kind: of the others, too, nothing of that very instant comes after this place.
        Self { at: millis(at), kind: EventKind::Pass, id: i64::MIN }
    }

    /// The order of the stream, oldest first.
    const fn order(self) -> (i64, EventKind, i64) {
        (self.at, self.kind, self.id)
    }

    /// Up to which time and, at that time, under which number events of a kind come after this place in the stream.
    fn bound_of(self, kind: EventKind) -> (i64, i64) {
        match kind.cmp(&self.kind) {
            Ordering::Less => (self.at, i64::MAX),
            Ordering::Equal => (self.at, self.id),
            Ordering::Greater => (self.at, i64::MIN),
        }
    }
}

impl EventRow {
    fn decode(self, kind: EventKind) -> Result<Event, StoreError> {
        let Self { at, id, repository, digest: bytes, what, detail, by } = self;
        Ok(Event {
            at: time("events.at", at)?,
            kind,
            repository: repository.map(|name| parse("repositories.name", &name)).transpose()?,
            digest: bytes.map(|bytes| digest("images.digest", &bytes)).transpose()?,
            what,
            detail,
            by,
            cursor: EventCursor { at, kind, id },
        })
    }
}

impl EventKind {
    /// The kind of this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == word)
    }
}
