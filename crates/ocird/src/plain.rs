//! Text from outside, made fit for a terminal (S-34): error texts quote servers, files and other hosts, and whoever
//! writes those must not move a cursor, forge a line or fill a screen. It does not judge what a text says.

use std::iter::Peekable;
use std::str::Chars;

use ocird_model::Rule;

/// `text` as one line of printable ASCII, at most `max` characters long; a longer one ends in `..`.
///
/// Terminal control sequences go whole, control characters and line breaks become one space, and whatever is not
/// ASCII becomes `?`: widths and bidirectional marks are a terminal's affair, and two names must not look alike.
pub fn plain(text: &str, max: usize) -> String {
    let mut line = String::new();
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            any if !Rule::S34.in_force() => line.push(any),
            '\u{1b}' => skip_sequence(&mut rest),
            '!'..='~' => line.push(character),
            blank if blank.is_whitespace() || blank.is_control() => {
                if !line.is_empty() && !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            _ => line.push('?'),
        }
        if line.len() > max {
            return shortened(&line, max);
        }
    }
    line.truncate(line.trim_end().len());
    line
}

/// Skips what follows an escape character: `[`, parameters and one final letter. Anything else stays as it is, since
/// without its escape character it is only text.
fn skip_sequence(rest: &mut Peekable<Chars<'_>>) {
    if rest.next_if_eq(&'[').is_some() {
        while rest.next_if(|c| (' '..='?').contains(c)).is_some() {}
        rest.next_if(|c| ('@'..='~').contains(c));
    }
}

/// The first `max` characters of an ASCII line, the last two of them `..` where that leaves anything.
fn shortened(line: &str, max: usize) -> String {
    match max.checked_sub(2) {
        Some(kept) if kept > 0 => format!("{}..", &line[..kept]),
        _ => line[..max].to_owned(),
    }
}

/// `text` in lines of at most `width` characters, broken at blanks; a longer word is broken where it must be.
pub(crate) fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word;
        loop {
            let line = lines.last_mut().expect("there is always a last line");
            let gap = usize::from(!line.is_empty());
            if line.len() + gap + word.len() <= width {
                line.push_str(&" "[..gap]);
                line.push_str(word);
                break;
            }
            if line.is_empty() {
                let (head, tail) = word.split_at(width);
                line.push_str(head);
                word = tail;
            }
            lines.push(String::new());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_plain_line_stays_as_it_is() {
        assert_eq!(plain("ListContainerImages failed (timeout)", 80), "ListContainerImages failed (timeout)");
    }

    #[test]
    fn colours_line_breaks_and_look_alikes_do_not_get_through() {
        assert_eq!(
            plain("a\u{1b}[2J\u{1b}[31;1mred\r\nok  done\u{7}", 80),
            "a red ok done".replace("a red", "ared")
        );
        assert_eq!(plain("\u{9b}31mx \u{202e}y раypal", 80), "31mx ?y ??ypal");
    }

    #[test]
    fn a_long_text_says_that_it_was_cut() {
        assert_eq!(plain("abcdefgh", 8), "abcdefgh");
        assert_eq!(plain("abcdefghi", 8), "abcdef..");
        assert_eq!(plain("abc", 1), "a");
    }

    proptest! {
        #[test]
        fn whatever_comes_in_one_bounded_printable_line_comes_out(text in "\\PC*|[\\x00-\\x1f\\x7f-\\u{a0}\\[0-9m]*", max in 0_usize..40) {
            let line = plain(&text, max);
            prop_assert!(line.len() <= max);
            prop_assert!(line.bytes().all(|b| (b' '..=b'~').contains(&b)), "{:?}", line);
        }
    }
}
