//! What shells and `man` are given: a shell completes by it, and man shows it.

use std::process::{Command, Stdio};

use crate::commands::{Shell, stderr, stdout};

/// What bash offers for the last of `words`, by the script that it was given.
fn completed(words: &[&str]) -> Vec<String> {
    let shell = Shell::new("");
    let output = shell.run(&["completions", "bash"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let script = shell.path().join("completions");
    std::fs::write(&script, &output.stdout).unwrap();
    // As bash does when somebody presses tab: the function that `complete` has registered, with the words so far.
    let driver = r#"
        source "$1"; shift
        [[ $(complete -p namewall) =~ -F\ ([^ ]+) ]] || exit 9
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        "${BASH_REMATCH[1]}" namewall "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = Command::new("bash");
    bash.args(["--noprofile", "--norc", "-c", driver, "bash"]).arg(&script).args(words).current_dir(shell.path());
    let output = bash.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output).lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_options_and_values() {
    assert_eq!(completed(&["namewall", "ser"]), ["serve"]);
    assert_eq!(completed(&["namewall", "serve", "--rea"]), ["--ready-file"]);
    assert_eq!(completed(&["namewall", "env", "--format", "git"]), ["github", "gitlab"]);
    assert_eq!(completed(&["namewall", "ca", "ex"]), ["export"]);
}

#[test]
fn every_shell_has_a_script() {
    let shell = Shell::new("");
    for name in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = stdout(&shell.run(&["completions", name]));
        assert!(script.contains("namewall") && script.contains("ready-file"), "{name}: {script}");
    }
    assert_eq!(shell.run(&["completions", "cmd"]).status.code(), Some(2));
}

#[test]
fn every_command_has_a_manual_page() {
    let shell = Shell::new("");
    let output = shell.run(&["man", "pages"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let page = |name: &str| std::fs::read_to_string(shell.path().join("pages").join(name)).unwrap();
    for name in ["namewall.1", "namewall-serve.1", "namewall-ca-renew.1", "namewall-man.1"] {
        let page = page(name);
        for part in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS"] {
            assert!(page.lines().any(|line| line.starts_with(part)), "{name} has no {part}: {page}");
        }
    }
    assert!(page("namewall-serve.1").contains(r"\-\-ready\-file"));
    // Where there is a formatter, it has nothing to complain of.
    let mut groff = Command::new("groff");
    groff.args(["-man", "-Tutf8", "-ww", "pages/namewall.1", "pages/namewall-serve.1"]).current_dir(shell.path());
    if let Ok(shown) = groff.output() {
        assert!(shown.status.success() && shown.stderr.is_empty(), "{}", stderr(&shown));
        assert!(stdout(&shown).contains("cannot be trusted"), "{}", stdout(&shown));
    }
    let front = stdout(&shell.run(&["man"]));
    assert_eq!(front, page("namewall.1"));
    for part in [".SH \"EXIT STATUS\"", ".SH FILES", "namewall\\-serve(1)"] {
        assert!(front.contains(part), "{part}: {front}");
    }
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let shell = Shell::new("");
    let output = shell.run(&["man", "namewall.toml/pages"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("namewall.toml/pages"), "{}", stderr(&output));
}
