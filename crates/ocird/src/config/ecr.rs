//! From an Amazon ECR lifecycle policy document to its rules. The whole grammar that Amazon documents is read; what a
//! registry without storage classes cannot do is refused with a reason of its own, so that nobody believes it done.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>
//!
//! Every problem is named at once, each at its place in the document.

mod json;
mod rules;

use std::num::NonZeroU32;
use std::ops::Range;

use jsonc_parser::ast::Value;
use ocird_model::{EcrCount, EcrLifecycle, EcrPattern, EcrRule, EcrTags};

use self::json::Node;
use super::source::Check;

/// Amazon's own bound on the rules of one document.
const MAX_RULES: usize = 50;

/// Reads a document. `None` when something of it is wrong, which is on record then.
pub(super) fn read(check: &mut Check<'_>) -> Option<EcrLifecycle> {
    let text = &check.source.text;
    let document = match json::parse(text) {
        Ok(document) => document,
        Err((span, text)) => {
            check.problem(&span, text);
            return None;
        }
    };
    let n_before = check.findings.problems.len();
    let rules = all_rules(&document, check);
    let lifecycle = EcrLifecycle::new(rules);
    (check.findings.problems.len() == n_before).then_some(lifecycle).flatten()
}

fn all_rules(document: &Value<'_>, check: &mut Check<'_>) -> Vec<EcrRule> {
    let whole = Node::new("the document", document);
    let Some(object) = whole.object(&["rules"], check) else {
        return Vec::new();
    };
    let Some(list) = object.needed("rules", check).and_then(|rules| rules.list(check)) else {
        return Vec::new();
    };
    if list.items.is_empty() {
        check.problem(&list.span, "a lifecycle document needs at least one rule");
    }
    if list.items.len() > MAX_RULES {
        check.problem(&list.span, format!("a lifecycle document has {MAX_RULES} rules at most"));
    }
    let written: Vec<Written> = list.items.iter().filter_map(|rule| one_rule(rule, check)).collect();
    rules::check_together(&written, check);
    written.into_iter().map(|written| written.rule).collect()
}

/// A rule with the places that concern the others.
struct Written {
    rule: EcrRule,
    priority: Range<usize>,
    tag_status: Range<usize>,
    /// The place of each prefix, in the same order.
    prefixes: Vec<Range<usize>>,
}

fn one_rule(rule: &Node<'_, '_>, check: &mut Check<'_>) -> Option<Written> {
    let rule = rule.object(&["rulePriority", "description", "selection", "action"], check)?;
    let given = rule.needed("rulePriority", check);
    let priority = given.as_ref().and_then(|priority| priority.positive(check));
    if let Some(description) = rule.get("description") {
        description.text(check);
    }
    let action = rule.needed("action", check).and_then(|action| expire(&action, check));
    let selection = rule.needed("selection", check).and_then(|selection| select(&selection, check));
    let (Selection { tags, tag_status, prefixes, expires }, ()) = (selection?, action?);
    let priority_span = given?.span();
    let priority = priority?;
    let name = format!("lifecycle rule {priority}").parse().expect("plain words and a number are a name");
    let rule = EcrRule { priority, name, tags, expires };
    Some(Written { rule, priority: priority_span, tag_status, prefixes })
}

fn expire(action: &Node<'_, '_>, check: &mut Check<'_>) -> Option<()> {
    let action = action.object(&["type", "targetStorageClass"], check)?;
    let kind = action.needed("type", check)?;
    let target = action.get("targetStorageClass");
    match kind.text(check)? {
        "expire" => {
            if let Some(target) = &target {
                check.problem(&target.span(), "targetStorageClass belongs to the action \"transition\" only");
            }
            target.is_none().then_some(())
        }
        "transition" => {
            let why = "this registry has no archive to move images to; say \"expire\", or leave the rule out";
            check.problem(&kind.span(), why);
            if target.is_none() {
                check.problem(&kind.span(), "the action \"transition\" needs targetStorageClass");
            }
            None
        }
        other => {
            check.problem(&kind.span(), format!("unknown action {other:?}; there is \"expire\""));
            None
        }
    }
}

/// What `selection` says.
struct Selection {
    tags: EcrTags,
    tag_status: Range<usize>,
    prefixes: Vec<Range<usize>>,
    expires: EcrCount,
}

const SELECTION: [&str; 7] =
    ["tagStatus", "tagPatternList", "tagPrefixList", "storageClass", "countType", "countUnit", "countNumber"];

fn select(selection: &Node<'_, '_>, check: &mut Check<'_>) -> Option<Selection> {
    let selection = selection.object(&SELECTION, check)?;
    let class = selection.get("storageClass").map(|class| storage_class(&class, check));
    let status = selection.needed("tagStatus", check);
    let tags = status.as_ref().and_then(|status| tags(status, &selection, check));
    let expires = count(&selection, check);
    if class == Some(None) {
        return None;
    }
    let (tags, prefixes) = tags?;
    Some(Selection { tags, tag_status: status?.span(), prefixes, expires: expires? })
}

fn storage_class(class: &Node<'_, '_>, check: &mut Check<'_>) -> Option<()> {
    match class.text(check)? {
        "standard" => Some(()),
        "archive" => {
            check.problem(&class.span(), "this registry has no archive, so the rule is about nothing");
            None
        }
        other => {
            check.problem(&class.span(), format!("unknown storage class {other:?}"));
            None
        }
    }
}

/// The tag requirement, with the places of the prefixes.
fn tags(
    status: &Node<'_, '_>,
    selection: &json::Object<'_, '_>,
    check: &mut Check<'_>,
) -> Option<(EcrTags, Vec<Range<usize>>)> {
    let (prefixes, patterns) = (selection.get("tagPrefixList"), selection.get("tagPatternList"));
    let kind = status.text(check)?;
    match (kind, prefixes, patterns) {
        ("untagged", None, None) => Some((EcrTags::Untagged, Vec::new())),
        ("any", None, None) => Some((EcrTags::Any, Vec::new())),
        ("untagged" | "any", prefixes, patterns) => {
            for list in prefixes.iter().chain(&patterns) {
                check.problem(&list.span(), format!("tagStatus {kind:?} takes no list of tags"));
            }
            None
        }
        ("tagged", Some(_), Some(patterns)) => {
            check.problem(&patterns.span(), "tagPrefixList and tagPatternList exclude each other");
            None
        }
        ("tagged", None, None) => {
            check.problem(&status.span(), "tagStatus \"tagged\" needs tagPatternList or tagPrefixList");
            None
        }
        ("tagged", Some(prefixes), None) => {
            let (spans, prefixes) = words(&prefixes, check)?;
            Some((EcrTags::Prefixes(prefixes), spans))
        }
        ("tagged", None, Some(list)) => Some((EcrTags::Patterns(patterns_of(&list, check)?), Vec::new())),
        (other, _, _) => {
            let text = format!("unknown tagStatus {other:?}; there are \"tagged\", \"untagged\" and \"any\"");
            check.problem(&status.span(), text);
            None
        }
    }
}

fn patterns_of(list: &Node<'_, '_>, check: &mut Check<'_>) -> Option<Vec<EcrPattern>> {
    let (spans, texts) = words(list, check)?;
    let mut patterns = Vec::with_capacity(texts.len());
    for (span, text) in spans.iter().zip(&texts) {
        match EcrPattern::new(text) {
            Some(pattern) => patterns.push(pattern),
            None => check.problem(span, format!("a pattern has {} stars at most", EcrPattern::MAX_STARS)),
        }
    }
    (patterns.len() == texts.len()).then_some(patterns)
}

/// A list of texts, none of them empty; an empty list would mean "every tagged image" (S-11).
fn words(list: &Node<'_, '_>, check: &mut Check<'_>) -> Option<(Vec<Range<usize>>, Vec<String>)> {
    let list = list.list(check)?;
    if list.items.is_empty() {
        check.problem(&list.span, "an empty list selects nothing; name at least one tag");
        return None;
    }
    let mut words = Vec::with_capacity(list.items.len());
    for item in &list.items {
        match item.text(check) {
            Some("") => check.problem(&item.span(), "an empty text would mean every tag"),
            Some(text) => words.push((item.span(), text.to_owned())),
            None => {}
        }
    }
    (words.len() == list.items.len()).then(|| words.into_iter().unzip())
}

fn count(selection: &json::Object<'_, '_>, check: &mut Check<'_>) -> Option<EcrCount> {
    let kind = selection.needed("countType", check);
    let number: Option<NonZeroU32> =
        selection.needed("countNumber", check).and_then(|number| number.positive(check));
    let unit = selection.get("countUnit");
    let kind = kind?;
    match kind.text(check)? {
        "imageCountMoreThan" => {
            if let Some(unit) = &unit {
                check.problem(&unit.span(), "countUnit belongs to ages; imageCountMoreThan counts images");
            }
            number.filter(|_| unit.is_none()).map(EcrCount::BeyondNewest)
        }
        "sinceImagePushed" => {
            let is_days = in_days(unit.as_ref(), &kind, check);
            number.filter(|_| is_days).map(EcrCount::DaysSincePush)
        }
        "sinceImagePulled" => {
            let why = "ECR only archives by the time of a pull, and this registry has no archive; for deletion by \
                       pulls write a policy in TOML with not_pulled_for";
            check.problem(&kind.span(), why);
            None
        }
        "sinceImageTransitioned" => {
            check.problem(&kind.span(), "this registry has no archive, so no image ever moved to one");
            None
        }
        other => {
            let text = format!(
                "unknown countType {other:?}; there are \"imageCountMoreThan\" and \"sinceImagePushed\""
            );
            check.problem(&kind.span(), text);
            None
        }
    }
}

fn in_days(unit: Option<&Node<'_, '_>>, kind: &Node<'_, '_>, check: &mut Check<'_>) -> bool {
    let Some(unit) = unit else {
        check.problem(&kind.span(), "sinceImagePushed needs countUnit \"days\"");
        return false;
    };
    let is_days = unit.text(check) == Some("days");
    if !is_days {
        check.problem(&unit.span(), "the only countUnit is \"days\"");
    }
    is_days
}
