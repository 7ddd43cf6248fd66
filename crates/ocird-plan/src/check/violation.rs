//! What the check found wrong, all of it.

use std::fmt;

use ocird_model::{Digest, RepositoryName};

/// One thing in a plan that the safety rules forbid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// The repository.
    pub repository: RepositoryName,
    /// The image; `None` when it is about the plan of the whole repository.
    pub image: Option<Digest>,
    /// The safety rule that is broken, such as `S-6`.
    pub rule: &'static str,
    /// What is wrong.
    pub text: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.rule, self.repository)?;
        if let Some(image) = &self.image {
            write!(f, "@{}", image.short())?;
        }
        write!(f, ": {}", self.text)
    }
}

/// Everything that is wrong with a refused plan, ordered by repository and image. Never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// The violations, or `None` when there are none.
    pub(super) fn of(mut violations: Vec<Violation>) -> Option<Self> {
        violations.sort();
        violations.dedup();
        (!violations.is_empty()).then_some(Self(violations))
    }

    /// Every violation.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.0.iter()
    }
}

impl fmt::Display for Violations {
    /// One per line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, violation) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{violation}")?;
        }
        Ok(())
    }
}
