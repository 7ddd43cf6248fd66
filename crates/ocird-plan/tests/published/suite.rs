//! A suite is a source's cases, all of them: those that the planner is asked, and those that are another part's, each with
//! the place where that is tested. It knows how to compare, and how to sum up.

use std::collections::BTreeSet;
use std::fmt;

use ocird_model::{DeleteRule, KeepRule};

use crate::notation::{Case, Form, Ours, Published, Row, span};
use crate::world::{names, verdicts};

/// All that a source published about one thing.
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    /// The ids of the source's cases, in its order.
    pub(crate) ids: &'static [&'static str],
    pub(crate) cases: Vec<Case>,
    pub(crate) elsewhere: Vec<Elsewhere>,
}

/// A case that is none of the planner's.
pub(crate) struct Elsewhere {
    pub(crate) id: &'static str,
    /// The file below `crates`, and the test in it. `None` when ocird has nothing of the kind.
    pub(crate) tested_by: Option<(&'static str, &'static str)>,
    pub(crate) because: &'static str,
}

impl Case {
    /// The names of the images that go here, as the table says.
    fn expected(&self) -> BTreeSet<&'static str> {
        match self.ours {
            Ours::Same | Ours::InOtherWords { because: _ } => self.published(),
            Ours::Differs { goes, because: _ } => names(goes),
        }
    }

    /// The names of the images that go there, as published.
    fn published(&self) -> BTreeSet<&'static str> {
        match self.published {
            Published::Goes(goes) => names(goes),
            Published::Stays(stays) => {
                let stays = names(stays);
                self.images.iter().map(|row| row.name).filter(|name| !stays.contains(name)).collect()
            }
        }
    }

    /// The images that go here and stay there.
    pub(crate) fn taken_besides(&self) -> impl Iterator<Item = &Row> {
        let besides: BTreeSet<_> = self.expected().difference(&self.published()).copied().collect();
        self.images.iter().filter(move |row| besides.contains(row.name))
    }

    /// Why the table says something else than the source, or says it otherwise.
    fn because(&self) -> Option<&'static str> {
        match self.ours {
            Ours::Same => None,
            Ours::InOtherWords { because } | Ours::Differs { goes: _, because } => Some(because),
        }
    }

    /// What is wrong with it, if anything.
    fn faults(&self) -> Vec<String> {
        let verdicts = verdicts(self);
        let goes = verdicts.iter().filter(|(_, verdict)| verdict.is_delete());
        let (goes, expected): (BTreeSet<_>, _) = (goes.map(|(name, _)| *name).collect(), self.expected());
        let mut faults = Vec::new();
        if goes != expected {
            faults.push(format!("{self}: {goes:?} go, {expected:?} should:\n{verdicts:#?}"));
        }
        if matches!(self.ours, Ours::Differs { .. }) && expected == self.published() {
            faults.push(format!("{self}: is said to differ, and does not"));
        }
        for name in self.published().union(&expected).filter(|name| !verdicts.contains_key(*name)) {
            faults.push(format!("{self}: there is no image {name:?}"));
        }
        for (name, reason) in self.reasons {
            let verdict = &verdicts[name];
            if verdict.is_delete() || verdict.as_str() != *reason {
                faults.push(format!("{self}: {name} should stay as {reason}; {verdict}"));
            }
        }
        faults
    }

    /// What of its rules nobody could write into a file of policies.
    fn unsayable(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for policy in &self.policies {
            let keeps = policy.keep.iter().filter(|rule| !can_be_said_to_keep(rule)).map(|rule| &rule.name);
            let deletes =
                policy.delete.iter().filter(|rule| !can_be_said_to_delete(rule)).map(|rule| &rule.name);
            problems.extend(keeps.chain(deletes).map(|name| format!("{self}: rule {name:?}")));
        }
        problems
    }
}

/// At least one condition, ages from an hour and pulls from a day, as the configuration has it.
fn can_be_said_to_keep(rule: &KeepRule) -> bool {
    *rule != KeepRule::named(rule.name.clone())
        && rule.newer_than.is_none_or(|age| age >= span("1h"))
        && rule.pulled_within.is_none_or(|age| age >= span("1d"))
}

/// Bounded by an age, from an hour, and pulls from a day, as the configuration has it.
fn can_be_said_to_delete(rule: &DeleteRule) -> bool {
    rule.older_than.is_some_and(|age| age >= span("1h"))
        && rule.not_pulled_for.is_none_or(|age| age >= span("1d"))
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.form {
            Form::Whole => f.write_str(self.id),
            Form::Part(what) | Form::Changed(what) => write!(f, "{} ({what})", self.id),
        }
    }
}

impl Suite {
    /// Plans every case and compares. Answers how the source and ocird agree, and where they do not, why.
    pub(crate) fn verify(&self) -> String {
        let faults: Vec<String> = self.cases.iter().flat_map(Case::faults).collect();
        assert!(faults.is_empty(), "{}: {} faults\n{}", self.name, faults.len(), faults.join("\n"));
        self.summary()
    }

    /// The ids of the source that no case is about, and those of cases that the source does not have.
    pub(crate) fn astray(&self) -> BTreeSet<&'static str> {
        let published = |case: &&Case| !matches!(case.form, Form::Changed(_));
        let here = self.cases.iter().filter(published).map(|case| case.id);
        let known: BTreeSet<_> = here.chain(self.elsewhere.iter().map(|case| case.id)).collect();
        known.symmetric_difference(&self.ids.iter().copied().collect()).copied().collect()
    }

    /// Every reason that the tables give, with the case.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = (String, &'static str)> {
        let here = self.cases.iter().filter_map(|case| Some((case.to_string(), case.because()?)));
        here.chain(self.elsewhere.iter().map(|case| (case.id.to_owned(), case.because)))
    }

    pub(crate) fn unsayable(&self) -> Vec<String> {
        self.cases.iter().flat_map(Case::unsayable).collect()
    }

    fn summary(&self) -> String {
        let (changed, published): (Vec<_>, Vec<_>) =
            self.cases.iter().partition(|case| matches!(case.form, Form::Changed(_)));
        let count = |is: fn(&Ours) -> bool| published.iter().filter(|case| is(&case.ours)).count();
        let n_same = count(|ours| matches!(ours, Ours::Same));
        let n_reworded = count(|ours| matches!(ours, Ours::InOtherWords { .. }));
        let n_other = count(|ours| matches!(ours, Ours::Differs { .. }));
        let (n_ids, n_elsewhere) = (self.ids.len(), self.elsewhere.len());
        let figures = format!(
            "{}: {n_ids} cases, {n_elsewhere} of them tested elsewhere or without a counterpart; \
             {} instances planned: {n_same} end the same, {n_reworded} the same in other words, {n_other} otherwise; \
             {} more changed by us",
            self.name,
            published.len(),
            changed.len()
        );
        let reasons = self.reasons().map(|(case, because)| format!("\n  {case}: {because}"));
        figures + &reasons.collect::<String>()
    }
}
