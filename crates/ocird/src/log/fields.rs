//! Holds every event of every crate to the list of fields: reads the sources and takes their log macros apart. It
//! knows as much of Rust as that needs: strings, brackets and commas.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::FIELDS;

/// The macros that make an event: fields come before the message.
const EVENTS: [&str; 5] = ["error", "warn", "info", "debug", "trace"];

#[test]
fn every_field_of_every_event_is_in_the_list() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut sources = Vec::new();
    for entry in fs::read_dir(crates).unwrap() {
        rust_files(&entry.unwrap().path().join("src"), &mut sources);
    }
    let known: BTreeSet<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
    let mut n_events = 0;
    for path in sources {
        let source = fs::read_to_string(&path).unwrap();
        for event in events(&source) {
            n_events += 1;
            for field in fields(event) {
                assert!(known.contains(field), "{field:?} in {}: {event}", path.display());
            }
        }
    }
    assert!(n_events > 5, "only {n_events} events were found: the reader is broken");
}

#[test]
fn the_reader_takes_events_apart() {
    let source = r#"
        tracing::warn!(%repository, image = ?id, n_deleted, error = %ErrorChain(&f(a, "x, )")), "said {}, {n}", "no", k = 1);
        info!("only a message, with a comma");
        thiserror_error!(nothing = 1); tracing::debug!(code = "a", "b");
    "#;
    let found: Vec<Vec<&str>> = events(source).map(|event| fields(event).collect()).collect();
    let first = vec!["repository", "image", "n_deleted", "error"];
    assert_eq!(found, [first, vec![], vec!["code"]]);
}

fn rust_files(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !path.ends_with("log/fields.rs")
        {
            found.push(path);
        }
    }
}

/// What stands between the brackets of each event.
fn events(source: &str) -> impl Iterator<Item = &str> {
    source.match_indices("!(").filter_map(|(at, _)| {
        let before = &source[..at];
        let name_at = before.rfind(|c: char| !c.is_ascii_alphanumeric() && c != '_').map_or(0, |i| i + 1);
        let inside = &source[at + 2..];
        EVENTS.contains(&&before[name_at..]).then(|| &inside[..end(inside, ')')])
    })
}

/// The names of the fields: everything before the message.
fn fields(event: &str) -> impl Iterator<Item = &str> {
    let mut rest = event;
    let arguments = std::iter::from_fn(move || {
        let argument = &rest[..end(rest, ',')];
        rest = rest.get(argument.len() + 1..).unwrap_or_default();
        Some(argument.trim()).filter(|argument| !argument.is_empty())
    });
    arguments
        .take_while(|argument| !argument.starts_with('"'))
        .map(|argument| argument.trim_start_matches(['%', '?']))
        .map(|argument| argument.split(['=', ' ']).next().unwrap_or_default())
}

/// The place of the first `wanted` outside of strings and brackets, or the end.
fn end(text: &str, wanted: char) -> usize {
    let (mut depth, mut in_string, mut is_escaped) = (0_u32, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if in_string => is_escaped = true,
            '"' => in_string = !in_string,
            _ if in_string => {}
            _ if depth == 0 && character == wanted => return at,
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    text.len()
}
