//! What was understood of a configuration, and what its rules match.

use std::fmt::Write as _;

use crate::cli::check::registry::{DeleteMatches, KeepMatches, PolicyReview, Review};
use crate::cli::sheet::Sheet;
use crate::config::{Config, Mode};
use crate::paint::Paint;

/// The settings and policies in a few lines.
pub(super) fn summary(config: &Config) -> String {
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
            counted(n_keep, "keep rule"),
            counted(n_delete, "delete rule")
        ));
    }
    text
}

/// What each rule matches now (S-12).
pub(super) fn matches(review: &Review, paint: Paint) -> String {
    let mut sheet = Sheet::new(paint);
    for policy in &review.policies {
        let PolicyReview { project, repositories, n_families, n_tagged, keep, delete } = policy;
        let counts = format!(
            "{project}: {}, {} ({n_tagged} tagged)",
            match repositories.len() {
                1 => "1 repository".to_owned(),
                n => format!("{n} repositories"),
            },
            families(*n_families)
        );
        sheet.heading(&counts);
        for KeepMatches { rule, n_families } in keep {
            sheet.entry("  keep", &format!("{rule}: holds {}", families(*n_families)));
        }
        for DeleteMatches { rule, n_families, n_free } in delete {
            let text = format!("{rule}: selects {}, of which nothing holds {n_free}", families(*n_families));
            sheet.entry("  delete", &text);
        }
    }
    let text = sheet.finish();
    if text.is_empty() { text } else { format!("\n{text}") }
}

fn families(n: usize) -> String {
    if n == 1 { "1 family".to_owned() } else { format!("{n} families") }
}

fn counted(n: usize, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}
