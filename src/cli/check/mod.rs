//! `namewall check`: validates the config, runs its assertions, lints its rules, and previews them on a list of names.

mod certificates;
mod locate;
mod preview;
mod report;
mod sarif;
mod text;

use std::path::PathBuf;

use time::OffsetDateTime;

use self::preview::PreviewError;
use self::report::Report;
use super::asker::As;
use super::output::{Console, FindingsFormat};
use super::{Common, Failure, Outcome, knows_enough, mirrors};
use crate::config::discover::SCHEMA;
use crate::config::environment::Environment;
use crate::telemetry::log::Verbosity;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Say what the rules would hide of the names in this list; `-` is standard input
    ///
    /// One name a line, its rank behind a tab or a comma where it is known; or PyPI's own list of all projects, as JSON
    /// (PEP 691) or HTML.
    #[arg(long, value_name = "FILE")]
    preview: Option<PathBuf>,
    /// How many names a preview shows of each rule, those with the best ranks first
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    #[command(flatten)]
    asker: As,
    /// How the findings are printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: FindingsFormat,
    /// Let a warning be a finding (exit code 1), too
    #[arg(long)]
    strict: bool,
    /// Print the config's JSON Schema for editors, and do nothing else
    #[arg(long)]
    schema: bool,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    if arguments.schema {
        console.text(SCHEMA)?;
        return Ok(Outcome::Fine);
    }
    let examined = examine(arguments, common, console);
    if arguments.format == FindingsFormat::Text {
        let report = examined?;
        let told = common.verbosity() > Verbosity::Quiet || arguments.strict;
        console.text(&text::of(&report, told, *console))?;
        report.errors.iter().for_each(|error| console.error(format_args!("error: {}", error.message)));
        return Ok(report.outcome());
    }
    let report = match examined {
        Ok(report) => report,
        Err(Failure::Io(error)) => return Err(error.into()),
        Err(failure) => Report::of_failure(&failure, arguments.strict),
    };
    match arguments.format {
        FindingsFormat::Sarif => console.json(&sarif::of(&report))?,
        FindingsFormat::Text | FindingsFormat::Json => console.json(&report)?,
    }
    Ok(report.outcome())
}

fn examine(arguments: &Arguments, common: &Common, console: &Console) -> Result<Report, Failure> {
    let settings = common.settings()?;
    let today = OffsetDateTime::now_utc().date();
    let policy = settings.policy(today)?;
    arguments.asker.tell_of_stranger(&settings, console);
    let mut report = Report::of(&settings, &policy, today, arguments.strict);
    report.mirrors = mirrors::used(&settings.sites, &Environment::from_process());
    report.note = mirrors::said(&settings.sites, common.verbosity());
    if let Some(list) = &arguments.preview {
        if let Err(unknown) = knows_enough(&policy) {
            report.fail(unknown.to_string().trim_start_matches("error: ").to_owned(), unknown.exit_code());
        }
        // Of all rules, whoever they are for, unless somebody is named.
        let narrowed =
            Some(&arguments.asker).filter(|asker| asker.is_given()).and_then(|asker| asker.narrowed(&policy));
        match preview::of(narrowed.as_ref().unwrap_or(&policy), list, arguments.top, today) {
            Ok(preview) => report.preview = Some(preview),
            Err(PreviewError::Unreadable(why)) => return Err(Failure::Usage(why)),
            Err(PreviewError::Untrusted(why)) => report.fail(why, Outcome::Untrusted.exit_code()),
        }
    }
    Ok(report)
}
