//! Runs a command with its environment pointed at the proxy: its terminal, its signals and its exit code stay its own.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::process::ExitStatus;

use tokio::process::{Child, Command};

use super::env::Variable;

/// What a guard is asked to be.
pub const GUARDED: &str = "guarded-child";

/// Why the command gave no status.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It isn't there, or isn't a program.
    #[error("cannot run `{}`: {cause}", command.display())]
    Start {
        /// The command.
        command: OsString,
        /// What the system says.
        cause: io::Error,
    },
    /// Waiting for it failed.
    #[error("cannot wait for the command: {0}")]
    Wait(io::Error),
}

impl RunError {
    /// `command` could not be started, because of `cause`.
    #[must_use]
    pub const fn start(command: OsString, cause: io::Error) -> Self {
        Self::Start { command, cause }
    }

    /// The code that shells end with: 127 when the command isn't found, 126 when it can't be run.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Start { cause, .. } if cause.kind() == io::ErrorKind::NotFound => 127,
            Self::Start { .. } | Self::Wait(_) => 126,
        }
    }
}

/// Runs `command` (its name, then its arguments) with `variables` added to our environment, standard input, output
/// and error inherited, and signals passed on to it. Gives the code that a shell would give: the command's own, or
/// 128 + n when signal n ended it. A `guard` is a program that stands between, and sees to it that the command ends with
/// us: nobody else could when we are killed.
///
/// # Errors
/// [`RunError`].
pub async fn run(command: &[OsString], variables: &[Variable], guard: Option<&Path>) -> Result<u8, RunError> {
    let [name, rest @ ..] = command else {
        return Err(RunError::start(OsString::new(), io::ErrorKind::NotFound.into()));
    };
    let (name, arguments) = match guard {
        Some(guard) => {
            let parent = std::process::id().to_string();
            let lead = [GUARDED, parent.as_str(), "--"].map(OsString::from);
            (guard.as_os_str().to_owned(), lead.into_iter().chain(command.iter().cloned()).collect())
        }
        None => (name.clone(), rest.to_vec()),
    };
    // Before the child is there, so that no signal falls between.
    let mut signals = signals::Forwarded::listen().map_err(RunError::Wait)?;
    let mut child = Command::new(&name)
        .args(arguments)
        .envs(variables.iter().map(|(name, value)| (name, value)))
        .spawn()
        .map_err(|cause| RunError::Start { command: name, cause })?;
    loop {
        tokio::select! {
            status = child.wait() => return Ok(code(status.map_err(RunError::Wait)?)),
            signal = signals.next() => signals::pass_on(&child, signal),
        }
    }
}

#[cfg(unix)]
fn code(status: ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

#[cfg(not(unix))]
fn code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code & 0xff).ok()).unwrap_or(u8::MAX)
}

#[cfg(unix)]
mod signals {
    use std::io;

    use rustix::process::{Pid, Signal as Number, getpid, kill_process};
    use tokio::signal::unix::{Signal, SignalKind, signal};

    use super::Child;

    /// The signals that are the command's business, not ours.
    pub(super) struct Forwarded {
        hangup: Signal,
        interrupt: Signal,
        quit: Signal,
        terminate: Signal,
        user_1: Signal,
        user_2: Signal,
        stop: Signal,
        go_on: Signal,
    }

    /// A signal that came, and whether a terminal has sent it to the command too.
    pub(super) struct Came(Number, bool);

    impl Forwarded {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self {
                hangup: signal(SignalKind::hangup())?,
                interrupt: signal(SignalKind::interrupt())?,
                quit: signal(SignalKind::quit())?,
                terminate: signal(SignalKind::terminate())?,
                user_1: signal(SignalKind::user_defined1())?,
                user_2: signal(SignalKind::user_defined2())?,
                stop: signal(SignalKind::from_raw(Number::TSTP.as_raw()))?,
                go_on: signal(SignalKind::from_raw(Number::CONT.as_raw()))?,
            })
        }

        pub(super) async fn next(&mut self) -> Came {
            tokio::select! {
                _ = self.hangup.recv() => Came(Number::HUP, false),
                _ = self.interrupt.recv() => Came(Number::INT, true),
                _ = self.quit.recv() => Came(Number::QUIT, true),
                _ = self.terminate.recv() => Came(Number::TERM, false),
                _ = self.user_1.recv() => Came(Number::USR1, false),
                _ = self.user_2.recv() => Came(Number::USR2, false),
                _ = self.stop.recv() => Came(Number::TSTP, true),
                _ = self.go_on.recv() => Came(Number::CONT, false),
            }
        }
    }

    /// Sends `signal` to the command, unless the terminal has: Ctrl-C goes to every process in the foreground, and
    /// twice would be once too often for programs that ask "really?".
    pub(super) fn pass_on(child: &Child, Came(signal, from_keyboard): Came) {
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| !from_keyboard || !in_foreground()) {
            // It may have ended in between.
            let _sent = kill_process(pid, signal);
        }
        if signal == Number::TSTP {
            // We have caught what would have stopped us, and whoever waits for us waits for that.
            let _stopped = kill_process(getpid(), Number::STOP);
        }
    }

    /// Whether we share the foreground of a terminal with the command.
    fn in_foreground() -> bool {
        let terminal = std::fs::File::open("/dev/tty");
        terminal.is_ok_and(|terminal| {
            rustix::termios::tcgetpgrp(&terminal).is_ok_and(|group| group == rustix::process::getpgrp())
        })
    }
}

#[cfg(not(unix))]
mod signals {
    use std::io;

    use super::Child;

    /// Ctrl-C reaches the command by itself here; we only must not end before it.
    pub(super) struct Forwarded;

    impl Forwarded {
        pub(super) fn listen() -> io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn next(&mut self) {
            let _came = tokio::signal::ctrl_c().await;
        }
    }

    pub(super) fn pass_on(_: &Child, (): ()) {}
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    async fn sh(script: &str) -> u8 {
        let command = ["sh", "-c", script].map(OsString::from);
        run(&command, &[("NAMEWALL_TEST", "set".into())], None).await.unwrap()
    }

    #[tokio::test]
    async fn the_code_is_the_commands_own() {
        assert_eq!(sh("exit 7").await, 7);
        assert_eq!(sh("kill -TERM $$").await, 128 + 15);
        assert_eq!(sh("test \"$NAMEWALL_TEST\" = set").await, 0);
    }

    #[tokio::test]
    async fn what_cannot_be_run_says_so() {
        let missing = run(&["namewall-no-such-command".into()], &[], None).await.unwrap_err();
        assert_eq!(missing.exit_code(), 127);
        assert!(missing.to_string().contains("namewall-no-such-command"));
        assert_eq!(run(&["/".into()], &[], None).await.unwrap_err().exit_code(), 126);
    }
}
