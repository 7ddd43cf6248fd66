//! Feeds the parsers of what comes from outside: bytes of any kind, and the committed corpus bent as somebody would
//! bend it who knows what it is. Compiled for tests only; each parser's test stands beside the parser.
//!
//! A short round is part of every test run. The long form is the same with `PROPTEST_CASES` set, for example to 200000;
//! with `--no-capture` each test says how many inputs it tried. A failure is shrunk and printed, and becomes a file of
//! the corpus.

use std::cell::Cell;
use std::ops::Range;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{TestCaseError, TestError, TestRunner};

/// What a parser made of one input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// It was read, and the reading was found right.
    Read,
    /// It was refused.
    Refused,
}

/// One way to bend an input.
#[derive(Debug, Clone)]
enum Change {
    /// These bits of one byte are turned.
    Flip(Index, u8),
    /// The input ends here.
    Cut(Index),
    /// What lies between two places is taken out.
    Remove(Index, Index),
    /// These bytes are put in.
    Insert(Index, Vec<u8>),
    /// A string, number or word of the JSON is replaced.
    Replace(Index, String),
    /// A key of the JSON comes twice: the second time with this value, or with the value it has.
    Repeat(Index, Option<String>),
}

/// Tries `read` on inputs bent from the corpus of this name, and on arbitrary bytes. `read` says what it made of one, and
/// fails when the reading is wrong; a panic is a failure too.
///
/// # Panics
/// An input is read wrongly, or nothing of the corpus is read at all: then the test tries nothing.
pub(crate) fn any_input(name: &str, corpus: &str, read: impl Fn(&[u8]) -> Result<Reading, TestCaseError>) {
    any_input_like(name, corpus_of(corpus), read);
}

/// The same for inputs bent from these, where a corpus cannot be committed.
///
/// # Panics
/// As [`any_input`].
pub(crate) fn any_input_like(
    name: &str,
    seeds: Vec<Vec<u8>>,
    read: impl Fn(&[u8]) -> Result<Reading, TestCaseError>,
) {
    let n_whole = seeds.iter().filter(|seed| read(seed).unwrap() == Reading::Read).count();
    assert!(n_whole > 0, "{name}: nothing of the corpus is read");
    let (n_read, n_tried) = (Cell::new(0_u64), Cell::new(0_u64));
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let result = TestRunner::new(config).run(&input(seeds), |bytes| {
        n_tried.set(n_tried.get() + 1);
        if read(&bytes)? == Reading::Read {
            n_read.set(n_read.get() + 1);
        }
        Ok(())
    });
    println!("{name}: {} inputs tried, of which {} were read", n_tried.get(), n_read.get());
    match result {
        Ok(()) => {}
        Err(TestError::Fail(why, bytes)) => panic!("{name}: {why}: {}", bytes.escape_ascii()),
        Err(TestError::Abort(why)) => panic!("{name}: {why}"),
    }
}

/// The files of one folder of the corpus.
pub(crate) fn corpus_of(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name);
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn input(seeds: Vec<Vec<u8>>) -> impl Strategy<Value = Vec<u8>> {
    let bent = (prop::sample::select(seeds), prop::collection::vec(change(), 0..5))
        .prop_map(|(seed, changes)| changes.iter().fold(seed, |bytes, change| change.apply(bytes)));
    prop_oneof![1 => prop::collection::vec(any::<u8>(), 0..200), 9 => bent]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => (any::<Index>(), any::<u8>()).prop_map(|(at, bits)| Change::Flip(at, bits)),
        1 => any::<Index>().prop_map(Change::Cut),
        1 => any::<(Index, Index)>().prop_map(|(from, to)| Change::Remove(from, to)),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        4 => (any::<Index>(), value()).prop_map(|(which, value)| Change::Replace(which, value)),
        2 => (any::<Index>(), prop::option::of(value())).prop_map(|(which, value)| Change::Repeat(which, value)),
    ]
}

/// A JSON value that a parser could stumble over.
fn value() -> impl Strategy<Value = String> {
    const AWKWARD: [&str; 22] = [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-1",
        "1.0",
        "1.5",
        "1e3",
        "1e999",
        "18446744073709551616",
        "[]",
        "{}",
        "[null]",
        r#""""#,
        r#""0""#,
        r#""\u0000""#,
        r#""\ud800""#,
        r#""\u202e""#,
        r#""AVAILABLE""#,
        r#""2026-02-30T00:00:00Z""#,
        r#""9999-12-31T23:59:59.999999999+23:59""#,
    ];
    let nested = (prop_oneof![Just(10_usize), Just(127), Just(129), Just(20_000)], any::<bool>())
        .prop_map(|(depth, closed)| "[".repeat(depth) + &"]".repeat(if closed { depth } else { 0 }));
    prop_oneof![
        8 => prop::sample::select(&AWKWARD[..]).prop_map(str::to_owned),
        2 => any::<i128>().prop_map(|number| number.to_string()),
        2 => "\\PC{0,20}".prop_map(|text| format!("{text:?}")),
        1 => (1..70_000_usize).prop_map(|length| format!("\"{}\"", "a".repeat(length))),
        1 => nested,
    ]
}

impl Change {
    fn apply(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        let place = |at: &Index, length: usize| at.index(length + 1);
        match self {
            Self::Flip(at, bits) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= bits;
            }
            Self::Flip(_, _) => {}
            Self::Cut(at) => bytes.truncate(place(at, bytes.len())),
            Self::Remove(from, to) => {
                let (from, to) = (place(from, bytes.len()), place(to, bytes.len()));
                bytes.drain(from.min(to)..from.max(to));
            }
            Self::Insert(at, more) => {
                let at = place(at, bytes.len());
                bytes.splice(at..at, more.iter().copied());
            }
            Self::Replace(which, value) => {
                let words = words(&bytes);
                if !words.is_empty() {
                    bytes.splice(words[which.index(words.len())].clone(), value.bytes());
                }
            }
            Self::Repeat(which, value) => {
                if let Some((at, member)) = repeated(&bytes, *which, value.as_deref()) {
                    bytes.splice(at..at, member);
                }
            }
        }
        bytes
    }
}

/// One member of an object once more, and where to put it: behind a value that is no object or list itself.
fn repeated(bytes: &[u8], which: Index, value: Option<&str>) -> Option<(usize, Vec<u8>)> {
    let words = words(bytes);
    let is_member = |pair: &&[Range<usize>]| {
        bytes[pair[0].end..pair[1].start].iter().filter(|byte| !byte.is_ascii_whitespace()).eq(b":")
    };
    let members: Vec<&[Range<usize>]> = words.windows(2).filter(is_member).collect();
    let member = members.get(which.index(members.len().max(1)))?;
    let (key, own) = (&bytes[member[0].clone()], &bytes[member[1].clone()]);
    let value = value.map_or(own, str::as_bytes);
    Some((member[1].end, [b",", key, b":", value].concat()))
}

/// Where the strings, numbers and words of a JSON text are; of any other text, where it looks as if.
fn words(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut words = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = match rest[0] {
            b'"' => 1 + string_length(&rest[1..]),
            b'-' | b'+' | b'.' | b'0'..=b'9' | b'a'..=b'z' => {
                rest.iter().take_while(|b| b.is_ascii_alphanumeric() || b"-+.".contains(b)).count()
            }
            _ => {
                at += 1;
                continue;
            }
        };
        words.push(at..at + length);
        at += length;
    }
    words
}

/// The length of a string whose opening quote is gone, the closing one included if there is one.
fn string_length(rest: &[u8]) -> usize {
    let mut is_escaped = false;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b'"' if !is_escaped => return at + 1,
            b'\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    rest.len()
}

mod tests {
    use proptest::strategy::ValueTree as _;

    use super::*;

    #[test]
    fn the_words_of_a_document_are_found() {
        let text = br#"{"a\"b": -1.5e3, "c":[true ,"d"]}"#;
        let found: Vec<&str> =
            words(text).into_iter().map(|word| std::str::from_utf8(&text[word]).unwrap()).collect();
        assert_eq!(found, [r#""a\"b""#, "-1.5e3", r#""c""#, "true", r#""d""#]);
    }

    #[test]
    fn a_member_is_repeated_behind_itself() {
        let text = br#"{"a": 1, "b": [2]}"#;
        let mut runner = TestRunner::deterministic();
        let which = any::<Index>().new_tree(&mut runner).unwrap().current();
        assert_eq!(repeated(text, which, None).unwrap(), (7, br#","a":1"#.to_vec()));
        assert_eq!(repeated(text, which, Some("null")).unwrap(), (7, br#","a":null"#.to_vec()));
        assert_eq!(repeated(b"[1]", which, None), None);
    }
}
