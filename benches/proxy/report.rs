//! What came of a run: the table for people, JSON for machines.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::rows::Row;

/// A whole run. Times are in milliseconds, memory is in megabytes.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Run {
    pub(crate) date: String,
    pub(crate) processor: String,
    pub(crate) rounds: usize,
    /// The first is nobody: the client asks nginx itself.
    pub(crate) contestants: Vec<Contestant>,
    /// Who could not be had, and why.
    pub(crate) skipped: Vec<(String, String)>,
    pub(crate) lines: Vec<Line>,
    pub(crate) curves: Vec<Curve>,
}

/// Somebody who was measured.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Contestant {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) note: String,
    /// Whether it hides the names of the rules.
    pub(crate) hides: bool,
    /// Until it listened.
    pub(crate) start: Option<f64>,
    /// Memory before the first request, and after so many: all that is resident, and what of it is its own. (Of the rest,
    /// most is the program's file, as far as the kernel has it at hand.)
    pub(crate) idle: Option<f64>,
    pub(crate) own: Option<f64>,
    pub(crate) after: Option<f64>,
    pub(crate) own_after: Option<f64>,
    pub(crate) requests: f64,
}

/// One row of the table: a cell for each contestant.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) charted: bool,
    pub(crate) cells: Vec<Cell>,
}

/// One contestant in one row.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Cell {
    /// The best of the rounds in each respect; of memory, the most.
    pub(crate) best: Option<Figures>,
    pub(crate) median: Option<Figures>,
    /// Why there are none.
    pub(crate) failed: Option<String>,
    pub(crate) rounds: Vec<Figures>,
}

/// What was measured of one contestant in one row and round; of downloads, each is a request.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Figures {
    pub(crate) requests: f64,
    pub(crate) per_second: f64,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) first_byte: f64,
    /// Processor time of the proxy for a request.
    pub(crate) cpu: Option<f64>,
    pub(crate) peak: Option<f64>,
}

/// How something grows.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Curve {
    pub(crate) id: String,
    pub(crate) title: String,
    pub(crate) points: Vec<Point>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Point {
    pub(crate) of: String,
    pub(crate) x: usize,
    pub(crate) cpu: Option<f64>,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
}

/// The name of nobody in between.
pub(crate) const DIRECT: &str = "direct";

impl Contestant {
    pub(crate) fn direct() -> Self {
        Self {
            name: DIRECT.to_owned(),
            version: String::new(),
            note: "no proxy".to_owned(),
            hides: false,
            start: None,
            idle: None,
            own: None,
            own_after: None,
            after: None,
            requests: 0.0,
        }
    }
}

impl Line {
    pub(crate) fn of(row: &Row, contestants: usize) -> Self {
        let cells = vec![Cell::default(); contestants];
        Self { id: row.id.clone(), title: row.title.clone(), charted: row.charted, cells }
    }

    /// Adds a round.
    pub(crate) fn add(&mut self, contestant: usize, figures: Result<Figures>) {
        let cell = &mut self.cells[contestant];
        match figures {
            Ok(figures) => cell.rounds.push(figures),
            Err(error) => cell.failed = Some(error.to_string()),
        }
        cell.best = merged(&cell.rounds, f64::max, f64::min);
        cell.median = merged(&cell.rounds, f64::max, f64::min).map(|_| median(&cell.rounds));
    }
}

fn merged(rounds: &[Figures], more: fn(f64, f64) -> f64, less: fn(f64, f64) -> f64) -> Option<Figures> {
    let both = |a: Option<f64>, b: Option<f64>, pick: fn(f64, f64) -> f64| a.zip(b).map(|(a, b)| pick(a, b));
    rounds.iter().cloned().reduce(|a, b| Figures {
        requests: a.requests + b.requests,
        per_second: more(a.per_second, b.per_second),
        p50: less(a.p50, b.p50),
        p99: less(a.p99, b.p99),
        first_byte: less(a.first_byte, b.first_byte),
        cpu: both(a.cpu, b.cpu, less),
        peak: both(a.peak, b.peak, more),
    })
}

fn median(rounds: &[Figures]) -> Figures {
    let of = |figure: &dyn Fn(&Figures) -> Option<f64>| {
        let mut all: Vec<f64> = rounds.iter().filter_map(figure).collect();
        all.sort_by(f64::total_cmp);
        let (low, high) = (all.get(all.len().saturating_sub(1) / 2)?, all.get(all.len() / 2)?);
        Some((low + high) / 2.0)
    };
    let sure = |figure: fn(&Figures) -> f64| of(&|round| Some(figure(round))).unwrap_or_default();
    Figures {
        requests: sure(|round| round.requests),
        per_second: sure(|round| round.per_second),
        p50: sure(|round| round.p50),
        p99: sure(|round| round.p99),
        first_byte: sure(|round| round.first_byte),
        cpu: of(&|round| round.cpu),
        peak: of(&|round| round.peak),
    }
}

/// The table.
pub(crate) fn print(run: &Run) {
    println!("\n{}, {}, best of {} round(s); in brackets the median", run.date, run.processor, run.rounds);
    println!("proxy CPU is a request's (or a download's); p50 and p99 are until the answer's last byte\n");
    for contestant in &run.contestants {
        println!("{:<18} {:<28} {}", contestant.name, contestant.version, contestant.note);
    }
    for (name, reason) in &run.skipped {
        println!("{name:<18} skipped: {reason}");
    }
    for line in &run.lines {
        println!("\n{} [{}]", line.title, line.id);
        println!(
            "  {:<18}{:>10}{:>8}{:>10}{:>10}{:>10}{:>11}{:>13}{:>9}",
            "", "req/s", "direct", "p50", "p99", "1st byte", "proxy CPU", "", "peak MB"
        );
        let direct = line.cells.first().and_then(|cell| cell.best.as_ref()).map(|best| best.per_second);
        for (contestant, cell) in run.contestants.iter().zip(&line.cells) {
            println!("  {:<18}{}", contestant.name, figures(cell, direct));
        }
    }
    print_patience(run);
    print_standing(run);
    for curve in &run.curves {
        println!("\n  {:<34}{:>8}{:>12}{:>12}{:>12}", format!("by {}", curve.title), "", "proxy CPU", "p50", "p99");
        for Point { of, x, cpu, p50, p99 } in &curve.points {
            println!("  {of:<34}{x:>8}{:>12}{:>12}{:>12}", maybe(*cpu), time(*p50), time(*p99));
        }
    }
}

fn figures(cell: &Cell, direct: Option<f64>) -> String {
    let (Some(best), Some(median)) = (&cell.best, &cell.median) else {
        return format!("  {}", cell.failed.as_deref().unwrap_or("not measured"));
    };
    let rate = if best.per_second < 100.0 { 1 } else { 0 };
    let of_direct = direct.map_or_else(String::new, |direct| format!("{:.0}%", best.per_second / direct * 100.0));
    let (p50, p99, first, cpu) = (time(best.p50), time(best.p99), time(best.first_byte), maybe(best.cpu));
    let median = median.cpu.map_or_else(String::new, |cpu| format!("({})", time(cpu)));
    let peak = best.peak.map_or_else(String::new, |peak| format!("{peak:.1}"));
    let failed = cell.failed.as_ref().map_or_else(String::new, |failed| format!("  once: {failed}"));
    let rate = format!("{:.rate$}", best.per_second);
    format!("{rate:>10}{of_direct:>8}{p50:>10}{p99:>10}{first:>10}{cpu:>11}{median:>13}{peak:>9}{failed}")
}

/// How much longer a small page takes while much else passes.
fn print_patience(run: &Run) {
    let line = |id: &str| run.lines.iter().find(|line| line.id == id);
    let Some((quiet, busy)) = line("quiet").zip(line("busy")) else { return };
    println!("\np99 of a small page while a list and two files pass, by what it is when all is quiet");
    for (contestant, (quiet, busy)) in run.contestants.iter().zip(quiet.cells.iter().zip(&busy.cells)) {
        if let Some((quiet, busy)) = quiet.best.as_ref().zip(busy.best.as_ref()) {
            println!("  {:<18}{:>10.1} times", contestant.name, busy.p99 / quiet.p99);
        }
    }
}

fn print_standing(run: &Run) {
    println!(
        "\n{:<20}{:>12}{:>18}{:>18}  after requests of a small page",
        "", "listens in", "idle MB (own)", "then MB (own)"
    );
    for contestant in run.contestants.iter().skip(1) {
        let megabytes = |all: Option<f64>, own: Option<f64>| {
            all.zip(own).map_or_else(String::new, |(all, own)| format!("{all:.1} ({own:.1})"))
        };
        let idle = megabytes(contestant.idle, contestant.own);
        let after = megabytes(contestant.after, contestant.own_after);
        let start = maybe(contestant.start);
        println!("  {:<18}{start:>12}{idle:>18}{after:>18}  {:.0}", contestant.name, contestant.requests);
    }
}

fn maybe(milliseconds: Option<f64>) -> String {
    milliseconds.map_or_else(String::new, time)
}

/// A time in its unit, with three digits.
pub(crate) fn time(milliseconds: f64) -> String {
    let (value, unit) = match milliseconds {
        ms if ms < 1.0 => (ms * 1e3, "µs"),
        ms if ms < 1e3 => (ms, "ms"),
        ms => (ms / 1e3, "s"),
    };
    let digits = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.digits$} {unit}")
}

/// Writes a run for machines.
pub(crate) fn write(run: &Run, file: &Path) -> Result<()> {
    fs::write(file, serde_json::to_string_pretty(run)?)?;
    println!("\nwritten to {}", file.display());
    Ok(())
}

/// Reads what [`write`] has written.
pub(crate) fn read(file: &Path) -> Result<Run> {
    let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(serde_json::from_str(&text)?)
}
