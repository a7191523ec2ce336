//! Which clients are installed, and at which version: each is asked itself, all at once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::task::JoinSet;

use super::program::{self, Ran};
use super::report::{Check, Group};
use crate::config::environment::Environment;

const CLIENTS: Group = Group::Clients;

/// How a client can be made to ask for one address, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stack {
    /// By downloading a wheel from it.
    Pip,
    /// By installing a wheel from it, into a folder that is thrown away.
    Uv,
    /// By asking for it.
    Curl,
    /// By the library that it asks with, in the Python that it runs in.
    Python(&'static str),
    /// Not at all; why not.
    None(&'static str),
}

/// The programs that install packages, or share a shell with those: name, command, how it asks.
const KNOWN: &[(&str, &[&str], Stack)] = &[
    // The first two may be two Pythons; `pip` may be a third one's.
    ("pip", &["python3", "-m", "pip"], Stack::Pip),
    ("pip", &["python", "-m", "pip"], Stack::Pip),
    ("pip", &["pip"], Stack::Pip),
    ("uv", &["uv"], Stack::Uv),
    ("poetry", &["poetry"], Stack::Python("requests")),
    ("pdm", &["pdm"], Stack::Python("httpx")),
    ("pipenv", &["pipenv"], Stack::Python("pipenv.patched.pip._vendor.requests")),
    ("twine", &["twine"], Stack::Python("requests")),
    ("hatch", &["hatch"], Stack::None("it installs with pip or uv")),
    ("curl", &["curl"], Stack::Curl),
    ("conda", &["conda"], Stack::None("it asks PyPI by pip")),
    ("pixi", &["pixi"], Stack::None("it can't be made to ask for a single address")),
    ("node", &["node"], Stack::None("it has no business with PyPI")),
];

/// A client that has told its version.
#[derive(Clone, Debug)]
pub(super) struct Client {
    pub(super) name: &'static str,
    /// As people call it: `pip 26.3 (python3 -m pip, Python 3.12)`.
    pub(super) shown: String,
    /// What is typed.
    pub(super) typed: String,
    pub(super) program: PathBuf,
    pub(super) arguments: &'static [&'static str],
    pub(super) stack: Stack,
    /// All that it said of its version: two that say the same are one.
    said: String,
}

impl Client {
    /// A run of it.
    pub(super) fn command(&self, arguments: &[String], environment: &Environment) -> Command {
        let before = self.arguments.iter().map(|&argument| argument.to_owned());
        let all: Vec<String> = before.chain(arguments.iter().cloned()).collect();
        let mut command = program::command(&self.program, &all, environment);
        if self.arguments.contains(&"-m") {
            command.env("PYTHONSAFEPATH", "1");
        }
        command
    }
}

/// The clients that are there, and checks of those that don't say what they are.
pub(super) async fn installed(environment: &Environment, patience: Duration) -> (Vec<Client>, Vec<Check>) {
    let mut asking = JoinSet::new();
    for (at, (name, command, stack)) in KNOWN.iter().enumerate() {
        let [program, arguments @ ..] = *command else { continue };
        let Some(program) = program::find(program, environment) else { continue };
        let typed = command.join(" ");
        let client =
            Client { name, shown: String::new(), typed, program, arguments, stack: *stack, said: String::new() };
        let environment = environment.clone();
        asking.spawn(async move { (at, ask(client, &environment, patience).await) });
    }
    let mut answers = Vec::new();
    while let Some(answer) = asking.join_next().await {
        answers.extend(answer);
    }
    answers.sort_by_key(|(at, _)| *at);
    let (mut clients, mut checks): (Vec<Client>, Vec<Check>) = (Vec::new(), Vec::new());
    for (_, answer) in answers {
        match answer {
            Some(Ok(client)) if clients.iter().any(|known| known.said == client.said) => {}
            Some(Ok(client)) => clients.push(client),
            Some(Err(check)) => checks.push(*check),
            None => {}
        }
    }
    (clients, checks)
}

/// `None` if it isn't there after all.
async fn ask(mut client: Client, environment: &Environment, patience: Duration) -> Option<Result<Client, Box<Check>>> {
    let typed = format!("{} --version", client.typed);
    let trouble = |what: &str| {
        let message = format!("{}: `{typed}` {what}", client.name);
        Some(Err(Box::new(CLIENTS.warn(client.name, message, typed.clone()))))
    };
    match program::run(client.command(&["--version".to_owned()], environment), patience).await {
        Ran::Ended { code: Some(0), stdout, .. } => {
            client.shown = shown(&client, &stdout);
            client.said = format!("{} {}", client.name, stdout.trim());
            Some(Ok(client))
        }
        // A Python without pip; and the shims of version managers stand for programs that may not be there.
        Ran::Ended { .. } if client.stack == Stack::Pip => None,
        Ran::Ended { code: Some(127), .. } => None,
        Ran::Ended { code: Some(code), .. } => trouble(&format!("ends with {code}")),
        Ran::Ended { code: None, .. } => trouble("was killed"),
        Ran::Hung => trouble(&format!("said nothing within {} s, and was stopped", patience.as_secs())),
        // The file is there, so it is its interpreter that isn't: an environment that was moved, or whose Python is gone.
        Ran::Failed(error) if error.kind() == std::io::ErrorKind::NotFound => {
            trouble("can't be run: the interpreter that its first line names is gone")
        }
        Ran::Failed(error) => trouble(&format!("can't be run: {error}")),
    }
}

fn shown(client: &Client, said: &str) -> String {
    let version = version(said).unwrap_or_else(|| "of unknown version".to_owned());
    let name = client.name;
    // `pip 26.3 from /usr/lib/python3/dist-packages/pip (python 3.12)`
    let python = said.split_once("(python ").and_then(|(_, rest)| rest.split(')').next());
    match python {
        Some(python) => format!("{name} {version} ({}, Python {python})", client.typed),
        None => format!("{name} {version}"),
    }
}

/// The first word that begins with a digit, or with `v` and one.
fn version(said: &str) -> Option<String> {
    let words = said.split(|letter: char| letter.is_whitespace() || matches!(letter, '(' | ')' | ','));
    let mut words = words.map(|word| word.strip_prefix('v').unwrap_or(word));
    words.find(|word| word.starts_with(|letter: char| letter.is_ascii_digit())).map(str::to_owned)
}

/// The Python that a script of a Python program runs in, by its first line.
pub(super) fn interpreter(script: &Path) -> Option<PathBuf> {
    let bytes = std::fs::read(script).ok()?;
    let head = String::from_utf8_lossy(bytes.get(..bytes.len().min(1024))?).into_owned();
    let mut lines = head.lines();
    let first = lines.next()?.strip_prefix("#!")?.trim();
    // Where the path is too long for the kernel: `#!/bin/sh`, then `'''exec' "/long/path/python" "$0" "$@"`.
    let path = match lines.next().filter(|_| first == "/bin/sh").and_then(|line| line.strip_prefix("'''exec' ")) {
        Some(rest) => match rest.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next()?,
            None => rest.split(' ').next()?,
        },
        None => first.split(' ').next()?,
    };
    let path = Path::new(path);
    path.file_name()?.to_str()?.starts_with("python").then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_as_programs_tell_them() {
        for (said, expected) in [
            ("pip 26.3 from /usr/lib/python3/dist-packages/pip (python 3.12)", "26.3"),
            ("uv 0.13.9 (x86_64-unknown-linux-gnu)", "0.13.9"),
            ("Poetry (version 2.5.1)", "2.5.1"),
            ("PDM, version 2.29.3", "2.29.3"),
            ("v20.20.2", "20.20.2"),
            ("curl 7.88.1 (x86_64-pc-linux-gnu) libcurl/7.88.1", "7.88.1"),
        ] {
            assert_eq!(version(said).as_deref(), Some(expected), "{said}");
        }
        assert_eq!(version("no idea"), None);
    }

    #[test]
    fn scripts_name_their_python() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("twine");
        for (text, expected) in [
            ("#!/opt/twine/bin/python3.12\nimport sys\n", Some("/opt/twine/bin/python3.12")),
            ("#!/bin/sh\n'''exec' \"/a long/bin/python\" \"$0\" \"$@\"\n' '''\n", Some("/a long/bin/python")),
            ("#!/usr/bin/env bash\nexec pyenv\n", None),
            ("\u{7f}ELF", None),
        ] {
            std::fs::write(&script, text).unwrap();
            assert_eq!(interpreter(&script).as_deref(), expected.map(Path::new), "{text}");
        }
    }
}
