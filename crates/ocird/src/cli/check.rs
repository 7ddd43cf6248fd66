//! `ocird check`: configuration and policies, offline. Problems were listed by the load; what is left to say is what
//! was understood, and what is allowed but probably not meant.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::cli::print;
use crate::config::{Config, Mode};

/// Says what was understood.
pub(crate) fn check(config: &Config) -> ExitCode {
    print(&summary(config))
}

fn summary(config: &Config) -> String {
    let mut text = String::new();
    let mut line = |words: String| writeln!(text, "{words}").expect("a string takes everything");
    for warning in &config.warnings {
        line(format!("warning: {warning}"));
    }
    let mode = match config.mode {
        Mode::Report => "report: it looks and says, and deletes nothing",
        Mode::Enforce => {
            "enforce: it deletes what the policies say, where armed_for agrees with the credentials"
        }
    };
    line(format!("{}: good", config.path.display()));
    line(format!("  mode        {mode}"));
    line(format!("  observes    {} UTC", config.schedule.observe));
    line(format!("  enforces    {} UTC", config.schedule.enforce));
    let guardrails = &config.policies.guardrails;
    line(format!(
        "  guardrails  the {} newest and everything younger than {} h stay; a deletion waits {} h",
        guardrails.min_newest,
        guardrails.min_age.num_hours(),
        guardrails.grace.num_hours()
    ));
    for policy in &config.policies.policies {
        let (n_keep, n_delete) = (policy.keep.len(), policy.delete.len());
        line(format!(
            "  {:<11} {} ({n_keep} keep, {n_delete} delete rules)",
            policy.project, policy.repositories
        ));
    }
    text
}
