//! Single values: counts, durations, patterns, paths, addresses. What is wrong with one is taken down, and a stand-in is
//! returned so that the rest can still be checked; with a problem on record no stand-in is ever used.

use std::error::Error;
use std::fmt::Display;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::TimeDelta;
use ocird_model::{Bytes, Pattern, Patterns, Rule};
use toml::Spanned;

use super::raw::{DurationText, SizeText};
use super::source::Check;

/// The largest count of anything: a repository holds at most 100,000 images, so more is a slip of the hand.
const MAX_COUNT: u32 = 100_000;
/// The longest duration, a hundred years: far beyond every image, and safe to subtract from any date.
pub(super) const LONGEST: TimeDelta = TimeDelta::days(36_500);
/// The metadata service's own addresses, where it speaks plain http.
/// <https://docs.oracle.com/en-us/iaas/Content/Compute/Tasks/gettingmetadata.htm>
const METADATA_ADDRESSES: [&str; 2] = ["169.254.169.254", "fd00:c1::a9fe:a9fe"];

/// Which plain http an endpoint may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PlainHttp {
    /// On loopback addresses: a simulated cloud.
    Loopback,
    /// There, and at the metadata service's link-local addresses.
    LoopbackOrMetadata,
}

impl Check<'_> {
    /// A count of at least 1.
    pub(super) fn count(&mut self, given: Option<&Spanned<i64>>, key: &str) -> Option<NonZeroU32> {
        self.count_up_to(MAX_COUNT, given, key)
    }

    /// A count from 1 to `most`.
    pub(super) fn count_up_to(
        &mut self,
        most: u32,
        given: Option<&Spanned<i64>>,
        key: &str,
    ) -> Option<NonZeroU32> {
        let given = given?;
        let count = u32::try_from(*given.get_ref()).ok().and_then(NonZeroU32::new);
        match count {
            Some(count) if count.get() <= most => Some(count),
            _ => {
                self.problem(&given.span(), format!("{key} must be a number from 1 to {most}"));
                None
            }
        }
    }

    /// A duration within bounds.
    pub(super) fn duration(
        &mut self,
        given: Option<&Spanned<DurationText>>,
        key: &str,
        (shortest, longest): (TimeDelta, TimeDelta),
    ) -> Option<TimeDelta> {
        let given = given?;
        let text = &given.get_ref().0;
        let parsed = humantime::parse_duration(text);
        let duration = parsed.ok().map(|duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX));
        let problem = match duration {
            None => format!(
                "{key}: {text:?} is not a duration; write a number and its unit, such as \"14d\" or \"36h\""
            ),
            Some(duration) if duration < shortest => {
                let hint = if text.contains('m') { " (m is minutes; write months in full)" } else { "" };
                format!("{key} must be at least {}{hint}", in_words(shortest))
            }
            Some(duration) if duration > longest => format!("{key} must be at most {}", in_words(longest)),
            Some(duration) => return Some(duration),
        };
        self.problem(&given.span(), problem);
        None
    }

    /// A size within bounds.
    pub(super) fn size(
        &mut self,
        given: Option<&Spanned<SizeText>>,
        key: &str,
        (smallest, largest): (Bytes, Bytes),
    ) -> Option<Bytes> {
        let given = given?;
        let problem = match given.get_ref().0.parse::<Bytes>() {
            Err(error) => format!("{key}: {error}"),
            Ok(size) if size < smallest => format!("{key} must be at least {smallest}"),
            Ok(size) if size > largest => format!("{key} must be at most {largest}"),
            Ok(size) => return Some(size),
        };
        self.problem(&given.span(), problem);
        None
    }

    /// A text that a type of its own can read.
    pub(super) fn parsed<T>(&mut self, text: &str, span: &Range<usize>) -> Option<T>
    where
        T: FromStr,
        T::Err: Error,
    {
        match text.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.problem(span, with_cause(&error));
                None
            }
        }
    }

    /// Every item of a list, each read by a type of its own. An empty list and an item twice are problems (S-11).
    pub(super) fn list<T>(
        &mut self,
        given: &Spanned<Vec<Spanned<String>>>,
        key: &str,
    ) -> Vec<(Range<usize>, T)>
    where
        T: FromStr,
        T::Err: Error,
    {
        let items = self.words(given, key);
        items.into_iter().filter_map(|(span, text)| Some((span.clone(), self.parsed(text, &span)?))).collect()
    }

    /// Every text of a list, none blank and none twice; a list that is given has at least one (S-11).
    pub(super) fn words<'g>(
        &mut self,
        given: &'g Spanned<Vec<Spanned<String>>>,
        key: &str,
    ) -> Vec<(Range<usize>, &'g str)> {
        let items = given.get_ref();
        if items.is_empty() {
            self.empty_list(&given.span(), key);
        }
        let mut words: Vec<(Range<usize>, &str)> = Vec::new();
        for item in items {
            let text = item.get_ref().as_str();
            if words.iter().any(|(_, word)| *word == text) {
                self.problem(&item.span(), format!("{key} names {text:?} twice"));
            } else if text.trim().is_empty() {
                self.problem(
                    &item.span(),
                    format!("{key} has a blank item, which is never \"all\"; write \"*\" if that is meant"),
                );
            } else {
                words.push((item.span(), text));
            }
        }
        words
    }

    /// A list may also be empty because what stood in it was cut out, which is on record then.
    fn empty_list(&mut self, span: &Range<usize>, key: &str) {
        let text = format!("{key} is empty, which is never \"all\"; name something, or leave it out");
        let written = self.source.text.get(span.clone()).unwrap_or_default();
        if written.trim_matches(['[', ']']).trim().is_empty() {
            self.problem(span, text);
        } else {
            self.missing(Some(span), text);
        }
    }

    /// A table may also be empty because what stood in it was cut out, which is on record then.
    pub(super) fn empty_table(&mut self, span: &Range<usize>, text: &str) {
        if self.has_holes {
            self.missing(Some(span), text);
        } else {
            self.problem(span, text);
        }
    }

    /// Patterns, with the place of each. `None` when there is none that can be used.
    pub(super) fn patterns(
        &mut self,
        given: Option<&Spanned<Vec<Spanned<String>>>>,
        key: &str,
    ) -> Option<(Vec<Range<usize>>, Patterns)> {
        let (spans, patterns): (Vec<_>, Vec<Pattern>) = self.list(given?, key).into_iter().unzip();
        for (span, pattern) in spans.iter().zip(&patterns) {
            // Of another dialect, it would match nothing, or other than was meant (S-12).
            if let Some(letter) = impossible_letter(pattern.as_str(), key).filter(|_| Rule::S12.in_force()) {
                let text = format!(
                    "{key}: no name there has {letter:?} in it, so that this would match nothing; it is a glob with \
                     *, ?, [a-z] and {{a,b}}, and the whole name must match"
                );
                self.problem(span, text);
            }
        }
        Some((spans, Patterns::new(patterns)?))
    }

    /// A text that says something: not blank, and plain enough for a log line.
    pub(super) fn text(&mut self, given: Option<&Spanned<String>>, key: &str) -> Option<String> {
        let given = given?;
        let text = given.get_ref();
        if text.trim().is_empty() || text.chars().any(char::is_control) {
            self.problem(&given.span(), format!("{key} is blank or has control characters"));
            return None;
        }
        Some(text.clone())
    }

    /// A path; a relative one counts from the directory of the file it stands in.
    pub(super) fn path(&mut self, given: Option<&Spanned<String>>, key: &str) -> Option<PathBuf> {
        let text = self.text(given, key)?;
        Some(self.source.directory().join(text))
    }

    /// The base URL of an endpoint.
    pub(super) fn endpoint(
        &mut self,
        given: Option<&Spanned<String>>,
        key: &str,
        plain: PlainHttp,
    ) -> Option<String> {
        let given = given?;
        match endpoint(given.get_ref(), plain) {
            Ok(url) => Some(url),
            Err(why) => {
                self.problem(&given.span(), format!("{key} {why}"));
                None
            }
        }
    }
}

/// The first character of a pattern that means nothing in a glob and is in no name: what was meant is a regular
/// expression, a list in one text or a negation, and a keep rule with it would hold nothing.
fn impossible_letter(pattern: &str, key: &str) -> Option<char> {
    let (mut previous, mut depth) = (' ', 0_u32);
    pattern.chars().find(|&letter| {
        match letter {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let is_possible = match letter {
            '!' | '^' => previous == '[',
            ',' => depth > 0,
            '/' => key != "tags",
            '_' | '.' | '-' | '*' | '?' | '[' | ']' | '{' | '}' => true,
            _ => letter.is_ascii_alphanumeric(),
        };
        previous = letter;
        !is_possible
    })
}

/// A base URL without its trailing slash, or the end of a sentence that says what is wrong with it.
pub(super) fn endpoint(text: &str, plain: PlainHttp) -> Result<String, String> {
    let url: reqwest::Url =
        text.parse().map_err(|error| format!("is not a URL such as \"https://host\": {error}"))?;
    let is_plain = !url.username().is_empty()
        || url.password().is_some()
        || url.query().is_some()
        || url.fragment().is_some();
    let host = url.host_str().unwrap_or_default();
    match url.scheme() {
        _ if is_plain => Err("must have no user, password, query or fragment".to_owned()),
        "https" if !host.is_empty() => Ok(text.trim_end_matches('/').to_owned()),
        "http" if may_be_plain(host, plain) => Ok(text.trim_end_matches('/').to_owned()),
        "http" => Err("must be https; plain http is for loopback addresses".to_owned()),
        _ => Err("must start with https://".to_owned()),
    }
}

fn may_be_plain(host: &str, plain: PlainHttp) -> bool {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    let address: Option<IpAddr> = literal.parse().ok();
    let is_loopback = host == "localhost" || address.is_some_and(|address| address.is_loopback());
    is_loopback || (plain == PlainHttp::LoopbackOrMetadata && METADATA_ADDRESSES.contains(&literal))
}

/// A duration as people write it.
pub(super) fn in_words(duration: TimeDelta) -> impl Display {
    humantime::format_duration(duration.to_std().unwrap_or_default())
}

/// An error with what is beneath it.
fn with_cause(error: &dyn Error) -> String {
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_loopback_and_the_metadata_service() {
        let cases = [
            ("https://auth.eu-milan-1.oraclecloud.com", true, true),
            ("http://127.0.0.1:8080/", true, true),
            ("http://localhost:1/opc/v2", true, true),
            ("http://[::1]:8080", true, true),
            ("http://169.254.169.254/opc/v2", false, true),
            ("http://[fd00:c1::a9fe:a9fe]/opc/v2", false, true),
            ("http://10.0.0.1", false, false),
            ("http://localhost.evil.example", false, false),
            ("http://127.0.0.1@evil.example", false, false),
            ("https://user:pw@host", false, false),
            ("https://host/?a=b", false, false),
            ("ftp://127.0.0.1", false, false),
            ("unix:/run/x", false, false),
            ("auth.eu-milan-1.oraclecloud.com", false, false),
            ("", false, false),
        ];
        for (text, plain, metadata) in cases {
            assert_eq!(endpoint(text, PlainHttp::Loopback).is_ok(), plain, "{text}");
            assert_eq!(endpoint(text, PlainHttp::LoopbackOrMetadata).is_ok(), metadata, "{text}");
        }
    }

    #[test]
    fn an_endpoint_loses_its_trailing_slash() {
        assert_eq!(endpoint("https://host/a/", PlainHttp::Loopback).unwrap(), "https://host/a");
    }
}
