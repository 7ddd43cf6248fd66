//! The text of a profile file, read as Oracle's Python SDK and its command line read it: sections in brackets,
//! `key = value` or `key: value`, whole-line comments after `#` or `;`, and `[DEFAULT]` beneath every other profile.
//!
//! Only the two sections that matter are judged; what others wrote into theirs stops nobody. It copies nothing of the
//! text, which may hold a pass phrase.

use std::collections::{BTreeMap, BTreeSet};

use super::ProfileProblem;
use crate::error::clean;

/// The section beneath all others.
const DEFAULT: &str = "DEFAULT";

/// The most names told of a file that lacks the wanted one.
const MAX_NAMES: usize = 20;

/// The keys of one profile.
pub(super) struct Section<'a> {
    own: BTreeMap<String, &'a str>,
    inherited: BTreeMap<String, &'a str>,
}

impl<'a> Section<'a> {
    /// The profile `name` of a file with this text.
    pub(super) fn find(text: &'a str, name: &str) -> Result<Self, ProfileProblem> {
        let mut found = Self { own: BTreeMap::new(), inherited: BTreeMap::new() };
        let mut names = BTreeSet::new();
        let mut current = None;
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim).zip(1..);
        for (content, line) in
            lines.filter(|(content, _)| !content.is_empty() && !content.starts_with(['#', ';']))
        {
            if let Some(title) = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                current = Some(title.trim());
                names.insert(title.trim());
                continue;
            }
            let keys = match current {
                Some(title) if title == name => &mut found.own,
                Some(DEFAULT) => &mut found.inherited,
                _ => continue,
            };
            let (key, value) = content.split_once(['=', ':']).ok_or(ProfileProblem::Syntax { line })?;
            if keys.insert(key.trim().to_ascii_lowercase(), value.trim()).is_some() {
                return Err(ProfileProblem::Duplicate { line });
            }
        }
        if names.contains(name) {
            Ok(found)
        } else {
            let known = names.into_iter().take(MAX_NAMES).map(clean).collect();
            Err(ProfileProblem::NoProfile { known })
        }
    }

    /// The value of `key`, the profile's own or else the inherited one; `None` when it is empty.
    pub(super) fn get(&self, key: &str) -> Option<&'a str> {
        let value = self.own.get(key).or_else(|| self.inherited.get(key));
        value.copied().filter(|value| !value.is_empty())
    }

    /// The value of `key`, if the profile itself has one.
    pub(super) fn own(&self, key: &str) -> Option<&'a str> {
        self.own.get(key).copied().filter(|value| !value.is_empty())
    }

    /// The value of `key`, without which nothing goes; `wanted` says what it should be.
    pub(super) fn required(
        &self,
        key: &'static str,
        wanted: &'static str,
    ) -> Result<&'a str, ProfileProblem> {
        self.get(key).ok_or(ProfileProblem::Missing { key, wanted })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\u{feff}; a comment\n[DEFAULT]\nuser = u\nRegion=lin\n\n# another\n[ other ]\r\n\
                        user: v\r\nregion =\nkey_file = C:/a=b\n[broken]\nno value\n";

    fn get(name: &str, key: &str) -> Option<&'static str> {
        Section::find(TEXT, name).unwrap().get(key)
    }

    #[test]
    fn a_profile_has_its_own_keys_and_beneath_them_the_default_ones() {
        assert_eq!((get("DEFAULT", "user"), get("DEFAULT", "region")), (Some("u"), Some("lin")));
        assert_eq!((get("other", "user"), get("other", "key_file")), (Some("v"), Some("C:/a=b")));
        assert_eq!(Section::find("[DEFAULT]\na=1\n[x]\n", "x").unwrap().get("a"), Some("1"));
    }

    #[test]
    fn an_empty_value_is_none_and_hides_the_inherited_one() {
        assert_eq!(get("other", "region"), None);
    }

    #[test]
    fn only_the_profile_itself_and_the_default_one_are_judged() {
        assert!(matches!(Section::find(TEXT, "broken"), Err(ProfileProblem::Syntax { line: 12 })));
        assert!(matches!(Section::find("[DEFAULT]\nx\n[a]\n", "a"), Err(ProfileProblem::Syntax { line: 2 })));
        let twice = Section::find("[a]\nuser=1\nUSER=2\n", "a");
        assert!(matches!(twice, Err(ProfileProblem::Duplicate { line: 3 })));
    }

    #[test]
    fn a_profile_that_is_not_there_is_told_with_those_that_are() {
        let Err(problem) = Section::find(TEXT, "prod") else { panic!("found") };
        let text = problem.to_string();
        assert!(text.contains(r#""DEFAULT", "broken", "other""#), "{text}");
        let Err(problem) = Section::find("user=1\n", "DEFAULT") else { panic!("found") };
        assert!(problem.to_string().ends_with("has none"), "{problem}");
    }
}
