//! The sections of an explanation: the image, what every rule said, what holds it, and when it would go.

use chrono::{DateTime, Utc};
use ocird_model::{Image, Mark, MarkKey, Repository, RuleName, UseKind, Verdict};
use ocird_plan::{
    AccountSays, Condition, Doubt, Explanation, Family, Governing, LineSays, MIN_PASSES, Reference,
    Testimony, Turn, UsedBy, Using,
};

use super::Explained;
use super::words;
use crate::cli::sheet::Sheet;
use crate::config::Mode;
use crate::paint::Ink;
use crate::pass::NOBODY_KNOWS_WHEN;
use crate::plan_table::document::size;
use crate::plan_table::{age, distinct_size};

const MINUTE: &str = "%F %H:%M UTC";

/// All sections.
pub(super) fn write(explained: &Explained<'_>, sheet: &mut Sheet) {
    let Explained { look, repository, image, explanation } = explained;
    let at = look.at;
    sheet.heading(&format!("{}@{}", repository.name, image.digest.short()));
    verdict(&explanation.image, sheet);
    if let Some(assumption) = look.assumption() {
        sheet.entry("", &assumption);
    }
    facts(image, at, sheet);
    history(explained, sheet);
    weight(explained, sheet);
    family(explanation, repository, sheet);
    repository_wide(explanation, sheet);
    if let Governing::One { project } = &explanation.policy {
        rules(&explanation.image, project, at, sheet);
        if explanation.head.is_none() {
            delete_rules(&explanation.image, project, at, sheet);
        }
    }
    if let Some(head) = &explanation.head {
        sheet.heading(&format!("its head {}", head.digest.short()));
        verdict(head, sheet);
        if let Governing::One { project } = &explanation.policy {
            rules(head, project, at, sheet);
            delete_rules(head, project, at, sheet);
        }
    }
    fate(explained, sheet);
}

fn verdict(testimony: &Testimony, sheet: &mut Sheet) {
    match &testimony.verdict {
        Verdict::Delete(reason) => sheet.inked(Ink::Red, "DELETE", &reason.to_string()),
        Verdict::Keep(reason) => sheet.inked(Ink::Green, "KEEP", &reason.to_string()),
    }
}

/// What the registry says of it.
fn facts(image: &Image, at: DateTime<Utc>, sheet: &mut Sheet) {
    sheet.verbatim(&image.digest.to_string());
    sheet.verbatim(image.id.as_str());
    let when = |time: Option<DateTime<Utc>>| {
        time.map_or_else(
            || "at an unknown time".to_owned(),
            |time| format!("{}, {} ago", time.format(MINUTE), age(at - time)),
        )
    };
    if image.tags.is_empty() {
        sheet.entry("tags", "none");
    }
    for (i, (tag, time)) in image.tags.iter().enumerate() {
        sheet.entry(if i == 0 { "tags" } else { "" }, &format!("{tag} ({})", when(*time)));
    }
    sheet.entry("pushed", &when(image.created_at));
    let pulled = match image.last_pulled_at {
        None => "never".to_owned(),
        Some(pulled) if pulled == NOBODY_KNOWS_WHEN => "at a time that nobody knows".to_owned(),
        pulled => when(pulled),
    };
    let known =
        image.read_at.map_or_else(String::new, |read_at| format!("; known as of {}", read_at.format(MINUTE)));
    sheet.entry("last pull", &format!("{pulled}{known}"));
}

/// When ocird saw it first, by the store.
fn history(explained: &Explained<'_>, sheet: &mut Sheet) {
    let seen = explained.image.first_seen_at.filter(|_| explained.look.marks.is_some());
    if let Some(first_seen_at) = seen {
        sheet.entry("first seen", &first_seen_at.format(MINUTE).to_string());
    }
}

/// What it weighs, and with what goes along with it.
fn weight(explained: &Explained<'_>, sheet: &mut Sheet) {
    let Explained { look: _, repository, image, explanation } = explained;
    let mut text = size(image).to_string();
    if image.layers.is_none() {
        text.push_str(" as far as is known");
    }
    if let Family::Head { members } = &explanation.family
        && !members.is_empty()
    {
        let members = members.iter().filter_map(|member| repository.image(member));
        let family: Vec<&Image> = members.chain([*image]).collect();
        text = format!("{text}; {} with its family", distinct_size(&family));
    }
    sheet.entry("size", &text);
}

fn family(explanation: &Explanation, repository: &Repository, sheet: &mut Sheet) {
    let text = match &explanation.family {
        Family::Head { members } if members.is_empty() => "it stands alone".to_owned(),
        Family::Head { members } => {
            format!("it is the head of {}; they go together, the head first", words::digests(members))
        }
        Family::Member { head } => format!("it goes or stays with its head {}", named(repository, head)),
        Family::Shared => {
            "several families share it, or it is on a circle: it stays while they do".to_owned()
        }
    };
    sheet.entry("family", &text);
    for (i, holder) in explanation.holders.iter().enumerate() {
        let Reference { digest, names, goes } = holder;
        let how = if *names { "names it" } else { "is what it speaks about" };
        let fate = if *goes == Some(true) { "goes" } else { "stays" };
        let text = format!("{} {how}, and {fate}", named(repository, digest));
        sheet.entry(if i == 0 { "held by" } else { "" }, &text);
    }
    for (i, carried) in explanation.carries.iter().enumerate() {
        let Reference { digest, names, goes } = carried;
        let how = if *names { "named by it" } else { "speaks about it" };
        let absent = if goes.is_none() { ", and not there" } else { "" };
        let text = format!("{} {how}{absent}", named(repository, digest));
        sheet.entry(if i == 0 { "carries" } else { "" }, &text);
    }
}

/// A digest with the first of its tags, if it bears one that is more than the digest of a subject.
fn named(repository: &Repository, digest: &ocird_model::Digest) -> String {
    let tags = repository.image(digest).into_iter().flat_map(|image| image.tags.keys());
    let tag = tags.into_iter().find(|tag| !tag.as_str().starts_with("sha256-"));
    tag.map_or_else(|| digest.short(), |tag| format!("{} ({tag})", digest.short()))
}

/// What is said of the whole repository, or of everything that is watched.
fn repository_wide(explanation: &Explanation, sheet: &mut Sheet) {
    let policy = match &explanation.policy {
        Governing::One { project } => format!("that of project {project}"),
        Governing::None => "none governs this repository, so everything stays".to_owned(),
        Governing::Contested { projects: [one, other] } => {
            format!("{one} and {other} both claim this repository, so everything stays")
        }
    };
    sheet.entry("policy", &policy);
    if explanation.is_public {
        sheet
            .entry("public", "anybody may pull, so nothing goes unless the policy says public = \"enforce\"");
    }
    match &explanation.doubt {
        Some(Doubt::Source { why }) => sheet.entry("doubt", &format!("what runs is not known: {why}")),
        Some(Doubt::Stale) => sheet.entry("doubt", "what runs is not known: an answer is too old"),
        None => {}
    }
    if !explanation.opaque.is_empty() {
        let opaque = words::digests(&explanation.opaque);
        sheet.entry("doubt", &format!("{opaque} cannot be judged, and may refer to anything here"));
    }
    match &explanation.account {
        AccountSays::NotAsked => {}
        AccountSays::Unknown { because } => sheet.entry("usage", &format!("not known, because of {because}")),
        AccountSays::Known { now, at_first, after } => {
            let anyway = if at_first == now {
                String::new()
            } else {
                format!("{at_first} without what goes whatever the usage, ")
            };
            let text = format!("{now} now, {anyway}{after} after the plan");
            sheet.entry("usage", &text);
        }
    }
}

/// What each use, keep rule and guardrail said of one image.
fn rules(testimony: &Testimony, project: &str, at: DateTime<Utc>, sheet: &mut Sheet) {
    for (i, UsedBy { image, by, kind, since }) in testimony.uses.iter().enumerate() {
        let what = if *image == testimony.digest { String::new() } else { format!(" ({})", image.short()) };
        let since = since.map_or_else(String::new, |since| format!(", since {}", since.format(MINUTE)));
        let way = match kind {
            UseKind::Running => "",
            UseKind::Previous => "a rollback would pull it: ",
        };
        sheet.entry(if i == 0 { "in use" } else { "" }, &format!("{way}{by}{what}{since}"));
    }
    if testimony.uses.is_empty() {
        sheet.entry("in use", "by nothing that is known");
    }
    for (i, Using { image, by }) in testimony.holds.iter().enumerate() {
        let what = if *image == testimony.digest { String::new() } else { format!(" ({})", image.short()) };
        sheet.entry(if i == 0 { "hold" } else { "" }, &format!("{by}{what}"));
    }
    sheet.heading(&format!("keep rules of {project}"));
    for says in &testimony.keep {
        let held = through(says.itself, &says.through);
        let text = format!("{}{held}", rule_in_words(&says.rule, &says.conditions, says.line, at));
        said(says.holds, "HOLDS", Ink::Green, &text, sheet);
    }
    if testimony.keep.is_empty() {
        sheet.entry("  none", "");
    }
    sheet.heading("guardrails");
    for says in &testimony.guardrails {
        let (name, words) = words::guardrail(&says.guardrail, says.itself, at);
        said(
            says.holds,
            "HOLDS",
            Ink::Green,
            &format!("{name}: {words}{}", through(says.itself, &says.through)),
            sheet,
        );
    }
}

/// What each delete rule said. It is asked of heads only.
fn delete_rules(testimony: &Testimony, project: &str, at: DateTime<Utc>, sheet: &mut Sheet) {
    sheet.heading(&format!("delete rules of {project}"));
    for says in &testimony.delete {
        let text = rule_in_words(&says.rule, &says.conditions, says.line, at);
        said(says.selects, "TAKES", Ink::Red, &text, sheet);
    }
    if testimony.delete.is_empty() {
        sheet.entry("  none", "");
    }
    match testimony.turn {
        Some(Turn::Spared) => sheet.entry("  spared", "older ones are enough to bring usage to the line"),
        Some(Turn::Goes | Turn::Stays) | None => {}
    }
}

fn rule_in_words(
    rule: &RuleName,
    conditions: &[Condition],
    line: Option<LineSays>,
    at: DateTime<Utc>,
) -> String {
    let conditions = conditions.iter().map(|condition| words::condition(condition, at));
    let said: Vec<String> = conditions.chain(line.map(words::line)).collect();
    format!("{rule}: {}", said.join("; "))
}

fn said(holds: bool, word: &str, ink: Ink, text: &str, sheet: &mut Sheet) {
    if holds {
        sheet.inked(ink, &format!("  {word}"), text);
    } else {
        sheet.inked(Ink::Dim, "  no", text);
    }
}

/// What it is held through, where it is not held for its own sake.
fn through(itself: bool, members: &[ocird_model::Digest]) -> String {
    if itself || members.is_empty() {
        String::new()
    } else {
        format!("; held through {}", words::digests(members))
    }
}

/// The mark of the family, and when it would go at the earliest.
fn fate(explained: &Explained<'_>, sheet: &mut Sheet) {
    let Explained { look, repository, image: _, explanation } = explained;
    let testimony = explanation.head.as_ref().unwrap_or(&explanation.image);
    let Some(marks) = &look.marks else { return };
    let key = MarkKey { repository: repository.id.clone(), head: testimony.digest };
    let Some(mark) = marks.get(&key) else {
        if testimony.verdict.is_delete() {
            sheet.heading("mark");
            sheet.entry(
                "  none",
                "the next pass of the daemon marks it; it goes a whole grace later at the earliest",
            );
        }
        return;
    };
    sheet.heading("mark");
    let grace = look.config.policies.guardrails.grace;
    let policy = look.config.policies.governing(&repository.name);
    let Mark { rule, policy: marked_under, since, n_passes } = mark;
    sheet.entry(
        "  since",
        &format!(
            "{}, in {n_passes} passes of at least {MIN_PASSES}, by rule \"{rule}\"",
            since.format(MINUTE)
        ),
    );
    if *marked_under == ocird_plan::fingerprint(policy, &look.config.policies.guardrails) {
        let due_at = *since + grace;
        let is_ripe = due_at <= look.at && *n_passes >= MIN_PASSES;
        let due_at = due_at.format(MINUTE).to_string();
        sheet.entry("  earliest", if is_ripe { "the next pass that acts" } else { &due_at });
    } else {
        sheet.entry("  but", "the policy or guardrails have changed since, so that the grace starts anew");
    }
    if look.config.mode == Mode::Report {
        sheet.entry("  but", "mode = \"report\" deletes nothing");
    } else if let Some(why) = look.observe_only.get(&repository.id) {
        sheet.entry("  but", &why.text);
    }
}
