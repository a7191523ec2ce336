//! `pip install namewall`: the wheel, in an environment of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::build::{static_program, statically};
use crate::tools::{ended, maturin, repository, said, target};

/// The folder with the one wheel of this build in it.
fn wheels() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = target().join("packages/wheels");
        let _nothing_there = std::fs::remove_dir_all(&folder);
        static_program();
        said(statically(Command::new(maturin()).args(["build", "--out"]).arg(&folder)));
        folder
    })
}

/// An environment with the wheel in it and nothing else.
struct Installed(TempDir);

impl Installed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        said(Command::new("python3").args(["-m", "venv"]).arg(folder.path()));
        let installed = Self(folder);
        said(installed.command("pip").args(["install", "--no-index", "namewall", "--find-links"]).arg(wheels()));
        installed
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.0.path().join("bin").join(program));
        command.env("HOME", self.0.path()).env_remove("NAMEWALL_CONFIG").current_dir(self.0.path());
        command
    }
}

const VERSION: &str = concat!("namewall ", env!("CARGO_PKG_VERSION"), "\n");

#[test]
fn the_wheel_brings_the_program_and_python_finds_it() {
    let installed = Installed::new();
    assert_eq!(said(installed.command("namewall").arg("--version")), VERSION);
    assert_eq!(said(installed.command("python").args(["-m", "namewall", "--version"])), VERSION);
    let run = said(installed.command("namewall").args(["run", "--protect", "acme-*", "--", "true"]));
    assert!(run.contains("nothing was hidden or refused"), "{run}");

    // Exit codes and signals are the program's own.
    let mut usage = installed.command("python");
    assert_eq!(ended(usage.args(["-m", "namewall", "check", "--no-such-flag"])).0, Some(2));
    let mut killed = installed.command("python");
    assert_eq!(ended(killed.args(["-m", "namewall", "run", "--", "sh", "-c", "kill -TERM $$"])).0, Some(128 + 15));
}

#[test]
fn python_finds_the_program_in_a_folder_of_its_own_too() {
    let installed = Installed::new();
    said(installed.command("pip").args(["uninstall", "--yes", "namewall"]));
    let lost = |option: &str, site: &str| {
        let folder = tempfile::tempdir().unwrap();
        let mut pip = installed.command("pip");
        said(
            pip.args(["install", "--no-index", "namewall", "--find-links"])
                .arg(wheels())
                .arg(option)
                .arg(folder.path()),
        );
        let mut python = installed.command("python");
        let site = glob::glob(&format!("{}/{site}", folder.path().display())).unwrap().next().unwrap().unwrap();
        python.env("PYTHONPATH", site).args(["-m", "namewall", "--version"]);
        assert_eq!(said(&mut python), VERSION, "{option}");
        std::fs::remove_file(folder.path().join("bin/namewall")).unwrap();
        ended(&mut python)
    };
    for (option, site) in [("--target", "."), ("--prefix", "lib/python3*/site-packages")] {
        let (code, said) = lost(option, site);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("install namewall again"), "{said}");
    }
}

#[test]
fn the_wheel_says_what_it_is() {
    let installed = Installed::new();
    let script = "from importlib.metadata import distribution as d; print(d('namewall').read_text('METADATA'))";
    let told = said(installed.command("python").args(["-c", script]));
    for line in ["License-Expression: Apache-2.0 OR MIT", "Requires-Python: >=3.8", "Classifier: Topic :: Security"] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    for part in [env!("CARGO_PKG_DESCRIPTION"), "**The problem.**", "License-File: LICENSE-APACHE"] {
        assert!(told.contains(part), "{part}: {told}");
    }
}

#[test]
fn the_source_distribution_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    said(Command::new(maturin()).args(["sdist", "--out"]).arg(folder.path()).current_dir(repository()));
    let archive = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    let listed = said(Command::new("tar").arg("-tf").arg(archive));
    let needed =
        ["pyproject.toml", "Cargo.toml", "Cargo.lock", "src/main.rs", "config/namewall.toml", "config/well-known.txt"];
    for file in needed.iter().chain(&["packaging/python/namewall/__main__.py", "LICENSE-MIT", "README.md"]) {
        assert!(
            listed.lines().any(|listed| listed.split_once('/').is_some_and(|(_, path)| path == *file)),
            "{file}: {listed}"
        );
    }
}
