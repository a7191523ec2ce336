//! `namewall demo`: the attack of dependency confusion on this machine, first without namewall, then with it.

use std::io::IsTerminal;

use super::output::Console;
use super::{Common, Failure, Outcome, block_on};
use crate::config::LogFormat;
use crate::demo::{Client, Options, play};
use crate::telemetry::log::Verbosity;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Who is attacked
    #[arg(long, value_name = "CLIENT", default_value = "pip")]
    client: Client,
    /// Wait for Enter between the scenes
    #[arg(long)]
    pause: bool,
    /// Leave the indexes, proxies and environments in place until Ctrl-C, and say what to try
    #[arg(long)]
    keep: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    if arguments.pause && !std::io::stdin().is_terminal() {
        let hint = "--pause waits for Enter, and standard input is no terminal: run the demo in one, or leave it out";
        return Err(Failure::Usage(hint.to_owned()));
    }
    let verbosity = if common.verbose == 0 { Verbosity::Quiet } else { common.verbosity() };
    common.start_log(LogFormat::Text, verbosity, console);
    let Arguments { client, pause, keep } = *arguments;
    let options = Options { colours: console.colours(), client, pause, keep };
    let played = block_on(async { Ok(play(options, &mut std::io::stdout()).await?) })?;
    Ok(if played.defended { Outcome::Fine } else { Outcome::Finding })
}
