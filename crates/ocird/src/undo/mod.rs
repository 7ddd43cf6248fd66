//! Undoing: what ocird deleted is brought back, and what a person wants to keep is held (S-27).
//!
//! | what | file |
//! |---|---|
//! | which image somebody means | `name` |
//! | hold and release, and the look at holds before a deletion | `hold` |
//! | which deletions belong together, and in what order they are undone | `order` |
//! | one call after the other, each on record before it is made | `restore`, `step` |
//! | what came of it, for people | `report` |
//!
//! A restore brings back children before the indexes that name them, puts back tags as far as the rights allow and never
//! takes a tag from another image. It is on record before each call and after it, may be asked for again, and holds what it
//! brought back, so that the rules do not take it again the next day.
//!
//! Deliberately absent: when something is needed. The proofs of a pass find that out, and ask here.

mod hold;
mod name;
mod order;
mod report;
mod restore;
mod restorer;
mod step;

pub(crate) use self::hold::held_now;
pub use self::hold::{HoldOrder, Placed, Released, hold, release};
pub use self::name::{ImageName, ParseImageNameError, Which};
pub(crate) use self::order::Wanted;
pub use self::report::{Fate, LostTag, Restored, RestoredImage};
pub use self::restore::{RestoreOrder, Undo, UndoError, What, restore};
pub(crate) use self::restore::{bring_back, settle};
pub use self::restorer::Restorer;
