//! Why the story could not be played, and what to do.

use std::io;
use std::time::Duration;

use super::Client;
use crate::config::ConfigError;
use crate::demo::standin::StandInError;
use crate::policy::CompileError;
use crate::proxy::StartError;

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
    /// The client that is to play isn't there.
    #[error(
        "there is no {client} on the PATH, and the demo installs no client: `{}` brings it, or leave --client out to \
         play with pip",
        client.install()
    )]
    NoClient {
        /// Which one.
        client: Client,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_say_what_to_install() {
        let error = DemoError::NoVenv { python: "python3".to_owned(), said: "No module named ensurepip".to_owned() };
        assert!(DemoError::NoPython.to_string().contains("apt install python3-venv"));
        assert!(error.to_string().contains("apt install python3-venv") && error.to_string().contains("ensurepip"));
    }

    #[test]
    fn a_missing_client_is_named_with_the_command_that_brings_it() {
        let error = DemoError::NoClient { client: Client::Poetry }.to_string();
        assert!(error.contains("no poetry on the PATH") && error.contains("`pipx install poetry`"), "{error}");
    }
}
