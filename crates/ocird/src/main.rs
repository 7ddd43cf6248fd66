//! The `ocird` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ocird::cli::main()
}
