//! The story: the same install commands, first past a proxy without rules, then past one that protects `acme-*`.

mod cast;
mod narrator;
mod python;
mod stage;
mod theatre;
mod troupe;

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use self::narrator::Narrator;
use self::python::Python;
use self::stage::Stage;
use self::theatre::Theatre;
use self::troupe::Troupe;
use super::standin::StandInError;
use crate::config::ConfigError;
use crate::config::environment::Environment;
use crate::policy::CompileError;
use crate::proxy::StartError;

/// How the story is told.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// With colours.
    pub colours: bool,
}

/// What really happened.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Each install.
    pub acts: Vec<Act>,
    /// How many requests that bore a protected name reached the public index past the rules.
    pub leaked: usize,
    /// Whether the attack worked on every client without namewall's rules, and on none with them.
    pub defended: bool,
}

/// One install of the private package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// The client.
    pub client: Client,
    /// Whether the rules were in force.
    pub protected: bool,
    /// The version that it installed.
    pub version: String,
}

/// The clients that play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// The virtual environment's own pip.
    Pip,
    /// The uv that is on the `PATH`.
    Uv,
}

/// Why the story could not be played.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DemoError {
    /// No Python.
    #[error(
        "the demo plays with real pip, and there is no python3 on the PATH: install Python 3.8 or later with pip and \
         venv (Debian, Ubuntu: apt install python3-venv)"
    )]
    NoPython,
    /// A Python without `venv` or without a pip to put into environments.
    #[error(
        "{python} can't make virtual environments with pip: install its venv and ensurepip modules (Debian, Ubuntu: \
         apt install python3-venv). It said: {said}"
    )]
    NoVenv {
        /// Which Python.
        python: String,
        /// The last line of its complaint.
        said: String,
    },
    /// A client ended with an error.
    #[error("`{command}` failed, which is not part of the story. It said:\n{said}")]
    Client {
        /// The command.
        command: String,
        /// All that it printed.
        said: String,
    },
    /// A client took too long.
    #[error("`{command}` was stopped: it had not ended after {} s", limit.as_secs())]
    Slow {
        /// The command.
        command: String,
        /// How long it was given.
        limit: Duration,
    },
    /// Ctrl-C, or the terminal is gone.
    #[error("interrupted; everything that the demo had made is removed")]
    Interrupted,
    /// A folder, a file or the output.
    #[error("{what}: {cause}")]
    Io {
        /// What was being done.
        what: &'static str,
        /// What the system says.
        cause: io::Error,
    },
    /// The stand-in for PyPI.
    #[error(transparent)]
    StandIn(#[from] StandInError),
    /// The demo's own config.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The demo's own rule.
    #[error(transparent)]
    Rules(#[from] CompileError),
    /// A proxy.
    #[error(transparent)]
    Start(#[from] StartError),
}

/// Plays the attack, telling it on `out`. Whatever it makes is gone when it returns.
///
/// # Errors
/// [`DemoError`] when the story can't be played. That the attack succeeded where it should not is an [`Outcome`].
pub async fn play(options: Options, out: &mut (dyn Write + Send)) -> Result<Outcome, DemoError> {
    let story = Box::pin(perform(options, out));
    tokio::select! {
        outcome = story => outcome,
        // What the story holds is dropped with it: children are killed, folders removed.
        () = told_to_stop() => Err(DemoError::Interrupted),
    }
}

async fn perform(options: Options, out: &mut (dyn Write + Send)) -> Result<Outcome, DemoError> {
    let mut narrator = Narrator::new(out, options.colours);
    let troupe = Troupe::new(Environment::from_process());
    let python = Python::find(&troupe).await?;
    let theatre = Theatre::build().await?;
    narrator.prologue(&theatre.private.url()).map_err(told)?;
    let stage = Stage::build(&theatre, troupe, python).await?;

    let mut acts = Vec::new();
    for protected in [false, true] {
        if protected {
            // From here on the public index must not hear of acme.
            theatre.public.forget();
        }
        narrator.curtain(protected).map_err(told)?;
        for client in stage.clients() {
            let scene = stage.install(client, protected).await?;
            narrator.scene(&scene, protected).map_err(told)?;
            acts.push(Act { client, protected, version: scene.version });
        }
    }

    let leaked = theatre.public.mentions(cast::PROTECTED_WORD).len();
    let outcome = Outcome { defended: leaked == 0 && as_told(&acts), acts, leaked };
    narrator.epilogue(&outcome, &theatre.walled.tally()).map_err(told)?;
    theatre.close().await;
    Ok(outcome)
}

/// Whether each install ended as the story has it: the stranger's without rules, the company's with them.
fn as_told(acts: &[Act]) -> bool {
    let expected = |act: &Act| if act.protected { cast::OURS } else { cast::PLANTED };
    acts.iter().any(|act| act.protected) && acts.iter().all(|act| act.version == expected(act))
}

/// Ends with the first SIGINT, SIGTERM or SIGHUP; never where signals can't be listened for.
async fn told_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
        if let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) {
            tokio::select! {
                _ = interrupt.recv() => return,
                _ = terminate.recv() => return,
                _ = hangup.recv() => return,
            }
        }
    }
    #[cfg(not(unix))]
    if tokio::signal::ctrl_c().await.is_ok() {
        return;
    }
    std::future::pending::<()>().await;
}

fn told(cause: io::Error) -> DemoError {
    DemoError::Io { what: "telling the story", cause }
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pip => "pip",
            Self::Uv => "uv",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(protected: bool, version: &str) -> Act {
        Act { client: Client::Pip, protected, version: version.to_owned() }
    }

    #[test]
    fn only_both_halves_together_are_the_story() {
        assert!(as_told(&[act(false, "99.0"), act(true, "1.0")]));
        assert!(!as_told(&[act(false, "99.0"), act(true, "99.0")]), "the attack got through");
        assert!(!as_told(&[act(false, "1.0"), act(true, "1.0")]), "there was no attack");
        assert!(!as_told(&[act(false, "99.0")]), "nothing was defended");
        assert!(!as_told(&[]));
    }

    #[test]
    fn errors_say_what_to_install() {
        let error = DemoError::NoVenv { python: "python3".to_owned(), said: "No module named ensurepip".to_owned() };
        assert!(DemoError::NoPython.to_string().contains("apt install python3-venv"));
        assert!(error.to_string().contains("apt install python3-venv") && error.to_string().contains("ensurepip"));
    }
}
