//! `namewall explain`: whether a name, a file, a URL or a requirement is protected, by which rule, why, and what now.

mod advice;
mod findings;
mod json;
mod requirement;
mod text;
mod thing;

use std::io::Read;

use serde_json::Value;
use time::OffsetDateTime;

use self::findings::{Findings, Judges};
use self::requirement::{Line, in_line};
use self::thing::{LOCAL, Thing};
use super::asker::As;
use super::output::Console;
use super::{Common, Failure, Outcome, knows_enough, tell_of_no_rule};
use crate::clients::scan::{decoded, logical_lines};
use crate::config::Settings;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    asker: As,
    /// Project names, file names, URLs or requirements; `-` reads them from standard input, one a line
    #[arg(required = true, value_name = "THING")]
    things: Vec<String>,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let settings = common.settings()?;
    let today = OffsetDateTime::now_utc().date();
    let policy = settings.policy(today)?;
    arguments.asker.tell_of_stranger(&settings, console);
    let narrowed = arguments.asker.narrowed(&policy);
    let judges = Judges::new(narrowed.as_ref().unwrap_or(&policy), &policy, today)?;
    tell_of_no_rule(&settings, today, console);
    let told = arguments.json || common.verbose > 0;
    let Asked { things, unreadable } = Asked::read(&arguments.things, &settings, told)?;
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
    knows_enough(narrowed.as_ref().unwrap_or(&policy))?;
    Ok(Outcome::Fine)
}

/// What is asked about, as far as it is understood.
#[derive(Default)]
struct Asked {
    things: Vec<Thing>,
    /// Complaints of what is not; it doesn't keep the rest from being answered.
    unreadable: Vec<String>,
}

impl Asked {
    /// Reads the arguments, and the list on standard input; what in that is on no index is only `told` if it is to be.
    fn read(arguments: &[String], settings: &Settings, told: bool) -> Result<Self, Failure> {
        let mut asked = Self::default();
        for text in arguments {
            if text == "-" {
                asked.list(settings, told)?;
                continue;
            }
            match thing::read(text, settings) {
                Ok(thing) => asked.things.push(thing),
                Err(why) => asked.unreadable.push(why),
            }
        }
        Ok(asked)
    }

    fn list(&mut self, settings: &Settings, told: bool) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        let list = decoded(bytes).map_err(|why| Failure::Usage(format!("cannot read standard input: {why}")))?;
        for (line, number) in logical_lines(&list) {
            let read = match in_line(&line) {
                Some(Line::Thing(text)) => thing::read(text, settings),
                Some(Line::Folder(path)) => Ok(thing::folder(path)),
                None => continue,
            };
            match read {
                Ok(thing) if thing.kind == LOCAL && !told => {}
                Ok(thing) => self.things.push(thing),
                Err(why) => self.unreadable.push(format!("line {number} of standard input: {why}")),
            }
        }
        Ok(())
    }
}
