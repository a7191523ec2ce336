//! The only writer to standard output and error: colours where a person looks, none elsewhere.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use clap::ColorChoice;
use serde::Serialize;

use crate::config::environment::Environment;

/// Where commands print.
#[derive(Clone, Copy, Debug)]
pub(super) struct Console {
    colours: bool,
}

/// How a report is written.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// How findings that stand in files are written.
#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FindingsFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, which code scanning annotates pull requests with
    Sarif,
}

/// How a word is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Something is wrong, or was kept away.
    Red,
    /// All is well.
    Green,
    /// Worth a look.
    Bold,
}

impl Console {
    pub(super) fn new(choice: ColorChoice) -> Self {
        let colours = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => Environment::from_process().var("NO_COLOR").is_none() && io::stdout().is_terminal(),
        };
        Self { colours }
    }

    pub(super) const fn colours(self) -> bool {
        self.colours
    }

    /// `text` in a style, if colours are shown.
    pub(super) fn paint(self, style: Style, text: impl Display) -> String {
        let code = match style {
            Style::Red => "31",
            Style::Green => "32",
            Style::Bold => "1",
        };
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_string() }
    }

    /// Prints a line on standard output.
    pub(super) fn line(self, text: impl Display) -> io::Result<()> {
        writeln!(io::stdout().lock(), "{text}")
    }

    /// Prints a document for programs on standard output, laid out so that people can read it, too.
    pub(super) fn json(self, document: &impl Serialize) -> io::Result<()> {
        self.line(serde_json::to_string_pretty(document)?)
    }

    /// Prints `text` as it is on standard output.
    pub(super) fn text(self, text: &str) -> io::Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        stdout.flush()
    }

    /// Prints a line on standard error.
    pub(super) fn error(self, text: impl Display) {
        let text = text.to_string();
        let _closed = writeln!(io::stderr().lock(), "{}", text.trim_end());
    }
}

/// `text` without what a terminal would obey: it comes out of other people's files and variables.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { '\u{fffd}' } else { letter }).collect()
}
