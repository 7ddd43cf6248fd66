//! Policies of random shape: drawn here, written as the files that the daemon reads, and kept as drawn for whoever judges
//! deletions by them. The judge never sees what the daemon made of the text.

use ocird_model::Digest;
use serde_json::json;

use super::dice::Dice;

/// What one project says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Drawn {
    /// The repositories it governs, by their names.
    pub(super) repositories: Vec<String>,
    pub(super) keep: Vec<Keep>,
    pub(super) delete: Vec<Delete>,
    /// A lifecycle document in place of delete rules.
    pub(super) lifecycle: Vec<Expire>,
}

/// A keep rule as it was drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Keep {
    pub(super) tags: Vec<&'static str>,
    pub(super) newest: Option<u32>,
    /// Counts the newest for each beginning of letters.
    pub(super) by_letters: bool,
    pub(super) newer_than_h: Option<i64>,
    pub(super) pulled_within_h: Option<i64>,
    pub(super) digests: Vec<Digest>,
    pub(super) unless_usage_above: Option<u64>,
}

/// A delete rule as it was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delete {
    pub(super) takes: Takes,
    pub(super) older_than_h: Option<i64>,
    pub(super) not_pulled_for_h: Option<i64>,
    pub(super) while_usage_above: Option<u64>,
}

/// What a delete rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Takes {
    Untagged,
    Tagged,
    Tags(Vec<&'static str>),
}

/// A rule of a lifecycle document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expire {
    /// Untagged images so many days after their push.
    Untagged { days: i64 },
    /// Beyond so many with this beginning.
    Beyond { prefix: &'static str, n: u32 },
    /// Anything so many days after its push.
    Any { days: i64 },
}

/// Patterns that the drawn policies use: a word, a beginning with `*`, or everything.
const CHANNELS: [&[&str]; 4] =
    [&["latest"], &["prod", "staging"], &["latest", "prod", "staging"], &["v*", "prod"]];

/// Patterns of what delete rules take.
const LITTER: [&[&str]; 3] = [&["pr-*"], &["c*", "pr-*"], &["v*", "c*"]];

impl Drawn {
    /// A policy for these repositories.
    pub(super) fn draw(dice: &mut Dice, repositories: Vec<String>, known: &[Digest]) -> Self {
        let mut drawn = Self { repositories, ..Self::default() };
        drawn.draw_keep(dice, known);
        if dice.chance(2_000) {
            drawn.draw_lifecycle(dice);
        } else {
            drawn.draw_delete(dice);
        }
        drawn
    }

    fn draw_keep(&mut self, dice: &mut Dice, known: &[Digest]) {
        let count = |dice: &mut Dice| u32::try_from(dice.between(1, 5)).ok();
        if dice.chance(6_000) {
            let tags = dice.one_of(CHANNELS).to_vec();
            self.keep.push(Keep { tags, ..Keep::default() });
        }
        if dice.chance(4_000) {
            let tags = if dice.chance(5_000) { vec!["v*"] } else { Vec::new() };
            let by_letters = dice.chance(4_000);
            self.keep.push(Keep { tags, newest: count(dice), by_letters, ..Keep::default() });
        }
        if dice.chance(3_000) {
            let newer_than_h = Some(24 * dice.within(1, 8));
            self.keep.push(Keep { newer_than_h, ..Keep::default() });
        }
        if dice.chance(3_000) {
            let pulled_within_h = Some(24 * dice.within(1, 8));
            self.keep.push(Keep { pulled_within_h, ..Keep::default() });
        }
        if dice.chance(3_000) {
            let unless_usage_above = Some(1_000_000 * dice.between(5, 40));
            self.keep.push(Keep { newest: count(dice), unless_usage_above, ..Keep::default() });
        }
        if let Some(digest) = dice.pick(known).copied()
            && dice.chance(3_000)
        {
            self.keep.push(Keep { digests: vec![digest], ..Keep::default() });
        }
    }

    fn draw_delete(&mut self, dice: &mut Dice) {
        let days = |dice: &mut Dice| Some(24 * dice.within(1, 10));
        let plain =
            |takes| Delete { takes, older_than_h: None, not_pulled_for_h: None, while_usage_above: None };
        if dice.chance(7_000) {
            self.delete.push(Delete { older_than_h: days(dice), ..plain(Takes::Untagged) });
        }
        if dice.chance(4_000) {
            let takes = Takes::Tags(dice.one_of(LITTER).to_vec());
            self.delete.push(Delete { older_than_h: days(dice), ..plain(takes) });
        }
        if dice.chance(3_000) {
            let rule = Delete { older_than_h: days(dice), ..plain(Takes::Tagged) };
            self.delete.push(Delete { not_pulled_for_h: days(dice), ..rule });
        }
        if dice.chance(3_000) {
            let while_usage_above = Some(1_000_000 * dice.between(4, 30));
            self.delete.push(Delete { while_usage_above, ..plain(Takes::Tagged) });
        }
        if self.delete.is_empty() || dice.chance(4_000) {
            // A rule without an age needs the newest held back, whatever the account.
            let newest = u32::try_from(dice.between(1, 6)).ok();
            self.keep.push(Keep { newest, ..Keep::default() });
            self.delete.push(plain(Takes::Tagged));
        }
    }

    fn draw_lifecycle(&mut self, dice: &mut Dice) {
        let days = |dice: &mut Dice| dice.within(1, 8);
        let n = |dice: &mut Dice| u32::try_from(dice.between(1, 5)).unwrap_or(1);
        if dice.chance(7_000) {
            self.lifecycle.push(Expire::Untagged { days: days(dice) });
        }
        if dice.chance(7_000) {
            let prefix = dice.one_of(["c", "v", "pr-"]);
            self.lifecycle.push(Expire::Beyond { prefix, n: n(dice) });
        }
        if self.lifecycle.is_empty() || dice.chance(3_000) {
            self.lifecycle.push(Expire::Any { days: days(dice) });
        }
    }

    /// The file of `policies.d`; the document beside it bears the project's name.
    pub(super) fn text(&self, project: &str) -> String {
        let mut lines =
            vec![format!("project = \"{project}\""), format!("repositories = {}", list(&self.repositories))];
        if !self.lifecycle.is_empty() {
            lines.push(format!("ecr_lifecycle = \"{project}.json\""));
        }
        for (place, rule) in self.keep.iter().enumerate() {
            lines.extend(["[[keep]]".to_owned(), format!("name = \"keep {place}\"")]);
            lines.extend(rule.lines());
        }
        for (place, rule) in self.delete.iter().enumerate() {
            lines.extend(["[[delete]]".to_owned(), format!("name = \"delete {place}\"")]);
            lines.extend(rule.lines());
        }
        lines.join("\n") + "\n"
    }

    /// The lifecycle document, if there is one.
    pub(super) fn document(&self) -> Option<String> {
        let rules: Vec<_> = (1..).zip(&self.lifecycle).map(|(priority, rule)| rule.json(priority)).collect();
        (!rules.is_empty()).then(|| json!({ "rules": rules }).to_string())
    }
}

impl Keep {
    fn lines(&self) -> Vec<String> {
        let Self { tags, newest, by_letters, newer_than_h, pulled_within_h, digests, unless_usage_above } =
            self;
        let given = [
            (!tags.is_empty()).then(|| format!("tags = {}", list(tags))),
            newest.map(|newest| format!("newest = {newest}")),
            by_letters.then(|| "group_by = \"^([a-z]+)\"".to_owned()),
            newer_than_h.map(|hours| format!("newer_than = \"{hours}h\"")),
            pulled_within_h.map(|hours| format!("pulled_within = \"{hours}h\"")),
            (!digests.is_empty()).then(|| format!("digests = {}", list(digests))),
            unless_usage_above.map(|bytes| format!("unless_usage_above = \"{}MB\"", bytes / 1_000_000)),
        ];
        given.into_iter().flatten().collect()
    }
}

impl Delete {
    fn lines(&self) -> Vec<String> {
        let Self { takes, older_than_h, not_pulled_for_h, while_usage_above } = self;
        let takes = match takes {
            Takes::Untagged => "tagged = false".to_owned(),
            Takes::Tagged => "tagged = true".to_owned(),
            Takes::Tags(tags) => format!("tags = {}", list(tags)),
        };
        let given = [
            Some(takes),
            older_than_h.map(|hours| format!("older_than = \"{hours}h\"")),
            not_pulled_for_h.map(|hours| format!("not_pulled_for = \"{hours}h\"")),
            while_usage_above.map(|bytes| format!("while_usage_above = \"{}MB\"", bytes / 1_000_000)),
        ];
        given.into_iter().flatten().collect()
    }
}

impl Expire {
    fn json(self, priority: usize) -> serde_json::Value {
        let since = |status: &str, days: i64| json!({"tagStatus": status, "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days});
        let selection = match self {
            Self::Untagged { days } => since("untagged", days),
            Self::Any { days } => since("any", days),
            Self::Beyond { prefix, n } => {
                json!({"tagStatus": "tagged", "tagPrefixList": [prefix], "countType": "imageCountMoreThan", "countNumber": n})
            }
        };
        json!({"rulePriority": priority, "description": "drawn", "selection": selection, "action": {"type": "expire"}})
    }
}

/// A list of texts as TOML writes it.
fn list<T: ToString>(texts: &[T]) -> String {
    let quoted: Vec<String> = texts.iter().map(|text| format!("\"{}\"", text.to_string())).collect();
    format!("[{}]", quoted.join(", "))
}

/// Whether a tag matches a drawn pattern: the judge's own matcher, for the few forms that are drawn.
pub(super) fn matches(pattern: &str, tag: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == tag, |start| tag.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawn_pattern_is_a_word_or_a_beginning() {
        assert!(matches("v*", "v1") && matches("prod", "prod"));
        assert!(!matches("v*", "c1") && !matches("prod", "prod2"));
    }

    #[test]
    fn every_shape_is_drawn_by_and_by() {
        let mut dice = Dice::new(1);
        let known = [Digest::from_bytes([1; 32])];
        let drawn: Vec<Drawn> =
            (0..200).map(|_| Drawn::draw(&mut dice, vec!["r".to_owned()], &known)).collect();
        let keep = |is: fn(&Keep) -> bool| drawn.iter().any(|drawn| drawn.keep.iter().any(is));
        assert!(keep(|rule| rule.by_letters) && keep(|rule| !rule.digests.is_empty()));
        assert!(
            keep(|rule| rule.unless_usage_above.is_some()) && keep(|rule| rule.pulled_within_h.is_some())
        );
        assert!(drawn.iter().any(|drawn| drawn.document().is_some()));
        assert!(drawn.iter().all(|drawn| !drawn.delete.is_empty() || !drawn.lifecycle.is_empty()));
    }
}
