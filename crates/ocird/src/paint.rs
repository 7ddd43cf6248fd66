//! Colours of the command line, for a person at a terminal and for nobody else. What a colour says, a word says too.

/// Whether there are colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Paint {
    /// Text and nothing else.
    #[default]
    Plain,
    /// Escape sequences of eight colours, which every terminal knows.
    Colours,
}

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// It goes, or is wrong.
    Red,
    /// It stays, and something says so.
    Green,
    /// It is odd.
    Yellow,
    /// A heading.
    Bold,
    /// What matters less.
    Dim,
}

impl Paint {
    /// The text in this ink.
    pub fn ink(self, ink: Ink, text: &str) -> String {
        let code = match ink {
            Ink::Red => 31,
            Ink::Green => 32,
            Ink::Yellow => 33,
            Ink::Bold => 1,
            Ink::Dim => 2,
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Colours => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_a_text_stays_as_it_is() {
        assert_eq!(Paint::Plain.ink(Ink::Red, "delete"), "delete");
        assert_eq!(Paint::Colours.ink(Ink::Red, "delete"), "\u{1b}[31mdelete\u{1b}[0m");
    }
}
