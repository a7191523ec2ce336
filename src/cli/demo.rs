//! `namewall demo`: the attack of dependency confusion on this machine, first without namewall, then with it.

use std::io::IsTerminal;

use super::output::Console;
use super::{Common, Failure, Outcome, block_on};
use crate::config::LogFormat;
use crate::demo::{Client, Options, is_installed, play};
use crate::telemetry::log::Verbosity;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Who is attacked [default: pip, then uv if it is installed]
    #[arg(long, value_name = "CLIENT")]
    client: Option<Client>,
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
    let defended = block_on(async {
        let mut defended = true;
        for client in clients(client, keep).await {
            let options = Options { colours: console.colours(), client, pause, keep };
            defended &= play(options, &mut std::io::stdout()).await?.defended;
        }
        Ok(defended)
    })?;
    Ok(if defended { Outcome::Fine } else { Outcome::Finding })
}

/// Those who play: the one that was asked for, or whoever is here. A stage that is kept has one.
async fn clients(asked: Option<Client>, keep: bool) -> Vec<Client> {
    match asked {
        Some(client) => vec![client],
        None if !keep && is_installed(Client::Uv).await => vec![Client::Pip, Client::Uv],
        None => vec![Client::Pip],
    }
}
