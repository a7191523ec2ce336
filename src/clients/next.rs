//! The command with which somebody goes on whose install met a rule.

use std::ffi::OsString;
use std::path::Path;

use crate::shown::quoted;

/// `command` again with the private index at `index`, if the client takes one so; `None` where it doesn't, where it has
/// that index already, or where the command holds a password.
pub(super) fn with_index(command: &[OsString], index: &str) -> Option<String> {
    let words: Vec<&str> = command.iter().map(|word| word.to_str()).collect::<Option<_>>()?;
    let bare = index.trim_end_matches('/');
    let is_said = words.iter().any(|word| word.contains(bare) || word.contains("://") && word.contains('@'));
    let option = option(&words).filter(|_| !is_said)?;
    let again = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    Some(format!("namewall run -- {again} {option} {}", quoted(index)))
}

/// The option by which the client of the command takes one more index.
fn option(words: &[&str]) -> Option<&'static str> {
    let (program, rest) = words.split_first()?;
    let program = Path::new(program).file_stem()?.to_str()?;
    let is = |name: &str| program == name || program.strip_prefix(name).is_some_and(|rest| rest.parse::<f32>().is_ok());
    match rest {
        ["-m", "pip", rest @ ..] if is("python") => of_pip(rest),
        rest if is("pip") => of_pip(rest),
        ["pip", "install" | "compile" | "sync", ..] | ["add" | "sync" | "lock" | "run" | "tool", ..] if is("uv") => {
            Some("--index")
        }
        _ => None,
    }
}

fn of_pip(rest: &[&str]) -> Option<&'static str> {
    let takes = |word: &&&str| ["install", "download", "wheel", "index", "lock"].contains(*word);
    rest.iter().find(takes).map(|_| "--extra-index-url")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_command_with_the_index() {
        let index = "https://pypi.acme.example/simple/";
        let next = |line: &str| with_index(&line.split(' ').map(OsString::from).collect::<Vec<_>>(), index);
        for (line, option) in [
            ("pip install acme-core", "--extra-index-url"),
            ("/venv/bin/pip3.12 -q install acme-core", "--extra-index-url"),
            ("python3 -m pip download acme-core>=1", "--extra-index-url"),
            ("uv pip install acme-core", "--index"),
            ("uv add acme-core", "--index"),
        ] {
            let quoted = line.replace("acme-core>=1", "'acme-core>=1'");
            assert_eq!(next(line).as_deref(), Some(&*format!("namewall run -- {quoted} {option} {index}")), "{line}");
        }
        for line in [
            "make",
            "pip list",
            "python3 setup.py",
            "uv venv",
            "poetry add acme-core",
            "pip install acme-core --extra-index-url https://pypi.acme.example/simple",
            "pip install acme-core --extra-index-url https://u:p@other.example/",
        ] {
            assert_eq!(next(line), None, "{line}");
        }
    }
}
