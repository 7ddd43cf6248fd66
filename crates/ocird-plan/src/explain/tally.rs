//! What the rules come to in one repository: how many images each holds or takes now.

use ocird_model::RuleName;
use serde::Serialize;

/// The count of one repository, in families (heads with all they carry).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Number of families.
    pub n_families: usize,
    /// Number of families whose head bears a tag that somebody gave it.
    pub n_tagged: usize,
    /// Each keep rule that governs, in the order of the file.
    pub keep: Vec<KeepTally>,
    /// Each delete rule that governs, in the order of the file.
    pub delete: Vec<DeleteTally>,
}

/// What one keep rule holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeepTally {
    /// The rule.
    pub rule: RuleName,
    /// Number of families of which it holds anything, whatever its line.
    pub n_families: usize,
}

/// What one delete rule takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DeleteTally {
    /// The rule.
    pub rule: RuleName,
    /// Number of families that it takes, whatever its line and whatever holds them.
    pub n_families: usize,
    /// Number of tagged families among them.
    pub n_tagged: usize,
    /// Number of families among them that nothing in a policy or guardrail holds.
    pub n_free: usize,
}
