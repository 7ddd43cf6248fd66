//! Who may go with whom (S-6): heads by a rule, members with their head, rests after it. What anything else holds stays.

use ocird_model::{Decision, DeleteReason, KeepReason, RuleName, Verdict};

use super::Report;
use super::world::{Ties, World, above_circles, is_chosen, times};

pub(super) fn check(world: &World<'_>, ties: &Ties, report: &mut Report<'_>) {
    let headless = world.headless();
    let heads = newest_heads(world, ties);
    let circular = above_circles(ties);
    for (place, decision) in world.decisions.iter().enumerate() {
        if circular[place] && is_chosen(&decision.verdict) {
            report.image(decision.digest, "S-6", "references go round in a circle below it");
        }
        match &decision.verdict {
            Verdict::Delete(DeleteReason::Rule { rule: _ })
            | Verdict::Keep(KeepReason::Spared { rule: _ }) => check_head(decision, place, ties, report),
            Verdict::Keep(_) => {}
            Verdict::Delete(DeleteReason::WithHead { rule }) => {
                check_member(world, ties, place, rule, &heads, report);
            }
            Verdict::Delete(DeleteReason::Rest) => {
                if !headless[place] {
                    report.image(decision.digest, "S-6", "it is no rest of a family whose head is gone");
                }
                check_head(decision, place, ties, report);
            }
        }
    }
}

fn check_head(decision: &Decision, place: usize, ties: &Ties, report: &mut Report<'_>) {
    if !ties.holders[place].is_empty() {
        report.image(decision.digest, "S-6", "an index names it or its subject is there, so it is no head");
    }
    if decision.head != decision.digest {
        report.image(decision.digest, "S-6", "it is to go as a head, but has another head");
    }
}

/// Every holder must go as well; otherwise something that stays, or may yet stay, needs it. It must go with the newest head
/// above it: heads go oldest first, so the last of them takes it along.
fn check_member(
    world: &World<'_>,
    ties: &Ties,
    place: usize,
    rule: &RuleName,
    heads: &[Option<usize>],
    report: &mut Report<'_>,
) {
    let decision = &world.decisions[place];
    for above in ties.holders[place].iter().map(|&holder| &world.decisions[holder]) {
        if rule_of(&above.verdict).is_none() {
            let text = format!("{} holds it and does not go by a rule", above.digest.short());
            report.image(decision.digest, "S-6", text);
        }
    }
    match heads[place].map(|head| &world.decisions[head]) {
        Some(head) if head.digest != decision.head => {
            report.image(decision.digest, "S-6", format!("{} carries it and goes last", head.digest.short()));
        }
        Some(head) if rule_of(&head.verdict) != Some(rule) => {
            report.image(decision.digest, "S-6", "it is to go by another rule than its head");
        }
        Some(_) => {}
        None => report.image(decision.digest, "S-6", "its head does not carry it"),
    }
}

/// The rule by which something goes, itself or with its head.
const fn rule_of(verdict: &Verdict) -> Option<&RuleName> {
    match verdict {
        Verdict::Delete(DeleteReason::Rule { rule } | DeleteReason::WithHead { rule }) => Some(rule),
        Verdict::Delete(DeleteReason::Rest) | Verdict::Keep(_) => None,
    }
}

/// For each image that heads reach which go by a rule the newest of them: from the newest head on, everything below it that no
/// newer one reaches.
fn newest_heads(world: &World<'_>, ties: &Ties) -> Vec<Option<usize>> {
    let goes_as_head = |place: &usize| match &world.decisions[*place].verdict {
        Verdict::Delete(DeleteReason::Rule { rule: _ }) => true,
        Verdict::Delete(DeleteReason::WithHead { rule: _ } | DeleteReason::Rest) | Verdict::Keep(_) => false,
    };
    let mut heads: Vec<usize> = (0..world.decisions.len()).filter(goes_as_head).collect();
    heads.sort_by_key(|&head| (times(&world.repository.images[head]).flatten().max(), head));
    let mut newest = vec![None; world.decisions.len()];
    for head in heads.into_iter().rev() {
        let mut open = vec![head];
        while let Some(place) = open.pop() {
            for &next in &ties.carried[place] {
                if newest[next].is_none() {
                    newest[next] = Some(head);
                    open.push(next);
                }
            }
        }
    }
    newest
}
