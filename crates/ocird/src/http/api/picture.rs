//! The board as JSON, written once for each picture. It is the answer that most ask for and that grows with the registry:
//! rendering it for every client, and keeping a copy for every slow one, would let whoever may ask decide how much memory
//! there must be.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Response;

use super::Api;
use super::answer;
use super::asked::Asked;
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
    text: answer::Written,
}

/// Everything that the board shows.
pub(super) async fn status(State(api): State<Api>, asked: Asked) -> Response {
    asked.written(api.picture.written(&api.app.board.read()))
}

impl Picture {
    /// The text that shows `status`. It does not hold the picture, which would make the board copy it: an answer may take its
    /// time on its way.
    fn written(&self, status: &Arc<Status>) -> answer::Written {
        let of = Arc::downgrade(status);
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &*written {
            Some(present) if present.of.ptr_eq(&of) => present.text.clone(),
            Some(_) | None => {
                let text = answer::Written::json(Bytes::from(json_line(&**status)));
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
        let first = picture.written(&board.read()).body;
        let again = picture.written(&board.read()).body;
        assert_eq!(first.as_ptr(), again.as_ptr(), "it was written twice");
        board.update(|status| status.version = "another".to_owned());
        let changed = picture.written(&board.read()).body;
        assert!(changed != first && String::from_utf8_lossy(&changed).contains("\"another\""));
    }
}
