//! Which repositories are only observed in a pass, and why: what is new (S-15), what nobody could look at with certainty for
//! too long (S-9), what was not read whole since the schema changed (S-30), and what shrank (S-3).
//!
//! A pass counts for a repository when it read it whole and knew what runs from it. One that did not speaks neither for a
//! mark nor against it, as what could not be read contradicts nothing (S-2): the mark stays as it is, no older by its own
//! account, until a pass is certain again. When that takes longer than the gap of S-9, the time in between does not count
//! at all and the first certain pass only observes.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use chrono::{DateTime, TimeDelta, Utc};
use ocird_model::{Census, CompartmentId, Mark, MarkKey, RepositoryId, Rule};
use ocird_store::Known;

use crate::schedule::Schedule;
use crate::status::{Refusal, RefusalCode};

/// After this many intervals without a certain pass a repository is only observed once (S-9).
const GAP_INTERVALS: i32 = 3;

/// So many looks that were due and did not come, and a whole grace, make an absence of a gap.
const LOOKS_MISSED: NonZeroUsize = NonZeroUsize::new(3).unwrap();

/// What was believed before this pass, and what this pass adds.
#[derive(Debug)]
pub(crate) struct Trust {
    now: DateTime<Utc>,
    grace: TimeDelta,
    /// When somebody is to look.
    schedule: Schedule,
    /// When the schema of the store was last brought up to date.
    migrated_at: Option<DateTime<Utc>>,
    /// How many there were in each scope, before this pass and then after it.
    census: BTreeMap<String, Census>,
    /// The scopes of which this pass has learnt another number.
    changed: BTreeMap<String, Census>,
}

/// How long nobody looked at a repository with certainty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gap {
    /// As long as this store remembers.
    Always,
    /// For this long.
    Since(TimeDelta),
    /// For this long nobody looked at all, and that is a whole grace.
    Away(TimeDelta),
}

impl Trust {
    /// What is believed when a pass begins at `now`.
    pub(crate) const fn new(
        now: DateTime<Utc>,
        grace: TimeDelta,
        schedule: Schedule,
        migrated_at: Option<DateTime<Utc>>,
        census: BTreeMap<String, Census>,
    ) -> Self {
        Self { now, grace, schedule, migrated_at, census, changed: BTreeMap::new() }
    }

    /// When the pass began.
    pub(crate) const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Takes the number of repositories in a compartment.
    pub(crate) fn count_compartment(&mut self, compartment: &CompartmentId, n: u64) {
        let n_before = self.census.get(compartment.as_str()).map_or(0, |census| census.n);
        self.count(compartment.as_str(), n, n_before.saturating_sub(n));
    }

    /// Takes the number of images in a repository, and how many of those before are gone without ocird's doing.
    pub(crate) fn count_repository(&mut self, repository: &RepositoryId, n: u64, n_missing: u64) {
        self.count(repository.as_str(), n, n_missing);
    }

    fn count(&mut self, scope: &str, n: u64, n_missing: u64) {
        let before = self.census.get(scope).copied();
        let census = before.map_or_else(|| Census::first(n), |census| census.next(n, n_missing, self.now));
        if before != Some(census) {
            self.census.insert(scope.to_owned(), census);
            self.changed.insert(scope.to_owned(), census);
        }
    }

    /// The census of every scope in which it is another one than before, to be kept.
    pub(crate) fn into_changed(self) -> BTreeMap<String, Census> {
        self.changed
    }

    /// Why nothing of a repository goes in this pass, by what was known of it before.
    pub(crate) fn only_observed(&self, known: &Known) -> Option<Refusal> {
        let text =
            self.is_new(known).or_else(|| self.is_migrated(known)).or_else(|| self.is_after_gap(known))?;
        Some(Refusal { code: RefusalCode::Observing, text })
    }

    fn is_new(&self, known: &Known) -> Option<String> {
        let Some((first_seen_at, _)) = known.first_seen_at.zip(known.last_complete_at) else {
            return Rule::S15.in_force().then(|| "it was never read whole before".to_owned());
        };
        let until = first_seen_at + self.grace;
        (self.now < until && Rule::S15.in_force()).then(|| {
            format!("it is new to this store and only observed until {}", until.format("%F %H:%M UTC"))
        })
    }

    fn is_migrated(&self, known: &Known) -> Option<String> {
        let is_migrated = self.migrated_at >= known.last_complete_at && self.migrated_at.is_some();
        (is_migrated && Rule::S30.in_force())
            .then(|| "it was not read whole since the schema of the store changed".to_owned())
    }

    fn is_after_gap(&self, known: &Known) -> Option<String> {
        Some(match self.gap(known)? {
            Gap::Always => "it was never read whole while it was known what runs from it".to_owned(),
            Gap::Since(gap) | Gap::Away(gap) => format!(
                "nobody looked at it with certainty for {} min, and the first pass after a gap only observes; \
                 schedule.observe says a look every {} min: where another timer runs ocird, let it say that one's times",
                gap.num_minutes(),
                self.schedule.interval(self.now).num_minutes()
            ),
        })
    }

    /// How long nobody has looked at a repository with certainty, if that is too long to speak of consecutive passes.
    pub(crate) fn gap(&self, known: &Known) -> Option<Gap> {
        if !Rule::S9.in_force() {
            return None;
        }
        let Some(last_certain_at) = known.last_certain_at else { return Some(Gap::Always) };
        let gap = self.now - last_certain_at;
        // A schedule may have nights and weekends in which nobody is to look.
        let is_missed = |at| self.schedule.nth_after(at, LOOKS_MISSED).is_none_or(|due| due <= self.now);
        let is_away = |at: DateTime<Utc>| self.now - at >= self.grace && is_missed(at);
        let was_looked_at = known.last_complete_at.is_some_and(|at| !is_away(at));
        let kind = if was_looked_at { Gap::Since } else { Gap::Away };
        (gap > self.schedule.interval(self.now) * GAP_INTERVALS).then(|| kind(gap))
    }

    /// Why nothing of a repository goes, by how many there are now in it or beside it.
    pub(crate) fn shrunk(&self, repository: &RepositoryId, compartment: &CompartmentId) -> Option<Refusal> {
        let fall = |scope: &str| self.census.get(scope).and_then(|census| census.fall);
        let text = match (fall(repository.as_str()), fall(compartment.as_str())) {
            (Some(fall), _) => format!("the number of its images {fall}"),
            (None, Some(fall)) => format!("the number of repositories in its compartment {fall}"),
            (None, None) => return None,
        };
        Some(Refusal { code: RefusalCode::Shrunk, text })
    }
}

/// The marks as if the time in which nobody was certain had not passed: a gap does not age a mark (S-16). Where nobody looked at
/// all for a whole grace they start anew: the machine may have been put back from a copy of days ago (S-29).
pub(crate) fn without_gaps(
    marks: BTreeMap<MarkKey, Mark>,
    gaps: &BTreeMap<RepositoryId, Gap>,
) -> BTreeMap<MarkKey, Mark> {
    let aged = marks.into_iter().filter_map(|(key, mark)| match gaps.get(&key.repository) {
        None => Some((key, mark)),
        Some(Gap::Always | Gap::Away(_)) => None,
        Some(Gap::Since(gap)) => {
            let since = mark.since + *gap;
            Some((key, Mark { since, ..mark }))
        }
    });
    aged.collect()
}

#[cfg(test)]
mod tests {
    use ocird_model::Digest;

    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap() + TimeDelta::minutes(minutes)
    }

    fn trust(migrated_at: Option<DateTime<Utc>>) -> Trust {
        Trust::new(
            at(0),
            TimeDelta::hours(24),
            Schedule::parse("*/15 * * * *").unwrap(),
            migrated_at,
            BTreeMap::new(),
        )
    }

    /// A repository that is long known and was looked at with certainty so many minutes ago.
    fn known(minutes: i64) -> Known {
        Known {
            first_seen_at: Some(at(-100_000)),
            last_complete_at: Some(at(-5)),
            last_certain_at: Some(at(-minutes)),
            ..Known::default()
        }
    }

    fn why(trust: &Trust, known: &Known) -> Option<String> {
        trust.only_observed(known).map(|refusal| refusal.text)
    }

    #[test]
    fn what_is_long_known_and_was_looked_at_within_three_intervals_is_not_only_observed() {
        assert_eq!(why(&trust(None), &known(15)), None);
        assert_eq!(why(&trust(None), &known(45)), None);
        let gap = why(&trust(None), &known(46)).unwrap();
        assert!(gap.contains("46 min") && gap.contains("every 15 min"), "{gap}");
    }

    #[test]
    fn a_pass_that_read_without_knowing_what_runs_ends_no_gap() {
        let never = Known { last_certain_at: None, ..known(1) };
        assert_eq!(trust(None).gap(&never), Some(Gap::Always));
        assert!(why(&trust(None), &never).unwrap().contains("what runs from it"));
    }

    #[test]
    fn what_is_new_is_observed_for_a_whole_grace() {
        let new = Known { first_seen_at: Some(at(-24 * 60 + 1)), ..known(1) };
        assert!(why(&trust(None), &new).unwrap().contains("new to this store"));
        let old_enough = Known { first_seen_at: Some(at(-24 * 60)), ..known(1) };
        assert_eq!(why(&trust(None), &old_enough), None);
        assert!(why(&trust(None), &Known::default()).unwrap().contains("never read whole"));
    }

    #[test]
    fn the_first_look_after_a_change_of_schema_only_observes() {
        assert!(why(&trust(Some(at(-5))), &known(1)).unwrap().contains("schema"));
        assert_eq!(why(&trust(Some(at(-6))), &known(1)), None);
    }

    #[test]
    fn a_fall_in_a_repository_or_of_its_compartment_freezes_it_and_no_other() {
        let repository = |text: &str| format!("ocid1.containerrepo.oc1.x.{text}").parse().unwrap();
        let compartment = |text: &str| format!("ocid1.compartment.oc1..{text}").parse().unwrap();
        let full = |scope: String| (scope, Census::first(100));
        let scopes = [repository("a"), repository("b")].map(|id: RepositoryId| full(id.to_string()));
        let mut trust = Trust { census: scopes.into(), ..trust(None) };
        trust.count_compartment(&compartment("x"), 100);
        trust.count_repository(&repository("a"), 40, 60);
        trust.count_repository(&repository("b"), 40, 0);
        let code = |trust: &Trust, id: &str| {
            trust.shrunk(&repository(id), &compartment("x")).map(|refusal| refusal.code)
        };
        assert_eq!((code(&trust, "a"), code(&trust, "b")), (Some(RefusalCode::Shrunk), None));
        trust.count_compartment(&compartment("x"), 10);
        assert_eq!(code(&trust, "b"), Some(RefusalCode::Shrunk));
    }

    #[test]
    fn a_gap_in_which_nobody_looked_for_a_whole_grace_is_another_one() {
        let away = |hours: i64| Known { last_complete_at: Some(at(-60 * hours)), ..known(60 * hours) };
        assert_eq!(trust(None).gap(&away(23)), Some(Gap::Since(TimeDelta::hours(23))));
        assert_eq!(trust(None).gap(&away(24)), Some(Gap::Away(TimeDelta::hours(24))));
        let uncertain = Known { last_complete_at: Some(at(-5)), ..known(60 * 24) };
        assert_eq!(trust(None).gap(&uncertain), Some(Gap::Since(TimeDelta::hours(24))));
    }

    #[test]
    fn a_night_in_which_nobody_is_to_look_is_no_absence() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let gap = |now: &str| {
            let schedule = Schedule::parse("*/15 0-5 * * *").unwrap();
            let trust = Trust { now: at(now), schedule, grace: TimeDelta::hours(12), ..trust(None) };
            let seen = Some(at("2026-06-01T05:45:00Z"));
            trust.gap(&Known { last_complete_at: seen, last_certain_at: seen, ..Known::default() })
        };
        assert_eq!(gap("2026-06-02T00:00:00Z"), Some(Gap::Since(TimeDelta::minutes(18 * 60 + 15))));
        assert_eq!(gap("2026-06-02T00:30:00Z"), Some(Gap::Away(TimeDelta::minutes(18 * 60 + 45))));
    }

    #[test]
    fn a_gap_makes_marks_younger_and_one_of_a_whole_grace_ends_them() {
        let marked = |id: &str| {
            let key = MarkKey {
                repository: format!("ocid1.containerrepo.oc1.x.{id}").parse().unwrap(),
                head: Digest::from_bytes([1; 32]),
            };
            let rule = "old".parse().unwrap();
            (key, Mark { rule, policy: 1, since: DateTime::UNIX_EPOCH, n_passes: 2 })
        };
        let gaps = BTreeMap::from([
            (marked("gap").0.repository, Gap::Since(TimeDelta::hours(10))),
            (marked("away").0.repository, Gap::Away(TimeDelta::hours(24))),
            (marked("new").0.repository, Gap::Always),
        ]);
        let marks = without_gaps(["gap", "away", "new", "steady"].map(marked).into(), &gaps);
        let since = |id: &str| marks.get(&marked(id).0).map(|mark| mark.since - DateTime::UNIX_EPOCH);
        assert_eq!(since("gap"), Some(TimeDelta::hours(10)));
        assert_eq!((since("new"), since("away")), (None, None));
        assert_eq!(since("steady"), Some(TimeDelta::zero()));
    }
}
