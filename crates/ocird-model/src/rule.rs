//! The rules of safety by their numbers, and the one question that the code asks about them: is it in force?
//!
//! It always is. Only a build with `--cfg ocird_switches` (see `.ci/switches`) can put a rule out of force, so that the
//! simulation can show that something goes wrong without it: a rule whose absence nobody notices is not proved. It is a
//! cfg and not a cargo feature, because features unite over a workspace and could so reach the released binary; there
//! [`Rule::in_force`] is the constant `true`.

/// One rule of safety, by its number for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Rule {
    /// A complete listing, or no deletion in that repository.
    S1 = 1,
    /// An error is never an absence.
    S2,
    /// Empty or shrunk is suspicious.
    S3,
    /// In-use in doubt: nothing goes in the repositories it covers.
    S4,
    /// Decide per image with the union of its tags.
    S5,
    /// Reference closure: families go together, the head first.
    S6,
    /// Unknown means keep.
    S7,
    /// Age and order come from the newest of an image's times, and a doubtful time means keep.
    S8,
    /// Clock doubt freezes deletion.
    S9,
    /// A delete names image, digest and repository, inside what is configured.
    S10,
    /// Blank is never "all".
    S11,
    /// One pattern dialect.
    S12,
    /// A hard floor, enforced twice.
    S13,
    /// A changed policy, guardrail or planner restarts the grace.
    S14,
    /// Report only by default; two switches arm it; what is new is observed for one whole grace.
    S15,
    /// Mark, then sweep.
    S16,
    /// Read again at the moment of delete.
    S17,
    /// A tagged image goes only if each of its tags may go.
    S18,
    /// Too much at once refuses as a whole.
    S19,
    /// The ramp: one family, then ten, then as many as a pass may.
    S20,
    /// Intent before act.
    S21,
    /// Replay is idempotent: by reading, never by deleting again.
    S22,
    /// One writer.
    S23,
    /// The kill switch.
    S24,
    /// The circuit breaker.
    S25,
    /// Proof after the act.
    S26,
    /// Undo: restore and holds.
    S27,
    /// No writable audit, no deletion.
    S28,
    /// Amnesia is safe.
    S29,
    /// An older binary refuses a newer schema; the pass after a migration only observes.
    S30,
    /// Least privilege.
    S31,
    /// HTTP over TCP is read-only.
    S32,
    /// Every refusal is visible.
    S33,
    /// A pusher is an adversary.
    S34,
    /// Silent consumers.
    S35,
}

impl Rule {
    /// Every rule, in order.
    pub const ALL: [Self; 35] = [
        Self::S1,
        Self::S2,
        Self::S3,
        Self::S4,
        Self::S5,
        Self::S6,
        Self::S7,
        Self::S8,
        Self::S9,
        Self::S10,
        Self::S11,
        Self::S12,
        Self::S13,
        Self::S14,
        Self::S15,
        Self::S16,
        Self::S17,
        Self::S18,
        Self::S19,
        Self::S20,
        Self::S21,
        Self::S22,
        Self::S23,
        Self::S24,
        Self::S25,
        Self::S26,
        Self::S27,
        Self::S28,
        Self::S29,
        Self::S30,
        Self::S31,
        Self::S32,
        Self::S33,
        Self::S34,
        Self::S35,
    ];

    /// The number, as in `S-16`.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// True: every rule is in force in every build that anybody is given.
    #[cfg(not(ocird_switches))]
    #[inline]
    pub const fn in_force(self) -> bool {
        true
    }

    /// True unless a [`Suspended`] of this thread says otherwise.
    #[cfg(ocird_switches)]
    pub fn in_force(self) -> bool {
        switches::SUSPENDED.get() & self.bit() == 0
    }

    /// Puts the rule out of force on this thread until the answer is dropped.
    #[cfg(ocird_switches)]
    #[must_use]
    pub fn suspend(self) -> Suspended {
        let before = switches::SUSPENDED.get();
        switches::SUSPENDED.set(before | self.bit());
        Suspended { before }
    }

    #[cfg(ocird_switches)]
    const fn bit(self) -> u64 {
        1 << (self as u8)
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "S-{}", self.number())
    }
}

#[cfg(ocird_switches)]
mod switches {
    use std::cell::Cell;

    thread_local! {
        /// The rules that are out of force on this thread, one bit each: at first those of the environment, so that a whole
        /// test can be run without a rule, with every thread and process that it starts.
        pub(super) static SUSPENDED: Cell<u64> = Cell::new(of_environment());
    }

    /// The rules that `OCIRD_SUSPENDED` names, such as `S-16,S-17`. A name that is none is a mistake and not a rule less.
    fn of_environment() -> u64 {
        #[expect(
            clippy::disallowed_methods,
            reason = "no configuration can suspend a rule, and no released binary asks"
        )]
        let named = std::env::var("OCIRD_SUSPENDED").unwrap_or_default();
        let bit = |name: &str| {
            let rule = super::Rule::ALL.into_iter().find(|rule| rule.to_string() == name);
            rule.expect("OCIRD_SUSPENDED names rules of safety, such as S-16").bit()
        };
        named.split(',').filter(|name| !name.is_empty()).map(bit).fold(0, |all, bit| all | bit)
    }
}

/// While it lives, a rule is out of force on the thread that suspended it. Only builds with `--cfg ocird_switches` have it.
#[cfg(ocird_switches)]
#[derive(Debug)]
pub struct Suspended {
    before: u64,
}

#[cfg(ocird_switches)]
impl Drop for Suspended {
    fn drop(&mut self) {
        switches::SUSPENDED.set(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_is_listed_once_under_its_own_number() {
        let numbers: Vec<u8> = Rule::ALL.iter().map(|rule| rule.number()).collect();
        assert_eq!(numbers, (1..=35).collect::<Vec<_>>());
        assert_eq!(Rule::S16.to_string(), "S-16");
    }

    #[test]
    fn every_rule_is_in_force() {
        assert!(Rule::ALL.iter().all(|rule| rule.in_force()));
    }

    #[cfg(ocird_switches)]
    #[test]
    fn a_suspended_rule_is_in_force_again_afterwards() {
        let suspended = Rule::S6.suspend();
        assert!(!Rule::S6.in_force() && Rule::S7.in_force());
        drop(suspended);
        assert!(Rule::S6.in_force());
    }
}
