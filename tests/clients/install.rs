//! Brings the pinned clients here, once: each into a virtual environment of its own below `target/clients/`.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::pins::Pins;
use crate::python::Python;

/// The registry may be far away and this machine slow.
const LIMIT: Duration = Duration::from_secs(300);

/// The `bin` folder of an environment that has `pins` in it, on this machine's `python3`; made now unless it is there.
pub(crate) fn client(pins: Pins) -> PathBuf {
    client_on(&Python::default(), pins)
}

/// The same, on that Python. The environment is called by the client, and where there are more pins than one by all of
/// them, so that a changed pin makes another. Several tests, and several test processes, may ask at once.
pub(crate) fn client_on(python: &Python, pins: Pins) -> PathBuf {
    let mut name = format!("{}-{}", pins.name(), pins.version());
    if let Some(version) = python.wanted() {
        name.push_str(&format!("-python{version}"));
    }
    if pins.packages().count() > 1 {
        let mut hasher = DefaultHasher::new();
        pins.hash(&mut hasher);
        name.push_str(&format!("-{:016x}", hasher.finish()));
    }
    static ASKED: OnceLock<Mutex<HashMap<String, Arc<OnceLock<PathBuf>>>>> = OnceLock::new();
    let asked = ASKED.get_or_init(Mutex::default);
    // A client that failed to install leaves its cell empty: the next test tries again, and says why it fails.
    let cell = Arc::clone(asked.lock().unwrap_or_else(PoisonError::into_inner).entry(name.clone()).or_default());
    cell.get_or_init(|| bring(python, pins, &clients().join(name))).clone()
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("clients")
}

/// An environment may be renamed when it is used by its `bin` paths alone, so it is made aside and moved in whole:
/// nobody finds half of one.
fn bring(python: &Python, pins: Pins, at: &Path) -> PathBuf {
    if !at.exists() {
        fs::create_dir_all(clients()).unwrap();
        let aside = tempfile::Builder::new().prefix("making-").tempdir_in(clients()).unwrap();
        let environment = aside.path().join("environment");
        let mut venv = Command::new(python.program());
        run(venv.args(["-m", "venv"]).arg(&environment), "a Python 3 with venv and pip is needed");
        // With the user's own environment: it knows how the registry is reached from here.
        let mut pip = Command::new(environment.join("bin/python"));
        pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]).args(pins.packages());
        run(&mut pip, "the package registry can't be reached from here, or has no such version");
        if let Err(error) = fs::rename(&environment, at) {
            assert!(at.exists(), "cannot move the client to {}: {error}", at.display());
        }
    }
    at.join("bin")
}

fn run(command: &mut Command, otherwise: &str) {
    let output = tempfile::NamedTempFile::new().unwrap();
    let channel = || output.as_file().try_clone().unwrap();
    command.stdin(Stdio::null()).stdout(channel()).stderr(channel());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{otherwise}: {command:?}: {error}"));
    let started = Instant::now();
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break status.to_string(),
            None if started.elapsed() > LIMIT => {
                let _killed = child.kill();
                let _status = child.wait();
                break format!("stopped after {LIMIT:?}");
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    if status != "exit status: 0" {
        let said = fs::read_to_string(output.path()).unwrap_or_default();
        panic!("cannot install a client for this test ({status}): {otherwise}.\n{command:?}\n{said}");
    }
}
