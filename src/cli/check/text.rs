//! The findings as people read them: worst first, the sum at the end.

use std::fmt::Write as _;

use super::preview::{Preview, UNRANKED, Victim};
use super::report::{Odd, Report};
use crate::cli::output::{Console, Style};

/// All of `report`; without what is merely odd unless that is to be `told`.
pub(super) fn of(report: &Report, told: bool, console: Console) -> String {
    let mut blocks: Vec<String> = report.assertions.iter().map(|failed| failed.text.clone()).collect();
    if told {
        blocks.extend(report.lints.iter().map(|lint| of_lint(lint, console)));
        blocks.extend(report.mirrors.iter().map(ToString::to_string));
    }
    let mut text: String = blocks.iter().map(|block| format!("{block}\n\n")).collect();
    text.push_str(&report.note);
    if let Some(preview) = &report.preview {
        text.push_str(&of_preview(preview, console));
    }
    text.push_str(&sum(report, console));
    text
}

fn of_lint(lint: &Odd, console: Console) -> String {
    let level = console.paint(Style::Bold, format_args!("{}[{}]", lint.level, lint.id));
    let location = lint.location.as_ref();
    let place = location.map(|at| format!("\n --> {}:{}:{}", at.file, at.line, at.column)).unwrap_or_default();
    format!("{level}: {}{place}\n  = help: {}", lint.message, lint.help)
}

fn of_preview(preview: &Preview, console: Console) -> String {
    let mut text = String::new();
    for rule in &preview.rules {
        let id = console.paint(Style::Bold, &rule.rule);
        let names = if rule.count == 1 { "name" } else { "names" };
        let of = rule.versions.as_ref().map(|versions| format!(", releases {versions} only")).unwrap_or_default();
        let _infallible = writeln!(text, "rule {id} ({}{of}) matches {} {names}", rule.mode, rule.count);
        text.extend(rule.top.iter().map(of_victim));
        let more = rule.count.saturating_sub(rule.top.len() as u64);
        if more > 0 && !rule.top.is_empty() {
            let _infallible = writeln!(text, "  … and {more} more");
        }
    }
    let Preview { names, hidden, audited, invalid, .. } = preview;
    let audits = if *audited > 0 { format!(" ({audited} of them for audit rules alone)") } else { String::new() };
    let invalid = match invalid {
        0 => String::new(),
        1 => "; 1 of them is no project name".to_owned(),
        some => format!("; {some} of them are no project names"),
    };
    let _infallible = writeln!(text, "preview: {} of {names} names match{audits}{invalid}", hidden + audited);
    text
}

fn of_victim(victim: &Victim) -> String {
    let rank = if victim.rank == UNRANKED { String::new() } else { format!("  (rank {})", victim.rank) };
    format!("  {}  by {}{rank}\n", victim.name, victim.pattern)
}

fn sum(report: &Report, console: Console) -> String {
    let source = report.sources.first().map_or("the built-in default", String::as_str);
    let counts = &report.counts;
    let expired = match counts.rules - counts.rules_in_force {
        0 => String::new(),
        some => format!(" ({some} expired)"),
    };
    let failed = match report.assertions.len() {
        0 => String::new(),
        some => format!(" ({some} failed)"),
    };
    let warnings = match report.warnings() {
        0 => String::new(),
        some => format!(", {}", counted(some, "warning")),
    };
    let (word, style) = if report.exit_code == 0 { ("ok", Style::Green) } else { ("not ok", Style::Red) };
    format!(
        "{} {source}: {}{expired}, {}{failed}, {}, policy {}{warnings}\n",
        console.paint(style, word),
        counted(counts.rules, "rule"),
        counted(counts.assertions, "assertion"),
        counted(counts.hosts, "intercepted host"),
        report.policy.as_deref().unwrap_or("none"),
    )
}

fn counted(count: usize, of: &str) -> String {
    format!("{count} {of}{}", if count == 1 { "" } else { "s" })
}
