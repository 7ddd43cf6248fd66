//! `ocird completions SHELL`: completions made from the very definition of the command line.

use std::process::ExitCode;

use clap_complete::Shell;

use crate::cli::deliver;

/// For which shell.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Prints them.
pub(crate) fn completions(command: &mut clap::Command, args: &CompletionsArgs) -> ExitCode {
    deliver(&made(command, args.shell))
}

fn made(command: &mut clap::Command, shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, command, "ocird", &mut script);
    String::from_utf8(script).expect("what is made of our own texts is text")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use clap::ValueEnum as _;

    use super::*;
    use crate::cli::Args;

    #[test]
    fn every_shell_is_told_of_every_command() {
        let names: Vec<String> =
            Args::command().get_subcommands().map(|one| one.get_name().to_owned()).collect();
        assert!(names.len() > 20);
        for shell in Shell::value_variants() {
            let script = made(&mut Args::command(), *shell);
            for name in &names {
                assert!(script.contains(name), "{shell} does not complete {name}");
            }
        }
    }
}
