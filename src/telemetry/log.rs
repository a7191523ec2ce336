//! The program's log: to stderr, for people or as JSON. Never a credential, a query string or a body.

use std::io::IsTerminal;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// What an operator wants to know.
    #[default]
    Normal,
    /// Each decision, allowed ones too.
    Verbose,
    /// Everything, the libraries' words too.
    Trace,
}

impl Verbosity {
    /// From the number of `-v` and `-q`.
    #[must_use]
    pub const fn from_flags(verbose: u8, quiet: bool) -> Self {
        match (quiet, verbose) {
            (true, _) => Self::Quiet,
            (false, 0) => Self::Normal,
            (false, 1) => Self::Verbose,
            (false, _) => Self::Trace,
        }
    }

    fn filter(self) -> EnvFilter {
        let own = match self {
            Self::Quiet => "error",
            Self::Normal => "warn,namewall=info",
            Self::Verbose => "warn,namewall=debug",
            Self::Trace => "info,namewall=trace",
        };
        EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy(own)
    }
}

/// Starts logging; a second call changes nothing.
pub fn start(format: LogFormat, verbosity: Verbosity, colour: bool) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(verbosity.filter())
        .with_writer(std::io::stderr)
        .with_ansi(colour && std::io::stderr().is_terminal())
        .with_target(false);
    // A second start (several proxies in one process: tests, the demo) keeps the first.
    let _started_before = match format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).with_current_span(false).try_init(),
    };
}
