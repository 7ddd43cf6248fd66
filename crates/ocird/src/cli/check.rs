//! `ocird check`: configuration and policies, offline. Problems were listed by the load; what is left to say is what
//! was understood, and what is allowed but probably not meant.

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::cli::{Exit, print, say};
use crate::config::{Config, Mode};

/// Says what was understood, and on standard error what is odd.
pub(crate) fn check(config: &Config) -> ExitCode {
    for warning in &config.warnings {
        say(&format!("warning: {warning}\n"), Exit::Ok);
    }
    print(&summary(config))
}

fn summary(config: &Config) -> String {
    let mut text = String::new();
    let mut line = |words: String| writeln!(text, "{words}").expect("a string takes everything");
    let mode = match config.mode {
        Mode::Report => "report: it looks and says, and deletes nothing",
        Mode::Enforce => "enforce: deletes by policy, where armed_for fits the credentials",
    };
    line(format!("{}: good", config.path.display()));
    line(format!("  mode        {mode}"));
    line(format!("  observes    {} UTC", config.schedule.observe));
    line(format!("  enforces    {} UTC", config.schedule.enforce));
    let guardrails = &config.policies.guardrails;
    line(format!(
        "  guardrails  the {} newest and all under {} h stay; a deletion waits {} h",
        guardrails.min_newest,
        guardrails.min_age.num_hours(),
        guardrails.grace.num_hours()
    ));
    for policy in &config.policies.policies {
        let (n_keep, n_delete) = (policy.keep.len(), policy.delete.len());
        line(format!(
            "  {:<11} {}: {}, {}",
            policy.project,
            policy.repositories,
            rules(n_keep, "keep"),
            rules(n_delete, "delete")
        ));
    }
    text
}

fn rules(n: usize, kind: &str) -> String {
    if n == 1 { format!("1 {kind} rule") } else { format!("{n} {kind} rules") }
}
