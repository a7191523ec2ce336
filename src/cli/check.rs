//! `namewall check`: validates the config, runs its assertions, and previews its rules on a list of names.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

use super::output::{Console, Style};
use super::{Common, Failure, Outcome, mirrors};
use crate::config::discover::SCHEMA;
use crate::config::environment::Environment;
use crate::name::{NameBuffer, NameRef, Subject};
use crate::policy::Policy;

/// Names shown a rule in a preview.
const SHOWN: usize = 20;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Say what the rules would hide of these names, one a line; `-` is standard input
    #[arg(long, value_name = "FILE")]
    preview: Option<PathBuf>,
    /// Print the config's JSON Schema for editors, and do nothing else
    #[arg(long)]
    schema: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    if arguments.schema {
        console.text(SCHEMA)?;
        return Ok(Outcome::Fine);
    }
    let settings = common.settings()?;
    let today = OffsetDateTime::now_utc().date();
    let policy = settings.policy(today)?;
    let mut sound = true;
    for failed in settings.check_assertions(&policy) {
        sound = false;
        console.line(failed)?;
    }
    for lint in settings.lints(today) {
        console.line(lint)?;
    }
    mirrors::tell(&settings.sites, &Environment::from_process(), common.verbosity(), console)?;
    if let Some(list) = &arguments.preview {
        preview(&policy, open(list)?, console)?;
    }
    let source = settings.source.as_deref().map_or_else(|| "the built-in default".into(), Path::to_string_lossy);
    let counts = format!(
        "{source}: {} rules, {} assertions, {} intercepted hosts, policy {}",
        settings.rules.len(),
        settings.assertions.len(),
        settings.sites.len(),
        policy.fingerprint()
    );
    console.line(format_args!("{} {counts}", console.paint(Style::Green, if sound { "ok" } else { "read" })))?;
    Ok(if sound { Outcome::Fine } else { Outcome::Finding })
}

fn open(path: &Path) -> Result<Box<dyn BufRead>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let file = std::fs::File::open(path)
        .map_err(|cause| Failure::Usage(format!("cannot read the list {}: {cause}", path.display())))?;
    Ok(Box::new(BufReader::new(file)))
}

/// What one rule would hide.
#[derive(Default)]
struct Hidden {
    count: u64,
    first: Vec<(String, String)>,
}

fn preview(policy: &Policy, mut list: impl BufRead, console: &Console) -> Result<(), Failure> {
    let mut rules: BTreeMap<(&str, &str), Hidden> = BTreeMap::new();
    let (mut names, mut invalid) = (0_u64, 0_u64);
    let (mut line, mut buffer) = (Vec::new(), NameBuffer::default());
    while list.read_until(b'\n', &mut line)? > 0 {
        // The name is the first field: lists with ranks or dates beside it are read as they are.
        let name = line.split(|byte| byte.is_ascii_whitespace() || *byte == b',').next().unwrap_or_default();
        if !name.is_empty() && !name.starts_with(b"#") {
            names += 1;
            match NameRef::fold(name, &mut buffer) {
                Ok(name) => {
                    let verdict = policy.judge(Subject::Project(name));
                    if let Some(found) = verdict.protected.or(verdict.audited) {
                        let hidden = rules.entry((&found.rule.id, found.rule.mode.as_str())).or_default();
                        hidden.count += 1;
                        if hidden.first.len() < SHOWN {
                            hidden.first.push((name.to_string(), found.written.to_owned()));
                        }
                    }
                }
                Err(_not_a_name) => invalid += 1,
            }
        }
        line.clear();
    }
    for ((id, mode), hidden) in &rules {
        console.line(format_args!(
            "rule {} ({mode}) matches {} names",
            console.paint(Style::Bold, id),
            hidden.count
        ))?;
        for (name, pattern) in &hidden.first {
            console.line(format_args!("  {name}  by {pattern}"))?;
        }
        if hidden.count > SHOWN as u64 {
            console.line(format_args!("  … and {} more", hidden.count - SHOWN as u64))?;
        }
    }
    let total: u64 = rules.values().map(|hidden| hidden.count).sum();
    let invalid = if invalid > 0 { format!("; {invalid} lines are no project names") } else { String::new() };
    console.line(format_args!("preview: {total} of {names} names match{invalid}"))?;
    Ok(())
}
