//! What an Amazon ECR lifecycle document expires, by ECR's own rules: every rule looks at the whole set; an image belongs
//! to the best rule whose tag requirement it meets and goes by that rule or not at all; worse rules still count it.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html>
//!
//! Four things are stricter than there. An image whose push time is not known neither goes nor takes a place from others.
//! What ties with the last of the newest stays. And a rule about any image neither takes nor counts what speaks about an image
//! of another repository: it is no image of this one, and only a rule that spells its tags out is about it. And an image that is
//! said to take no place, as a person held it, is not counted among the newest.
//!
//! Not here: families, keep reasons and guardrails, which are the planner's.

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{EcrCount, EcrLifecycle, EcrRule, EcrTags};

/// An image as ECR's rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EcrImage<'a> {
    /// Its tags.
    pub tags: Vec<&'a str>,
    /// When it was pushed; `None` when that is not known.
    pub pushed_at: Option<DateTime<Utc>>,
    /// It speaks about an image that is not in its repository.
    pub is_abroad: bool,
    /// A rule about so many newest does not count it, and takes it only when it is older than all that it keeps.
    pub takes_no_place: bool,
}

/// By which rule an image expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// The place of the rule in the document's order.
    pub rule: usize,
    /// What was pushed at this instant or later does not go by the rule.
    pub before: DateTime<Utc>,
}

/// For each image whether it expires. What belongs together must be given as one image.
pub fn expired(lifecycle: &EcrLifecycle, images: &[EcrImage<'_>], now: DateTime<Utc>) -> Vec<Option<Expiry>> {
    let mut expired = vec![None; images.len()];
    let mut is_owned = vec![false; images.len()];
    for (number, rule) in lifecycle.rules().iter().enumerate() {
        let meets: Vec<bool> = images.iter().map(|image| is_about(rule, image)).collect();
        let before = limit(rule, images, &meets, now);
        for (place, image) in images.iter().enumerate().filter(|(place, _)| meets[*place]) {
            let is_first = !std::mem::replace(&mut is_owned[place], true);
            let times = image.pushed_at.zip(before).filter(|(pushed_at, before)| pushed_at < before);
            if is_first && let Some((_, before)) = times {
                expired[place] = Some(Expiry { rule: number, before });
            }
        }
    }
    expired
}

fn is_about(rule: &EcrRule, image: &EcrImage<'_>) -> bool {
    let is_about_any = match rule.tags {
        EcrTags::Any => true,
        EcrTags::Untagged | EcrTags::Prefixes(_) | EcrTags::Patterns(_) => false,
    };
    rule.tags.are_met_by(&image.tags) && !(is_about_any && image.is_abroad)
}

/// The instant before which an image must have been pushed to go by the rule; `None` when none goes.
fn limit(
    rule: &EcrRule,
    images: &[EcrImage<'_>],
    meets: &[bool],
    now: DateTime<Utc>,
) -> Option<DateTime<Utc>> {
    match rule.expires {
        EcrCount::DaysSincePush(days) => now.checked_sub_signed(TimeDelta::days(days.get().into())),
        EcrCount::BeyondNewest(n_kept) => {
            let counted = images.iter().zip(meets).filter(|(image, meets)| **meets && !image.takes_no_place);
            let mut times: Vec<_> = counted.filter_map(|(image, _)| image.pushed_at).collect();
            let last = times.len().checked_sub(usize::try_from(n_kept.get()).ok()?)?;
            Some(*times.select_nth_unstable(last).1)
        }
    }
}
