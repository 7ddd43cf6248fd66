//! What the rules of one document must be to each other.

use std::collections::BTreeSet;

use ocird_model::EcrTags;

use super::{Check, Written};

/// Priorities are unique, `any` comes last and once, `untagged` once, and a prefix belongs to one rule.
pub(super) fn check_together(rules: &[Written], check: &mut Check<'_>) {
    let mut priorities = BTreeSet::new();
    for written in rules {
        let priority = written.rule.priority;
        if !priorities.insert(priority) {
            check.problem(&written.priority, format!("two rules have the priority {priority}"));
        }
    }
    check_once(rules, &EcrTags::Untagged, "untagged", check);
    check_once(rules, &EcrTags::Any, "any", check);
    let last = priorities.last();
    for written in rules.iter().filter(|written| written.rule.tags == EcrTags::Any) {
        if last != Some(&written.rule.priority) {
            let text = "a rule about \"any\" must have the highest rulePriority of all";
            check.problem(&written.priority, text);
        }
    }
    check_prefixes(rules, check);
}

fn check_once(rules: &[Written], tags: &EcrTags, word: &str, check: &mut Check<'_>) {
    for written in rules.iter().filter(|written| written.rule.tags == *tags).skip(1) {
        check.problem(&written.tag_status, format!("only one rule may be about {word:?}"));
    }
}

fn check_prefixes(rules: &[Written], check: &mut Check<'_>) {
    let mut used = BTreeSet::new();
    for written in rules {
        let EcrTags::Prefixes(prefixes) = &written.rule.tags else { continue };
        let own: BTreeSet<&str> = prefixes.iter().map(String::as_str).collect();
        for (prefix, span) in prefixes.iter().zip(&written.prefixes) {
            if used.contains(prefix.as_str()) {
                check.problem(span, format!("another rule is about the prefix {prefix:?} already"));
            }
        }
        used.extend(own);
    }
}
