//! Compares namewall with other proxies, and with none, in front of a PyPI on loopback: `cargo bench --bench proxy`.
//!
//! Everything runs in a network namespace of its own, in which PyPI's hosts are nginx; the load client and nginx have one
//! core, the proxy under test has the other. Read ratios within a run: absolute figures are the machine's.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "what fails ends the bench")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for people")]
#![allow(clippy::disallowed_methods, reason = "its client is not namewall's, and ends with it")]
#![allow(dead_code, reason = "each bench needs a part of its support")]

mod chart;
mod client;
mod measure;
mod origin;
mod peers;
mod report;
mod rows;
mod run;
mod sandbox;
#[path = "../support/mod.rs"]
mod support;
mod tools;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Compares namewall with other proxies, and with none, in front of a PyPI on loopback.
#[derive(Debug, Parser)]
#[command(name = "cargo bench --bench proxy --")]
struct Options {
    /// One short round, in less than three minutes.
    #[arg(long)]
    quick: bool,
    /// Only the rows whose names contain one of these, as in `json,root`.
    #[arg(long, value_name = "ROWS", value_delimiter = ',')]
    only: Vec<String>,
    /// Only these peers, or `none`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    peers: Option<Vec<String>>,
    /// How long each row of load lasts.
    #[arg(long, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Another build of namewall to measure.
    #[arg(long, value_name = "PROGRAM", default_value = env!("CARGO_BIN_EXE_namewall"), hide_default_value = true)]
    namewall: PathBuf,
    /// Draw the charts anew from what an earlier run has written, and measure nothing.
    #[arg(long, value_name = "FILE.json")]
    chart: Option<PathBuf>,
    /// What cargo says to every bench.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the one in the namespace.
    #[arg(long, hide = true)]
    inside: bool,
    /// Be the load client.
    #[arg(long, hide = true, value_name = "ORDER")]
    client: Option<String>,
}

impl Options {
    fn seconds(&self) -> f64 {
        self.seconds.unwrap_or(if self.quick { 0.4 } else { 1.5 })
    }

    fn wants_row(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| id.contains(part.as_str()))
    }

    /// Whether what comes of it is worth showing to others.
    fn is_full(&self) -> bool {
        !self.quick && self.only.is_empty() && self.peers.is_none()
    }

    fn wants_peer(&self, name: &str) -> bool {
        self.peers.as_ref().is_none_or(|peers| peers.iter().any(|peer| peer == name))
    }
}

fn main() -> ExitCode {
    match start(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(options: &Options) -> Result<()> {
    if let Some(order) = &options.client {
        return client::run(order);
    }
    if let Some(file) = &options.chart {
        return chart::write(&report::read(file)?, &docs());
    }
    if options.inside {
        let run = run::measure(options)?;
        report::print(&run);
        report::write(&run, &work().join("proxy.json"))?;
        return chart::write(&run, &if options.is_full() { docs() } else { work() });
    }
    if !options.bench {
        println!("nothing to do but for `cargo bench --bench proxy`");
        return Ok(());
    }
    tools::provide(options)?;
    origin::generate(&work().join("www"))?;
    sandbox::enter()
}

/// Where everything is that is made for the bench, and its figures.
fn work() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench")
}

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs")
}
