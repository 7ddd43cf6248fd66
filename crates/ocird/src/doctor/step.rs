//! What a step of the examination found, and how that looks on a terminal and to a program. Knows nothing of what the
//! steps are about.

use std::fmt::{self, Write as _};

use ocird_model::OneLine;
use serde::Serialize;

use crate::json;

/// The version of the JSON document. It grows when a field changes its meaning or goes.
const SCHEMA: u32 = 1;

/// The width of the text: what every terminal shows.
const WIDTH: usize = 80;

/// Where what was seen begins: after the state and the name of the step.
const INDENT: usize = 25;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// It works.
    Ok,
    /// It works, and something about it will be trouble.
    Warning,
    /// It does not work.
    Failed,
    /// Something that it needs failed before.
    NotTried,
    /// Nobody can tell without doing harm. Neither good nor bad.
    NotShown,
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Step {
    /// What it is about, in a word or two.
    pub(crate) name: &'static str,
    /// How it ended.
    pub(crate) state: State,
    /// What was seen.
    pub(crate) seen: String,
    /// What to do about it; none when nothing is to be done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) advice: Vec<Advice>,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Advice {
    /// A sentence.
    Do(String),
    /// A line to copy as it is: a command, a policy statement.
    Copy(String),
}

/// Every step, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Report {
    /// The steps.
    pub(crate) steps: Vec<Step>,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    ok: bool,
    steps: &'a [Step],
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
            Self::NotTried => "not tried",
            Self::NotShown => "not shown",
        }
    }
}

impl Step {
    /// A step that ended in this way.
    pub(crate) fn new(name: &'static str, state: State, seen: impl Into<String>) -> Self {
        Self { name, state, seen: seen.into(), advice: Vec::new() }
    }

    /// It works.
    pub(crate) fn ok(name: &'static str, seen: impl Into<String>) -> Self {
        Self::new(name, State::Ok, seen)
    }

    /// It works, and will be trouble.
    pub(crate) fn warning(name: &'static str, seen: impl Into<String>) -> Self {
        Self::new(name, State::Warning, seen)
    }

    /// It does not work.
    pub(crate) fn failed(name: &'static str, seen: impl Into<String>) -> Self {
        Self::new(name, State::Failed, seen)
    }

    /// It needs another step, which did not end well.
    pub(crate) fn not_tried(name: &'static str, needed: &str) -> Self {
        Self::new(name, State::NotTried, format!("needs \"{needed}\""))
    }

    /// The step with one more sentence on what to do.
    pub(crate) fn and_do(mut self, sentence: impl Into<String>) -> Self {
        self.advice.push(Advice::Do(sentence.into()));
        self
    }

    /// The step with one more line to copy.
    pub(crate) fn and_copy(mut self, line: impl Into<String>) -> Self {
        self.advice.push(Advice::Copy(line.into()));
        self
    }
}

impl Report {
    /// True when no step found anything amiss.
    pub(crate) fn is_ok(&self) -> bool {
        self.steps.iter().all(|step| matches!(step.state, State::Ok | State::NotShown))
    }

    /// The report for programs.
    pub(crate) fn to_json(&self) -> String {
        let document = Document { schema: SCHEMA, ok: self.is_ok(), steps: &self.steps };
        json::document(&document).expect("a struct of texts is JSON")
    }

    fn count(&self, state: State) -> usize {
        self.steps.iter().filter(|step| step.state == state).count()
    }
}

/// The report for people: a line for each step, what to do beneath it, and the sum of it all.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Step { name, state, seen, advice } in &self.steps {
            write!(f, "{:<10}{name:<15}", state.as_str())?;
            write_wrapped(f, seen, INDENT)?;
            for advice in advice {
                match advice {
                    Advice::Do(sentence) => {
                        write!(f, "{:INDENT$}→ ", "")?;
                        write_wrapped(f, sentence, INDENT + 2)?;
                    }
                    // Whole, whatever its length: who copies it wants no line end of ours inside.
                    Advice::Copy(line) => {
                        write!(OneLine(f), "    {line}")?;
                        writeln!(f)?;
                    }
                }
            }
        }
        if self.is_ok() {
            return writeln!(f, "\nAll is well.");
        }
        let amiss = [State::Failed, State::Warning, State::NotTried].map(|state| (state, self.count(state)));
        let amiss: Vec<String> = amiss
            .into_iter()
            .filter(|(_, n)| *n > 0)
            .map(|(state, n)| format!("{}: {n}", state.as_str()))
            .collect();
        writeln!(f, "\nNot all is well. {}", amiss.join(", "))
    }
}

/// A number with its noun.
pub(crate) fn n_of(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// Words up to the width, each further line under the first. A word that is longer than a line is not cut.
fn write_wrapped(f: &mut fmt::Formatter<'_>, text: &str, indent: usize) -> fmt::Result {
    let mut column = indent;
    for (i, word) in text.split_whitespace().enumerate() {
        let length = word.chars().count();
        if i > 0 && column + 1 + length > WIDTH {
            write!(f, "\n{:indent$}", "")?;
            column = indent;
        } else if i > 0 {
            f.write_str(" ")?;
            column += 1;
        }
        write!(OneLine(f), "{word}")?;
        column += length;
    }
    writeln!(f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let statement =
            "Allow dynamic-group <group> to read repos in compartment id ocid1.compartment.oc1..aaaaexample";
        Report {
            steps: vec![
                Step::ok("configuration", "/etc/ocird/ocird.toml: report mode, 1 compartment, 2 policies"),
                Step::warning("clock", "4.2 s behind the cloud's").and_do("See that a time service runs:").and_copy("timedatectl"),
                Step::failed(
                    "image",
                    "GetContainerImage failed (not_found): 404 NotAuthorizedOrNotFound: Authorization failed or \
                     requested resource not found. (opc-request-id A/B/C)",
                )
                .and_do("The credentials lack the right to read images. Add this statement to a policy of the compartment:")
                .and_copy(statement),
                Step::not_tried("manifest", "image"),
                Step::new("delete", State::NotShown, "nothing shows it but a deletion"),
            ],
        }
    }

    #[test]
    fn a_person_sees_columns_and_what_to_do() {
        insta::assert_snapshot!(report().to_string(), @r#"
        ok        configuration  /etc/ocird/ocird.toml: report mode, 1 compartment, 2
                                 policies
        warning   clock          4.2 s behind the cloud's
                                 → See that a time service runs:
            timedatectl
        failed    image          GetContainerImage failed (not_found): 404
                                 NotAuthorizedOrNotFound: Authorization failed or
                                 requested resource not found. (opc-request-id A/B/C)
                                 → The credentials lack the right to read images. Add
                                   this statement to a policy of the compartment:
            Allow dynamic-group <group> to read repos in compartment id ocid1.compartment.oc1..aaaaexample
        not tried manifest       needs "image"
        not shown delete         nothing shows it but a deletion

        Not all is well. failed: 1, warning: 1, not tried: 1
        "#);
        let is_copied = |line: &str| line.starts_with("    Allow");
        assert!(report().to_string().lines().all(|line| line.chars().count() <= 80 || is_copied(line)));
    }

    #[test]
    fn what_others_wrote_cannot_colour_the_terminal() {
        let step = Step::failed("a", "x\u{1b}[31m y").and_do("z\u{7}").and_copy("c\rd");
        let text = Report { steps: vec![step] }.to_string();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
    }

    #[test]
    fn what_is_not_shown_is_no_fault_and_all_else_is() {
        let of = |state| Report { steps: vec![Step::ok("a", "b"), Step::new("c", state, "d")] };
        for (state, is_ok) in [
            (State::Ok, true),
            (State::NotShown, true),
            (State::Warning, false),
            (State::Failed, false),
            (State::NotTried, false),
        ] {
            assert_eq!(of(state).is_ok(), is_ok, "{state:?}");
            assert_eq!(of(state).to_string().ends_with("\nAll is well.\n"), is_ok, "{state:?}");
        }
    }

    #[test]
    fn a_program_sees_the_same() {
        let json: serde_json::Value = serde_json::from_str(&report().to_json()).unwrap();
        assert_eq!((&json["schema"], &json["ok"]), (&1.into(), &false.into()));
        assert_eq!(json["steps"][2]["state"], "failed");
        assert_eq!(json["steps"][2]["advice"][1]["copy"].as_str().unwrap().split(' ').next(), Some("Allow"));
        assert_eq!(json["steps"][0].get("advice"), None);
    }
}
