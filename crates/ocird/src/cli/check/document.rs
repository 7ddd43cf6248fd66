//! The result of a check for programs.

use serde::Serialize;

use crate::cli::check::registry::{PolicyReview, Review};
use crate::config::{Config, Problem, Problems};
use crate::json;

/// The version of the document. It grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// The document.
#[derive(Debug, Serialize)]
pub(super) struct Document<'a> {
    schema: u32,
    /// True when there is no problem; there may be warnings.
    ok: bool,
    problems: Vec<Row>,
    warnings: Vec<Row>,
    /// What the rules match now; null unless the registry was asked.
    policies: Option<&'a [PolicyReview]>,
}

/// A problem or warning. File, line and column are null where it is about no place in a file.
#[derive(Debug, Serialize)]
struct Row {
    file: Option<String>,
    line: Option<usize>,
    column: Option<usize>,
    text: String,
}

impl Row {
    fn of(problem: &Problem) -> Self {
        let Problem { file, place, text } = problem;
        Self {
            file: Some(file.display().to_string()),
            line: place.as_ref().map(|place| place.line),
            column: place.as_ref().map(|place| place.column),
            text: text.clone(),
        }
    }
}

impl<'a> Document<'a> {
    /// A configuration that is good.
    pub(super) fn of(config: &Config, review: Option<&'a Review>) -> Self {
        let seen = review.iter().flat_map(|review| &review.warnings);
        let seen = seen.map(|text| Row { file: None, line: None, column: None, text: text.clone() });
        Self {
            schema: SCHEMA,
            ok: true,
            problems: Vec::new(),
            warnings: config.warnings.iter().map(Row::of).chain(seen).collect(),
            policies: review.map(|review| review.policies.as_slice()),
        }
    }

    /// A configuration that is wrong.
    pub(super) fn refused(problems: &Problems) -> Self {
        let problems = problems.iter().map(Row::of).collect();
        Self { schema: SCHEMA, ok: false, problems, warnings: Vec::new(), policies: None }
    }

    /// The document as text.
    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        json::document(self)
    }
}
