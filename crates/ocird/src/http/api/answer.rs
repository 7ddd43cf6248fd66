//! Answers: lists as JSON or comma-separated values, everything else as JSON; with an `ETag`, so that what a client has is not
//! sent again.

use aws_lc_rs::digest::{SHA256, digest};
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::asked::{Asked, Part};
use super::cursor::Cursor;
use super::desk::Seat;
use super::form::Form;
use crate::csv::{self, Cell};
use crate::json::json_line;

/// A part of a list.
#[derive(Debug, Serialize)]
pub(super) struct Listed<H, T> {
    /// What is told beside the rows.
    #[serde(flatten)]
    pub(super) head: H,
    /// The rows.
    pub(super) items: Vec<T>,
    /// Where the next part begins; `None` at the end.
    pub(super) next: Option<Cursor>,
}

/// Nothing is told beside the rows.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Bare {}

/// The columns of a list: their names, and what of a row stands in them.
#[derive(Debug)]
pub(super) struct Columns<T, const N: usize> {
    pub(super) names: [&'static str; N],
    pub(super) cells: fn(&T) -> [Cell; N],
}

/// The form of one answer and what makes it another one.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) body: Bytes,
    content_type: &'static str,
    tag: HeaderValue,
}

impl<T> Listed<Bare, T> {
    /// Rows and nothing beside.
    pub(super) const fn bare(items: Vec<T>, next: Option<Cursor>) -> Self {
        Self { head: Bare {}, items, next }
    }
}

/// The rows of one part, in order of their keys, and where the next part begins. A key is a row's own.
pub(super) fn part_of<T>(
    rows: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> Vec<u8>,
    part: &Part,
) -> (Vec<T>, Option<Cursor>) {
    let after = part.after.as_ref().map(Cursor::key);
    let keyed = rows.into_iter().map(|row| (key(&row), row));
    let mut keyed: Vec<_> = keyed.filter(|(key, _)| after.is_none_or(|after| &key[..] > after)).collect();
    keyed.sort_by(|(a, _), (b, _)| a.cmp(b));
    let limit = part.limit as usize;
    let last = keyed.get(limit).and_then(|_| keyed.get(limit - 1));
    let next = last.map(|(key, _)| Cursor::new(key.clone()));
    (keyed.into_iter().take(limit).map(|(_, row)| row).collect(), next)
}

impl Asked {
    /// A list in the form that was asked for. The reference to the next part is in the head too, for whoever reads lines.
    pub(super) async fn list<H: Serialize, T: Serialize, const N: usize>(
        &self,
        seat: Seat,
        listed: Listed<H, T>,
        columns: Columns<T, N>,
    ) -> Response {
        let next = listed.next.as_ref().map(|cursor| self.next(cursor));
        let (text, content_type) = match self.form {
            Form::Json => (json_line(&listed), JSON),
            Form::Csv => (csv::table(columns.names, listed.items.iter().map(columns.cells)), CSV),
        };
        drop(listed);
        let tag = entity_tag(text.as_bytes());
        let mut answer = if self.has(&tag) {
            unchanged()
        } else {
            found(Written { body: seat.hand_out(text).await, content_type, tag: tag.clone() })
        };
        let headers = answer.headers_mut();
        headers.insert(header::ETAG, tag);
        headers.insert(header::VARY, HeaderValue::from_static("accept"));
        if let Some(next) = next {
            let link = HeaderValue::from_str(&format!("<{next}>; rel=\"next\""));
            headers.insert(header::LINK, link.expect("a path that came in a request, and encoded values"));
        }
        answer
    }

    /// One thing as JSON.
    pub(super) async fn one(&self, seat: Seat, value: &impl Serialize) -> Response {
        let written = Written::json(seat.hand_out(json_line(value)).await);
        self.written(written)
    }

    /// What is written already.
    pub(super) fn written(&self, written: Written) -> Response {
        if self.has(&written.tag) {
            let mut answer = unchanged();
            answer.headers_mut().insert(header::ETAG, written.tag);
            return answer;
        }
        found(written)
    }

    /// True when the client has what this tag is of. <https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2>
    fn has(&self, tag: &HeaderValue) -> bool {
        let same = |known: &str| known == "*" || known.trim_start_matches("W/").as_bytes() == tag.as_bytes();
        self.known.as_ref().is_some_and(|known| known.split(',').map(str::trim).any(same))
    }
}

const JSON: &str = "application/json";

const CSV: &str = "text/csv; charset=utf-8";

/// A client may keep an answer, but asks before it shows it again.
const REVALIDATE: HeaderValue = HeaderValue::from_static("private, no-cache");

impl Written {
    /// JSON.
    pub(super) fn json(body: Bytes) -> Self {
        let tag = entity_tag(&body);
        Self { body, content_type: JSON, tag }
    }
}

fn found(Written { body, content_type, tag }: Written) -> Response {
    let mut answer = Response::new(Body::from(body));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, REVALIDATE);
    headers.insert(header::ETAG, tag);
    answer
}

fn unchanged() -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    answer.headers_mut().insert(header::CACHE_CONTROL, REVALIDATE);
    answer
}

/// A strong tag: half of the SHA-256 of the very bytes, far beyond any accident.
fn entity_tag(body: &[u8]) -> HeaderValue {
    let hash = digest(&SHA256, body);
    let half = Cursor::new(hash.as_ref()[..16].to_vec());
    HeaderValue::from_str(&format!("\"{half}\"")).expect("digits in quotes are a header")
}
