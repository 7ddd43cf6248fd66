//! What rules and guardrails said, in words.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Digest, EcrCount, EcrPattern, EcrTags, Tag};
use ocird_plan::{Answer, Asks, Condition, Guardrail, LineSays, Place, Pulled};

use crate::plan_table::age;

/// The most names that one condition lists.
const MAX_LISTED: usize = 5;

/// One condition and what it found, as it is at `at`.
pub(super) fn condition(condition: &Condition, at: DateTime<Utc>) -> String {
    let Condition { asks, answer } = condition;
    let holds = *answer == Answer::Holds;
    if *answer == Answer::NotAsked {
        return format!("{}: not asked of what is left of a family", subject(asks));
    }
    match asks {
        Asks::AnyTag { patterns, matching } if matching.is_empty() => format!("no tag matches {patterns}"),
        Asks::AnyTag { patterns: _, matching } if matching.len() == 1 => {
            format!("tag {} matches", joined(matching))
        }
        Asks::AnyTag { patterns: _, matching } => format!("tags {} match", joined(matching)),
        Asks::Newest { n, group_by: _, places } => newest(*n, places, holds),
        Asks::NewerThan { seconds, since } => {
            format!("{}, younger than {} stays", aged(*since, at), span(*seconds))
        }
        Asks::PulledWithin { seconds, pulled: last } => {
            format!("{}, within {} stays", pulled(*last, at), span(*seconds))
        }
        Asks::Digests { n: _ } if holds => "it is one of the digests".to_owned(),
        Asks::Digests { n } => format!("it is none of the {n} digests"),
        Asks::ResourceTags { patterns: _, is_unknown: true } => "its resource tags are not known".to_owned(),
        Asks::ResourceTags { patterns, is_unknown: false } => {
            let wanted: Vec<String> =
                patterns.iter().map(|(name, value)| format!("{name} = {value}")).collect();
            let verb = if holds { "bears" } else { "does not bear" };
            format!("{verb} {}", wanted.join(", "))
        }
        Asks::Untagged { tags } if tags.is_empty() => "untagged".to_owned(),
        Asks::Untagged { tags } => format!("tagged {}", borne(tags)),
        Asks::Tagged { tags: _ } if holds => "tagged".to_owned(),
        Asks::Tagged { tags: _ } => "untagged".to_owned(),
        Asks::EveryTag { patterns, others } if others.is_empty() && !holds => {
            format!("no tag that could match {patterns}")
        }
        Asks::EveryTag { patterns, others } if others.is_empty() => format!("every tag matches {patterns}"),
        Asks::EveryTag { patterns, others } => format!("{} does not match {patterns}", borne(others)),
        Asks::Lifecycle { rule, tags: _, since } => {
            let about = match &rule.tags {
                EcrTags::Untagged => "untagged".to_owned(),
                EcrTags::Any => "any".to_owned(),
                EcrTags::Prefixes(prefixes) => format!("tags that begin with {}", prefixes.join(" and ")),
                EcrTags::Patterns(patterns) => {
                    let patterns: Vec<&str> = patterns.iter().map(EcrPattern::as_str).collect();
                    format!("tags like {}", patterns.join(" and "))
                }
            };
            let expires = match rule.expires {
                EcrCount::BeyondNewest(n) => format!("all but the {n} newest"),
                EcrCount::DaysSincePush(days) => format!("after {days} d"),
            };
            format!("expires {expires} of {about}; {}", aged(*since, at))
        }
        Asks::OlderThan { seconds, since } => {
            format!("{}, at least {} goes", aged(*since, at), span(*seconds))
        }
        Asks::NotPulledFor { seconds, since, pulled: last } => {
            format!("{}, {}, unused for {} goes", pulled(*last, at), aged(*since, at), span(*seconds))
        }
    }
}

/// What a condition is about.
fn subject(asks: &Asks) -> &'static str {
    match asks {
        Asks::Newest { .. } => "place",
        Asks::NewerThan { .. } | Asks::OlderThan { .. } => "age",
        Asks::PulledWithin { .. } | Asks::NotPulledFor { .. } => "pulls",
        Asks::AnyTag { .. } | Asks::Untagged { .. } | Asks::Tagged { .. } | Asks::EveryTag { .. } => "tags",
        Asks::Digests { .. } => "digest",
        Asks::ResourceTags { .. } => "resource tags",
        Asks::Lifecycle { .. } => "lifecycle document",
    }
}

/// `4th newest of 20, 10 stay`.
fn newest(n: u32, places: &[Place], holds: bool) -> String {
    if places.is_empty() {
        let why = if holds { "as new as the last place" } else { "takes no place" };
        return format!("{why}, {n} stay");
    }
    let told = places.iter().map(|Place { group, rank, of }| {
        let of_group = if group.is_empty() { String::new() } else { format!(" in group {group}") };
        format!("{} newest of {of}{of_group}", ordinal(*rank))
    });
    format!("{}, {n} stay", told.collect::<Vec<_>>().join("; "))
}

fn ordinal(n: usize) -> String {
    let ending = match (n % 10, n % 100) {
        (1, 1 | 21..) => "st",
        (2, 2 | 22..) => "nd",
        (3, 3 | 23..) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

/// A guardrail and what it found.
pub(super) fn guardrail(guardrail: &Guardrail, itself: bool, at: DateTime<Utc>) -> (&'static str, String) {
    match guardrail {
        Guardrail::MinNewest { n, place } => ("newest", newest(*n, place.as_slice(), itself)),
        Guardrail::MinAge { seconds, since } => {
            ("age", format!("{}, younger than {} stays", aged(*since, at), span(*seconds)))
        }
        Guardrail::PlausibleTimes if itself => ("times", "one is absent or cannot be true".to_owned()),
        Guardrail::PlausibleTimes => ("times", "every one is plausible".to_owned()),
        Guardrail::SubjectElsewhere { subject, is_there } => {
            let where_it_is = match is_there {
                Some(true) => "which another repository has",
                Some(false) => "which no repository has that is watched",
                None => "which a repository that could not be read may have",
            };
            ("subject", format!("{}, {where_it_is}", subject.short()))
        }
    }
}

/// A line and what the account said.
pub(super) fn line(says: LineSays) -> String {
    let LineSays { line, is_exceeded } = says;
    match is_exceeded {
        Some(true) => format!("usage is above {line}"),
        Some(false) => format!("usage is not above {line}"),
        None => format!("whether usage is above {line} is not known"),
    }
}

pub(super) fn pulled(pulled: Pulled, at: DateTime<Utc>) -> String {
    match pulled {
        Pulled::Never => "never pulled".to_owned(),
        Pulled::At { at: then } => format!("pulled {} ago", age(at - then)),
        Pulled::Unknown => "perhaps pulled just now".to_owned(),
    }
}

fn aged(since: Option<DateTime<Utc>>, at: DateTime<Utc>) -> String {
    since.map_or_else(|| "of unknown age".to_owned(), |since| format!("{} old", age(at - since)))
}

fn span(seconds: i64) -> String {
    age(TimeDelta::seconds(seconds))
}

fn joined(tags: &[Tag]) -> String {
    short_list(tags.iter().map(ToString::to_string).collect())
}

fn borne(tags: &[(Digest, Tag)]) -> String {
    short_list(tags.iter().map(|(_, tag)| tag.to_string()).collect())
}

/// Digests, as short as people write them.
pub(super) fn digests(digests: &[Digest]) -> String {
    short_list(digests.iter().map(Digest::short).collect())
}

fn short_list(mut names: Vec<String>) -> String {
    let n_more = names.len().saturating_sub(MAX_LISTED);
    names.truncate(MAX_LISTED);
    let more = if n_more > 0 { format!(" and {n_more} more") } else { String::new() };
    format!("{}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_told_as_people_count() {
        let told = [1, 2, 3, 4, 11, 12, 13, 21, 22, 101, 111, 112].map(ordinal);
        assert_eq!(told.join(" "), "1st 2nd 3rd 4th 11th 12th 13th 21st 22nd 101st 111th 112th");
        let place = Place { group: "1.2".to_owned(), rank: 3, of: 7 };
        assert_eq!(newest(2, &[place], false), "3rd newest of 7 in group 1.2, 2 stay");
        assert_eq!(newest(2, &[], false), "takes no place, 2 stay");
    }
}
