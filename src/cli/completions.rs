//! `namewall completions`: the script by which a shell completes what is typed after `namewall`.

use clap::CommandFactory;
use clap_complete::Shell;

use super::output::Console;
use super::{Cli, Failure, Outcome};

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// For which shell
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments, console: &Console) -> Result<Outcome, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "namewall", &mut script);
    console.text(&String::from_utf8_lossy(&script))?;
    Ok(Outcome::Fine)
}
