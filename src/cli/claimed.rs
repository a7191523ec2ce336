//! `namewall claimed`: which protected names strangers hold on the public index, without asking for any of them.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::output::{Console, Format, Style};
use super::{Common, Failure, Outcome, block_on, input, tell_of_no_rule};
use crate::claimed::{self, ClaimedError, Claims, JsonList};
use crate::config::Settings;
use crate::inventory;
use crate::policy::Policy;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Read this instead of asking PyPI: its list of all projects in JSON or HTML, or names, one a line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// How the answer looks
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let settings = common.settings()?;
    common.start_log(settings.log_format, common.verbosity(), console);
    tell_of_no_rule(&settings, OffsetDateTime::now_utc().date(), console);
    let found = match &arguments.from {
        Some(path) => {
            let policy = settings.policy(OffsetDateTime::now_utc().date())?;
            known(&policy)?;
            let text = read(path)?;
            of_file(&policy, &text)
        }
        None => block_on(ask(&settings))?,
    };
    let claims = match found {
        Ok(claims) => claims,
        Err(ClaimedError::Malformed(malformed)) => {
            console.error(format_args!("error: the list can't be trusted: {malformed}"));
            return Ok(Outcome::Untrusted);
        }
        Err(error) => return Err(failed(error)),
    };
    match arguments.format {
        Format::Text => console.text(&as_text(&claims, console))?,
        Format::Json => console.json(&as_json(&claims))?,
    }
    Ok(if claims.count() > 0 { Outcome::Finding } else { Outcome::Fine })
}

fn failed(error: impl std::fmt::Display) -> Failure {
    Failure::Io(std::io::Error::other(error.to_string()))
}

/// "None" would be no answer as long as nobody knows what an inventory lists.
fn known(policy: &Policy) -> Result<(), Failure> {
    match policy.knows_all() {
        true => Ok(()),
        false => Err(failed("the list of an inventory has never come: without `--from` it is fetched, too")),
    }
}

async fn ask(settings: &Settings) -> Result<Result<Claims, ClaimedError>, Failure> {
    let fetcher = claimed::fetcher(settings)?;
    inventory::fetch_unknown(settings, &fetcher).await.map_err(failed)?;
    let policy = settings.policy(OffsetDateTime::now_utc().date())?;
    known(&policy)?;
    let found = claimed::fetch(&fetcher, &policy, None).await;
    Ok(found.map(|found| found.map(|(claims, _)| claims).unwrap_or_default()))
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut text = Vec::new();
    let outcome = input::open(path).and_then(|mut input| input.read_to_end(&mut text));
    outcome.map_err(|cause| Failure::Usage(format!("cannot read the list {}: {cause}", path.display())))?;
    Ok(text)
}

fn of_file(policy: &Policy, text: &[u8]) -> Result<Claims, ClaimedError> {
    match text.trim_ascii_start().first() {
        Some(b'{' | b'[') => {
            let mut list = JsonList::new(policy);
            list.push(text)?;
            Ok(list.finish()?)
        }
        Some(b'<') => Ok(claimed::of_html(policy, text)?),
        // No name begins as those do.
        _ => Ok(claimed::of_names(policy, text)?),
    }
}

fn as_text(claims: &Claims, console: &Console) -> String {
    let mut text = String::new();
    for (rule, claims) in &claims.by_rule {
        let mode = if claims.iter().any(|claim| claim.mode == "audit") { " (audit)" } else { "" };
        text.push_str(&format!("rule {}{mode}: {} claimed\n", console.paint(Style::Bold, rule), claims.len()));
        for claim in claims {
            let serial = claim.last_serial.map(|serial| format!("  last changed at serial {serial}"));
            text.push_str(&format!("  {}  by {}{}\n", claim.written, claim.pattern, serial.unwrap_or_default()));
        }
    }
    let count = claims.count();
    let style = if count > 0 { Style::Red } else { Style::Green };
    let count = console.paint(style, format_args!("{count} protected"));
    text.push_str(&format!("claimed: {count} of {} names on the public index\n", claims.listed));
    text
}

fn as_json(claims: &Claims) -> Value {
    let rules = claims.by_rule.iter().map(|(rule, claims)| {
        let names = claims.iter().map(|claim| {
            json!({
                "name": claim.name,
                "written": claim.written,
                "pattern": claim.pattern,
                "mode": claim.mode,
                "last-serial": claim.last_serial,
            })
        });
        json!({"rule": rule, "claimed": names.collect::<Vec<_>>()})
    });
    json!({"listed": claims.listed, "claimed": claims.count(), "rules": rules.collect::<Vec<_>>()})
}
