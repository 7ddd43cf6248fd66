//! `ocird man`: the manual page of the program or of one command, made from the very definition of the command line.

use std::process::ExitCode;

use anyhow::anyhow;

use crate::cli::{Failure, deliver};

/// Which page.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ManArgs {
    /// The command; the program as a whole if it is left out.
    command: Option<String>,
}

/// Prints it.
pub(crate) fn man(program: clap::Command, args: &ManArgs) -> Result<ExitCode, Failure> {
    Ok(deliver(&page(program, args.command.as_deref())?))
}

fn page(mut program: clap::Command, command: Option<&str>) -> Result<String, Failure> {
    program.build();
    // A command that was built with its program is called as its page is: ocird-plan(1).
    let page = match command {
        None => program,
        Some(name) => program
            .get_subcommands()
            .find(|one| one.get_name() == name)
            .cloned()
            .ok_or_else(|| Failure::usage(anyhow!("there is no command {name}; see ocird help")))?,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    Ok(String::from_utf8(text).expect("what is made of our own texts is text"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::cli::Args;

    fn made(command: Option<&str>) -> String {
        page(Args::command(), command).map_err(|failure| failure.error).unwrap()
    }

    #[test]
    fn the_page_of_the_program_names_every_command_and_each_has_its_own() {
        let whole = made(None);
        assert!(whole.starts_with(".ie") && whole.contains(".TH ocird 1"), "{whole}");
        for command in Args::command().get_subcommands() {
            let name = command.get_name();
            assert!(whole.contains(&format!("ocird\\-{name}")), "{name} is not on the page");
            assert!(made(Some(name)).contains(&format!(".TH ocird-{name} 1")), "{name} has no page");
        }
    }

    #[test]
    fn a_command_that_is_not_there_is_wrong_usage() {
        assert!(matches!(
            page(Args::command(), Some("nothing")),
            Err(Failure { exit: crate::cli::Exit::Usage, .. })
        ));
    }
}
