//! `namewall demo`: the attack of dependency confusion on this machine, first without namewall, then with it.

use super::output::Console;
use super::{Common, Failure, Outcome, block_on};
use crate::config::LogFormat;
use crate::demo::{Options, play};
use crate::telemetry::log::Verbosity;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {}

pub(super) fn run(_: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let verbosity = if common.verbose == 0 { Verbosity::Quiet } else { common.verbosity() };
    common.start_log(LogFormat::Text, verbosity, console);
    let options = Options { colours: console.colours() };
    let played = block_on(async { Ok(play(options, &mut std::io::stdout()).await?) })?;
    Ok(if played.defended { Outcome::Fine } else { Outcome::Finding })
}
