//! What each client is told to do: the commands that a user would type, in the order of indexes in which the attack works.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::Path;

use tokio::process::Command;

use super::troupe::Troupe;
use super::{Client, DemoError, cast};

/// One command of the story.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    /// What a user would have typed.
    pub(super) typed: String,
    /// Its arguments, with those that keep it apart from the user's settings and caches.
    arguments: Vec<OsString>,
}

/// Makes sure that `client` can play.
///
/// # Errors
/// [`DemoError::NoClient`] when it isn't on the `PATH`.
pub(super) async fn is_there(troupe: &Troupe, client: Client) -> Result<(), DemoError> {
    if client == Client::Pip {
        // Each environment brings its own.
        return Ok(());
    }
    match troupe.run(troupe.command(client.name()).arg("--version"), client.name()).await {
        Ok(_) => Ok(()),
        Err(DemoError::Io { .. }) => Err(DemoError::NoClient { client }),
        Err(other) => Err(other),
    }
}

/// The commands with which `client` installs the private package, from `private` and from PyPI.
pub(super) fn lines(client: Client, private: &str) -> Vec<Line> {
    match client {
        Client::Pip => {
            let asked = ["install", cast::PACKAGE, "--extra-index-url", private];
            vec![line(client, &["--no-cache-dir", "--disable-pip-version-check", "--no-input"], &asked)]
        }
        // The first `--index` goes before the default one.
        Client::Uv => {
            let index = "https://pypi.org/simple/";
            let asked = ["pip", "install", cast::PACKAGE, "--default-index", private, "--index", index];
            vec![line(client, &["--no-cache", "--no-config"], &asked)]
        }
        Client::Poetry => vec![
            line(client, &["--no-interaction"], &["source", "add", "--priority", "supplemental", "acme", private]),
            line(client, &["--no-interaction"], &["add", cast::PACKAGE]),
        ],
    }
}

fn line(client: Client, quietly: &[&str], asked: &[&str]) -> Line {
    let arguments = quietly.iter().chain(asked).map(OsString::from).collect();
    Line { typed: format!("{client} {}", asked.join(" ")), arguments }
}

impl Line {
    /// The command for the environment whose Python is `python`, to be run in its folder.
    pub(super) fn command(&self, client: Client, troupe: &Troupe, python: &Path) -> Command {
        let mut command = match client {
            Client::Pip => {
                let mut command = troupe.command(python);
                command.args(["-m", "pip"]);
                command
            }
            Client::Uv | Client::Poetry => troupe.command(client.name()),
        };
        command.args(&self.arguments);
        command
    }
}

/// What `client` needs in its environment's folder before it plays.
pub(super) fn dress(client: Client, at: &Path) -> io::Result<()> {
    if client != Client::Poetry {
        return Ok(());
    }
    let project = "[project]\nname = \"app\"\nversion = \"0.1.0\"\nrequires-python = \">=3.8\"\n\n\
        [tool.poetry]\npackage-mode = false\n";
    fs::write(at.join("pyproject.toml"), project)
}

/// The variables that keep `client` apart from the user's settings and caches, in the environment at `at`.
pub(super) fn apart(at: &Path) -> Vec<(&'static str, String)> {
    let below = |name: &str| at.join(name).display().to_string();
    vec![
        ("VIRTUAL_ENV", at.display().to_string()),
        ("PIP_CONFIG_FILE", if cfg!(windows) { "nul" } else { "/dev/null" }.to_owned()),
        ("PIP_NO_CACHE_DIR", "1".to_owned()),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1".to_owned()),
        ("UV_NO_CACHE", "1".to_owned()),
        ("UV_NO_CONFIG", "1".to_owned()),
        ("POETRY_CACHE_DIR", below("poetry-cache")),
        ("POETRY_CONFIG_DIR", below("poetry-config")),
        ("POETRY_DATA_DIR", below("poetry-data")),
        ("POETRY_KEYRING_ENABLED", "false".to_owned()),
    ]
}

/// What the client says it has installed, if anything: pip in one line, uv and Poetry in one line each.
pub(super) fn last_word(said: &str) -> String {
    let installed = |line: &&str| ["Successfully installed", "+ ", "- Installing "].iter().any(|w| line.starts_with(w));
    let lines: Vec<&str> = said.lines().map(str::trim).filter(installed).collect();
    lines.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_what_a_user_would_type() {
        let typed = |client| lines(client, "http://127.0.0.1:1/simple/").into_iter().map(|line| line.typed);
        let all: Vec<String> = [Client::Pip, Client::Uv, Client::Poetry].into_iter().flat_map(typed).collect();
        insta::assert_snapshot!(all.join("\n"), @r"
        pip install acme-core --extra-index-url http://127.0.0.1:1/simple/
        uv pip install acme-core --default-index http://127.0.0.1:1/simple/ --index https://pypi.org/simple/
        poetry source add --priority supplemental acme http://127.0.0.1:1/simple/
        poetry add acme-core
        ");
    }

    #[test]
    fn the_last_word_of_each_client() {
        let pip = "Collecting acme-core\nSuccessfully installed acme-core-99.0 greetings-2.1\n";
        assert_eq!(last_word(pip), "Successfully installed acme-core-99.0 greetings-2.1");
        let uv = "Installed 2 packages in 3ms\n + acme-core==1.0\n + greetings==2.1\n";
        assert_eq!(last_word(uv), "+ acme-core==1.0  + greetings==2.1");
        let poetry = "Writing lock file\n\n  - Installing greetings (2.1)\n  - Installing acme-core (99.0)\n";
        assert_eq!(last_word(poetry), "- Installing greetings (2.1)  - Installing acme-core (99.0)");
        assert_eq!(last_word("Adding source with name acme.\n"), "");
    }
}
