//! `namewall serve` as a child process, with a config of its own in a temporary folder.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use namewall::demo::StandIn;
use serde_json::Value;
use tempfile::TempDir;

use super::{STEP, within};

/// A running `namewall serve`. Dropping it kills the child and removes its folder.
#[derive(Debug)]
pub(crate) struct Namewall {
    child: Child,
    folder: TempDir,
    ready: Value,
}

/// What is to be run.
#[derive(Debug)]
pub(crate) struct Builder {
    folder: TempDir,
    listen: String,
    log: String,
    tables: String,
    variables: Vec<(String, String)>,
}

impl Namewall {
    /// Begins with a proxy that takes `pypi` for PyPI, listens on a free loopback port and protects nothing.
    pub(crate) fn before(pypi: &StandIn) -> Builder {
        let builder = Self::unconnected();
        let root = pypi.write_root(builder.folder.path()).unwrap();
        builder.config(&pypi.upstream_table(&root))
    }

    /// Begins with a proxy without an `[upstream]` table: it would ask the real PyPI.
    pub(crate) fn unconnected() -> Builder {
        Builder {
            folder: tempfile::Builder::new().prefix("namewall-test-").tempdir().unwrap(),
            listen: "addr = [\"127.0.0.1:0\"]\n".to_owned(),
            log: String::new(),
            tables: String::new(),
            variables: Vec::new(),
        }
    }

    /// Its first listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.ready["listen"][0].as_str().unwrap().parse().unwrap()
    }

    /// What `HTTPS_PROXY` takes.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its admin listener, when the config has one.
    pub(crate) fn admin(&self) -> Option<SocketAddr> {
        self.ready["admin"].as_str().map(|address| address.parse().unwrap())
    }

    /// The certificate authority's certificate alone.
    pub(crate) fn ca(&self) -> PathBuf {
        self.ready["ca"].as_str().unwrap().into()
    }

    /// The system's roots and the authority's: what clients are given.
    pub(crate) fn bundle(&self) -> PathBuf {
        self.ready["bundle"].as_str().unwrap().into()
    }

    /// The ready file as it was written.
    pub(crate) fn ready(&self) -> &Value {
        &self.ready
    }

    /// Its folder, with the config `namewall.toml` in it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has written to standard error so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default()
    }

    /// The decision log so far.
    pub(crate) fn decisions(&self) -> Vec<Value> {
        let lines = fs::read_to_string(self.folder.path().join("decisions.jsonl")).unwrap_or_default();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The first decision that `wanted` is true of; waits for it, since the log is written behind the answer.
    pub(crate) async fn decision(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        within("the decision log", async {
            loop {
                if let Some(found) = self.decisions().into_iter().find(&wanted) {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    }

    /// Sends it a signal.
    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        use rustix::process::{Pid, kill_process};
        let id = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Waits until it ends by itself (after a [`Namewall::signal`]).
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        within("the end of namewall", async {
            loop {
                if let Some(status) = self.child.try_wait().unwrap() {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    }
}

impl Drop for Namewall {
    fn drop(&mut self) {
        // It may have ended; the wait makes sure that its folder is nobody's when that is removed.
        let _killed = self.child.kill();
        let _status = self.child.wait();
        if std::thread::panicking() {
            eprintln!("namewall said:\n{}", self.log());
        }
    }
}

impl Builder {
    /// Adds a rule.
    pub(crate) fn protect(self, id: &str, names: &[&str]) -> Self {
        let names = toml::Value::from(names.to_vec());
        self.config(&format!("[[protect]]\nid = \"{id}\"\nnames = {names}\n"))
    }

    /// Adds tables to the config as they stand. `[ca]`, `[listen]` and `[log]` are there already.
    pub(crate) fn config(mut self, tables: &str) -> Self {
        self.tables.push_str(tables);
        self.tables.push('\n');
        self
    }

    /// Adds lines to the `[listen]` table.
    pub(crate) fn listen(mut self, lines: &str) -> Self {
        self.listen.push_str(lines);
        self.listen.push('\n');
        self
    }

    /// Adds lines to the `[log]` table.
    pub(crate) fn log(mut self, lines: &str) -> Self {
        self.log.push_str(lines);
        self.log.push('\n');
        self
    }

    /// Turns the admin listener on, on a free port.
    pub(crate) fn with_admin(self) -> Self {
        self.listen("admin = \"127.0.0.1:0\"")
    }

    /// Sets a variable of its environment, which is empty otherwise but for `PATH` and `HOME`.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes the config, starts the binary and waits until its ready file is there.
    pub(crate) async fn start(self) -> Namewall {
        let folder = self.folder.path();
        fs::write(folder.join("namewall.toml"), self.text()).unwrap();
        let ready = folder.join("ready.json");
        let mut child = self.command(&ready).spawn().unwrap();
        let started = Instant::now();
        while !ready.exists() {
            let said = || fs::read_to_string(folder.join("stderr")).unwrap_or_default();
            if let Some(status) = child.try_wait().unwrap() {
                panic!("namewall serve ended with {status} before it was ready:\n{}", said());
            }
            if started.elapsed() > STEP {
                let _killed = child.kill();
                let _status = child.wait();
                panic!("namewall serve was not ready after {STEP:?}:\n{}", said());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let ready = serde_json::from_slice(&fs::read(&ready).unwrap()).unwrap();
        Namewall { child, folder: self.folder, ready }
    }

    /// Runs it to an end that is expected: the exit code and what it said.
    pub(crate) async fn refuses_to_start(self) -> (Option<i32>, String) {
        let folder = self.folder.path();
        fs::write(folder.join("namewall.toml"), self.text()).unwrap();
        let mut child = self.command(&folder.join("ready.json")).spawn().unwrap();
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return (status.code(), fs::read_to_string(folder.join("stderr")).unwrap_or_default());
            }
            if started.elapsed() > STEP {
                let _killed = child.kill();
                let _status = child.wait();
                panic!("namewall serve should have refused to start");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn text(&self) -> String {
        let Self { listen, log, tables, .. } = self;
        format!("[listen]\n{listen}\n[ca]\ndir = \"ca\"\n[log]\ndecisions = \"decisions.jsonl\"\n{log}\n{tables}")
    }

    fn command(&self, ready: &Path) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_namewall"));
        command.arg("serve").arg("--config").arg(folder.join("namewall.toml")).arg("--ready-file").arg(ready);
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(folder.join("stderr")).unwrap());
        command
    }
}
