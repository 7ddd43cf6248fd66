//! The board as JSON, written once for each picture. It is the one answer that grows with the registry: rendering it for
//! every client, and keeping a copy for every slow one, would let whoever may ask decide how much memory there must be.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::Response;

use crate::json::json_line;
use crate::status::Status;

/// The last picture that was asked for.
#[derive(Debug, Default)]
pub(super) struct Picture(Mutex<Option<Written>>);

#[derive(Debug)]
struct Written {
    /// The picture this is the text of. Weak: a picture that nobody shows any more is not kept for its text, and the
    /// board need not copy it to change it.
    of: Weak<Status>,
    text: Bytes,
}

impl Picture {
    /// The answer that shows `status`.
    pub(super) fn answer(&self, status: Arc<Status>) -> Response {
        let text = self.text(&status);
        // Before the answer is written out, which may take its time: who holds a picture makes the board copy it.
        drop(status);
        let mut answer = Response::new(Body::from(text));
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        answer
    }

    fn text(&self, status: &Arc<Status>) -> Bytes {
        let of = Arc::downgrade(status);
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*written {
            Some(present) if present.of.ptr_eq(&of) => present.text.clone(),
            Some(_) | None => {
                let text = Bytes::from(json_line(&**status));
                *written = Some(Written { of, text: text.clone() });
                text
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::worlds::report_mode;
    use crate::status::Board;

    #[test]
    fn a_picture_is_written_once_and_a_changed_one_anew() {
        let board = Board::new(report_mode());
        let picture = Picture::default();
        let first = picture.text(&board.read());
        let again = picture.text(&board.read());
        assert_eq!(first.as_ptr(), again.as_ptr(), "it was written twice");
        board.update(|status| status.version = "another".to_owned());
        let changed = picture.text(&board.read());
        assert!(changed != first && String::from_utf8_lossy(&changed).contains("\"another\""));
    }
}
