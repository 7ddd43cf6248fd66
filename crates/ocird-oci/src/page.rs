//! Listings, to the last page or not at all (S-1).
//! <https://docs.oracle.com/en-us/iaas/Content/API/Concepts/usingapi.htm>

use std::collections::HashSet;

use ocird_model::{Clock, Rule};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::OciError;
use crate::client::{Call, Client};
use crate::counts::Operation;
use crate::error::EndlessReason;
use crate::target::Target;
use crate::transport::Answer;

/// The most bytes of a page; a thousand rows have about one million.
const MAX_PAGE: usize = 16 * 1024 * 1024;

/// The header that says that there is more.
const NEXT_PAGE: &str = "opc-next-page";

/// One page of any listing.
#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
}

/// The cursors of one listing.
#[derive(Debug)]
struct Cursors {
    seen: HashSet<String>,
    max_pages: u32,
}

impl Cursors {
    fn new(max_pages: u32) -> Self {
        Self { seen: HashSet::new(), max_pages }
    }

    /// Takes one more cursor; an error when it leads in a circle or too far.
    fn follow(&mut self, cursor: &str) -> Result<(), OciError> {
        let endless = |reason| Err(OciError::Endless { reason });
        if !self.seen.insert(cursor.to_owned()) {
            return endless(EndlessReason::CursorRepeated);
        }
        // The first page has no cursor, so page `n` is the one after cursor `n - 1`.
        if self.seen.len() >= self.max_pages as usize {
            let bound = self.max_pages;
            return endless(EndlessReason::TooManyPages { bound });
        }
        Ok(())
    }
}

/// Every row of the listing at `target`. Only a page without `opc-next-page` is the last; an empty page that has one
/// is not. A page that fails, that is answered with another status than 200 or that cannot be decoded fails the whole (S-1).
pub(crate) async fn list<C: Clock, T: DeserializeOwned>(
    client: &Client<C>,
    operation: Operation,
    target: Target,
) -> Result<Vec<T>, OciError> {
    let first = target.with("limit", &client.settings.page_size.to_string());
    let mut cursors = Cursors::new(client.settings.max_pages);
    let mut rows = Vec::new();
    let mut next = first.clone();
    loop {
        let answer = match client.signed(Call::get(operation, next, MAX_PAGE)).await {
            Ok(answer) if answer.is_whole() => answer,
            Ok(answer) => return Err(OciError::malformed("a page of the listing", answer.status())),
            Err(_) if !Rule::S1.in_force() && !rows.is_empty() => return Ok(rows),
            Err(error) => return Err(error),
        };
        let page: Page<T> = answer.json("a page of the listing")?;
        rows.extend(page.items);
        let Some(cursor) = next_cursor(&answer)? else {
            return Ok(rows);
        };
        cursors.follow(cursor)?;
        next = first.clone().with("page", cursor);
    }
}

/// The cursor of the next page. One that is there but cannot be sent back is an error and not an end.
fn next_cursor(answer: &Answer) -> Result<Option<&str>, OciError> {
    match answer.header(NEXT_PAGE) {
        Some(cursor) if !cursor.is_empty() => Ok(Some(cursor)),
        None if !answer.has_header(NEXT_PAGE) => Ok(None),
        _ => Err(OciError::malformed(NEXT_PAGE, "empty or not printable")),
    }
}

#[cfg(test)]
mod tests {
    use ocird_model::{ImageRow, Lifecycle, Tag};
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::fuzz::{self, Reading};
    use crate::wire::ImageSummary;

    #[test]
    fn a_cursor_seen_before_ends_the_listing_as_endless() {
        let mut cursors = Cursors::new(100);
        for cursor in ["a", "b", "c"] {
            cursors.follow(cursor).unwrap();
        }
        let error = cursors.follow("b").unwrap_err();
        let reason = EndlessReason::CursorRepeated;
        assert!(matches!(error, OciError::Endless { reason: r } if r == reason));
    }

    #[test]
    fn any_page_is_read_row_for_row_or_is_an_error() {
        fuzz::any_input("page", "page", |bytes| {
            let Ok(page) = serde_json::from_slice::<Page<ImageSummary>>(bytes) else {
                return Ok(Reading::Refused);
            };
            let rows: Vec<ImageRow> = page.items.into_iter().map(Into::into).collect();
            if let Ok(own) = serde_json::from_slice::<Value>(bytes) {
                let items = own["items"].as_array().unwrap();
                prop_assert_eq!(rows.len(), items.len());
                for (row, item) in rows.iter().zip(items) {
                    prop_assert_eq!(Some(row.id.as_str()), item["id"].as_str());
                    prop_assert_eq!(Some(row.digest.to_string()), item["digest"].as_str().map(str::to_owned));
                    prop_assert_eq!(row.tag.as_ref().map(Tag::as_str), item["version"].as_str());
                    prop_assert_eq!(Some(row.repository.as_str()), item["repositoryId"].as_str());
                    prop_assert_eq!(row.created_at.is_none(), item["timeCreated"].is_null());
                    let is_available = item["lifecycleState"] == "AVAILABLE";
                    prop_assert_eq!(row.lifecycle == Lifecycle::Available, is_available);
                }
            }
            Ok(Reading::Read)
        });
    }

    #[test]
    fn as_many_pages_as_the_bound_and_no_more_are_read() {
        let mut cursors = Cursors::new(3);
        cursors.follow("to page 2").unwrap();
        cursors.follow("to page 3").unwrap();
        let error = cursors.follow("to page 4").unwrap_err();
        let reason = EndlessReason::TooManyPages { bound: 3 };
        assert!(matches!(error, OciError::Endless { reason: r } if r == reason));
    }
}
