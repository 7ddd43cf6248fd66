//! `ocird approve`: shows the plan that was refused as too much, asks, and approves exactly what was shown. Whatever else
//! waits by then is not approved.

use std::io::{self, BufRead, IsTerminal as _, Write};
use std::process::ExitCode;

use anyhow::anyhow;
use ocird_model::Clock as _;
use ocird_store::PlanId;

use crate::admin::wire::{ApproveQuestion, RefusedPlanAnswer};
use crate::cli::operate::{daemon, print_control, unanswered};
use crate::cli::pending::{self, refused_plan, sum};
use crate::cli::{Exit, Failure, deliver, say};
use crate::clock::SystemClock;
use crate::config::{self, Config};

/// Which plan, and whether to ask.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ApproveArgs {
    /// The number of the plan, as `ocird pending` shows it; the one that waits if it is left out.
    plan: Option<PlanId>,
    /// Do not ask. Needs the number, so that nothing is approved that nobody has seen.
    #[arg(long, requires = "plan")]
    yes: bool,
    /// One JSON document instead of the list. Needs --yes.
    #[arg(long, requires = "yes")]
    json: bool,
}

/// Shows, asks, approves.
pub(crate) async fn approve(config: &Config, args: ApproveArgs) -> Result<ExitCode, Failure> {
    let ApproveArgs { plan, yes, json } = args;
    if !yes && !io::stdin().is_terminal() {
        return Err(Failure::usage(anyhow!(
            "nobody can be asked here; read `ocird pending`, and say `ocird approve NUMBER --yes`"
        )));
    }
    let waiting = waiting(config, plan).await?;
    if !json {
        deliver(&format!("{}\n", refused_plan(&waiting, usize::MAX, config::paint())));
    }
    if !yes && !is_meant(&waiting, &mut io::stdin().lock(), &mut io::stderr().lock())? {
        return Ok(say("nothing was approved", Exit::Failed));
    }
    let question = ApproveQuestion { plan: waiting.plan };
    let answered = daemon(config).post("/v1/approve", &question).await;
    let answer = answered.map_err(|error| unanswered(config, error))?;
    print_control(&answer, SystemClock::new().now(), json)
}

/// The plan that waits, if it is the one that is meant.
async fn waiting(config: &Config, meant: Option<PlanId>) -> Result<RefusedPlanAnswer, Failure> {
    let refused = pending::ask(config).await?.body.refused;
    let Some(refused) = refused else {
        return Err(anyhow!("no plan waits for an approval").into());
    };
    match meant {
        Some(meant) if meant != refused.plan => Err(anyhow!(
            "plan {meant} does not wait for an approval; plan {} does: see `ocird pending`",
            refused.plan
        )
        .into()),
        Some(_) | None => Ok(refused),
    }
}

/// Asks. Whatever is not a plain yes is a no.
fn is_meant(plan: &RefusedPlanAnswer, from: &mut impl BufRead, to: &mut impl Write) -> io::Result<bool> {
    write!(to, "Approve plan {} with {}? Type yes: ", plan.plan, sum(plan))?;
    to.flush()?;
    let mut answer = String::new();
    from.read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_not_a_plain_yes_is_a_no() {
        let plan = RefusedPlanAnswer {
            plan: "7".parse().unwrap(),
            refused_at: chrono::DateTime::UNIX_EPOCH,
            why: "too much".to_owned(),
            families: Vec::new(),
        };
        for (typed, expected) in [
            ("yes\n", true),
            (" yes \n", true),
            ("y\n", false),
            ("\n", false),
            ("", false),
            ("yes, all\n", false),
        ] {
            let mut asked = Vec::new();
            assert_eq!(is_meant(&plan, &mut typed.as_bytes(), &mut asked).unwrap(), expected, "{typed:?}");
            assert!(asked.starts_with(b"Approve plan 7 with 0 families"));
        }
    }
}
