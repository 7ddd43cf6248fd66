//! Decides, refuses, accounts: pure functions over one pass's inventory. Nothing here reads a clock, a file, a socket
//! or a log, and nothing here deletes: [`plan`] proposes, [`check`] may refuse, and only a [`CheckedPlan`] is acted on.
//!
//! # What belongs together
//! In each repository a graph is drawn from *holder* to *carried*: an index holds the manifests it names, and a subject
//! holds what speaks about it, by its `subject` field or by a tag of the form `sha256-<hex>` with or without a
//! suffix such as `.sig`. What nothing holds is a *head*. A *family* is a head with everything that only it reaches.
//! What two heads reach belongs to no single family: it stays while either does, and when all of them go, the last takes it
//! along; that is the newest, as the oldest go first. An image on a circle, below one or above one, cannot be judged from its
//! head downwards and stays, and so does what a rest holds, until that is gone.
//!
//! # What speaks about other repositories
//! Signatures and attestations may lie in another repository than their subject (`COSIGN_REPOSITORY`). What speaks about an image
//! that its own repository does not have stays while any repository of the inventory has that image, and while any could not be
//! read; no rule takes it then, whatever it spells out. When its subject is nowhere, it may be an orphan, or the subject may be
//! where ocird does not look: so a rule about everything tagged is not about it, nor is a lifecycle rule about any image; one
//! that names its tags is, and what bears no tag is an untagged image like any other.
//!
//! # Who speaks for a family
//! Everything a head reaches speaks for it, shared or not: one use, one keep rule, one fresh or implausible time or one
//! tag that may not go, anywhere below, and the head stays with its family. So naming somebody's image, sharing
//! it or tagging it can save a family and never costs one (S-34). The other way round only the head's verdict counts: a
//! child that is kept merely because its parent is does not keep anything.
//!
//! # Who counts as newest
//! Places among the newest are counted over heads that bear a plain tag and have believable times. Children, referrers,
//! orphaned signatures and what is left of a family, tagged or not, take no place; a tagged one among them that is as new
//! as the last place holds its head all the same. So what is left of a deleted family never pushes another out. What a person
//! holds, or held until the hold ended, takes no place either: an old image that was restored, and so bears tags of today, must
//! not push out a newer one. It stays while it is as new as the last place. So it is in a lifecycle document.
//!
//! # Tagged and untagged
//! A head is tagged when it bears a tag, or when something below it bears a plain one; it is untagged when nothing of its
//! family bears any but ties to subjects that are present. A tie to a subject that is not in the repository is a tag: an
//! orphaned signature is no untagged image, and a bare head over one is neither, so that no rule takes it.
//!
//! # Lifecycle documents
//! To a document a family is one image: its head, with the head's tags and, for an age, the newest time of all of it. What
//! is left of a family that ocird deleted the head of is not counted; what a deletion by another hand left is images like any
//! other there, and counts. Where something below a head bears a tag of its own the document does not see,
//! the head stays. What a rule of the document takes goes with whatever other tags it bears, as at Amazon's.
//!
//! # The rests of a family
//! When ocird has deleted a head and a complete listing shows it gone, the members that are still listed go without
//! asking age or order again, as long as nothing present holds them. One younger than the guardrail's age was pushed anew
//! (its family was older than that when it was judged) and stays. What bears a plain tag is judged like any
//! other image, as a head of its own or by what holds it, with a mark, a grace and a part in the account; but it takes no place
//! among the newest, and no limit counts what was counted with its head. A rest that carries a tagged image stays, and is no rest
//! any more. Whoever looks leaves out of `rests` what was pulled or tagged since its head went: somebody wants it.
//!
//! # Lines in the account
//! A rule may speak only while the account over everything that is watched is above a line, or at or under it. Where it is
//! not known, such a delete rule takes nothing and such a keep rule holds. Families then go in one order over all
//! repositories, oldest first, each only if the account as it is by then still asks for it; those that could go but need not
//! are spared, and marked all the same. The semantics in full are in `plan/lines.rs`. What is left of a family is no matter
//! of usage. A layer to which manifests give different sizes counts at the smallest of them, so that no figure that somebody made
//! up calls for a deletion.
//!
//! # What no list shows
//! Pulls and resource tags are known as of the last read of an image, and believed for [`DETAILS_SERVE`]. What is not known
//! speaks for the image.
//!
//! # Doubt
//! Where it is not known what runs, or where a manifest cannot be judged (it may refer to anything, tagged images
//! included), everything that would go stays, and says that this is why. A pusher can freeze a repository so; that is
//! visible, and the safe side. To the account what stays so has gone while others are asked, so that none of them pays for it.
//!
//! # Asked why
//! [`explain`] is the planner talking: the rules, holds and facts that a verdict came from, one by one. [`tally`] counts what each
//! rule comes to. Nothing is decided by either.
//!
//! # Two pairs of eyes
//! `check` is written from the safety rules and shares no code with `plan`: it has its own reading of tags, its own walk of
//! the graph, its own count of the newest and its own tally of bytes. Where the two disagree, nothing goes.

#![deny(clippy::wildcard_enum_match_arm)]

mod account;
mod check;
mod due;
mod ecr;
mod explain;
mod fingerprint;
mod graph;
mod marks;
mod missing;
mod much;
mod plan;
mod tag;

pub use account::{Account, account, freed, frees};
pub use check::{CheckedPlan, Violation, Violations, check};
pub use due::{Due, DueKind, MIN_PASSES, due};
pub use ecr::{EcrImage, Expiry, expired};
pub use explain::{
    AccountSays, Answer, Asks, Condition, DeleteRuleSays, DeleteTally, Doubt, Explanation, Family, Governing,
    Guardrail, GuardrailSays, KeepRuleSays, KeepTally, LineSays, Place, Pulled, Reference, Tally, Testimony,
    Turn, UsedBy, Using,
};
pub use fingerprint::{PLANNER_VERSION, fingerprint};
pub use marks::advance;
pub use missing::{Gone, Missing, Need, missing};
pub use much::{TooMuch, too_much};
pub use plan::{DETAILS_SERVE, explain, plan, tally};
