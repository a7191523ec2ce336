//! Finds a Python that can make virtual environments, and makes them.

use std::path::{Path, PathBuf};

use super::DemoError;
use super::troupe::Troupe;

/// What a usable Python can import; Debian and Ubuntu leave `ensurepip` to a package of its own.
const PROBE: &str = "import sys, venv, ensurepip; assert sys.version_info >= (3, 8); print(sys.executable)";

/// A Python of the user's.
#[derive(Debug)]
pub(super) struct Python {
    path: PathBuf,
}

impl Python {
    pub(super) async fn find(troupe: &Troupe) -> Result<Self, DemoError> {
        let mut refusal = DemoError::NoPython;
        for name in ["python3", "python"] {
            match troupe.run(troupe.command(name).args(["-c", PROBE]), name).await {
                Ok(said) => return Ok(Self { path: PathBuf::from(said.trim()) }),
                Err(DemoError::Client { said, .. }) => {
                    let said = said.lines().last().unwrap_or_default().to_owned();
                    refusal = DemoError::NoVenv { python: name.to_owned(), said };
                }
                Err(DemoError::Io { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Err(refusal)
    }

    /// Makes a virtual environment and gives its Python.
    pub(super) async fn environment(&self, troupe: &Troupe, at: &Path, pip: bool) -> Result<PathBuf, DemoError> {
        let mut command = troupe.command(&self.path);
        command.args(["-m", "venv"]).args((!pip).then_some("--without-pip")).arg(at);
        match troupe.run(&mut command, "python3 -m venv").await {
            Ok(_) if cfg!(windows) => Ok(at.join("Scripts").join("python.exe")),
            Ok(_) => Ok(at.join("bin").join("python")),
            Err(DemoError::Client { said, .. }) => {
                let said = said.lines().last().unwrap_or_default().to_owned();
                Err(DemoError::NoVenv { python: self.path.display().to_string(), said })
            }
            Err(other) => Err(other),
        }
    }
}
