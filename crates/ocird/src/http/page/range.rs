//! Over which past a curve goes: a few ranges to choose from, as links.

use chrono::TimeDelta;
use maud::{Markup, html};

/// How far back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Range {
    /// Thirty days.
    Month,
    /// Ninety days, which is what a page shows unless it is asked for another.
    #[default]
    Quarter,
    /// A year.
    Year,
    /// All there is.
    All,
}

impl Range {
    const EVERY: [Self; 4] = [Self::Month, Self::Quarter, Self::Year, Self::All];

    /// The range of this word; the usual one for any other, since a link that somebody cut should still show a page.
    pub(super) fn named(word: Option<&str>) -> Self {
        Self::EVERY.into_iter().find(|range| Some(range.word()) == word).unwrap_or_default()
    }

    /// How long it is; `None` for all there is.
    pub(super) const fn length(self) -> Option<TimeDelta> {
        match self {
            Self::Month => Some(TimeDelta::days(30)),
            Self::Quarter => Some(TimeDelta::days(90)),
            Self::Year => Some(TimeDelta::days(365)),
            Self::All => None,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Month => "30d",
            Self::Quarter => "90d",
            Self::Year => "1y",
            Self::All => "all",
        }
    }

    const fn label(self) -> &'static str {
        match self {
            Self::Month => "30 days",
            Self::Quarter => "90 days",
            Self::Year => "a year",
            Self::All => "all",
        }
    }

    /// The ranges to choose from, on the page at `path`.
    pub(super) fn links(self, path: &str) -> Markup {
        html! {
            nav.ranges aria-label="Range of the curve" { ul {
                @for range in Self::EVERY {
                    @let current = (range == self).then_some("true");
                    li { a href={ (path) "?range=" (range.word()) "#curve" } aria-current=[current] { (range.label()) } }
                }
            } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_names_its_range_and_any_other_the_usual() {
        assert_eq!(Range::named(Some("1y")), Range::Year);
        assert_eq!(Range::named(Some("<script>")), Range::Quarter);
        assert_eq!(Range::named(None), Range::Quarter);
    }
}
