//! The pass: look at everything, decide once, let an independent check refuse, write it down, and, only when armed,
//! do exactly what was decided.
//!
//! | step | file |
//! |---|---|
//! | observe one repository | `observe` |
//! | the list of them | `estate` |
//! | all of them, what runs, plan and check | `survey` |
//! | which of them are only observed, what is signed | `trust`, `signed` |
//! | every reason not to delete | `gate`, `clock_watch`, `space` |
//! | record, settle what was left open | `write_down`, `settle` |
//! | find what is odd, beside it | `find` |
//! | look again, act inside the fence | `again`, `act`, `fence` |
//! | prove, at once and later, and undo what is needed | `prove`, `proofs` |
//! | fold usage, copy the store | `upkeep` |
//! | show | `publish` |

mod act;
mod again;
mod answer;
mod batch;
mod brake;
mod clock_watch;
mod engine;
mod estate;
mod fence;
mod find;
#[cfg(test)]
mod fleet;
mod freed;
pub mod gate;
mod guard;
mod intent;
mod notebook;
mod observe;
mod proofs;
mod prove;
mod publish;
mod refresh;
mod settle;
mod signed;
mod space;
mod step;
mod survey;
mod sweep;
mod trust;
mod upkeep;
mod write_down;

pub(crate) use batch::{APPROVAL_SERVES, batch_size};
pub use engine::{Engine, Purpose};
pub use estate::Unlisted;
pub use notebook::{SharedPast, SharedStore};
pub(crate) use observe::{NOBODY_KNOWS_WHEN, REREAD_AFTER, Rereads, repository as look_at};
pub use publish::first_status;
pub(crate) use space::room_left;
pub use survey::{Decided, Survey, SurveyError};
