//! The log: one line for each event, on standard error, for the journal. What an event may say beside its message is
//! [`FIELDS`]; a test holds the sources to it. Nothing here decides what is logged or reads the environment.

#[cfg(test)]
mod fields;

use std::fmt;
use std::fmt::Write as _;
use std::io;

use ocird_model::OneLine;
use tracing::field::Field;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{EnvFilter, fmt as layer_fmt};

use crate::json;

/// Every field that an event may bear, with what it holds. One word per idea, the same as in metrics and SQL; the
/// unit is in the name. No digest or tag stands in a message: what varies is a field.
pub const FIELDS: [(&str, &str); 47] = [
    ("bytes", "a number of bytes"),
    ("code", "a refusal code: a word of `RefusalCode::ALL`"),
    ("command", "the administrative command"),
    ("compartment", "the OCID of a compartment"),
    ("detail", "more about an outcome or a finding, for people"),
    ("digest", "the digest of an image"),
    ("duration_ms", "wall time in milliseconds, by the monotonic clock"),
    ("enforcing", "whether the pass is to act"),
    ("error", "an error with its whole chain of causes"),
    ("expires_at", "when a token ends"),
    ("finding", "the kind of a finding: a word of `FindingKind::ALL`"),
    ("head", "the digest of the head of a family"),
    ("hold", "what a hold is on: a tag or a digest"),
    ("image", "the OCID of an image"),
    ("key_file", "the file of a private key"),
    ("kind", "the kind of an error: a word of `ErrorKind::ALL`"),
    ("listen", "the socket address that is listened on"),
    ("mode", "`report` or `enforce`"),
    ("n_deleted", "families and rests of families deleted"),
    ("n_images", "number of images"),
    ("n_intents", "number of intents"),
    ("n_pending", "families that rules have selected and that have not gone"),
    ("n_policies", "number of policy files"),
    ("n_repositories", "number of repositories"),
    ("n_unreadable", "repositories that could not be read whole"),
    ("operation", "the cloud's name for a call, such as `ListContainerImages`"),
    ("operator", "who gave an administrative command: the user's name and number"),
    ("outcome", "a word of `OutcomeKind::ALL`, what came of a command, or what a proof found"),
    ("pass", "the number of the pass in the store"),
    ("path", "a path in the file system"),
    ("profile", "the name of a profile of Oracle's SDKs"),
    ("project", "the project whose policy is meant"),
    ("proof", "which of the proofs of a batch: a word of `ProofKind::ALL`"),
    ("reason", "the reason of a verdict or state, as its metric label has it"),
    ("region", "the region identifier"),
    ("repository", "the name of a repository, without the namespace"),
    ("request_id", "the id of an HTTP request, ours or the cloud's"),
    ("rule", "the name of a rule"),
    ("secret", "a pull secret of Kubernetes: its name, after that of its namespace where there is one"),
    ("severity", "how much a finding matters: a word of `Severity::ALL`"),
    ("source", "a source of what is in use"),
    ("stage", "where a pass failed, as its metric label has it"),
    ("started_at", "when a pass began"),
    ("subject", "what a finding is about, such as `repository mgh-docs`"),
    ("tags", "the tags of an image"),
    ("tenancy", "the OCID of the tenancy"),
    ("version", "the version of the program"),
];

/// How lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object for each event, its fields at the top.
    Json,
}

/// Where standard error leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Destination {
    /// A terminal, which shows colours.
    Terminal,
    /// A file or a pipe.
    #[default]
    Plain,
    /// The journal: it keeps the time itself and takes the priority from a `<n>` before the line. Known by
    /// `JOURNAL_STREAM`. <https://www.freedesktop.org/software/systemd/man/latest/sd-daemon.html>
    Journal,
}

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// The filter is not of the form `info,ocird=debug`.
    #[error("not a log filter: {filter:?}")]
    Filter {
        /// The filter.
        filter: String,
        /// What is wrong with it.
        source: ParseError,
    },
    /// Another log is in place already.
    #[error("a log is set up already")]
    Twice(#[source] TryInitError),
}

/// Sets the log up for the whole process. `filter` is a level or a list such as `info,ocird_oci=debug`.
pub fn init(format: Format, destination: Destination, filter: &str) -> Result<(), InitError> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|source| InitError::Filter { filter: filter.to_owned(), source })?;
    tracing_subscriber::registry()
        .with(filter)
        .with(layer(format, destination, io::stderr))
        .try_init()
        .map_err(InitError::Twice)
}

/// The layer that writes lines to `writer`.
fn layer<S, W>(format: Format, destination: Destination, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let is_journal = destination == Destination::Journal;
    let lines = layer_fmt::layer().with_writer(writer).with_ansi(destination == Destination::Terminal);
    let on_one_line = debug_fn(write_field).delimited(" ");
    match (format, is_journal) {
        (Format::Text, false) => lines.fmt_fields(on_one_line).boxed(),
        (Format::Text, true) => {
            lines.fmt_fields(on_one_line).without_time().map_event_format(Prefixed).boxed()
        }
        (Format::Json, false) => lines.json().flatten_event(true).map_event_format(InAscii).boxed(),
        (Format::Json, true) => {
            let lines = lines.json().flatten_event(true).without_time();
            lines.map_event_format(InAscii).map_event_format(Prefixed).boxed()
        }
    }
}

/// Writes a field, or the message, so that nothing inside it can end the line or colour the next (S-34): whoever logs
/// a text from outside need not think of it.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{field}=")?;
    }
    write!(OneLine(writer), "{value:?}")
}

/// A JSON format in ASCII: JSON escapes what ends a line, and lets through what else moves a cursor.
struct InAscii<F>(F);

impl<S, N, F> FormatEvent<S, N> for InAscii<F>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = String::new();
        self.0.format_event(context, Writer::new(&mut line), event)?;
        writer.write_str(&json::ascii(&line))
    }
}

/// Another format with the journal's priority before each line.
struct Prefixed<F>(F);

impl<S, N, F> FormatEvent<S, N> for Prefixed<F>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        write!(writer, "<{}>", priority(*event.metadata().level()))?;
        self.0.format_event(context, writer, event)
    }
}

/// The level as syslog numbers it.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use ocird_model::{ErrorChain, is_inert};
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn written(format: Format, destination: Destination, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber =
            tracing_subscriber::registry().with(layer(format, destination, move || writer.clone()));
        tracing::subscriber::with_default(subscriber, log);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[derive(Debug, thiserror::Error)]
    #[error("listing failed")]
    struct Outer(#[source] Inner);

    #[derive(Debug, thiserror::Error)]
    #[error("server said \u{1b}[2Jno\nINFO forged")]
    struct Inner;

    #[test]
    fn a_line_for_the_journal_has_its_priority_first_and_no_time() {
        let lines = written(Format::Text, Destination::Journal, || {
            tracing::error!(code = "breaker", "stopped");
            tracing::warn!("beware");
            tracing::info!("went on");
            tracing::debug!("in detail");
        });
        let lines: Vec<&str> = lines.lines().collect();
        assert!(lines[0].starts_with("<3>ERROR "), "{}", lines[0]);
        assert!(lines[0].ends_with(r#"stopped code="breaker""#), "{}", lines[0]);
        let priorities: Vec<&str> = lines.iter().map(|line| &line[..3]).collect();
        assert_eq!(priorities, ["<3>", "<4>", "<6>", "<7>"]);
    }

    #[test]
    fn a_json_line_has_its_fields_at_the_top() {
        let line = written(Format::Json, Destination::Plain, || {
            tracing::info!(repository = "mgh-docs", n_images = 3, "read");
        });
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["message"], "read");
        assert_eq!(value["repository"], "mgh-docs");
        assert_eq!(value["n_images"], 3);
        assert!(value["timestamp"].is_string());
    }

    #[test]
    fn no_text_can_forge_a_second_line_or_reach_the_terminal() {
        for destination in [Destination::Plain, Destination::Journal] {
            for format in [Format::Text, Format::Json] {
                let lines = written(format, destination, || {
                    tracing::error!(error = %ErrorChain(&Outer(Inner)), "failed");
                    tracing::error!(error = %Inner, reason = ?Inner.to_string(), "failed: {Inner}");
                });
                assert_eq!(lines.lines().count(), 2, "{lines}");
                assert!(lines.chars().all(|c| c == '\n' || !c.is_control()), "{lines:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn whatever_is_logged_each_event_is_one_line_that_reads_back(
            text in "(\\PC|[\\x00-\\x1f\\x7f-\\u{9f}\\u{2028}-\\u{202e}\"\\\\{}=])*"
        ) {
            for destination in [Destination::Plain, Destination::Journal] {
                let log = || tracing::warn!(repository = %text, reason = ?text, tags = text.as_str(), "said {text}");
                for format in [Format::Text, Format::Json] {
                    let lines = written(format, destination, log);
                    let line = lines.strip_suffix('\n').unwrap();
                    prop_assert!(line.chars().all(is_inert), "{:?}", line);
                    if format == Format::Json {
                        let object: serde_json::Value = serde_json::from_str(line.trim_start_matches("<4>")).unwrap();
                        prop_assert_eq!(object["tags"].as_str().unwrap(), &text[..]);
                    }
                }
            }
        }
    }

    #[test]
    fn a_filter_that_makes_no_sense_is_named() {
        let error = init(Format::Text, Destination::Plain, "ocird=loud").unwrap_err();
        assert_eq!(error.to_string(), "not a log filter: \"ocird=loud\"");
    }

    #[test]
    fn the_list_of_fields_is_in_order_and_holds_each_once() {
        assert!(FIELDS.is_sorted_by(|a, b| a.0 < b.0));
    }
}
