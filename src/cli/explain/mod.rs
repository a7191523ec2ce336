//! `namewall explain`: whether a name, a file, a URL or a requirement is protected, by which rule, why, and what now.

mod advice;
mod findings;
mod json;
mod text;
mod thing;

use std::io::BufRead;

use serde_json::Value;
use time::OffsetDateTime;

use self::findings::{Findings, Judges};
use self::thing::Thing;
use super::output::Console;
use super::{Common, Failure, Outcome, knows_enough};
use crate::config::Settings;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Project names, file names, URLs or requirements; `-` reads them from standard input, one a line
    #[arg(required = true, value_name = "THING")]
    things: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let settings = common.settings()?;
    let today = OffsetDateTime::now_utc().date();
    let policy = settings.policy(today)?;
    let judges = Judges::new(&policy, today)?;
    let (mut things, mut unreadable) = (Vec::new(), Vec::new());
    read_all(&arguments.things, &settings, &mut things, &mut unreadable)?;
    let findings: Vec<Findings<'_>> = things.iter().map(|thing| judges.judge(thing)).collect();
    if arguments.json {
        let list: Vec<Value> = things.iter().zip(&findings).map(|(thing, found)| json::of(thing, found)).collect();
        // Whoever asked about one thing that is none gets the complaint alone.
        if unreadable.is_empty() || !list.is_empty() {
            console.json(&list)?;
        }
    } else {
        for (thing, found) in things.iter().zip(&findings) {
            console.text(&text::of(thing, found, *console))?;
        }
    }
    if !unreadable.is_empty() {
        return Err(Failure::Usage(unreadable.join("\nerror: ")));
    }
    let any = findings.iter().any(|found| found.verdict.protected.is_some());
    if any {
        return Ok(Outcome::Finding);
    }
    knows_enough(&policy)?;
    Ok(Outcome::Fine)
}

/// Understands everything that is asked about; what can't be understood doesn't keep the rest from being answered.
fn read_all(
    asked: &[String],
    settings: &Settings,
    things: &mut Vec<Thing>,
    unreadable: &mut Vec<String>,
) -> Result<(), Failure> {
    for text in asked {
        if text != "-" {
            match thing::read(text, settings) {
                Ok(thing) => things.push(thing),
                Err(why) => unreadable.push(why),
            }
            continue;
        }
        for (number, line) in std::io::stdin().lock().lines().enumerate() {
            let line = line?;
            let Some(text) = thing::in_line(&line) else { continue };
            match thing::read(text, settings) {
                Ok(thing) => things.push(thing),
                Err(why) => unreadable.push(format!("line {} of standard input: {why}", number + 1)),
            }
        }
    }
    Ok(())
}
