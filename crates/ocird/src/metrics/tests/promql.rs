//! What an expression of `PromQL` asks for: its metrics with their matchers, and the labels that it groups or joins by. A scan of
//! the words, and no parser: whether an expression is one at all, a Prometheus server says (`.ci/prometheus`).
//! <https://prometheus.io/docs/prometheus/latest/querying/basics/>

/// What one expression asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// Each selector of a metric.
    pub(super) selectors: Vec<Selector>,
    /// Each label in the parentheses of `by`, `on` and their like.
    pub(super) labels: Vec<String>,
}

/// A metric, and what its labels must be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    pub(super) metric: String,
    pub(super) matchers: Vec<Matcher>,
}

/// One condition on a label.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Matcher {
    pub(super) label: String,
    pub(super) operator: String,
    pub(super) value: String,
}

/// Words after which labels stand in parentheses.
const BEFORE_LABELS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Words between two operands.
const BETWEEN: [&str; 5] = ["and", "or", "unless", "offset", "bool"];

/// Scans one expression.
pub(super) fn asked(expression: &str) -> Asked {
    let mut asked = Asked::default();
    let mut rest = expression;
    while let Some(next) = rest.chars().next() {
        if is_letter(next) {
            let (word, after) = split_word(rest);
            rest = take_word(word, after, &mut asked);
        } else if next.is_ascii_digit() {
            // A number or a duration: its unit is no metric.
            rest = rest.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '.');
        } else if next == '[' {
            rest = inside(rest, ']').1;
        } else {
            rest = &rest[next.len_utf8()..];
        }
    }
    asked
}

/// Takes a word and what belongs to it, and answers what follows.
fn take_word<'a>(word: &str, after: &'a str, asked: &mut Asked) -> &'a str {
    let follows = after.trim_start();
    if BEFORE_LABELS.contains(&word) {
        if !follows.starts_with('(') {
            return after;
        }
        let (labels, rest) = inside(follows, ')');
        let labels = labels.split(',').map(str::trim).filter(|label| !label.is_empty());
        asked.labels.extend(labels.map(str::to_owned));
        return rest;
    }
    if BETWEEN.contains(&word) || is_called(word, follows) {
        return after;
    }
    let (matchers, rest) = follows.strip_prefix('{').map_or_else(|| (Vec::new(), after), matchers);
    asked.selectors.push(Selector { metric: word.to_owned(), matchers });
    rest
}

/// Whether a word is a function or an aggregation, which may be followed by its grouping first.
fn is_called(word: &str, follows: &str) -> bool {
    let is_grouped = ["by", "without"].contains(&split_word(follows).0);
    follows.starts_with('(') || (is_grouped && !word.contains('_'))
}

/// The matchers up to the closing brace, and what follows it. A value may hold anything between its quotes.
fn matchers(mut rest: &str) -> (Vec<Matcher>, &str) {
    let mut all = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\n', ',']);
        if let Some(after) = rest.strip_prefix('}') {
            return (all, after);
        }
        let (label, after) = split_word(rest);
        let (operator, after) = after.trim_start().split_once('"').expect("a matcher has a value in quotes");
        let (value, after) = after.split_once('"').expect("quotes come in pairs");
        all.push(Matcher {
            label: label.to_owned(),
            operator: operator.trim().to_owned(),
            value: value.to_owned(),
        });
        rest = after;
    }
}

/// What stands between the bracket at the start and the closing one, and what follows it.
fn inside(text: &str, closing: char) -> (&str, &str) {
    text[1..].split_once(closing).expect("brackets come in pairs")
}

fn split_word(text: &str) -> (&str, &str) {
    let is_of_word = |c: char| is_letter(c) || c.is_ascii_digit();
    text.split_at(text.find(|c| !is_of_word(c)).unwrap_or(text.len()))
}

const fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || c == ':'
}

/// `up{job="ocird"}` as it is written.
fn shown(selector: &Selector) -> String {
    let matchers = selector.matchers.iter();
    let matchers: Vec<String> =
        matchers.map(|Matcher { label, operator, value }| format!("{label}{operator}{value}")).collect();
    format!("{}{matchers:?}", selector.metric).replace('"', "")
}

#[test]
fn metrics_matchers_and_grouping_labels_are_told_apart_from_functions_and_words() {
    let told = |expression: &str| {
        let Asked { selectors, labels } = asked(expression);
        (selectors.iter().map(shown).collect::<Vec<_>>().join(" "), labels.join(" "))
    };
    for (expression, metrics, labels) in [
        ("up{job=\"ocird\"} == 0", "up[job=ocird]", ""),
        ("a{x=\"1\", y=~\"b|c\"} offset 3d", "a[x=1, y=~b|c]", ""),
        ("sum without (reason) (min_over_time(a[10m])) > 6 * 3600", "a[]", "reason"),
        ("sum by (r) (a * on (job, instance) group_left (r) b)", "a[] b[]", "r job instance r"),
        ("sum(a) by (r)", "a[]", "r"),
        ("time() - (a:b:rate1h > 0 or c and on (job) d)", "a:b:rate1h[] c[] d[]", "job"),
        ("increase(a_total{code!=\"o(k}\"}[$__rate_interval]) / 7e2", "a_total[code!=o(k}]", ""),
    ] {
        assert_eq!(told(expression), (metrics.to_owned(), labels.to_owned()), "{expression}");
    }
}
