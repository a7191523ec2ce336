//! `namewall demo`, as a user runs it.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::Command;

use crate::install::client;
use crate::pins;
use crate::programs::program;

/// The promise is "well under a minute"; this machine may be busy with other tests.
const LIMIT: Duration = Duration::from_secs(240);

/// The demo with what a user might have set: none of it may play along. `programs` go before the system's.
fn demo(arguments: &[&str], folder: &Path, programs: &Path) -> Command {
    let system = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths([programs.to_owned()].into_iter().chain(std::env::split_paths(&system))).unwrap();
    let mut demo = Command::new(env!("CARGO_BIN_EXE_namewall"));
    demo.args(["demo", "--color", "never"]).args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    demo.env("PIP_INDEX_URL", "http://127.0.0.1:9/").env("UV_INDEX", "http://127.0.0.1:9/");
    demo.env("HTTPS_PROXY", "http://127.0.0.1:9/").env("NO_PROXY", "*").env("TMPDIR", folder).env("PATH", path);
    demo
}

async fn played(mut demo: Command) -> (Output, String) {
    let output = tokio::time::timeout(LIMIT, demo.output()).await.expect("the demo ends in time").unwrap();
    let told = String::from_utf8(output.stdout.clone()).unwrap();
    (output, told)
}

async fn shows_the_attack_and_its_end(arguments: &[&str], programs: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (output, told) = played(demo(arguments, folder.path(), programs)).await;
    assert_eq!(output.status.code(), Some(0), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let stranger = told.find("I am acme-core 99.0").expect("the attack is shown");
    let company = told.rfind("I am acme-core 1.0").expect("its end is shown");
    assert!(stranger < company, "{told}");
    assert!(told.contains("hidden: acme-core (page)") && told.contains("by rule `acme`"), "{told}");
    assert!(!told.contains('\x1b'), "colours were not wanted: {told}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something was left behind");
    told
}

#[tokio::test]
async fn with_pip_it_shows_the_attack_and_its_end_and_leaves_nothing() {
    shows_the_attack_and_its_end(&["--client", "pip"], Path::new("/nowhere")).await;
}

#[tokio::test]
async fn by_itself_it_plays_with_pip_and_with_uv_where_that_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let told = shows_the_attack_and_its_end(&[], &program("uv", folder.path())).await;
    let (pip, uv) = (told.find("$ pip install acme-core"), told.find("$ uv pip install acme-core"));
    assert!(pip.is_some() && pip < uv, "{told}");
}

#[tokio::test]
async fn with_uv_too() {
    let folder = tempfile::tempdir().unwrap();
    let told = shows_the_attack_and_its_end(&["--client", "uv"], &program("uv", folder.path())).await;
    assert!(told.contains("$ uv pip install acme-core"), "{told}");
}

#[tokio::test]
async fn with_poetry_too() {
    let folder = tempfile::tempdir().unwrap();
    let told = shows_the_attack_and_its_end(&["--client", "poetry"], &program("poetry", folder.path())).await;
    assert!(told.contains("$ poetry add acme-core"), "{told}");
}

#[tokio::test]
async fn what_it_keeps_can_be_tried_and_goes_with_ctrl_c() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = demo(&["--keep"], folder.path(), Path::new("/nowhere")).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let told = async {
        let mut tries: Vec<String> = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            tries.push(line.trim().to_owned());
            if tries.last().is_some_and(|line| line.contains("without.sh")) {
                break;
            }
        }
        tries
    };
    let told = tokio::time::timeout(LIMIT, told).await.expect("it says what to try");
    // What it says to type, typed.
    let typed = |start: &str| told.iter().rfind(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{told:?}"));
    let with = told.iter().find(|line| line.contains("with.sh'")).unwrap();
    let (pip, without) = (typed("pip install"), typed(". '"));
    let script =
        format!("{with} && {pip} && python -c 'import acme_core'; {without} && {pip} && python -c 'import acme_core'");
    let mut shell = Command::new("sh");
    let (output, said) = played({
        shell.args(["-c", &script]).stdin(Stdio::null()).kill_on_drop(true);
        shell
    })
    .await;
    let (ours, planted) = (said.find("I am acme-core 1.0"), said.find("I am acme-core 99.0"));
    assert!(ours.is_some() && planted.is_some() && ours < planted, "{said}{}", String::from_utf8_lossy(&output.stderr));

    let id = i32::try_from(child.id().unwrap()).unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(id).unwrap(), rustix::process::Signal::INT).unwrap();
    let status = tokio::time::timeout(LIMIT, child.wait()).await.expect("Ctrl-C ends it").unwrap();
    let mut rest = String::new();
    lines.into_inner().read_to_string(&mut rest).await.unwrap();
    assert!(status.success() && rest.contains("is removed"), "{status}: {rest}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "something was left behind");
}

#[tokio::test]
async fn it_waits_for_enter_on_a_terminal_and_says_when_there_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let (output, _) = played(demo(&["--pause"], folder.path(), Path::new("/nowhere"))).await;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("standard input is no terminal"));

    // A pseudo-terminal, on which Enter is pressed whenever it is asked for.
    let speaker = "import os, pty, sys\n\
        child, terminal = pty.fork()\n\
        if child == 0: os.execv(sys.argv[1], [sys.argv[1], 'demo', '--pause', '--color', 'never'])\n\
        said = b''; pressed = 0\n\
        while True:\n\
        \x20   try: some = os.read(terminal, 4096)\n\
        \x20   except OSError: break\n\
        \x20   if not some: break\n\
        \x20   said += some\n\
        \x20   if said.count(b'Enter goes on') > pressed: pressed += 1; os.write(terminal, b'\\n')\n\
        sys.stdout.write(said.decode()); sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n";
    let mut python = Command::new("python3");
    python.args(["-c", speaker, env!("CARGO_BIN_EXE_namewall")]).stdin(Stdio::null()).kill_on_drop(true);
    let (output, told) = played(python).await;
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told.matches("Enter goes on").count(), 3, "{told}");
    assert!(told.contains("The attack worked without namewall, and failed with it."), "{told}");
}

#[tokio::test]
async fn a_client_that_is_missing_is_named_with_the_command_that_brings_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = demo(&["--client", "uv"], folder.path(), Path::new("/nowhere"));
    // A Python alone.
    let bin = client(pins::NEWEST_PIP);
    let (output, told) = played({
        demo.env("PATH", bin);
        demo
    })
    .await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{told}{said}");
    assert!(said.contains("no uv on the PATH") && said.contains("`pipx install uv`"), "{said}");
}
