//! `namewall scan`: lock files, requirement files, environments and caches that already hold a protected name.

use std::fmt::Write;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::output::{Console, FindingsFormat, Style, printable};
use super::{Common, Failure, Outcome, asserted_policy, knows_enough};
use crate::clients::scan::{Finding, Level, Report, as_json, as_sarif, default_caches, scan};
use crate::config::environment::Environment;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// How findings are printed
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    format: FindingsFormat,
    /// Scan the caches of pip and uv too, where this user has them
    #[arg(long)]
    caches: bool,
    /// Fail on warnings too: names of which nobody knows where they came from
    #[arg(long)]
    strict: bool,
    /// Lock files, requirement files, environments, caches, or folders with any of them
    #[arg(required_unless_present = "caches", value_name = "PATH")]
    paths: Vec<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, common: &Common, console: &Console) -> Result<Outcome, Failure> {
    let settings = common.settings()?;
    let policy = asserted_policy(&settings)?;
    let mut paths = arguments.paths.clone();
    if let Some(missing) = paths.iter().find(|path| std::fs::symlink_metadata(path).is_err()) {
        return Err(Failure::Usage(format!("there is no {}", missing.display())));
    }
    if arguments.caches {
        paths.extend(default_caches(&Environment::from_process()).into_iter().filter(|path| path.is_dir()));
    }
    let bar = progress_bar(common.quiet);
    let report = scan(&paths, &policy, &settings.sites, &mut |path| tell(&bar, path));
    bar.finish_and_clear();
    match arguments.format {
        FindingsFormat::Text => print(&report, console)?,
        FindingsFormat::Json => console.json(&as_json(&report))?,
        FindingsFormat::Sarif => console.json(&as_sarif(&report))?,
    }
    for unread in &report.unread {
        let line = format!("error: {} was not read: {}", unread.path.display(), unread.why);
        console.error(printable(&line));
    }
    let some = report.count(Level::Error) > 0 || arguments.strict && !report.findings.is_empty();
    if !some {
        knows_enough(&policy)?;
    }
    Ok(match (report.unread.is_empty(), some) {
        // What wasn't read may hold anything: "some" would sound as if that were all.
        (false, _) => Outcome::Untrusted,
        (true, true) => Outcome::Finding,
        (true, false) => Outcome::Fine,
    })
}

/// A spinner where somebody looks on; nothing in pipes.
fn progress_bar(quiet: bool) -> ProgressBar {
    if quiet || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {pos} scanned, {elapsed}: {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn tell(bar: &ProgressBar, path: &Path) {
    bar.inc(1);
    if !bar.is_hidden() {
        // A path may hold control characters, and this is somebody's terminal.
        bar.set_message(printable(&path.to_string_lossy()));
    }
}

fn print(report: &Report, console: &Console) -> std::io::Result<()> {
    for finding in &report.findings {
        console.text(&as_text(finding, console))?;
    }
    let (errors, warnings) = (report.count(Level::Error), report.count(Level::Warning));
    let word = match (errors, warnings) {
        (0, 0) => console.paint(Style::Green, "none"),
        (0, _) => console.paint(Style::Bold, "none for certain"),
        _ => console.paint(Style::Red, "some"),
    };
    console.line(format_args!(
        "{word}: {errors} from the public index, {warnings} of unknown origin, {} from elsewhere; {} sources read, {} not",
        report.elsewhere,
        report.sources,
        report.unread.len()
    ))
}

fn as_text(finding: &Finding, console: &Console) -> String {
    let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
    let place = format!("{}{line}", finding.path.display());
    let level = match finding.level {
        Level::Error => console.paint(Style::Red, "error"),
        Level::Warning => console.paint(Style::Bold, "warning"),
    };
    let version = finding.version.as_ref().map(|version| format!(" {version}")).unwrap_or_default();
    let what = format!("{}{version}", finding.project);
    let mut text = format!("{}: {level}: {}\n", printable(&place), console.paint(Style::Bold, printable(&what)));
    let details = [
        ("file", finding.file.as_deref()),
        ("from", Some(&*finding.from)),
        ("rule", Some(&*finding.rule)),
        ("reason", finding.reason.as_deref()),
        ("remedy", Some(&*finding.remedy)),
    ];
    for (label, value) in details.into_iter().filter_map(|(label, value)| Some((label, value?))) {
        let _infallible = writeln!(text, "  {label:<8}{}", printable(value));
    }
    text
}
