//! Whether one pattern is certain to match whatever another matches. Only what is plain to see counts: the answer
//! "no" may be wrong, "yes" never is.

use ocird_model::{Pattern, Patterns};

/// The characters that make a pattern more than a name.
const SPECIAL: [char; 6] = ['*', '?', '[', ']', '{', '}'];

/// True when every name that `narrow` matches is certain to match one of `wide`.
pub(super) fn covers(wide: &Patterns, narrow: &Pattern) -> bool {
    wide.iter().any(|wide| covers_one(wide, narrow))
}

/// True when every name that any of `narrow` matches is certain to match one of `wide`.
pub(super) fn covers_all(wide: &Patterns, narrow: &Patterns) -> bool {
    narrow.iter().all(|narrow| covers(wide, narrow))
}

/// True when a name is certain to be matched by both, so that both claim it.
pub(super) fn both_claim(a: &Pattern, b: &Pattern) -> bool {
    covers_one(a, b) || covers_one(b, a)
}

fn covers_one(wide: &Pattern, narrow: &Pattern) -> bool {
    let (wide_text, narrow_text) = (wide.as_str(), narrow.as_str());
    let by_prefix = wide_text
        .strip_suffix('*')
        .is_some_and(|prefix| is_name(prefix) && fixed_start(narrow_text).starts_with(prefix));
    wide == narrow || by_prefix || (is_name(narrow_text) && wide.matches(narrow_text))
}

fn is_name(text: &str) -> bool {
    !text.contains(SPECIAL)
}

/// What every match starts with.
fn fixed_start(text: &str) -> &str {
    text.split(SPECIAL).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_star_after_a_common_start_covers() {
        let cases = [
            ("*", "mgh-*", true),
            ("mgh-*", "mgh-*", true),
            ("mgh-*", "mgh-admin-*", true),
            ("mgh-*", "mgh-{a,b}", true),
            ("mgh-*", "mgh-docs", true),
            ("mgh-?", "mgh-x", true),
            ("mgh-*", "mgh*", false),
            ("mgh-*", "*", false),
            ("mgh-a", "mgh-*", false),
            ("mgh-*-x", "mgh-*", false),
            ("mgh-*", "{mgh-a,todo}", false),
        ];
        for (wide, narrow, expected) in cases {
            assert_eq!(covers_one(&pattern(wide), &pattern(narrow)), expected, "{wide} over {narrow}");
        }
    }

    proptest! {
        #[test]
        fn what_is_covered_is_matched(
            wide in "[ab*?]{1,4}|\\{a,b\\}[ab*]{0,2}|[ab]{0,2}\\*",
            narrow in "[ab*?]{1,5}|\\{a,b\\}[ab*]{0,2}|[ab]{0,3}\\*",
            name in "[ab]{1,6}",
        ) {
            let (wide, narrow) = (pattern(&wide), pattern(&narrow));
            prop_assert!(!(covers_one(&wide, &narrow) && narrow.matches(&name)) || wide.matches(&name));
        }
    }
}
