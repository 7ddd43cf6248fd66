//! What a client asks: the parameters of its query, the name in its path, the form it wants and what it has already. Strict:
//! whatever is not understood is a problem that names the parameter. What the answers are is not known here.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::num::ParseIntError;
use std::str::FromStr;

use axum::extract::{FromRequestParts, MatchedPath, Path, Query};
use axum::http::header;
use axum::http::request::Parts;
use ocird_model::RepositoryName;
use ocird_store::Past;

use super::cursor::Cursor;
use super::form::Form;
use super::{Api, OPERATIONS, Operation};
use crate::http::problem::Problem;

/// At most so many rows.
pub(super) const LIMIT: &str = "limit";

/// The place that a part of a list begins after.
pub(super) const CURSOR: &str = "cursor";

/// JSON or comma-separated values.
pub(super) const FORMAT: &str = "format";

/// Only one repository.
pub(super) const REPOSITORY: &str = "repository";

/// Whether the past is meant.
pub(super) const STATE: &str = "state";

/// The beginning of a range of time.
pub(super) const FROM: &str = "from";

/// The end of a range of time.
pub(super) const TO: &str = "to";

/// The length of a step of a series.
pub(super) const STEP: &str = "step";

/// Rows of a part when nobody says how many: a screen or two, and some tens of kilobytes.
const DEFAULT_LIMIT: u32 = 100;

/// The longest name or value of a client's that is repeated to it, in characters.
const MAX_ECHO: usize = 80;

/// A request that is understood as far as all have it in common.
#[derive(Debug)]
pub(super) struct Asked {
    path: String,
    given: BTreeMap<&'static str, String>,
    /// The form of the answer.
    pub(super) form: Form,
    /// What the client has, as it says.
    pub(super) known: Option<String>,
}

/// The part of a list that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    /// At most so many rows.
    pub(super) limit: u32,
    /// Only what comes after this place.
    pub(super) after: Option<Cursor>,
}

/// The repository that a path names.
#[derive(Debug)]
pub(super) struct Named(pub(super) RepositoryName);

impl FromRequestParts<Api> for Asked {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Api) -> Result<Self, Problem> {
        let matched = parts.extensions.get::<MatchedPath>().map_or("", MatchedPath::as_str);
        let operation = OPERATIONS.iter().find(|operation| operation.path == matched);
        let operation = operation.expect("nothing but the operations is routed here");
        let given = given(operation, parts)?;
        let form = match given.get(FORMAT) {
            Some(word) => word.parse().map_err(|error| refused(FORMAT, error))?,
            None if operation.parameter(FORMAT).is_some() => Form::wanted(&parts.headers),
            None => Form::Json,
        };
        let known =
            parts.headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let known: Vec<&str> = known.collect();
        let known = (!known.is_empty()).then(|| known.join(","));
        Ok(Self { path: parts.uri.path().to_owned(), given, form, known })
    }
}

/// The parameters that were given, each of which the operation has.
fn given(operation: &Operation, parts: &Parts) -> Result<BTreeMap<&'static str, String>, Problem> {
    let pairs: Query<Vec<(String, String)>> = Query::try_from_uri(&parts.uri)
        .map_err(|_| Problem::parameter("", "the query is not made of parameters and values"))?;
    let mut given = BTreeMap::new();
    for (name, value) in pairs.0 {
        let Some(known) = operation.parameter(&name) else {
            let all = operation.parameters.join(", ");
            let all = if all.is_empty() { "none".to_owned() } else { all };
            return Err(Problem::parameter(
                echo(&name),
                format!("there is no such parameter here; there are {all}"),
            ));
        };
        if given.insert(known, value).is_some() {
            return Err(Problem::parameter(known, "it is given twice"));
        }
    }
    Ok(given)
}

/// A client's text, cut short.
fn echo(text: &str) -> String {
    text.chars().take(MAX_ECHO).collect()
}

fn refused(name: &str, error: impl fmt::Display) -> Problem {
    Problem::parameter(name, error.to_string())
}

impl Asked {
    /// The value of a parameter, if it was given.
    pub(super) fn optional<T: FromStr<Err: fmt::Display>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, Problem> {
        let parse = |value: &String| value.parse().map_err(|error| refused(name, error));
        self.given.get(name).map(parse).transpose()
    }

    /// The repository that is picked, if one is.
    pub(super) fn repository(&self) -> Result<Option<RepositoryName>, Problem> {
        self.optional(REPOSITORY)
    }

    /// The part that is asked for.
    pub(super) fn part(&self) -> Result<Part, Problem> {
        let limit: Option<Limit> = self.optional(LIMIT)?;
        let after = self.optional(CURSOR)?;
        Ok(Part { limit: limit.map_or(DEFAULT_LIMIT, |Limit(limit)| limit), after })
    }

    /// The same question for the part after `cursor`, as a reference that can stand in a header.
    pub(super) fn next(&self, cursor: &Cursor) -> String {
        let mut next = self.path.clone();
        let cursor = (CURSOR, cursor.to_string());
        let others = self.given.iter().filter(|(name, _)| **name != CURSOR);
        let pairs = others.map(|(name, value)| (*name, value.clone())).chain([cursor]);
        for (i, (name, value)) in pairs.enumerate() {
            next.push(if i == 0 { '?' } else { '&' });
            next.push_str(name);
            next.push('=');
            percent_encode(&mut next, &value);
        }
        next
    }
}

/// Writes a value of a query with everything encoded that is not unreserved.
/// <https://www.rfc-editor.org/rfc/rfc3986#section-2.3>
fn percent_encode(text: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            write!(text, "%{byte:02X}").expect("a string takes everything");
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(name) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::parameter("name", "it is not UTF-8 once its percent signs are decoded"))?;
        name.parse().map(Self).map_err(|error| refused("name", error))
    }
}

/// A number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit(u32);

/// Why a text is not a number of rows.
#[derive(Debug, thiserror::Error)]
#[error("write a whole number from 1 to {}", Past::MAX_ROWS)]
struct ParseLimitError(#[source] Option<ParseIntError>);

impl FromStr for Limit {
    type Err = ParseLimitError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Rust reads a sign; nobody else's whole number has one here.
        if text.starts_with('+') {
            return Err(ParseLimitError(None));
        }
        match text.parse() {
            Ok(limit @ 1..=Past::MAX_ROWS) => Ok(Self(limit)),
            Ok(_) => Err(ParseLimitError(None)),
            Err(error) => Err(ParseLimitError(Some(error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_whole_number_from_one_to_a_thousand() {
        assert_eq!("1000".parse::<Limit>().unwrap(), Limit(1000));
        for text in ["0", "1001", "-1", "+1", "1.0", "", "ten", "99999999999"] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_next_part_is_the_same_question_with_another_cursor() {
        let given =
            [("cursor", "00".to_owned()), ("limit", "5".to_owned()), ("repository", "a/b\"\r\n".to_owned())];
        let asked =
            Asked { path: "/api/v1/pending".to_owned(), given: given.into(), form: Form::Json, known: None };
        let next = asked.next(&Cursor::new(vec![0xab]));
        assert_eq!(next, "/api/v1/pending?limit=5&repository=a%2Fb%22%0D%0A&cursor=ab");
    }
}
