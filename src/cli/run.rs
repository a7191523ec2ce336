//! `namewall run -- CMD…`: a private proxy on a free port for one command and its children, and a summary at the end.

use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};

use time::OffsetDateTime;

use super::output::Console;
use super::{Common, Failure, Outcome, asserted_policy, block_on, tell_of_no_rule, warn_of_parent_proxy};
use crate::clients::{env, run, summary};
use crate::config::environment::Environment;
use crate::config::{Overrides, Settings};
use crate::proxy::Proxy;
use crate::telemetry::Outcome::Refused;
use crate::telemetry::decision::Tally;
use crate::telemetry::log::Verbosity;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// End with 1 if anything was refused and the command itself ended with 0
    #[arg(long)]
    strict: bool,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut settings = Settings::load(&Overrides { listen: vec![any_port], ..common.overrides() })?;
    // A private proxy has no admin listener; the config's is the long-running one's.
    settings.admin = None;
    // The command's own output is what people look at; the summary tells the rest.
    let verbosity = if common.verbose == 0 { Verbosity::Quiet } else { common.verbosity() };
    common.start_log(settings.log_format, verbosity, console);
    warn_of_parent_proxy();
    let policy = asserted_policy(&settings)?;
    tell_of_no_rule(&settings, OffsetDateTime::now_utc().date(), console);
    let rules = settings.rules.clone();
    let (code, tally) = block_on(async {
        let proxy = Proxy::start(settings, policy).await?;
        let code = run::run(&arguments.command, &variables(&proxy, console)).await;
        let tally = proxy.tally();
        // The command has ended: nobody is left whose requests could be worth waiting for.
        proxy.stop(std::future::ready(())).await;
        Ok::<_, Failure>((code?, tally))
    })?;
    if !common.quiet {
        console.error(summary::summary(&tally, &rules));
    }
    Ok(Outcome::Code(if arguments.strict && code == 0 && refused(&tally) { 1 } else { code }))
}

fn variables(proxy: &Proxy, console: &Console) -> Vec<env::Variable> {
    let address = proxy.addresses().first().map(ToString::to_string).unwrap_or_default();
    let (environment, sites) = (Environment::from_process(), proxy.settings().hosts());
    let url = format!("http://{address}");
    let (variables, dropped) = env::for_environment(&environment, &sites, &url, proxy.bundle(), proxy.ca());
    super::tell_of_dropped(&dropped, console);
    variables
}

/// Whether the command has asked for a protected file. (That a page is hidden is how an install is meant to go on.)
fn refused(tally: &Tally) -> bool {
    tally.entries.keys().any(|key| key.outcome == Refused)
}
