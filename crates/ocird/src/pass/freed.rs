//! Whether space was freed by another hand since the plan. A usage line asks for the fewest families over all repositories
//! (S-16), so what somebody deletes in one repository spares an image of another; a push only asks for more.
//!
//! One list of every other repository, once in an acting step that goes by a line: some pages for a house of four
//! repositories, one call for each of five hundred. What was known when the plan was made is not read again.

use std::time::Duration;

use ocird_model::{Clock, Inventory, ReadRegistry, RegistryError, Repository, Verdict};
use ocird_plan::CheckedPlan;

use crate::pass::observe::{self, at_once};
use crate::pass::survey::REPOSITORIES_AT_ONCE;

/// One such look serves the deletions of this long.
const SERVES: Duration = Duration::from_mins(2);

/// Looks at the account again during one acting step.
pub(crate) struct Freed<'a, R, C> {
    reader: &'a R,
    clock: &'a C,
    inventory: &'a Inventory,
    checked: &'a CheckedPlan,
    /// When it looked, and what it found.
    last: Option<(Duration, Option<String>)>,
}

impl<'a, R: ReadRegistry, C: Clock> Freed<'a, R, C> {
    /// A look that has not been taken.
    pub(crate) fn new(
        reader: &'a R,
        clock: &'a C,
        inventory: &'a Inventory,
        checked: &'a CheckedPlan,
    ) -> Self {
        Self { reader, clock, inventory, checked, last: None }
    }

    /// What is gone that the plan counted on as staying, for people; `None` when nothing is.
    pub(crate) async fn by_another_hand(&mut self) -> Result<Option<String>, RegistryError> {
        let now = self.clock.monotonic();
        if let Some((at, found)) = &self.last
            && now.saturating_sub(*at) < SERVES
        {
            return Ok(found.clone());
        }
        let looks: Vec<_> = self.inventory.complete().map(|repository| self.gone_from(repository)).collect();
        let mut found = None;
        for gone in at_once(REPOSITORIES_AT_ONCE, looks).await {
            found = found.or(gone?);
        }
        self.last = Some((now, found.clone()));
        Ok(found)
    }

    async fn gone_from(&self, repository: &Repository) -> Result<Option<String>, RegistryError> {
        let rows = self.reader.images(&repository.compartment, &repository.id).await?;
        let listed = match observe::listed_digests(&repository.id, rows) {
            Ok(listed) => listed,
            Err(why) => return Ok(Some(format!("{} cannot be counted again: {why}", repository.name))),
        };
        let decisions = self.checked.plan().decisions(&repository.name).iter();
        let mut kept = decisions.filter(|decision| match decision.verdict {
            Verdict::Keep(_) => true,
            Verdict::Delete(_) => false,
        });
        let gone = kept.find(|decision| !listed.contains_key(&decision.digest));
        Ok(gone.map(|gone| {
            format!("{}@{} went by another hand, so that less need go", repository.name, gone.digest.short())
        }))
    }
}
