//! `namewall man`: the manual pages, made from what `--help` says.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::output::Console;
use super::{Cli, Failure, Outcome};

/// What the exit codes of all commands mean.
const EXIT_STATUS: &[(&str, &str)] = &[
    ("0", "fine, or nothing found"),
    ("1", "a finding"),
    ("2", "the command line or the config has a mistake"),
    ("3", "could not start"),
    ("4", "input that cannot be trusted"),
];

/// Where the config is looked for, in this order.
const FILES: &[(&str, &str)] = &[
    ("./namewall.toml", "the working folder's config"),
    ("~/.config/namewall/namewall.toml", "the user's"),
    ("/etc/namewall/namewall.toml", "the machine's"),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Write the pages of all commands into this folder [default: print namewall(1)]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

pub(super) fn run(arguments: &Arguments, console: &Console) -> Result<Outcome, Failure> {
    match &arguments.folder {
        None => console.text(&String::from_utf8_lossy(&front_page()?))?,
        Some(folder) => write_all(folder).map_err(|cause| {
            Failure::Io(io::Error::other(format!("cannot write the pages to {}: {cause}", folder.display())))
        })?,
    }
    Ok(Outcome::Fine)
}

fn write_all(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)?;
    fs::write(folder.join("namewall.1"), front_page()?)
}

/// namewall(1), with what holds for all commands.
fn front_page() -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(Cli::command().disable_help_subcommand(true)).render(&mut page)?;
    let mut roff = Roff::new();
    for (heading, items) in [("EXIT STATUS", EXIT_STATUS), ("FILES", FILES)] {
        roff.control("SH", [heading]);
        for (term, meaning) in items {
            roff.control("TP", []).text([bold(*term)]).text([roman(*meaning)]);
        }
    }
    roff.to_writer(&mut page)?;
    Ok(page)
}
