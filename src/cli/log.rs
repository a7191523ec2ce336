//! `namewall log`: what the decision log says of the rules, for who has to account for them.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::PathBuf;

use serde_json::{Value, json};
use time::{Date, OffsetDateTime};

use super::output::{Console, Format, Style};
use super::{Common, Failure, Outcome, input};
use crate::config::{Overrides, Settings};
use crate::policy::Rule;
use crate::telemetry::audit::{Audit, Record};

/// Bytes read at once.
const CHUNK: usize = 256 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    // Called as the other commands' option is, and of its type: clap hands that on to whoever has it.
    /// Say what each rule did by these decision logs, and which rules of the present config did nothing; `-` is standard
    /// input [default: the config's `log.decisions`]
    #[arg(long, required = true, num_args = 0.., value_name = "FILE")]
    rules: Vec<PathBuf>,
    /// Names shown a rule
    #[arg(long, value_name = "N", default_value_t = 5)]
    top: usize,
    /// For which reader
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: Format,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let settings = Settings::load(&Overrides { rules: Vec::new(), ..common.overrides() })?;
    let audit = read(&arguments.rules, &settings)?;
    let report = Report { audit: &audit, settings: &settings, top: arguments.top };
    match arguments.format {
        Format::Text => console.text(&report.text(console, OffsetDateTime::now_utc().date()))?,
        Format::Json => console.json(&report.json())?,
    }
    Ok(Outcome::Fine)
}

fn read(files: &[PathBuf], settings: &Settings) -> Result<Audit, Failure> {
    let files = match (files, &settings.decisions) {
        ([], Some(file)) => std::slice::from_ref(file),
        ([], None) => {
            return Err(Failure::Usage("the config has no `log.decisions`: name the decision log to read".to_owned()));
        }
        (files, _) => files,
    };
    let mut audit = Audit::default();
    for file in files {
        let read = input::open(file).and_then(|input| audit.read(BufReader::with_capacity(CHUNK, input)));
        read.map_err(|cause| Failure::Usage(format!("cannot read the decision log {}: {cause}", file.display())))?;
    }
    Ok(audit)
}

/// What there is to say.
struct Report<'a> {
    audit: &'a Audit,
    settings: &'a Settings,
    top: usize,
}

impl Report<'_> {
    /// What fired, most first.
    fn fired(&self) -> Vec<(&str, &Record)> {
        let mut fired: Vec<_> = self.audit.rules.iter().map(|(id, record)| (id.as_str(), record)).collect();
        fired.sort_by_key(|(_, record)| std::cmp::Reverse(record.hits));
        fired
    }

    /// The rules of the config that did nothing.
    fn idle(&self) -> impl Iterator<Item = &Rule> {
        self.settings.rules.iter().filter(|rule| !self.audit.rules.contains_key(&rule.id))
    }

    fn is_of_config(&self, id: &str) -> bool {
        self.settings.rules.iter().any(|rule| rule.id == id)
    }

    fn text(&self, console: &Console, today: Date) -> String {
        let Audit { records, skipped, span, failures, untold, .. } = self.audit;
        let mut text = match (span.first(), span.last()) {
            (Some(first), Some(last)) => format!("{records} decisions from {first} to {last}\n"),
            _ => "no decisions\n".to_owned(),
        };
        if *skipped > 0 {
            text.push_str(&format!("skipped, because they are no decisions: {skipped} lines\n"));
        }
        if !self.audit.rules.is_empty() {
            text.push('\n');
            text.push_str(&self.table());
        }
        if *untold > 0 {
            text.push_str(&format!("and {untold} times rules that found no room here\n"));
        }
        let mut idle = self.idle().peekable();
        if idle.peek().is_some() {
            let since = span.first().map(|first| format!(" since {first}")).unwrap_or_default();
            text.push_str(&format!("\n{}\n", console.paint(Style::Bold, format_args!("never fired{since}:"))));
        }
        for rule in idle {
            text.push_str(&format!("  {}{}\n", rule.id, remark(rule, today)));
        }
        if !failures.is_empty() {
            text.push_str(&format!("\nanswers that could not be trusted: {}\n", listed(failures)));
        }
        text
    }

    fn table(&self) -> String {
        let mut rows = vec![["RULE", "HITS", "FIRST", "LAST", "DECISIONS", "SURFACES", "NAMES"].map(str::to_owned)];
        for (id, record) in self.fired() {
            let moment = |moment: Option<&str>| moment.unwrap_or_default().to_owned();
            let (names, rest) = record.top_names(self.top);
            let mut names: Vec<_> = names.into_iter().map(|(name, times)| format!("{name} {times}")).collect();
            if rest > 0 {
                names.push(format!("others {rest}"));
            }
            rows.push([
                if self.is_of_config(id) { id.to_owned() } else { format!("{id} (not in the config)") },
                record.hits.to_string(),
                moment(record.span.first()),
                moment(record.span.last()),
                listed(&record.decisions),
                listed(&record.surfaces),
                names.join(", "),
            ]);
        }
        aligned(&rows)
    }

    fn json(&self) -> Value {
        let rule = |(id, record): (&str, &Record)| {
            let (names, others) = record.top_names(self.top);
            let names: Vec<_> = names.iter().map(|(name, hits)| json!({ "name": name, "hits": hits })).collect();
            json!({
                "rule": id,
                "in_config": self.is_of_config(id),
                "hits": record.hits,
                "removed": record.removed,
                "first": record.span.first(),
                "last": record.span.last(),
                "decisions": record.decisions,
                "surfaces": record.surfaces,
                "names": names,
                "other_names_hits": others,
            })
        };
        let idle = |rule: &Rule| {
            json!({
                "rule": rule.id,
                "place": rule.place.as_ref().map(ToString::to_string),
                "mode": rule.mode.as_str(),
                "expires": rule.expires.map(|date| date.to_string()),
            })
        };
        json!({
            "records": self.audit.records,
            "skipped_lines": self.audit.skipped,
            "first": self.audit.span.first(),
            "last": self.audit.span.last(),
            "rules": self.fired().into_iter().map(rule).collect::<Vec<_>>(),
            "never_fired": self.idle().map(idle).collect::<Vec<_>>(),
            "failures": self.audit.failures,
            "untold": self.audit.untold,
        })
    }
}

/// Where a rule stands, and why it may well have done nothing.
fn remark(rule: &Rule, today: Date) -> String {
    let place = rule.place.as_ref().map(|place| format!(" ({place})")).unwrap_or_default();
    match rule.expires {
        Some(day) if day < today => format!("{place}, expired after {day}"),
        _ => place,
    }
}

fn listed(counts: &BTreeMap<String, u64>) -> String {
    counts.iter().map(|(word, times)| format!("{word} {times}")).collect::<Vec<_>>().join(", ")
}

fn aligned<const N: usize>(rows: &[[String; N]]) -> String {
    let width = |cell: &String| cell.chars().count();
    let widths = rows.iter().fold([0; N], |mut widths, row| {
        widths.iter_mut().zip(row).for_each(|(widest, cell)| *widest = width(cell).max(*widest));
        widths
    });
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}
