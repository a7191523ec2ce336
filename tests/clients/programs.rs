//! Puts pinned clients on a `PATH`, each by its own name and nothing beside it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::install::client;
use crate::pins;

/// A folder below `within` with the command `name` in it. An environment was renamed after it was made, so that its scripts
/// don't find their Python: modules are run instead.
pub(crate) fn program(name: &str, within: &Path) -> PathBuf {
    let (bin, command) = match name {
        "uv" => (client(pins::NEWEST_UV), "uv"),
        "poetry" => (client(pins::POETRY), "python -m poetry"),
        "pdm" => (client(pins::PDM), "python -m pdm"),
        "pipenv" => (client(pins::PIPENV), "python -m pipenv"),
        "hatch" => (client(pins::HATCH), "python -m hatch"),
        "twine" => (client(pins::TWINE), "python -m twine"),
        // A Python with requests in it.
        "requests" => (client(pins::READERS), "python"),
        other => panic!("`{other}` is no client that is pinned"),
    };
    let folder = within.join(format!("program-{name}"));
    fs::create_dir_all(&folder).unwrap();
    let at = folder.join(if name == "requests" { "python" } else { name });
    fs::write(&at, format!("#!/bin/sh\nexec '{}'/{command} \"$@\"\n", bin.display())).unwrap();
    fs::set_permissions(&at, fs::Permissions::from_mode(0o755)).unwrap();
    folder
}
