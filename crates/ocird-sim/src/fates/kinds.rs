//! The kinds of misfortune, and how often each was dealt out: the fault table.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

/// A kind of misfortune.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Misfortune {
    /// A row or the rest of a list is missing, without a word.
    RowLost,
    /// A row comes twice.
    RowRepeated,
    /// The rows of a page come in another order.
    Reordered,
    /// A page leads to itself for ever, or is empty and leads on.
    PageRepeated,
    /// A list ends before its end.
    ListCut,
    /// 401.
    Unauthenticated,
    /// 403.
    Forbidden,
    /// 404 for what is there.
    Masked,
    /// 409.
    Conflict,
    /// 412.
    Precondition,
    /// 429.
    Throttled,
    /// 5xx.
    ServerError,
    /// The connection is dropped before anything happens.
    Dropped,
    /// It happens, and the answer is lost.
    AnswerLost,
    /// The answer cannot be understood.
    Garbled,
    /// The answer takes minutes.
    Slow,
    /// A right is taken away: the cloud answers as if nothing were there.
    RightLost,
    /// The hosts stop writing what they run.
    InUseStale,
    /// A host says that nothing runs.
    InUseEmpty,
    /// Half of a host's answer.
    InUseHalf,
    /// An older answer of a host is put back.
    InUseBackdated,
    /// The answer of an expected host is gone.
    InUseMissing,
    /// A host says that it could not ask for everything.
    InUseIncomplete,
    /// A host whose clock is ahead.
    InUseAhead,
    /// A push between two calls.
    PushBetween,
    /// Something is built upon an image that was there, between two calls: an index, a signature, the same build again.
    BuiltUponBetween,
    /// A tag moves between two calls.
    RetagBetween,
    /// A deployment, restart or rollback between two calls.
    DeployBetween,
    /// Somebody deletes or restores by hand between two calls.
    HandBetween,
    /// The kill switch between two calls.
    PausedBetween,
    /// An accepted deletion takes its time.
    SlowDeletion,
    /// The service's own counts and bytes lag behind a deletion.
    CountsLag,
    /// Fresh images are missing from lists for a while.
    ListLag,
    /// A policy is edited while marks wait.
    PolicyEdited,
    /// The wall clock jumps ahead.
    ClockAhead,
    /// The wall clock steps back.
    ClockBack,
    /// The wall clock drifts.
    ClockDrift,
    /// The store is put back from an older copy.
    StoreOld,
    /// The store is lost.
    StoreLost,
    /// A write to the store fails.
    StoreFull,
    /// The daemon dies at a call.
    Crash,
    /// The daemon is stopped and started in order.
    Restart,
    /// No pass is made for a long time.
    Gap,
    /// A second daemon on a copy of the store.
    SecondDaemon,
    /// Somebody starts from a host's cache what the daemon has deleted.
    WantedAfterAll,
}

impl Misfortune {
    /// Every kind.
    pub const ALL: [Self; 45] = [
        Self::RowLost,
        Self::RowRepeated,
        Self::Reordered,
        Self::PageRepeated,
        Self::ListCut,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::Masked,
        Self::Conflict,
        Self::Precondition,
        Self::Throttled,
        Self::ServerError,
        Self::Dropped,
        Self::AnswerLost,
        Self::Garbled,
        Self::Slow,
        Self::RightLost,
        Self::InUseStale,
        Self::InUseEmpty,
        Self::InUseHalf,
        Self::InUseBackdated,
        Self::InUseMissing,
        Self::InUseIncomplete,
        Self::InUseAhead,
        Self::PushBetween,
        Self::BuiltUponBetween,
        Self::RetagBetween,
        Self::DeployBetween,
        Self::HandBetween,
        Self::PausedBetween,
        Self::SlowDeletion,
        Self::CountsLag,
        Self::ListLag,
        Self::PolicyEdited,
        Self::ClockAhead,
        Self::ClockBack,
        Self::ClockDrift,
        Self::StoreOld,
        Self::StoreLost,
        Self::StoreFull,
        Self::Crash,
        Self::Restart,
        Self::Gap,
        Self::SecondDaemon,
        Self::WantedAfterAll,
    ];

    /// The kind as an option and a row of the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RowLost => "row_lost",
            Self::RowRepeated => "row_repeated",
            Self::Reordered => "reordered",
            Self::PageRepeated => "page_repeated",
            Self::ListCut => "list_cut",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::Masked => "masked",
            Self::Conflict => "conflict",
            Self::Precondition => "precondition",
            Self::Throttled => "throttled",
            Self::ServerError => "server_error",
            Self::Dropped => "dropped",
            Self::AnswerLost => "answer_lost",
            Self::Garbled => "garbled",
            Self::Slow => "slow",
            Self::RightLost => "right_lost",
            Self::InUseStale => "in_use_stale",
            Self::InUseEmpty => "in_use_empty",
            Self::InUseHalf => "in_use_half",
            Self::InUseBackdated => "in_use_backdated",
            Self::InUseMissing => "in_use_missing",
            Self::InUseIncomplete => "in_use_incomplete",
            Self::InUseAhead => "in_use_ahead",
            Self::PushBetween => "push_between",
            Self::BuiltUponBetween => "built_upon_between",
            Self::RetagBetween => "retag_between",
            Self::DeployBetween => "deploy_between",
            Self::HandBetween => "hand_between",
            Self::PausedBetween => "paused_between",
            Self::SlowDeletion => "slow_deletion",
            Self::CountsLag => "counts_lag",
            Self::ListLag => "list_lag",
            Self::PolicyEdited => "policy_edited",
            Self::ClockAhead => "clock_ahead",
            Self::ClockBack => "clock_back",
            Self::ClockDrift => "clock_drift",
            Self::StoreOld => "store_old",
            Self::StoreLost => "store_lost",
            Self::StoreFull => "store_full",
            Self::Crash => "crash",
            Self::Restart => "restart",
            Self::Gap => "gap",
            Self::SecondDaemon => "second_daemon",
            Self::WantedAfterAll => "wanted_after_all",
        }
    }
}

impl std::str::FromStr for Misfortune {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| {
            let all: Vec<&str> = Self::ALL.iter().map(|kind| kind.as_str()).collect();
            format!("the kinds are {}", all.join(", "))
        })
    }
}

/// How often each kind was dealt out, and which may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FaultTable {
    counts: BTreeMap<Misfortune, u64>,
}

impl FaultTable {
    /// Counts one.
    pub(super) fn count(&mut self, kind: Misfortune) {
        *self.counts.entry(kind).or_default() += 1;
    }

    /// Adds another table.
    pub fn add(&mut self, other: &Self) {
        for (kind, n) in &other.counts {
            *self.counts.entry(*kind).or_default() += n;
        }
    }

    /// How often this kind was dealt out.
    pub fn of(&self, kind: Misfortune) -> u64 {
        self.counts.get(&kind).copied().unwrap_or(0)
    }

    /// All of them together.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }
}

impl Serialize for FaultTable {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Misfortune::ALL.iter().map(|kind| (kind.as_str(), self.of(*kind))))
    }
}

/// The kinds that a fate may meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed(BTreeSet<Misfortune>);

impl Allowed {
    /// These.
    pub fn only(kinds: impl IntoIterator<Item = Misfortune>) -> Self {
        Self(kinds.into_iter().collect())
    }

    /// True when this kind may be met.
    pub(super) fn has(&self, kind: Misfortune) -> bool {
        self.0.contains(&kind)
    }
}

impl Default for Allowed {
    /// All of them.
    fn default() -> Self {
        Self::only(Misfortune::ALL)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_found_again_by_its_name() {
        for kind in Misfortune::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!(BTreeSet::from(Misfortune::ALL).len(), Misfortune::ALL.len());
    }
}
