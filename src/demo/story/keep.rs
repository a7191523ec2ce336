//! Hands the stage over to whoever wants to look around: a file of variables for each half, and what to try with it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::stage::{Half, Stage};
use super::theatre::url;
use super::{Client, DemoError, cast};
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
    let (walled, open) = (write(stage, &stage.walled, true)?, write(stage, &stage.open, false)?);
    let theatre = &stage.theatre;
    let folder = theatre.folder.path();
    let places = vec![
        ("private index", theatre.private.url()),
        ("public index", format!("https://{} (stands in for all of PyPI's hosts)", theatre.public.address())),
        ("namewall", format!("{} (protects {})", url(&theatre.walled), cast::PATTERN)),
        ("without a rule", url(&theatre.open)),
        ("everything", folder.display().to_string()),
    ];
    let config = folder.join("walled.toml");
    let tries = vec![
        (enter(&walled), "this shell's clients now go through namewall"),
        (again(stage), "your own, again"),
        (format!("curl -i https://pypi.org/simple/{}/", cast::PACKAGE), "404, and namewall's headers say why"),
        (format!("curl https://pypi.org/simple/{}/", cast::ORDINARY), "as the public index has it"),
        (format!("namewall explain --config '{}' {}", config.display(), cast::PACKAGE), "which rule, which line, why"),
        (enter(&open), "the same without a rule: install again, and it is the stranger's"),
    ];
    Ok(Keys { places, tries })
}

pub(super) fn failed(cause: io::Error) -> DemoError {
    DemoError::Io { what: "writing the variables into the temporary folder", cause }
}

/// The install of the story once more, whatever is there already.
fn again(stage: &Stage) -> String {
    let typed = stage.lines().pop().map(|line| line.typed).unwrap_or_default();
    match stage.client {
        Client::Pip => format!("{typed} --force-reinstall"),
        Client::Uv => format!("{typed} --reinstall"),
        Client::Poetry => "cd \"$VIRTUAL_ENV\" && rm -f poetry.lock && poetry update".to_owned(),
    }
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
