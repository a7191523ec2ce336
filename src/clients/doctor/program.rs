//! Finds programs and runs them: with the shell's variables, without a terminal, and never longer than we wait.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

use crate::config::environment::Environment;

/// More than any of them says.
const MAX_OUTPUT: u64 = 256 * 1024;
/// How long the pipes of a program that has ended are read.
const GRACE: Duration = Duration::from_secs(1);

/// What came of a run.
#[derive(Debug)]
pub(super) enum Ran {
    /// It ended: whether with 0, with which code, and what it wrote to standard output and error.
    Ended { code: Option<i32>, stdout: String, stderr: String },
    /// It was stopped.
    Hung,
    /// It could not be started.
    Failed(std::io::Error),
}

/// The program that this shell would run as `name`.
pub(super) fn find(name: &str, environment: &Environment) -> Option<PathBuf> {
    let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let folders = std::env::split_paths(environment.var("PATH")?).filter(|folder| folder.is_absolute());
    folders.map(|folder| folder.join(&file)).find(|path| is_program(path))
}

/// A folder that is nobody's project: Python looks for modules where it is started, and package managers for plugins.
pub(crate) fn neutral_folder(environment: &Environment) -> PathBuf {
    let system = environment.var("SystemRoot").filter(|_| cfg!(windows));
    system.map_or_else(|| PathBuf::from("/"), PathBuf::from)
}

/// A command with this shell's variables and no others, away from the folder that the user stands in.
pub(super) fn command(program: &Path, arguments: &[impl AsRef<OsStr>], environment: &Environment) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).env_clear().envs(environment.clone()).current_dir(neutral_folder(environment));
    command
}

/// Runs `command` to its end, or to ours.
pub(super) async fn run(mut command: Command, patience: Duration) -> Ran {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // A group of its own, so that what a wrapper script started ends with it.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ran::Failed(error),
    };
    let group = child.id();
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let reading = async { tokio::join!(read(out, &mut stdout), read(err, &mut stderr)) };
    let ending = async {
        let status = child.wait().await;
        // What it has started and left keeps its pipes open.
        kill(group);
        status
    };
    let ended = tokio::time::timeout(patience, async {
        tokio::pin!(reading, ending);
        tokio::select! {
            status = &mut ending => {
                // What has left the group, too, is not waited for: what the program itself said is in the pipe by now.
                let _what_came = tokio::time::timeout(GRACE, reading).await;
                status
            }
            _ = &mut reading => ending.await,
        }
    })
    .await;
    match ended {
        Ok(Ok(status)) => Ran::Ended { code: status.code(), stdout: text(&stdout), stderr: text(&stderr) },
        Ok(Err(error)) => Ran::Failed(error),
        Err(_elapsed) => {
            kill(group);
            let _ended = child.kill().await;
            Ran::Hung
        }
    }
}

async fn read(stream: Option<impl AsyncRead + Unpin>, bytes: &mut Vec<u8>) {
    if let Some(mut stream) = stream {
        let _what_came = (&mut stream).take(MAX_OUTPUT).read_to_end(bytes).await;
        // The rest is read too: who isn't heard any more stands still.
        let _read = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Ends a group, by the number of the program that it was made for.
#[cfg(unix)]
fn kill(group: Option<u32>) {
    use rustix::process::{Pid, Signal, kill_process_group};
    if let Some(group) = group.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw) {
        // All of it may have ended.
        let _sent = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(not(unix))]
const fn kill(_group: Option<u32>) {}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    async fn sh(script: &str, patience: Duration) -> Ran {
        let environment = Environment::from_pairs([("PATH", "/usr/bin:/bin"), ("ONLY", "this")]);
        let shell = find("sh", &environment).unwrap();
        run(command(&shell, &["-c", script], &environment), patience).await
    }

    #[tokio::test]
    async fn it_has_the_variables_and_a_code() {
        let ran = sh("echo $ONLY $HOME; echo said >&2; exit 3", Duration::from_secs(20)).await;
        let Ran::Ended { code, stdout, stderr } = ran else { panic!("{ran:?}") };
        assert_eq!((code, stdout.as_str(), stderr.as_str()), (Some(3), "this\n", "said\n"));
        assert!(find("no-such-program", &Environment::from_pairs([("PATH", "/bin")])).is_none());
    }

    #[tokio::test]
    async fn what_hangs_is_stopped_with_its_children() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("pid");
        let started = Instant::now();
        let script = format!("sleep 100 & echo $! > {}; wait", file.display());
        assert!(matches!(sh(&script, Duration::from_secs(2)).await, Ran::Hung));
        assert!(started.elapsed() < Duration::from_secs(60));
        let child: i32 = std::fs::read_to_string(&file).unwrap().trim().parse().unwrap();
        let gone = || {
            let state = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            state.is_empty() || state.contains(") Z ")
        };
        for _ in 0..500 {
            if gone() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{child} lives on");
    }
}
