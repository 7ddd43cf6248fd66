//! The store of ten simulated years of four repositories: how large it is, and how long questions about it take.
//!
//! `cargo bench --package ocird-store --bench history` makes it and prints one table. Rows are written as they would be, a
//! pass every quarter of an hour and two pushes and two deletions a day in each repository, but by SQL, so that it takes a
//! minute and not a week. Nothing here judges: figures are for the README, and a slow machine fails no test.

use std::io::{self, Write as _};
use std::num::NonZeroU32;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::RepositoryName;
use ocird_store::{
    DeletionsQuery, EventKind, EventsQuery, ImagesQuery, Past, Step, Store, StoreError, UsageOf,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{Connection as _, SqliteConnection};

/// Each question is asked so often, and the median told.
const N_TIMES: usize = 15;

/// The rows of ten years, in the order in which they refer to each other; `?1` is the instant at which they end, in
/// milliseconds. Of usage there is what is left of it: days, the hours of a year, the samples of a month; of
/// passes, those of 90 days and those in which something happened.
const ROWS: [&str; 12] = [
    "INSERT INTO repositories (ocid, name, compartment, is_public, first_seen_at, last_seen_at, last_complete_at) \
     SELECT 'ocid1.containerrepo.oc1.eu-milan-1.0.namespace.aaaaaaaa' || printf('%052d', value), 'mgh-' || value, \
     'ocid1.compartment.oc1..aaaaaaaa' || printf('%052d', 1), 0, ?1 - 315360000000, ?1, ?1 FROM generate_series(1, 4)",
    "INSERT INTO passes (started_at, finished_at, mode, result) SELECT ?1 - (350400 - value) * 900000 - 700, \
     ?1 - (350400 - value) * 900000, iif(value % 4 = 0, 'enforce', 'observe'), \
     iif(value % 500 = 0, 'list_repositories', 'complete') FROM generate_series(1, 350400)",
    // Two pushes a day and repository. Twenty images of each are there; the others went after ten days.
    "INSERT INTO images (repository, ocid, digest, first_seen_at, last_seen_at, gone_at, decision, reason, detail, read_at, \
     row_tags, details, layers) SELECT value % 4 + 1, 'ocid1.containerimage.oc1.eu-milan-1.0.namespace.aaaaaaaa' || \
     printf('%052d', value), randomblob(32), ?1 - (29200 - value) * 10800000, \
     iif(value <= 29120, ?1 - (29200 - value) * 10800000 + 864000000, NULL), \
     iif(value <= 29120, ?1 - (29200 - value) * 10800000 + 864000000, NULL), iif(value <= 29120, 'delete', 'keep'), \
     iif(value <= 29120, 'delete_rule', 'keep_rule'), 'beyond the newest, while past 350 MB', ?1 - (29200 - value) * 10800000, \
     '[\"v1.' || value || '\",\"' || hex(randomblob(20)) || '\"]', '{\"tags\":{\"v1.' || value || \
     '\":\"2026-11-21T12:00:00Z\",\"' || hex(randomblob(20)) || '\":\"2026-11-21T12:00:00Z\"},\"manifest_size\":3456,\"n_pulls\":7,' || \
     '\"last_pulled_at\":\"2026-11-21T12:00:00Z\",\"created_at\":\"' || \
     strftime('%Y-%m-%dT%H:%M:%SZ', (?1 - (29200 - value) * 10800000) / 1000, 'unixepoch') || \
     '\",\"created_by\":\"ocid1.user.oc1..aaaaaaaa' || printf('%052d', value % 5) || \
     '\",\"lifecycle\":\"available\",\"etag\":\"\\\"abcdef\\\"\"}', randomblob(600) FROM generate_series(1, 29200)",
    "INSERT INTO tags (image, tag, first_seen_at, attached_at, gone_at) SELECT images.id, json_each.value, \
     images.first_seen_at, images.first_seen_at, images.gone_at FROM images, json_each(images.row_tags)",
    "INSERT INTO manifests (repository, digest, media_type, too_large, content, is_held, expires_at) \
     SELECT repository, digest, 'application/vnd.oci.image.manifest.v1+json', 0, '{\"manifest\":{\"subject\":null}}', \
     gone_at IS NULL, NULL FROM images",
    "INSERT INTO verdicts (image, pass, decision, reason, detail) SELECT images.id, min(350400, images.id * 12 + value * 300), \
     iif(value = 2, 'delete', 'keep'), iif(value = 2, 'delete_rule', 'keep_rule'), 'beyond the newest, while past 350 MB' \
     FROM images, generate_series(0, 2) WHERE images.id < 29000",
    "INSERT INTO intents (at, epoch, repository, name, image, digest, tags, media_type, etag, head, members, rule, evidence, \
     frees) SELECT gone_at, 1, repository, 'mgh-' || repository, ocid, digest, json_extract(details, '$.tags'), \
     'application/vnd.oci.image.manifest.v1+json', '\"abcdef\"', digest, x'', \
     'rule \"beyond the newest, while past 350 MB\"', 'newest time 2026-11-21T12:00:00+00:00, last pulled never; selected since \
     2026-11-20T12:00:00+00:00 in 96 passes in a row', 8000000 FROM images WHERE gone_at IS NOT NULL ORDER BY gone_at",
    "INSERT INTO outcomes (intent, kind, error, at, detail) SELECT id, 'deleted', NULL, at, '' FROM intents",
    "INSERT INTO proofs (kind, first_at, last_at, n_deleted, due_at, made_at, result, detail) \
     SELECT kinds.kind, at, at, 1, at + kinds.after, at + kinds.after, 'clean', '' FROM intents, \
     (SELECT 'at_once' AS kind, 0 AS after UNION ALL SELECT 'after_an_hour', 3600000 \
     UNION ALL SELECT 'after_a_day', 86400000) AS kinds",
    "INSERT INTO usage_steps (scope, step, at, size, peak, grown, freed, reported_size, n_images, n_tags) \
     SELECT scopes.value, steps.step, (?1 / (steps.step * 3600000) - steps.n + counts.value - 1) * steps.step * 3600000, \
     85000000 + counts.value % 97 * 100000, 95000000, 16000000 + counts.value % 13 * 100000, 16000000, 86000000, 20, 40 \
     FROM (SELECT 24 AS step, 3650 AS n UNION ALL SELECT 1, 8784) AS steps, generate_series(0, 4) AS scopes, \
     generate_series(1, 8784) AS counts WHERE counts.value <= steps.n",
    "INSERT INTO usage_samples (repository, at, size, reported_size, n_images, n_tags) \
     SELECT scopes.value, ?1 - (960 - counts.value) * 2700000, 85000000 + counts.value % 97 * 100000, 86000000, 20, 40 \
     FROM generate_series(1, 4) AS scopes, generate_series(1, 960) AS counts",
    "DELETE FROM passes WHERE finished_at < ?1 - 7776000000 AND result = 'complete' \
     AND NOT EXISTS (SELECT 1 FROM verdicts WHERE verdicts.pass = passes.id)",
];

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let now: DateTime<Utc> = "2036-11-21T12:00:00Z".parse()?;
    Store::open(directory.path(), now - TimeDelta::days(3650)).await?.close().await;
    furnish(&directory.path().join("ocird.db"), now).await?;
    let store = Store::open(directory.path(), now).await?;
    let mut table = vec![("store of ten years".to_owned(), format!("{}", store.size()?))];
    table.extend(asked(&store.past(), now).await?);
    let began = Instant::now();
    let copy = store.back_up(NonZeroU32::MIN, now).await?;
    table.push((format!("a checked copy of {}", copy.size), in_words(began.elapsed())));
    let began = Instant::now();
    let done = store.downsample(now + TimeDelta::days(1)).await?;
    table.push((format!("folding a day ({} steps)", done.n_written), in_words(began.elapsed())));
    let began = Instant::now();
    store.downsample(now + TimeDelta::days(1)).await?;
    table.push(("folding when there is nothing to fold".to_owned(), in_words(began.elapsed())));
    store.close().await;
    let began = Instant::now();
    Store::open(directory.path(), now).await?.close().await;
    table.push(("opening it, every page checked".to_owned(), in_words(began.elapsed())));
    let mut out = io::stdout().lock();
    for (what, figure) in table {
        writeln!(out, "{what:<52} {figure}")?;
    }
    Ok(())
}

/// Writes ten years in one transaction. The series that `SQLite`'s shell has stands in for here by a table of numbers.
async fn furnish(path: &Path, now: DateTime<Utc>) -> anyhow::Result<()> {
    let mut connection = SqliteConnection::connect_with(&SqliteConnectOptions::new().filename(path)).await?;
    sqlx::query("CREATE TEMP TABLE numbers (value INTEGER PRIMARY KEY)").execute(&mut connection).await?;
    let numbers = "WITH RECURSIVE n(value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM n WHERE value < 350400) \
         INSERT INTO numbers SELECT value FROM n";
    sqlx::query(numbers).execute(&mut connection).await?;
    let mut transaction = connection.begin().await?;
    for rows in ROWS {
        sqlx::query(sqlx::AssertSqlSafe(with_numbers(rows)))
            .bind(now.timestamp_millis())
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    // Pages of passes that went would have been used again.
    sqlx::query("VACUUM").execute(&mut connection).await?;
    connection.close().await?;
    Ok(())
}

/// `generate_series(a, b)` as rows of the table of numbers.
fn with_numbers(sql: &str) -> String {
    let mut text = String::new();
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once("generate_series(") {
        let (bounds, after) = after.split_once(')').expect("a series ends");
        let (from, to) = bounds.split_once(", ").expect("a series has two bounds");
        text.push_str(before);
        text.push_str("(SELECT value FROM numbers WHERE value BETWEEN ");
        text.push_str(from);
        text.push_str(" AND ");
        text.push_str(to);
        text.push(')');
        rest = after;
    }
    text.push_str(rest);
    text
}

/// How long each question takes.
async fn asked(past: &Past, now: DateTime<Utc>) -> anyhow::Result<Vec<(String, String)>> {
    let name: RepositoryName = "mgh-1".parse()?;
    let everything = UsageOf::Everything;
    let of_one = UsageOf::Repository(Clone::clone(&name));
    let events =
        |kinds: Vec<EventKind>| EventsQuery { kinds, repository: None, since: None, before: None, limit: 50 };
    let (of_all, turned) = (events(Vec::new()), events(vec![EventKind::Verdict]));
    let of_repository = EventsQuery { repository: Some(Clone::clone(&name)), ..events(Vec::new()) };
    let deletions = DeletionsQuery { limit: 50, ..DeletionsQuery::default() };
    let present = ImagesQuery { repository: Clone::clone(&name), are_gone: false, after: None, limit: 50 };
    let gone = ImagesQuery { are_gone: true, ..Clone::clone(&present) };
    let years = now - TimeDelta::days(3650)..now;
    let year = now - TimeDelta::days(365)..now;
    Ok(vec![
        timed("usage by day over ten years", || past.usage(&everything, Step::Day, years.clone())).await?,
        timed("usage by hour over a year", || past.usage(&of_one, Step::Hour, year.clone())).await?,
        timed("small curves of every repository, 30 days", || past.daily_sizes(now - TimeDelta::days(30)))
            .await?,
        timed("what happened, 50 of all kinds", || past.events(&of_all)).await?,
        timed("what happened in one repository, 50", || past.events(&of_repository)).await?,
        timed("verdicts that turned, 50", || past.events(&turned)).await?,
        timed("deletions with their proofs, 50", || past.deletions(&deletions)).await?,
        timed("images that are there, 50", || past.images(&present)).await?,
        timed("images that are gone, 50 of thousands", || past.images(&gone)).await?,
        timed("what was freed in all", || past.totals()).await?,
        timed("what was freed by day", || past.freed_by_day()).await?,
    ])
}

/// The median of some times.
async fn timed<T, F>(what: &str, mut ask: impl FnMut() -> F) -> Result<(String, String), StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    let mut times = Vec::with_capacity(N_TIMES);
    for _ in 0..N_TIMES {
        let began = Instant::now();
        ask().await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok((what.to_owned(), in_words(times[N_TIMES / 2])))
}

fn in_words(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
