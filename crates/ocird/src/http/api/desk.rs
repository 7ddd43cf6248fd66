//! How much the API may take of the memory. Whoever may ask can ask often and read slowly; without a bound, a page of a
//! thousand images for each of 256 connections would be theirs to hold.
//!
//! Few answers are made at the same time: each has a seat from before the first row is read. And what is made but not yet
//! sent is weighed: an answer keeps its seat until there is room for it. Whoever finds neither waits, at most as long as a
//! page may take to be made.

use std::sync::Arc;

use axum::body::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Answers that are made at the same time: the store has half as many connections for those who ask, and the others are about
/// the board or wait for room.
const SEATS: usize = 4;

/// What may be under way to clients, in KiB: 16 MiB are sixteen of the largest lists, and a quarter of what the pages may
/// take in all.
const ROOM: u32 = 16 * 1024;

/// The seats and the room.
#[derive(Debug)]
pub(super) struct Desk {
    seats: Arc<Semaphore>,
    room: Arc<Semaphore>,
}

/// The right to make one answer.
#[derive(Debug)]
pub(super) struct Seat {
    room: Arc<Semaphore>,
    _seat: OwnedSemaphorePermit,
}

/// A text that takes room until nobody needs it any more.
struct Weighed {
    text: String,
    _room: OwnedSemaphorePermit,
}

impl Default for Desk {
    fn default() -> Self {
        Self { seats: Arc::new(Semaphore::new(SEATS)), room: Arc::new(Semaphore::new(ROOM as usize)) }
    }
}

impl Desk {
    /// Waits for a seat.
    pub(super) async fn sit(&self) -> Seat {
        let seat = Arc::clone(&self.seats).acquire_owned().await;
        Seat { room: Arc::clone(&self.room), _seat: seat.expect(NEVER_CLOSED) }
    }
}

/// Why waiting cannot fail.
const NEVER_CLOSED: &str = "nobody closes the desk";

impl Seat {
    /// Waits for room and gives the seat to the next.
    pub(super) async fn hand_out(self, text: String) -> Bytes {
        let room = Arc::clone(&self.room).acquire_many_owned(weight(&text)).await;
        Bytes::from_owner(Weighed { text, _room: room.expect(NEVER_CLOSED) })
    }
}

/// The weight of a text in KiB, rounded up. One that is larger than the room takes all of it.
fn weight(text: &str) -> u32 {
    u32::try_from(text.len().div_ceil(1024)).unwrap_or(ROOM).min(ROOM)
}

impl AsRef<[u8]> for Weighed {
    fn as_ref(&self) -> &[u8] {
        self.text.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    fn large() -> String {
        "x".repeat(ROOM as usize * 1024)
    }

    #[tokio::test]
    async fn an_answer_waits_until_another_has_been_read() {
        let desk = Desk::default();
        let first = desk.sit().await.hand_out(large()).await;
        let mut second = Box::pin(desk.sit().await.hand_out("small".to_owned()));
        assert!((&mut second).now_or_never().is_none(), "there is no room");
        drop(first);
        assert_eq!(second.await, "small");
    }

    #[tokio::test]
    async fn few_answers_are_made_at_once() {
        let desk = Desk::default();
        let seats = futures_util::future::join_all((0..SEATS).map(|_| desk.sit())).await;
        assert!(desk.sit().now_or_never().is_none(), "every seat is taken");
        drop(seats);
        assert!(desk.sit().now_or_never().is_some());
    }

    #[tokio::test]
    async fn an_answer_larger_than_the_room_goes_out_alone() {
        let desk = Desk::default();
        let text = large() + "y";
        assert_eq!(desk.sit().await.hand_out(text.clone()).await.len(), text.len());
    }
}
