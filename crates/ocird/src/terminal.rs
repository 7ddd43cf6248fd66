//! The last look at what a command writes, wherever it came from (S-34): whoever adds a table need not think of what a
//! registry, a file or another host put into it. It does not lay anything out.

use std::borrow::Cow;
use std::fmt::Write as _;

use ocird_model::{OneLine, is_inert};

/// The colours that our own texts bear, between `ESC [` and `m`: of [`crate::paint::Paint`], and of the table of a plan.
/// What hides text or turns it around is not among them.
const COLOURS: [&str; 9] = ["0", "1", "2", "31", "32", "33", "39", "38;5;9", "38;5;10"];

/// `text` with everything escaped that could do more to a terminal than show a letter, begin a line or use a colour of
/// ours.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if text.chars().all(|c| is_inert(c) || c == '\n') {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let length = match colour(rest) {
            Some(colour) => {
                shown.push_str(colour);
                colour.len()
            }
            None if matches!(character, '\n' | '\t') => {
                shown.push(character);
                character.len_utf8()
            }
            None => {
                OneLine(&mut shown).write_char(character).expect("a string takes everything");
                character.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    Cow::Owned(shown)
}

/// `text` on one line, whatever it holds.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    OneLine(&mut line).write_str(text).expect("a string takes everything");
    line
}

/// The sequence at the beginning of `text`, if it is one of our colours.
fn colour(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\u{1b}[")?;
    let end = parameters.find('m')?;
    COLOURS.contains(&&parameters[..end]).then(|| &text[..="\u{1b}[".len() + end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::worlds::HOSTILE;
    use crate::paint::{Ink, Paint};

    #[test]
    fn our_own_colours_stay_and_every_other_sequence_is_shown() {
        for ink in [Ink::Red, Ink::Green, Ink::Yellow, Ink::Bold, Ink::Dim] {
            let text = Paint::Colours.ink(ink, "word");
            assert_eq!(harmless(&text), text);
        }
        assert_eq!(harmless("a\u{1b}[8mb\u{1b}[2Jc\td\n"), "a\\u{1b}[8mb\\u{1b}[2Jc\td\n");
        assert_eq!(harmless("\u{1b}]0;title\u{7}\u{9b}31m"), "\\u{1b}]0;title\\u{7}\\u{9b}31m");
        assert!(!harmless(HOSTILE).contains(['\u{1b}', '\u{9b}', '\u{202e}', '\u{7}', '\r', '\0']));
    }

    proptest! {
        #[test]
        fn whatever_is_written_only_our_colours_reach_the_terminal(
            text in "(\\PC|[\\x00-\\x1f\\x7f-\\u{9f}\\u{2028}-\\u{202e}]|\\x1b\\[[0-9;]{0,4}[mJHK])*"
        ) {
            let mut shown = harmless(&text).into_owned();
            for colour in COLOURS {
                shown = shown.replace(&format!("\u{1b}[{colour}m"), "");
            }
            prop_assert!(shown.chars().all(|c| is_inert(c) || matches!(c, '\n' | '\t')), "{:?}", shown);
        }
    }
}
