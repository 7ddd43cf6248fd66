//! The notation of the tables: rules, images and cases in one line each, with names, ages and tags as the sources are
//! summed up: `image("A", "v1 latest", "10d").pulled("3h")`. It decides nothing.

use std::num::NonZeroU32;

use chrono::TimeDelta;
use ocird_model::{DeleteRule, KeepRule, Patterns, Policy, Selects};

use crate::world::digest;

/// One published instance of a rule: what is there, what is said of it, and what becomes of it.
pub(crate) struct Case {
    /// What the source calls it.
    pub(crate) id: &'static str,
    pub(crate) form: Form,
    pub(crate) policies: Vec<Policy>,
    pub(crate) images: Vec<Row>,
    /// What becomes of the images there.
    pub(crate) published: Published,
    /// What becomes of them here.
    pub(crate) ours: Ours,
    /// Some images that stay here, each with the word for the reason.
    pub(crate) reasons: &'static [(&'static str, &'static str)],
}

/// What of a published case an instance is.
pub(crate) enum Form {
    /// All of it.
    Whole,
    /// One step of it.
    Part(&'static str),
    /// All of it with one thing changed by us, so that it shows what the whole cannot.
    Changed(&'static str),
}

/// The published outcome, with names of images between blanks. Whatever is not named has the other fate.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Published {
    Goes(&'static str),
    Stays(&'static str),
}

/// The outcome here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ours {
    /// The same, by the same rules in our language.
    Same,
    /// The same, by other rules: our language has none like theirs.
    InOtherWords { because: &'static str },
    /// Another.
    Differs { goes: &'static str, because: &'static str },
}

impl Case {
    pub(crate) fn new(id: &'static str, policy: Policy, images: Vec<Row>, published: Published) -> Self {
        let policies = vec![policy];
        Self { id, form: Form::Whole, policies, images, published, ours: Ours::Same, reasons: &[] }
    }

    pub(crate) fn in_other_words(self, because: &'static str) -> Self {
        Self { ours: Ours::InOtherWords { because }, ..self }
    }

    pub(crate) fn but_here(self, goes: &'static str, because: &'static str) -> Self {
        Self { ours: Ours::Differs { goes, because }, ..self }
    }

    pub(crate) fn part(self, part: &'static str) -> Self {
        Self { form: Form::Part(part), ..self }
    }

    pub(crate) fn changed(self, change: &'static str) -> Self {
        Self { form: Form::Changed(change), ..self }
    }

    /// The case with an image that is newer than all others, so that the floor, which is never under one, holds that and
    /// none of the others.
    pub(crate) fn beyond_the_floor(mut self) -> Self {
        self.images.push(image("newer", "newer", "0m"));
        self.changed("a newer image takes the place on the floor")
    }

    pub(crate) fn reasons(self, reasons: &'static [(&'static str, &'static str)]) -> Self {
        Self { reasons, ..self }
    }

    pub(crate) fn and(mut self, policy: Policy) -> Self {
        self.policies.push(policy);
        self
    }
}

/// One image.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) repository: &'static str,
    /// A tag `sha256-NAME` stands for the one that ties to the image of that name.
    pub(crate) tags: &'static str,
    /// How long ago it was pushed with all its tags; `None` where nobody knows.
    pub(crate) pushed: Option<TimeDelta>,
    pub(crate) pulled: Pulled,
    /// The names of its children; `None` for what is no index.
    pub(crate) children: Option<&'static str>,
    pub(crate) subject: Option<&'static str>,
    /// It bears the resource tag `keep`.
    pub(crate) is_marked: bool,
}

/// The last pull of an image.
pub(crate) enum Pulled {
    Never,
    Ago(TimeDelta),
    Unknown,
}

/// An image pushed so long ago and never pulled, in the repository `api`.
pub(crate) fn image(name: &'static str, tags: &'static str, pushed: &str) -> Row {
    Row {
        name,
        repository: "api",
        tags,
        pushed: Some(span(pushed)),
        pulled: Pulled::Never,
        children: None,
        subject: None,
        is_marked: false,
    }
}

/// An image of which the registry knows no times.
pub(crate) fn without_times(name: &'static str, tags: &'static str) -> Row {
    Row { pushed: None, pulled: Pulled::Unknown, ..image(name, tags, "0m") }
}

impl Row {
    pub(crate) fn pulled(self, ago: &str) -> Self {
        Self { pulled: Pulled::Ago(span(ago)), ..self }
    }

    pub(crate) fn of(self, repository: &'static str) -> Self {
        Self { repository, ..self }
    }

    pub(crate) fn children(self, children: &'static str) -> Self {
        Self { children: Some(children), ..self }
    }

    pub(crate) fn subject(self, subject: &'static str) -> Self {
        Self { subject: Some(subject), ..self }
    }

    pub(crate) fn marked(self) -> Self {
        Self { is_marked: true, ..self }
    }
}

/// A span as in `15m`, `3h` and `10d`.
pub(crate) fn span(text: &str) -> TimeDelta {
    let (number, unit) = text.split_at(text.len() - 1);
    let number = number.parse().unwrap();
    match unit {
        "m" => TimeDelta::minutes(number),
        "h" => TimeDelta::hours(number),
        "d" => TimeDelta::days(number),
        unit => panic!("{unit:?} is no unit of time"),
    }
}

/// Where a source bounds a rule by nothing, ours says the least age that can be said (S-11).
pub(crate) const AT_ANY_AGE: &str = "1h";

/// A policy over every repository.
pub(crate) fn policy(keep: Vec<KeepRule>, delete: Vec<DeleteRule>) -> Policy {
    over("*", keep, delete)
}

/// A policy over the repositories that match.
pub(crate) fn over(repositories: &str, keep: Vec<KeepRule>, delete: Vec<DeleteRule>) -> Policy {
    Policy {
        project: format!("the owner of {repositories}"),
        repositories: patterns(repositories),
        keep,
        delete,
        enforce_public: false,
        enforce_signed: false,
    }
}

pub(crate) fn keep_tags(name: &str, tags: &str) -> KeepRule {
    KeepRule { tags: Some(patterns(tags)), ..keep(name) }
}

pub(crate) fn keep_newest(name: &str, newest: u32) -> KeepRule {
    KeepRule { newest: NonZeroU32::new(newest), ..keep(name) }
}

pub(crate) fn keep_newer_than(name: &str, age: &str) -> KeepRule {
    KeepRule { newer_than: Some(span(age)), ..keep(name) }
}

pub(crate) fn keep_pulled_within(name: &str, age: &str) -> KeepRule {
    KeepRule { pulled_within: Some(span(age)), ..keep(name) }
}

/// Keeps the images of these names by their digests.
pub(crate) fn keep_digests(name: &str, images: &str) -> KeepRule {
    KeepRule { digests: Some(images.split_whitespace().map(digest).collect()), ..keep(name) }
}

pub(crate) fn keep(name: &str) -> KeepRule {
    KeepRule::named(name.parse().unwrap())
}

/// Takes what is so old.
pub(crate) fn delete(name: &str, selects: Selects, older_than: &str) -> DeleteRule {
    let older_than = Some(span(older_than));
    DeleteRule { older_than, ..DeleteRule::about(name.parse().unwrap(), selects) }
}

/// Takes what is so old, tagged or not: there is no word for both.
pub(crate) fn delete_any(older_than: &str) -> Vec<DeleteRule> {
    vec![delete("tagged", Selects::Tagged, older_than), delete("untagged", Selects::Untagged, older_than)]
}

pub(crate) fn tags(texts: &str) -> Selects {
    Selects::Tags(patterns(texts))
}

pub(crate) fn patterns(texts: &str) -> Patterns {
    Patterns::new(texts.split_whitespace().map(|text| text.parse().unwrap()).collect()).unwrap()
}
