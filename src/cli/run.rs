//! `namewall run -- CMD…`: a private proxy on a free port for one command and its children, and a summary at the end.

use std::ffi::{OsStr, OsString};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use time::OffsetDateTime;

use super::guard::{MARK, guard, mark};
use super::output::Console;
use super::{Common, Failure, Outcome, asserted_policy, block_on, tell_of_no_rule, tell_of_own, tell_of_parents};
use crate::clients::env::{self, Own, Target};
use crate::clients::report::{self, Report};
use crate::clients::run;
use crate::clients::summary;
use crate::config::environment::Environment;
use crate::config::{CaSource, Overrides, Settings};
use crate::files::folder_of;
use crate::proxy::Proxy;
use crate::telemetry::Outcome::Refused;
use crate::telemetry::decision::Tally;
use crate::telemetry::log::Verbosity;
use crate::tls::CaError;

/// Where the commands that `run` starts find the proxy that they are behind.
const RUNNING: &str = "NAMEWALL_RUN";

/// How long a proxy that runs on this machine takes to be found.
const NEAR: Duration = Duration::from_secs(1);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// End with 1 if anything was refused and the command itself ended with 0
    #[arg(long)]
    strict: bool,
    /// Write what was hidden and refused here, too (repeatable): *.json, *.xml for JUnit, *.sarif
    #[arg(long, value_name = "FILE")]
    report: Vec<PathBuf>,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "CMD")]
    command: Vec<OsString>,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let environment = Environment::from_process();
    // Before the command runs: it may take an hour.
    report::check(&arguments.report)?;
    let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut settings = Settings::load(&Overrides { listen: vec![any_port.into()], ..common.overrides() })?;
    let inherited = inherited(common, &environment, &settings);
    let wants_a_verdict = arguments.strict || !arguments.report.is_empty();
    if !wants_a_verdict && is_behind_another(&environment, &settings, &rules_of(&inherited)) {
        // The outer one tells of it all.
        let code = block_on(async { Ok(run::run(&arguments.command, &[(MARK, mark())], guard().as_deref()).await?) })?;
        return Ok(Outcome::Code(code));
    }
    // A private proxy has no admin listener; the config's is the long-running one's.
    settings.admin = None;
    // The command is the only client, and has no name.
    settings.users = None;
    // The command's own output is what people look at; the summary tells the rest.
    let verbosity = if common.verbose == 0 { Verbosity::Quiet } else { common.verbosity() };
    common.start_log(settings.log_format, verbosity, console);
    tell_of_parents(&settings);
    let policy = asserted_policy(&settings)?;
    let (rules, fingerprint) = (settings.rules.clone(), policy.fingerprint().to_owned());
    tell_of_no_rule(&settings, OffsetDateTime::now_utc().date(), console);
    make_do_without_what_is_a_services(&mut settings, &environment);
    let own = Own::of(&environment, folder_of(&settings.ca.public_files().1));
    settings.client_roots.clone_from(&own.roots);
    let (code, tally) = block_on(async {
        let proxy = Proxy::start(settings, policy).await?;
        let mut variables = variables(&proxy, &environment, &own, &rules_of(&inherited), console);
        variables.extend(inherited);
        variables.push((MARK, mark()));
        let code = run::run(&arguments.command, &variables, guard().as_deref()).await;
        let tally = proxy.tally();
        // The command has ended: nobody is left whose requests could be worth waiting for.
        proxy.stop(std::future::ready(())).await;
        Ok::<_, Failure>((code?, tally))
    })?;
    let is_found = arguments.strict && code == 0 && refused(&tally);
    let exit_code = if is_found { 1 } else { code };
    let report =
        Report { command: &arguments.command, code, exit_code, tally: &tally, rules: &rules, policy: &fingerprint };
    if !common.quiet {
        console.error(summary::summary(&report));
    }
    for path in &arguments.report {
        report::write(&report, path)?;
    }
    Ok(Outcome::Code(exit_code))
}

/// Which rules those of an `inherited` environment are, in a word that fits into a variable.
fn rules_of(inherited: &[env::Variable]) -> String {
    let mut hasher = DefaultHasher::new();
    inherited.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Whether this environment is that of an outer `run` with the same rules whose proxy still runs, and nothing in it leads
/// past that.
fn is_behind_another(environment: &Environment, settings: &Settings, rules: &str) -> bool {
    let said = environment.var(RUNNING).and_then(OsStr::to_str).and_then(|said| said.split_once(' '));
    let Some((Ok(address), outer)) = said.map(|(address, outer)| (address.parse::<SocketAddr>(), outer)) else {
        return false;
    };
    let proxy = format!("http://{address}");
    let is_set = |name: &str| environment.var(name).is_some_and(|value| *value == *proxy);
    let (sites, folder) = (settings.hosts(), settings.ca.public_files().1);
    let own = Own::of(environment, folder_of(&folder));
    let leads_past = own.no_proxy.iter().any(|entry| env::leads_past(entry, &sites));
    outer == rules
        && ["HTTPS_PROXY", "https_proxy", "PIP_PROXY"].into_iter().all(is_set)
        && !leads_past
        && TcpStream::connect_timeout(&address, NEAR).is_ok()
}

/// Beside a service, whose config everybody reads, its key and its log are not everybody's: a private proxy has its own.
fn make_do_without_what_is_a_services(settings: &mut Settings, environment: &Environment) {
    if let Err(CaError::Unreadable { .. } | CaError::Unwritable { .. }) = settings.ca.authority(&settings.hosts()) {
        let mine = environment.state_folder();
        tracing::info!(folder = %mine.display(), "the CA of the config is not readable here: one of this user's own is used");
        settings.ca = CaSource::Dir(mine);
    }
    let is_closed = |path: &PathBuf| {
        let opened = std::fs::OpenOptions::new().append(true).create(true).open(path);
        opened.is_err_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
    };
    if settings.decisions.as_ref().is_some_and(is_closed) {
        settings.decisions = None;
    }
}

fn variables(
    proxy: &Proxy,
    environment: &Environment,
    own: &Own,
    rules: &str,
    console: &Console,
) -> Vec<env::Variable> {
    let address = proxy.addresses().first().map(ToString::to_string).unwrap_or_default();
    let url = format!("http://{address}");
    let target = Target { proxy: &url, bundle: proxy.bundle(), ca: proxy.ca() };
    let prepared = env::prepare(environment, own, &proxy.settings().hosts(), target);
    tell_of_own(own, &prepared, console);
    let mut variables = prepared.variables;
    if !own.pip_has_proxy {
        // Some pip may have a proxy of its own in a file that only it knows (`pip.conf` of its environment).
        variables.push(("PIP_PROXY", url));
    }
    variables.push((RUNNING, format!("{address} {rules}")));
    variables
}

/// What makes the same rules hold for a `namewall` that the command starts, wherever it does so: an `explain`, or a `run`
/// with rules of its own.
fn inherited(common: &Common, environment: &Environment, settings: &Settings) -> Vec<env::Variable> {
    let mut variables = Vec::new();
    if let Some(config) = settings.source.as_deref().and_then(|path| std::path::absolute(path).ok()) {
        variables.push(("NAMEWALL_CONFIG", config.display().to_string()));
    }
    let before = |name| environment.var(name).map(OsStr::to_os_string);
    let files = common.rules.iter().filter_map(|path| std::path::absolute(path).ok());
    let known = before("NAMEWALL_RULES").unwrap_or_default();
    let files: Vec<PathBuf> =
        std::env::split_paths(&known).filter(|path| !path.as_os_str().is_empty()).chain(files).collect();
    if let (false, Ok(Ok(files))) = (files.is_empty(), std::env::join_paths(files).map(OsString::into_string)) {
        variables.push(("NAMEWALL_RULES", files));
    }
    let patterns: Vec<String> = before("NAMEWALL_PROTECT")
        .and_then(|list| list.into_string().ok())
        .into_iter()
        .chain(common.protect.clone())
        .collect();
    if !patterns.is_empty() {
        variables.push(("NAMEWALL_PROTECT", patterns.join(",")));
    }
    variables
}

/// Whether the command has asked for a protected file. (That a page is hidden is how an install is meant to go on.)
fn refused(tally: &Tally) -> bool {
    tally.entries.keys().any(|key| key.outcome == Refused)
}
