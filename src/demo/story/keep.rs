//! Hands the stage over to whoever wants to look around: a file of variables for each half, and what to try with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::stage::{Half, Stage};
use super::{DemoError, cast};
use crate::clients::env::{self, Format};

/// What a visitor is told.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keys {
    /// What there is, and where.
    pub(super) places: Vec<(&'static str, String)>,
    /// A command, and what it shows.
    pub(super) tries: Vec<(String, &'static str)>,
}

/// Writes the variables of both halves beside their environments, and gives what there is to try.
pub(super) fn hand_over(stage: &Stage) -> io::Result<Keys> {
    let walled = write(stage, &stage.walled, true)?;
    let open = write(stage, &stage.open, false)?;
    let theatre = &stage.theatre;
    let address = |proxy: &crate::proxy::Proxy| {
        format!("http://{}", proxy.addresses().first().map(ToString::to_string).unwrap_or_default())
    };
    let places = vec![
        ("private index", theatre.private.url()),
        ("public index", format!("https://{} (stands in for PyPI's hosts)", theatre.public.address())),
        ("namewall", format!("{} (protects {})", address(&theatre.walled), cast::PATTERN)),
        ("without a rule", address(&theatre.open)),
        ("everything", theatre.folder.path().display().to_string()),
    ];
    let reinstall = match stage.client {
        super::Client::Pip => format!("pip install --force-reinstall {}", install_tail(stage)),
        super::Client::Uv => format!("uv pip install --reinstall {}", uv_tail(stage)),
        super::Client::Poetry => format!("cd '{}' && poetry install --sync", stage.walled.at.display()),
    };
    let config = theatre.folder.path().join("walled.toml");
    let tries = vec![
        (enter(&walled), "this shell's clients now go through namewall"),
        (reinstall, "yours, again"),
        (format!("curl -i https://pypi.org/simple/{}/", cast::PACKAGE), "404: it doesn't exist"),
        (format!("curl https://pypi.org/simple/{}/", cast::ORDINARY), "as PyPI has it"),
        (format!("namewall explain --config '{}' {}", config.display(), cast::PACKAGE), "which rule, which line, why"),
        (enter(&open), "the same without a rule: now it is the stranger's"),
    ];
    Ok(Keys { places, tries })
}

pub(super) fn failed(cause: io::Error) -> DemoError {
    DemoError::Io { what: "writing the variables into the temporary folder", cause }
}

fn install_tail(stage: &Stage) -> String {
    format!("{} --extra-index-url {}", cast::PACKAGE, stage.theatre.private.url())
}

fn uv_tail(stage: &Stage) -> String {
    let private = stage.theatre.private.url();
    format!("{} --default-index {private} --index https://pypi.org/simple/", cast::PACKAGE)
}

/// The command with which a shell takes the variables of a file.
fn enter(file: &Path) -> String {
    format!(". '{}'", file.display())
}

/// A file that points a shell and its clients at one half.
fn write(stage: &Stage, half: &Half, protected: bool) -> io::Result<PathBuf> {
    let programs = half.programs().display().to_string();
    let (ending, format, path) = if cfg!(windows) {
        ("ps1", Format::Powershell, format!("$Env:PATH = '{};' + $Env:PATH\n", programs.replace('\'', "''")))
    } else {
        ("sh", Format::Sh, format!("export PATH='{}':\"$PATH\"\n", programs.replace('\'', r"'\''")))
    };
    let file = stage.theatre.folder.path().join(if protected { "with" } else { "without" }).with_extension(ending);
    let text = env::print(&stage.variables(protected), format);
    fs::write(&file, text + &path)?;
    Ok(file)
}
