//! What was asked of the server and how it answered, so that a test can hold a daemon to its budget of calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::fault::Operation;

/// Counts of requests by operation and answer; shared by every connection.
#[derive(Debug, Default)]
pub struct Requests {
    counts: Mutex<BTreeMap<(Operation, Answer), u64>>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// With this HTTP status.
    Status(u16),
    /// The connection was closed without a word, because a fault said so.
    Dropped,
}

impl Requests {
    /// Every count there is, by operation and answer.
    pub fn counts(&self) -> BTreeMap<(Operation, Answer), u64> {
        self.lock().clone()
    }

    /// How often an operation was asked for, whatever the answer.
    pub fn of(&self, operation: Operation) -> u64 {
        let counts = self.lock();
        counts.iter().filter(|((asked, _), _)| *asked == operation).map(|(_, count)| count).sum()
    }

    /// How often an operation was answered in this way.
    pub fn answered(&self, operation: Operation, answer: Answer) -> u64 {
        self.lock().get(&(operation, answer)).copied().unwrap_or_default()
    }

    /// How many requests there were.
    pub fn total(&self) -> u64 {
        self.lock().values().sum()
    }

    /// Forgets everything, for counting one pass after another.
    pub fn clear(&self) {
        self.lock().clear();
    }

    pub(super) fn record(&self, operation: Operation, answer: Answer) {
        *self.lock().entry((operation, answer)).or_default() += 1;
    }

    /// A count is whole at every moment, so that a panic elsewhere leaves nothing to mend.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Operation, Answer), u64>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_by_operation_and_by_answer() {
        let requests = Requests::default();
        requests.record(Operation::ListContainerImages, Answer::Status(200));
        requests.record(Operation::ListContainerImages, Answer::Status(200));
        requests.record(Operation::ListContainerImages, Answer::Dropped);
        requests.record(Operation::GetContainerImage, Answer::Status(404));
        assert_eq!(requests.of(Operation::ListContainerImages), 3);
        assert_eq!(requests.answered(Operation::ListContainerImages, Answer::Status(200)), 2);
        assert_eq!(requests.answered(Operation::ListContainerImages, Answer::Status(500)), 0);
        assert_eq!(requests.total(), 4);
        requests.clear();
        assert_eq!(requests.total(), 0);
    }
}
