//! Who may go with whom (S-6): heads by a rule, members with their head, rests after it. What anything else holds stays.

use std::collections::BTreeSet;

use ocird_model::{Decision, DeleteReason, Digest, KeepReason, RuleName, Verdict};

use super::Report;
use super::world::{Ties, World, above_circles, is_chosen};

pub(super) fn check(world: &World<'_>, ties: &Ties, report: &mut Report<'_>) {
    let present: BTreeSet<Digest> = world.images().map(|(_, image)| image.digest).collect();
    let beneath = beneath_heads(world, ties);
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
                check_member(world, ties, place, rule, report);
                if !beneath[place] {
                    report.image(decision.digest, "S-6", "its head does not carry it");
                }
            }
            Verdict::Delete(DeleteReason::Rest) => {
                let head = world.repository.rests.get(&decision.digest);
                if head.is_none_or(|head| present.contains(head)) {
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

/// Every holder must go under the same head by the same rule; otherwise something that stays, or may yet stay, needs it.
fn check_member(world: &World<'_>, ties: &Ties, place: usize, rule: &RuleName, report: &mut Report<'_>) {
    let decision = &world.decisions[place];
    for &holder in &ties.holders[place] {
        let above = &world.decisions[holder];
        let by = match &above.verdict {
            Verdict::Delete(DeleteReason::Rule { rule } | DeleteReason::WithHead { rule }) => Some(rule),
            Verdict::Delete(DeleteReason::Rest) | Verdict::Keep(_) => None,
        };
        if by != Some(rule) || above.head != decision.head {
            let text = format!("{} holds it and does not go with its family", above.digest.short());
            report.image(decision.digest, "S-6", text);
        }
    }
}

/// What the heads that go by a rule reach without leaving their own family.
fn beneath_heads(world: &World<'_>, ties: &Ties) -> Vec<bool> {
    let goes_as_head = |decision: &Decision| match &decision.verdict {
        Verdict::Delete(DeleteReason::Rule { rule: _ }) => true,
        Verdict::Delete(DeleteReason::WithHead { rule: _ } | DeleteReason::Rest) | Verdict::Keep(_) => false,
    };
    let mut beneath = vec![false; world.decisions.len()];
    let mut open: Vec<usize> =
        (0..world.decisions.len()).filter(|&place| goes_as_head(&world.decisions[place])).collect();
    while let Some(place) = open.pop() {
        for &next in &ties.carried[place] {
            let is_same_family = world.decisions[next].head == world.decisions[place].head;
            if is_same_family && !std::mem::replace(&mut beneath[next], true) {
                open.push(next);
            }
        }
    }
    beneath
}
