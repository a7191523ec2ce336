//! Starts programs as the demo needs them: without the user's settings for clients, bounded in time, gone when we are.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::DemoError;
use crate::clients::doctor::neutral_folder;
use crate::config::environment::Environment;

/// No client needs longer on a slow machine.
const LIMIT: Duration = Duration::from_secs(120);

/// The environment that all programs of the demo start with.
#[derive(Debug)]
pub(super) struct Troupe {
    variables: Vec<(OsString, OsString)>,
    /// Where they start.
    folder: PathBuf,
}

impl Troupe {
    pub(super) fn new(environment: Environment) -> Self {
        let folder = neutral_folder(&environment);
        Self { folder, variables: environment.into_iter().filter(|(name, _)| !configures_clients(name)).collect() }
    }

    /// A run of `program`, away from the folder that the user stands in: Python takes modules from there.
    pub(super) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.env("PYTHONSAFEPATH", "1").current_dir(&self.folder);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // A group of their own: `python -m venv` starts programs of its own, which must not outlive it.
        #[cfg(unix)]
        command.process_group(0);
        command
    }

    /// Runs `command` to its end; gives what it printed on both channels. `shown` is what errors call it.
    pub(super) async fn run(&self, command: &mut Command, shown: &str) -> Result<String, DemoError> {
        let started = |cause| DemoError::Io { what: "starting a client", cause };
        let child = command.spawn().map_err(started)?;
        let group = Group(child.id());
        let slow = |_| DemoError::Slow { command: shown.to_owned(), limit: LIMIT };
        let output = timeout(LIMIT, child.wait_with_output()).await.map_err(slow)?.map_err(started)?;
        group.has_ended();
        said(&output).map_err(|said| DemoError::Client { command: shown.to_owned(), said })
    }
}

fn said(output: &Output) -> Result<String, String> {
    let said = [output.stderr.as_slice(), output.stdout.as_slice()].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if output.status.success() { Ok(said) } else { Err(said) }
}

/// A running program and all that it started; killed when this is dropped before the end.
struct Group(Option<u32>);

impl Group {
    /// Its number may be somebody else's from now on.
    fn has_ended(mut self) {
        self.0 = None;
    }
}

#[cfg(unix)]
impl Drop for Group {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        let leader = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(leader) = leader {
            // They may all have ended in between.
            let _killed = kill_process_group(leader, Signal::KILL);
        }
    }
}

/// The user's own proxies, indexes, roots and Python paths would play along; what else a program needs stays.
fn configures_clients(name: &OsStr) -> bool {
    let name = name.to_string_lossy().to_ascii_uppercase();
    ["PIP_", "UV_", "POETRY_", "PYTHON", "SSL_CERT_"].iter().any(|prefix| name.starts_with(prefix))
        || name.ends_with("_PROXY")
        || ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "VIRTUAL_ENV", "CONDA_PREFIX"].contains(&&*name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_settings_for_clients_are_taken_out_and_the_rest_stays() {
        let troupe = Troupe::new(Environment::from_pairs([
            ("PATH", "/bin"),
            ("HOME", "/home/user"),
            ("PIP_INDEX_URL", "x"),
            ("pip_no_index", "1"),
            ("UV_INDEX", "x"),
            ("POETRY_HOME", "x"),
            ("https_proxy", "x"),
            ("NO_PROXY", "*"),
            ("SSL_CERT_FILE", "x"),
            ("PYTHONPATH", "x"),
            ("PIPELINE", "stays"),
        ]));
        let mut names: Vec<_> = troupe.variables.into_iter().map(|(name, _)| name).collect();
        names.sort();
        assert_eq!(names, ["HOME", "PATH", "PIPELINE"]);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_that_is_given_up_takes_its_children_with_it() {
        let troupe = Troupe::new(Environment::from_process());
        let folder = tempfile::tempdir().unwrap();
        let pid = folder.path().join("pid");
        let script = format!("sleep 60 & echo $! > '{0}.new'; mv '{0}.new' '{0}'; wait", pid.display());
        let mut command = troupe.command("sh");
        command.args(["-c", &script]);
        let written = async {
            while !pid.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::select! {
            ended = troupe.run(&mut command, "sh") => panic!("it should still run: {ended:?}"),
            () = written => {}
        }
        let sleeper: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
        let sleeper = rustix::process::Pid::from_raw(sleeper).unwrap();
        for _ in 0..200 {
            let state = std::fs::read_to_string(format!("/proc/{}/stat", sleeper.as_raw_nonzero())).unwrap_or_default();
            // Gone, or waiting to be reaped by init.
            if rustix::process::test_kill_process(sleeper).is_err() || state.contains(") Z ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the grandchild outlived the demo");
    }
}
