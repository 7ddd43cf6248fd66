//! Every cause for which ocird deletes nothing, or less than the rules say (S-33): one code each, what it means, and what
//! clears it. The table in the README is these words, and a test compares them.

use serde::{Serialize, Serializer};

/// Why nothing goes, or less than the rules say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// A word of the list in [`RefusalCode::ALL`]; log code and metric label.
    pub code: RefusalCode,
    /// What it concerns and what clears it, for people.
    pub text: String,
}

/// How much a cause holds back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Nothing at all goes.
    Everything,
    /// Some repositories or families wait.
    Some,
}

/// Who lets deletion go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClearedBy {
    /// A later pass, without anybody doing anything about ocird.
    Itself,
    /// A person.
    Hand,
}

macro_rules! codes {
    ($($(#[$doc:meta])+ $variant:ident $word:literal $reach:ident $by:ident $means:literal, $clears:literal;)+) => {
        /// Every cause. One log code and one metric label each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum RefusalCode {
            $($(#[$doc])+ $variant,)+
        }

        impl RefusalCode {
            /// Every code, so that counters exist before the first refusal.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The code as a log field and metric label.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            /// How much it holds back.
            pub const fn reach(self) -> Reach {
                match self {
                    $(Self::$variant => Reach::$reach,)+
                }
            }

            /// Who lets deletion go on.
            pub const fn cleared_by(self) -> ClearedBy {
                match self {
                    $(Self::$variant => ClearedBy::$by,)+
                }
            }

            /// What it means, for people.
            pub const fn means(self) -> &'static str {
                match self {
                    $(Self::$variant => $means,)+
                }
            }

            /// What clears it, for people.
            pub const fn clears(self) -> &'static str {
                match self {
                    $(Self::$variant => $clears,)+
                }
            }
        }
    };
}

codes! {
    /// Report mode (S-15).
    ReportMode "report_mode" Everything Hand
        "`mode = \"report\"`", "arming it";
    /// `armed_for` does not equal what the credentials report (S-15).
    Disarmed "disarmed" Everything Hand
        "`[armed_for]` does not equal what the credentials report", "correcting one or the other";
    /// Whoever else runs on this instance would have ocird's rights (S-31).
    SharedIdentity "shared_identity" Everything Hand
        "every process of the instance has ocird's rights, and nobody said that this is meant",
        "`metadata = \"fenced\"` or `\"own_instance\"` in `[armed_for]`, or `accept_shared_identity = true`";
    /// Nobody said which image ocird itself runs from (S-4).
    OwnImage "own_image" Everything Hand
        "ocird runs in a container, and nobody said from which image",
        "`own_image` in `[in_use]`, or the variable `OCIRD_IMAGE`: its reference, in whichever registry";
    /// What ocird deletes could not be brought back (S-26).
    NoRestore "no_restore" Everything Hand
        "nobody said whether ocird may restore, or the registry has refused it lately",
        "`restore = \"permitted\"` in `[armed_for]` and the right to, or `restore = \"not_permitted\"`";
    /// The kill switch is on, or cannot be read (S-24).
    Paused "paused" Everything Hand
        "a file `pause` is in the state directory, or nobody can tell; looked at before every deletion",
        "`ocird resume`, or removing the file";
    /// The breaker has tripped (S-25).
    Breaker "breaker" Everything Hand
        "three unexpected answers in a row, a 404 for an image that the complete list still shows, or a broken assertion",
        "`ocird reset`, once somebody has looked";
    /// Deletion is frozen, because something that ocird deleted was needed (S-26).
    Frozen "frozen" Everything Hand
        "something that ocird deleted was needed", "`ocird reset`, once somebody has looked";
    /// What is due is too much at once (S-19).
    TooMuch "too_much" Everything Hand
        "more is due than `max_plan`, or more than half of the tagged families of a repository",
        "`ocird approve`, or less being due in a pass that can judge all of it";
    /// The clock is in doubt (S-9).
    ClockDoubt "clock_doubt" Everything Itself
        "the clock is off by a minute, stepped back or jumped", "three clean passes";
    /// There is no writable store (S-28).
    NoStore "no_store" Everything Itself
        "the state directory cannot be written, or another ocird holds it", "the next pass that can write";
    /// There is too little room on the disk for the journal (S-28).
    LowSpace "low_space" Everything Itself
        "the disk of the state directory has less room than `[store] min_free`, or nobody can tell",
        "room on the disk";
    /// The registry cannot be signed in to or listed (S-2).
    CannotObserve "cannot_observe" Everything Itself
        "the registry cannot be signed in to or listed", "the next pass that can";
    /// The independent check refused the plan; the breaker trips with it.
    CheckRefused "check_refused" Everything Hand
        "the independent check refused the plan: a defect of ocird", "`ocird reset` for the breaker, which trips with it";
    /// An earlier intent could not be settled yet (S-22).
    OpenIntent "open_intent" Everything Itself
        "the answer to a deletion was lost",
        "a later pass that reads what came of it; after an hour only its repository waits";
    /// Something that ocird deleted is needed (S-26).
    ProofFailed "proof_failed" Everything Hand
        "something that ocird deleted is needed now", "bringing it back within 48 hours; `frozen` stays after that";
    /// A repository could not be read whole (S-1).
    Unreadable "unreadable" Some Itself
        "a repository could not be read whole, or holds what cannot be judged", "the next pass that can";
    /// It is not known what runs (S-4).
    InUseUnknown "in_use_unknown" Some Itself
        "it is not known what runs from a repository", "the next pass in which every source answers";
    /// A new repository, store, schema or gap: it is only observed for a while (S-9, S-15, S-30).
    Observing "observing" Some Itself
        "a new store, a new repository, or the first pass after a gap or a change of schema",
        "time: one grace, or one pass";
    /// A repository or the list of repositories shrank without ocird's doing (S-3).
    Shrunk "shrunk" Some Itself
        "images or repositories are gone that ocird did not take: all, or more than a fifth and more than five",
        "two later complete passes that agree";
    /// It is not known which images are signed (S-35).
    SignaturesUnknown "signatures_unknown" Some Itself
        "the image signatures of a compartment cannot be listed", "the next pass that can list them";
    /// Due, and not on the list that was approved (S-19).
    Unapproved "unapproved" Some Itself
        "something is due that is not on the approved list, or not as it was there",
        "the end of the approval: none of it is due any more, or 30 days";
    /// The first batches of a store are small (S-20).
    Ramp "ramp" Some Itself
        "the first batch of a store is one family, the second ten", "a clean proof of the batch before";
    /// The limit of one pass or day was reached; the rest goes later (S-19).
    Deferred "deferred" Some Itself
        "`max_per_pass` or `max_per_day` is reached", "the next pass, the next day";
    /// The registry or what runs changed between the plan and the act; the next pass decides anew (S-17).
    Moved "moved" Some Itself
        "the registry or what runs changed between the plan and the act",
        "the next pass; what changed waits a whole grace anew";
    /// Looking took longer than what was seen may be acted on (S-17).
    TooSlow "too_slow" Some Itself
        "looking takes longer than ten minutes, even at what is about to go", "a pass that looks faster";
    /// The registry gave no answer while acting, or asked to be left alone.
    Unanswered "unanswered" Some Itself
        "the registry stopped answering while ocird acted, or asked to be left alone", "the next pass";
}

impl RefusalCode {
    /// True for the causes for which nothing at all goes; the others concern single repositories or families.
    pub const fn stops_everything(self) -> bool {
        match self.reach() {
            Reach::Everything => true,
            Reach::Some => false,
        }
    }
}

impl Serialize for RefusalCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_is_one_word_of_its_own() {
        let words: BTreeSet<&str> = RefusalCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), RefusalCode::ALL.len());
        assert!(
            words.iter().all(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '_')),
            "{words:?}"
        );
    }

    #[test]
    fn the_readme_names_each_state_and_what_clears_it() {
        let readme = include_str!("../../../../README.md");
        let missing: Vec<String> = RefusalCode::ALL
            .iter()
            .map(|code| format!("| `{}` | {} | {} |", code.as_str(), code.means(), code.clears()))
            .filter(|row| !readme.lines().any(|line| line == row))
            .collect();
        assert!(missing.is_empty(), "the README lacks these rows:\n{}", missing.join("\n"));
    }
}
