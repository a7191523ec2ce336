//! Brings the pinned clients here, once: each into a virtual environment of its own below `target/clients/`.

use std::collections::HashMap;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::pins::Pin;

/// The registry may be far away and this machine slow.
const LIMIT: Duration = Duration::from_secs(300);

/// The `bin` folder of an environment that has `pin` in it, made now unless it is there.
pub(crate) fn client(pin: Pin) -> PathBuf {
    environment(&format!("{}-{}", pin.name, pin.version), &[pin])
}

/// The `bin` folder of an environment that has exactly `pins` in it: their dependencies have to be among them. It is
/// called `name`, and by the pins' versions, so that a changed pin makes another. Several tests, and several test
/// processes, may ask at once.
pub(crate) fn several(name: &str, pins: &[Pin]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    pins.hash(&mut hasher);
    environment(&format!("{name}-{:016x}", hasher.finish()), pins)
}

fn environment(name: &str, pins: &[Pin]) -> PathBuf {
    static ASKED: OnceLock<Mutex<HashMap<String, Arc<OnceLock<PathBuf>>>>> = OnceLock::new();
    let asked = ASKED.get_or_init(Mutex::default);
    // A client that failed to install leaves its cell empty: the next test tries again, and says why it fails.
    let cell = Arc::clone(asked.lock().unwrap_or_else(PoisonError::into_inner).entry(name.to_owned()).or_default());
    cell.get_or_init(|| bring(pins, &clients().join(name))).clone()
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("clients")
}

/// An environment may be renamed when it is used by its `bin` paths alone, so it is made aside and moved in whole:
/// nobody finds half of one.
fn bring(pins: &[Pin], at: &Path) -> PathBuf {
    if !at.exists() {
        fs::create_dir_all(clients()).unwrap();
        let aside = tempfile::Builder::new().prefix("making-").tempdir_in(clients()).unwrap();
        let environment = aside.path().join("environment");
        run(Command::new("python3").args(["-m", "venv"]).arg(&environment), "a Python 3 with venv and pip is needed");
        // With the user's own environment: it knows how the registry is reached from here.
        let mut pip = Command::new(environment.join("bin/python"));
        pip.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-deps"]);
        pip.args(pins.iter().map(|pin| format!("{}=={}", pin.name, pin.version)));
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
