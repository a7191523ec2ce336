//! The command line: one file a command; each turns its arguments into calls of the library, and prints.

mod asker;
mod ca;
mod check;
mod claimed;
mod completions;
mod demo;
mod doctor;
mod env;
mod explain;
mod filter;
mod guard;
mod input;
mod log;
mod man;
mod mirrors;
mod output;
mod reload;
mod run;
mod scan;
mod serve;
mod service;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ColorChoice, Parser, Subcommand};
use time::{Date, OffsetDateTime};

use self::output::Console;
use crate::clients::env::{Own, Prepared};
use crate::clients::run::GUARDED;
use crate::config::{ConfigError, LogFormat, Overrides, Settings};
use crate::policy::{CompileError, Expiry, Policy, Rule};
use crate::proxy::StartError;
use crate::telemetry::log::{Verbosity, start as start_log};
use crate::tls::CaError;
use crate::tls::system::StoreError;

/// Keeps strangers' packages with your private packages' names out of sight, on PyPI's own hosts.
#[derive(Debug, Parser)]
#[command(name = "namewall", version, max_term_width = 100, propagate_version = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
struct Common {
    /// The config file [default: $NAMEWALL_CONFIG, ./namewall.toml, the user's, the machine's]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Take the rules of this file, too (repeatable); it needs no config file beside it
    #[arg(long, global = true, value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Protect names like this one, too (repeatable): acme, acme-*, re:acme-(core|data)[0-9]+
    #[arg(long, global = true, value_name = "PATTERN", allow_hyphen_values = true)]
    protect: Vec<String>,
    /// Say more (twice: everything)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Say errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    color: ColorChoice,
    /// How log lines look [default: the config's, or text]
    #[arg(long, global = true, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a command behind a private proxy of its own
    Run(run::Arguments),
    /// Run the proxy until it is told to stop
    Serve(serve::Arguments),
    /// Print the variables which point every client at a running proxy
    Env(env::Arguments),
    /// Validate the config, run its assertions, and preview its rules on a list of names
    Check(check::Arguments),
    /// Say whether something is protected, by which rule and why
    Explain(explain::Arguments),
    /// Say which protected names strangers hold on PyPI, from its one list of all projects
    Claimed(claimed::Arguments),
    /// Filter one page from standard input to standard output, as the proxy would
    Filter(filter::Arguments),
    /// Say what the decision log tells of the rules: which fired, on what, since when, and which never did
    Log(log::Arguments),
    /// Find lock files, requirement files, environments and caches that already hold a protected name from PyPI
    Scan(scan::Arguments),
    /// Check from this shell whether every client is protected: proxy, trust, programs, caches; with remedies
    Doctor(doctor::Arguments),
    /// Make, show, export, renew, install or remove this machine's certificate authority
    #[command(subcommand)]
    Ca(ca::Action),
    /// Play the attack on this machine with real pip: first without namewall, then with it
    Demo(demo::Arguments),
    /// Stand between `run` and its command
    #[command(hide = true, name = GUARDED)]
    Guarded(guard::Arguments),
    /// Print the script by which a shell completes namewall's commands and options
    Completions(completions::Arguments),
    /// Print the manual page, or write those of all commands to a folder
    Man(man::Arguments),
}

/// How a command ended, when it didn't fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// Exit code 0.
    Fine,
    /// Exit code 1: a finding.
    Finding,
    /// Exit code 4: input that can't be trusted.
    Untrusted,
    /// The code of the command that was run.
    Code(u8),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Config(#[from] ConfigError),
    #[error("error: {0}")]
    Rules(#[from] CompileError),
    #[error("error: {0}")]
    Usage(String),
    #[error("error: {0}")]
    Start(#[from] StartError),
    #[error("error: {0}")]
    Ca(#[from] CaError),
    #[error("error: {0}")]
    Store(StoreError),
    #[error("error: {error}; as somebody who may:\n  {command}")]
    Elevate { error: StoreError, command: String },
    #[error("error: {0}")]
    Run(#[from] crate::clients::run::RunError),
    #[error("error: {0}")]
    Report(#[from] crate::clients::report::ReportError),
    #[error("error: {0}")]
    Demo(#[from] crate::demo::DemoError),
    #[error("error: {0}")]
    Io(#[from] std::io::Error),
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Rules(_) | Self::Usage(_) => 2,
            Self::Start(_)
            | Self::Ca(_)
            | Self::Store(_)
            | Self::Elevate { .. }
            | Self::Demo(_)
            | Self::Report(_)
            | Self::Io(_) => 3,
            Self::Run(error) => error.exit_code(),
        }
    }
}

impl Outcome {
    const fn exit_code(self) -> u8 {
        match self {
            Self::Fine => 0,
            Self::Finding => 1,
            Self::Untrusted => 4,
            Self::Code(code) => code,
        }
    }
}

/// Runs the command line of this process; gives its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version too; a closed pipe is nobody's business.
            let _printed = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let console = Console::new(cli.common.color);
    match dispatch(cli.command, &cli.common, &console) {
        Ok(outcome) => ExitCode::from(outcome.exit_code()),
        // Whoever read our output has enough of it.
        Err(Failure::Io(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            console.error(&failure);
            ExitCode::from(failure.exit_code())
        }
    }
}

fn dispatch(command: Command, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    match command {
        Command::Run(arguments) => run::run(&arguments, common, console),
        Command::Serve(arguments) => serve::run(arguments, common, console),
        Command::Env(arguments) => env::run(&arguments, common, console),
        Command::Check(arguments) => check::run(&arguments, common, console),
        Command::Explain(arguments) => explain::run(&arguments, common, console),
        Command::Claimed(arguments) => claimed::run(&arguments, common, console),
        Command::Filter(arguments) => filter::run(&arguments, common, console),
        Command::Log(arguments) => log::run(&arguments, common, console),
        Command::Scan(arguments) => scan::run(&arguments, common, console),
        Command::Doctor(arguments) => doctor::run(&arguments, common, console),
        Command::Ca(action) => ca::run(&action, common, console),
        Command::Demo(arguments) => demo::run(&arguments, common, console),
        Command::Guarded(arguments) => guard::run(&arguments),
        Command::Completions(arguments) => completions::run(&arguments, console),
        Command::Man(arguments) => man::run(&arguments, console),
    }
}

impl Common {
    fn overrides(&self) -> Overrides {
        Overrides {
            config: self.config.clone(),
            rules: self.rules.clone(),
            protect: self.protect.clone(),
            log_format: self.log_format,
            ..Overrides::default()
        }
    }

    fn settings(&self) -> Result<Settings, Failure> {
        Ok(Settings::load(&self.overrides())?)
    }

    fn verbosity(&self) -> Verbosity {
        Verbosity::from_flags(self.verbose, self.quiet)
    }

    fn start_log(&self, format: LogFormat, verbosity: Verbosity, console: &Console) {
        start_log(self.log_format.unwrap_or(format), verbosity, console.colours());
    }
}

/// The policy of `settings` as of today, with every assertion of the config true.
fn asserted_policy(settings: &Settings) -> Result<Policy, Failure> {
    asserted_policy_on(OffsetDateTime::now_utc().date(), settings)
}

fn asserted_policy_on(today: Date, settings: &Settings) -> Result<Policy, Failure> {
    tell_of_expiry(&settings.rules, today);
    let policy = settings.policy(today)?;
    let failed = settings.sure_failures(&policy);
    let (by_list, failed): (Vec<_>, Vec<_>) = failed.into_iter().partition(|failed| failed.is_by_list(&policy));
    for failed in by_list {
        tracing::warn!("under what an inventory lists, an assertion of the config does not hold: {failed}");
    }
    if failed.is_empty() {
        return Ok(policy);
    }
    let lines: Vec<String> = failed.iter().map(ToString::to_string).collect();
    Err(Failure::Usage(format!("an assertion of the config does not hold:\n  {}", lines.join("\n  "))))
}

/// Refuses to call anything unprotected while it is not known what an inventory lists; the proxy answers nothing then.
fn knows_enough(policy: &Policy) -> Result<(), Failure> {
    let Some(id) = policy.missing().next() else { return Ok(()) };
    let help = "`namewall claimed` fetches it, as `namewall serve` does";
    Err(Failure::Io(std::io::Error::other(format!("what inventory `{id}` lists has never come here: {help}"))))
}

/// Says so when nothing is protected: whoever stands in the wrong folder must not take that for an answer.
fn tell_of_no_rule(settings: &Settings, today: Date, console: &Console) {
    if settings.inventories.is_empty() && !settings.rules.iter().any(|rule| rule.is_in_force(today)) {
        let help = "name what is yours with --protect, or its config with --config";
        console.error(format_args!("namewall: no rule is in force, so nothing is protected: {help}"));
    }
}

/// Says which rules protect nothing any more, or soon won't: whoever relies on one must not find out by what it let in.
fn tell_of_expiry(rules: &[Rule], today: Date) {
    for rule in rules {
        let Some(notice) = rule.expiry_notice(today) else { continue };
        match rule.expiry(today) {
            Expiry::Expired(_) => tracing::error!(rule = rule.id, "{notice}"),
            Expiry::Never | Expiry::Fine | Expiry::Soon(_) => tracing::warn!(rule = rule.id, "{notice}"),
        }
    }
}

/// Says what of the user's own settings could not be kept.
fn tell_of_own(own: &Own, prepared: &Prepared, console: &Console) {
    if !prepared.dropped.is_empty() {
        let entries = prepared.dropped.join(", ");
        console.error(format_args!("namewall: left out of NO_PROXY, because it covers PyPI's hosts: {entries}"));
    }
    for file in &own.uv_proxies {
        let file = file.display();
        console.error(format_args!(
            "namewall: {file} has a proxy of its own, which uv prefers: uv goes past namewall; remove it"
        ));
    }
    for (named_by, path) in &own.missing {
        let path = path.display();
        console
            .error(format_args!("namewall: {named_by} names {path}, which isn't there: clients get namewall's bundle"));
    }
}

/// Says through which proxies upstream is reached: the environment may name one of which nobody thinks.
fn tell_of_parents(settings: &Settings) {
    for note in &settings.parents.notes {
        tracing::warn!("{note}");
    }
    for parent in settings.parents.all() {
        tracing::info!(%parent, by = parent.named_by, "upstream is reached through a parent proxy");
    }
}

/// Runs a command that serves. Ends without waiting for threads that hang in a dead resolver.
fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_background();
    outcome
}
