//! Which Pythons this machine has: its `python3` at least, and others where they are found.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// An interpreter.
#[derive(Clone, Debug)]
pub(crate) struct Python {
    program: PathBuf,
    wanted: Option<&'static str>,
}

impl Default for Python {
    /// The machine's `python3`.
    fn default() -> Self {
        Self { program: "python3".into(), wanted: None }
    }
}

impl Python {
    /// The Python of that minor version, such as `3.13`: from `PATH`, or where pyenv has put it.
    pub(crate) fn find(version: &'static str) -> Option<Self> {
        let name = format!("python{version}");
        let folder = |variable| std::env::var_os(variable).map(PathBuf::from);
        let root = folder("PYENV_ROOT").or_else(|| Some(folder("HOME")?.join(".pyenv"))).unwrap_or_default();
        let installed = root.join("versions").read_dir().into_iter().flatten();
        let installed = installed.filter_map(|entry| Some(entry.ok()?.path().join("bin").join(&name)));
        let mut programs = std::iter::once(PathBuf::from(&name)).chain(installed);
        let program = programs.find(|program| minor(program).is_some_and(|found| found == version))?;
        Some(Self { program, wanted: Some(version) })
    }

    /// The minor version that was asked for, if one was.
    pub(crate) fn wanted(&self) -> Option<&'static str> {
        self.wanted
    }

    /// What is run.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// Its minor version.
    pub(crate) fn version(&self) -> String {
        minor(&self.program).expect("a Python 3 is needed")
    }
}

/// What the program says of itself, if it runs: one of pyenv's shims may be there without a Python behind it.
fn minor(program: &Path) -> Option<String> {
    let mut python = Command::new(program);
    python.args(["-I", "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]).stdin(Stdio::null());
    let output = python.stderr(Stdio::null()).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
