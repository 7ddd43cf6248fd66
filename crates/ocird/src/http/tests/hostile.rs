//! Whatever a pusher, a host, a file or a server says: a page is printable ASCII, and has the lines, samples and members
//! that it would have with harmless words (S-34).

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::http::worlds::hostile_in;

/// What tells words from the grammar of a page: ends of lines, escape sequences, quotes, commas, formulas, tags.
pub(super) fn nasty() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,8}",
        "[\\x00-\\x1f\\x7f-\\u{9f}]{1,4}",
        "[\\u{200b}-\\u{200f}\\u{2028}-\\u{202e}\\u{2066}-\\u{2069}\\u{feff}]{1,3}",
        Just("\u{1b}[2J\u{1b}[8m".to_owned()),
        Just("\u{1b}]8;;http://evil.example\u{7}".to_owned()),
        Just("\u{1b}P+q544e\u{1b}\\".to_owned()),
        Just("\r\n\r\nHTTP/1.1 200 OK\r\n".to_owned()),
        Just("\n# HELP ocird_armed no\nocird_armed 1\n".to_owned()),
        Just("\",x=\"1\"} 1\n".to_owned()),
        Just("</pre><script>alert(1)</script>&lt;".to_owned()),
        Just("=cmd|' /C calc'!A0,+1,-1,@SUM(1)\t".to_owned()),
        Just("\\u001b\\n\\\"%s%n{}${jndi:x}';--".to_owned()),
    ];
    proptest::collection::vec(piece, 1..6).prop_map(|pieces| pieces.concat())
}

/// The members of a document without its texts.
fn skeleton(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            members.iter().map(|(name, value)| (name.clone(), skeleton(value))).collect()
        }
        Value::Array(items) => items.iter().map(skeleton).collect(),
        Value::String(_) => Value::String(String::new()),
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn is_printable(page: &str) -> bool {
    page.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte))
}

/// The names of all samples, without labels.
fn sample_names(status: Status) -> Vec<String> {
    let page = Metrics::new(&Board::new(status)).render().unwrap();
    assert!(is_printable(&page), "{page:?}");
    let samples = page.lines().filter(|line| !line.starts_with('#'));
    // A parser reads a label's value to its closing quote, and after the labels there is one number.
    let names = samples.map(|line| {
        let (sample, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
        sample.split('{').next().unwrap().to_owned()
    });
    names.collect()
}

/// Every label of a page, read as the format says: <https://prometheus.io/docs/instrumenting/exposition_formats/>.
fn check_labels(page: &str) {
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        let Some((_, rest)) = line.split_once('{') else { continue };
        let mut rest = rest;
        while !rest.starts_with('}') {
            let (name, value) = rest.split_once("=\"").unwrap_or_else(|| panic!("{line}"));
            assert!(
                name.trim_start_matches(',').bytes().all(|b| b.is_ascii_lowercase() || b == b'_'),
                "{line}"
            );
            let end = closing_quote(value).unwrap_or_else(|| panic!("{line}"));
            rest = &value[end + 1..];
        }
        rest[1..].trim().parse::<f64>().unwrap_or_else(|_| panic!("{line}"));
    }
}

fn closing_quote(value: &str) -> Option<usize> {
    let mut is_escaped = false;
    value.bytes().position(|byte| {
        let ends = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        ends
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn a_screen_has_the_same_sections_whatever_stands_in_it(text in nasty()) {
        let page = screen(&hostile_in(&text), now());
        prop_assert!(is_printable(&page), "{:?}", page);
        prop_assert!(page.lines().all(|line| line.len() <= 80), "{}", page);
        // A forged section would begin a line of its own at the left edge.
        let harmless = screen(&hostile_in("word"), now());
        let sections = |page: &str| page.lines().filter(|line| line.is_empty()).count();
        prop_assert_eq!(sections(&page), sections(&harmless), "{}", page);
    }

    #[test]
    fn metrics_have_the_same_samples_whatever_stands_in_a_label(text in nasty()) {
        prop_assert_eq!(sample_names(hostile_in(&text)), sample_names(hostile_in("word")));
        check_labels(&Metrics::new(&Board::new(hostile_in(&text))).render().unwrap());
    }

    #[test]
    fn the_picture_as_json_is_one_line_of_ascii_that_says_the_same(text in nasty()) {
        let status = hostile_in(&text);
        let line = json_line(&status);
        prop_assert!(is_printable(&line) && line.matches('\n').count() == 1, "{:?}", line);
        let read: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&read, &serde_json::to_value(&status).unwrap());
        prop_assert_eq!(skeleton(&read), skeleton(&serde_json::to_value(hostile_in("word")).unwrap()));
    }

    #[test]
    fn a_problem_quotes_nothing_raw(text in nasty()) {
        let answer = Problem::new(ProblemKind::Unavailable, &*text).written("id");
        prop_assert_eq!(answer.headers()[header::CONTENT_TYPE].to_str().unwrap(), "application/problem+json");
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let body = runtime.block_on(axum::body::to_bytes(answer.into_body(), usize::MAX)).unwrap();
        let body = std::str::from_utf8(&body).unwrap();
        prop_assert!(is_printable(body), "{:?}", body);
        prop_assert_eq!(&serde_json::from_str::<Value>(body).unwrap()["detail"], &Value::String(text));
    }
}
