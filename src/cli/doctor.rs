//! `namewall doctor`: checks, from this shell, whether every client is protected; one line a check with its remedy.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use time::OffsetDateTime;

use super::output::{Console, Style};
use super::{Common, Failure, Outcome, block_on, mirrors};
use crate::clients::doctor::{Check, Facts, Group, INDEX, Report, Status, examine, name_to_try};
use crate::config::Settings;
use crate::config::environment::Environment;
use crate::files::read_text;
use crate::inventory::netrc::find;
use crate::policy::Policy;
use crate::pypi::site::default_sites;
use crate::shown::printable;

/// No such file is longer.
const LONGEST_NETRC: u64 = 1 << 20;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Let what is merely worth a look (`!`) be a finding (exit code 1), too
    #[arg(long)]
    strict: bool,
    /// Open no connection: look at variables, files and programs alone
    #[arg(long)]
    offline: bool,
    /// How long each run of a program may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    timeout: u64,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let environment = Environment::from_process();
    let cwd = std::env::current_dir().unwrap_or_default();
    let (settings, policy, config) = read(common);
    let sites = settings.as_ref().map_or_else(|| default_sites().collect(), |settings| settings.sites.clone());
    let mut checks = vec![config];
    checks.extend(mirrors::used(&sites, &environment).iter().map(|used| {
        let mirrors::MirrorInUse { variable, host } = used;
        let message = format!("{variable} leads to {host}, a public mirror of PyPI that is not intercepted");
        Group::Shell.warn("index", message, format!("unset {variable}"))
    }));
    checks.extend(netrc(&environment));
    let facts = Facts {
        environment: &environment,
        cwd: &cwd,
        settings: settings.as_ref(),
        name: settings.as_ref().zip(policy.as_ref()).and_then(|(settings, policy)| name_to_try(settings, policy)),
        policy,
        sites,
        offline: arguments.offline,
        patience: Duration::from_secs(arguments.timeout.max(1)),
    };
    checks.extend(block_on(async { Ok(examine(&facts).await) })?);
    let report = Report::of(checks);
    if arguments.json {
        console.json(&report)?;
    } else {
        console.text(&as_text(&report, *console, speaks_utf8(&environment), common.quiet))?;
    }
    let found = report.count(Status::Fail) > 0 || arguments.strict && report.count(Status::Warn) > 0;
    Ok(if found { Outcome::Finding } else { Outcome::Fine })
}

/// The config and its rules, as far as they can be used, and the check of it.
fn read(common: &Common) -> (Option<Settings>, Option<Arc<Policy>>, Check) {
    let (group, id) = (Group::Machine, "config");
    let settings = match common.settings() {
        Ok(settings) => settings,
        Err(failure) => return (None, None, group.fail(id, failure.to_string(), "namewall check")),
    };
    let source = settings.source.as_deref().unwrap_or_else(|| Path::new("the built-in config")).display().to_string();
    let today = OffsetDateTime::now_utc().date();
    let policy = match settings.policy(today) {
        Ok(policy) => policy,
        Err(error) => return (Some(settings), None, group.fail(id, format!("{source}: {error}"), "namewall check")),
    };
    let in_force = settings.rules.iter().filter(|rule| rule.is_in_force(today)).count();
    let warnings = settings.lints(today).iter().filter(|lint| lint.kind.is_warning()).count();
    let check = if let Some(failed) = settings.sure_failures(&policy).first() {
        group.fail(id, format!("{source}: {}", failed.message()), "namewall check")
    } else if settings.source.is_some() && warnings > 0 {
        group.warn(id, format!("{source}: {in_force} rules in force, {warnings} warnings"), "namewall check")
    } else {
        group.ok(id, format!("{source}: valid, {in_force} rules in force, every assertion holds"))
    };
    (Some(settings), Some(Arc::new(policy)), check)
}

/// What pip, uv and curl send along to the public index, mostly because it was meant for every host.
fn netrc(environment: &Environment) -> Option<Check> {
    let (group, id) = (Group::Clients, "netrc");
    let path = environment.netrc()?;
    let text = read_text(&path, LONGEST_NETRC).ok()??;
    let path = path.display();
    if find(&text, INDEX).is_none() {
        return Some(group.ok(id, format!("nothing in {path} is sent to {INDEX}")));
    }
    let message =
        format!("{path} has a user and a password for {INDEX}, by its name or as `default`: clients send them there");
    Some(group.warn(id, message, format!("write `machine HOST` of your own index instead, in {path}")))
}

fn as_text(report: &Report, console: Console, utf8: bool, quiet: bool) -> String {
    let mut text = String::new();
    let mut group = None;
    for check in &report.checks {
        if quiet && matches!(check.status, Status::Ok | Status::Skipped) {
            continue;
        }
        if group != Some(check.group) {
            group = Some(check.group);
            text.push_str(&format!("{}\n", console.paint(Style::Bold, check.group.as_str())));
        }
        let mark = mark(check.status, console, utf8);
        text.push_str(&format!("  {mark} {}\n", lines(&check.message, "    ")));
        if let Some(remedy) = &check.remedy {
            text.push_str(&format!("      {}\n", lines(remedy, "      ")));
        }
    }
    text.push_str(&sum(report, console));
    text
}

/// `text`, each further line behind `indent`.
fn lines(text: &str, indent: &str) -> String {
    text.trim_end().lines().map(printable).collect::<Vec<_>>().join(&format!("\n{indent}"))
}

fn mark(status: Status, console: Console, utf8: bool) -> String {
    let (style, mark, ascii) = match status {
        Status::Ok => (Some(Style::Green), "✓", "+"),
        Status::Warn => (Some(Style::Bold), "!", "!"),
        Status::Fail => (Some(Style::Red), "✗", "x"),
        Status::Skipped => (None, "–", "-"),
    };
    let mark = if utf8 { mark } else { ascii };
    style.map_or_else(|| mark.to_owned(), |style| console.paint(style, mark))
}

fn sum(report: &Report, console: Console) -> String {
    let count = |status| report.count(status);
    let (broken, odd) = (count(Status::Fail), count(Status::Warn));
    let word = if broken > 0 { console.paint(Style::Red, "not well") } else { console.paint(Style::Green, "well") };
    format!(
        "{word}: {} right, {odd} worth a look, {broken} wrong, {} not looked at\n",
        count(Status::Ok),
        count(Status::Skipped)
    )
}

/// Whether the terminal shows more than ASCII, by what says so for every program (POSIX's order).
fn speaks_utf8(environment: &Environment) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(|name| environment.var(name));
    match locale {
        Some(locale) => {
            let locale = locale.to_string_lossy().to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        }
        // Windows has no such variables; its terminals of today speak it.
        None => cfg!(windows),
    }
}
