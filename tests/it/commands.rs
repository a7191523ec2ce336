//! The program as people type it: exit codes, streams, files.

use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[cfg(unix)]
use crate::world::Serving;

/// A folder of its own, and commands that know no other.
pub struct Shell {
    folder: TempDir,
}

impl Shell {
    pub fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("namewall.toml"), config).unwrap();
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_namewall"));
        command.args(arguments).current_dir(self.path()).env("HOME", self.path()).env_remove("NAMEWALL_CONFIG");
        for name in ["XDG_STATE_HOME", "XDG_CONFIG_HOME", "HTTPS_PROXY", "https_proxy", "NO_PROXY", "no_proxy"] {
            command.env_remove(name);
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    pub fn piped(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Some commands have their answer before they have read anything.
        let _may_be_closed = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }
}

pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

pub const ACME: &str = "[[protect]]\nid = \"acme\"\nnames = [\"acme\", \"acme-*\"]\nreason = \"Internal\"\n";

#[test]
fn a_config_error_says_where_and_what_instead() {
    let shell = Shell::new("[[protect]]\nid = \"acme\"\nnaems = [\"acme\"]\n");
    let output = shell.run(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    let text = stderr(&output);
    for part in ["namewall.toml:3:1", "^^^^^", "`names`"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert_eq!(Shell::new("").run(&["check", "--no-such-flag"]).status.code(), Some(2));
}

#[test]
fn rules_come_from_files_flags_and_the_environment() {
    let shell = Shell::new(&format!("include = [\"rules.d/*.toml\"]\n{ACME}"));
    std::fs::create_dir(shell.path().join("rules.d")).unwrap();
    let of_team = shell.path().join("rules.d/team.toml");
    std::fs::write(&of_team, "[[protect]]\nid = \"team\"\nnames = [\"team-*\"]\n").unwrap();
    std::fs::write(shell.path().join("extra.toml"), "[[protect]]\nid = \"extra\"\nnames = [\"extra\"]\n").unwrap();
    let mut explain = shell.command(&["explain", "--rules", "extra.toml", "team-1", "extra", "env-2"]);
    let explained = explain.env("NAMEWALL_PROTECT", "env-1,env-2").output().unwrap();
    assert_eq!(explained.status.code(), Some(1), "{}", stderr(&explained));
    for place in ["rules.d/team.toml:3", "extra.toml:3", "$NAMEWALL_PROTECT:1"] {
        assert!(stdout(&explained).contains(place), "{place}: {}", stdout(&explained));
    }
    // Two files, two mistakes, one run.
    std::fs::write(&of_team, "[[protect]]\nid = \"acme\"\nnames = [\"re:Team\"]\n").unwrap();
    let output = shell.run(&["check"]);
    assert_eq!(output.status.code(), Some(2));
    for part in ["taken by the rule at namewall.toml:3", "rules.d/team.toml:2:6", "rules.d/team.toml:3:10"] {
        assert!(stderr(&output).contains(part), "{part}: {}", stderr(&output));
    }
}

#[test]
fn check_prints_the_schema_whatever_the_config_says() {
    let output = Shell::new("broken").run(&["check", "--schema"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let schema: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(schema["properties"]["log"]["properties"]["format"]["enum"], serde_json::json!(["text", "json"]));
    assert_eq!(stdout(&output), include_str!("../../config/namewall.schema.json"));
}

#[test]
fn what_is_named_and_wrong_ends_with_2() {
    let shell = Shell::new(ACME);
    let missing = shell.run(&["explain", "--rules", "gone.toml", "acme"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("`gone.toml`, named by --rules, doesn't exist"), "{}", stderr(&missing));
    for (name, value, part) in [
        ("NAMEWALL_PROTEC", "acme", "did you mean `NAMEWALL_PROTECT`?"),
        ("NAMEWALL_LISTEN", "3128", "$NAMEWALL_LISTEN:1:1"),
        ("NAMEWALL_RULES", "gone.toml", "named by $NAMEWALL_RULES"),
    ] {
        let output = shell.command(&["check"]).env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}");
        assert!(stderr(&output).contains(part), "{name}: {}", stderr(&output));
    }
}

#[test]
fn check_runs_assertions_and_previews() {
    let shell = Shell::new(&format!("{ACME}[[assert]]\nprotected = [\"Acme_Core\"]\nallowed = [\"requests\"]\n"));
    assert_eq!(shell.run(&["check"]).status.code(), Some(0));
    let preview = shell.piped(&["check", "--preview", "-"], "acme-core\nrequests\nAcme.Data 12\n");
    assert!(stdout(&preview).contains("2 of 3 names match"), "{}", stdout(&preview));
    let shell = Shell::new(&format!("{ACME}[[assert]]\nallowed = [\"acme-core\"]\n"));
    let output = shell.run(&["check"]);
    assert_ne!(output.status.code(), Some(0));
    assert!(stdout(&output).contains("acme-core") || stderr(&output).contains("acme-core"));
}

#[test]
fn explain_knows_names_files_urls_and_requirements() {
    let shell = Shell::new(ACME);
    for thing in [
        "Acme_Core",
        "acme_core-1.0-py3-none-any.whl",
        "https://pypi.org/simple/acme-core/",
        "Acme.Core[extra]>=1.0 ; python_version > '3'",
        "other @ https://files.pythonhosted.org/packages/py3/a/acme/acme-1.0.zip",
    ] {
        let output = shell.run(&["explain", thing]);
        assert_eq!(output.status.code(), Some(1), "{thing}: {}", stderr(&output));
        for part in ["acme", "namewall.toml:3", "Internal"] {
            assert!(stdout(&output).contains(part), "{part}: {}", stdout(&output));
        }
    }
    assert_eq!(shell.run(&["explain", "requests", "six-1.0.tar.gz"]).status.code(), Some(0));
    let json = shell.run(&["explain", "--json", "acme-core"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json[0]["verdict"], &json[0]["rule"]), (&"protected".into(), &"acme".into()));
    for nonsense in ["///", "bad name!", "acme core"] {
        assert_eq!(shell.run(&["explain", nonsense]).status.code(), Some(2), "{nonsense}");
    }
    assert_eq!(shell.run(&["explain", "./dist/acme_core-1.0-py3-none-any.whl"]).status.code(), Some(1));
    let elsewhere = shell.run(&["explain", "https://pypi.acme.example/simple/acme-core/"]);
    assert!(stdout(&elsewhere).contains("not intercepted"), "{}", stdout(&elsewhere));
}

#[test]
fn filter_is_the_proxys_own_code() {
    let shell = Shell::new(ACME);
    let page = r#"{"meta":{"api-version":"1.4"},"name":"six","files":[{"filename":"six-1.0.zip","url":"https://f/six-1.0.zip","hashes":{}}]}"#;
    let same = shell.piped(&["filter", "--as", "project", "--project", "six"], page);
    assert_eq!((same.status.code(), stdout(&same).as_str()), (Some(0), page));
    let html = shell.piped(&["filter", "--as", "project", "--project", "six", "--accept", "text/html"], page);
    assert!(stdout(&html).contains("<a href=\"https://f/six-1.0.zip\""), "{}", stdout(&html));
    let gone = shell.piped(&["filter", "--as", "project"], &page.replace("six-1.0.zip", "acme-1.0.zip"));
    assert_eq!((gone.status.code(), stdout(&gone).as_str()), (Some(1), ""));
    let protected = shell.piped(&["filter", "--as", "project", "--project", "acme"], page);
    assert_eq!(protected.status.code(), Some(1));
    let broken = shell.piped(&["filter", "--as", "project"], &page[..40]);
    assert_eq!((broken.status.code(), stdout(&broken).as_str()), (Some(4), ""));
    let root = r#"{"meta":{"api-version":"1.4"},"projects":[{"name":"acme"},{"name":"six"}]}"#;
    let root = shell.piped(&["filter", "--as", "root"], root);
    assert_eq!(stdout(&root), r#"{"meta":{"api-version":"1.4"},"projects":[{"name":"six"}]}"#);
    assert!(stderr(&root).contains("removed 1"), "{}", stderr(&root));
    let html = "<html><body><a href='/simple/acme/'>acme</a><a href='/simple/six/'>six</a></body></html>";
    let html = shell.piped(&["filter", "--as", "root"], html);
    assert!(stdout(&html).contains("six") && !stdout(&html).contains("acme"), "{}", stdout(&html));
}

#[test]
fn run_is_its_command_with_a_proxy() {
    let shell = Shell::new(ACME);
    let script = "echo $HTTPS_PROXY $https_proxy; test -s $SSL_CERT_FILE && test -s $REQUESTS_CA_BUNDLE && exit 7";
    let output = shell.run(&["run", "--", "sh", "-c", script]);
    assert_eq!(output.status.code(), Some(7), "{}", stderr(&output));
    let text = stdout(&output);
    let (upper, lower) = text.trim().split_once(' ').unwrap();
    assert!(upper == lower && upper.starts_with("http://127.0.0.1:"), "{text}");
    assert!(stderr(&output).contains("nothing was hidden"), "{}", stderr(&output));
    let piped = shell.piped(&["run", "--", "cat"], "through");
    assert_eq!((piped.status.code(), stdout(&piped).as_str()), (Some(0), "through"));
    let mut bypass = shell.command(&["run", "--", "sh", "-c", "echo [$NO_PROXY]"]);
    let bypass = bypass.env("NO_PROXY", "pypi.org,corp.example").output().unwrap();
    assert_eq!(stdout(&bypass), "[corp.example,localhost,127.0.0.1]\n");
    assert!(stderr(&bypass).contains("pypi.org"), "{}", stderr(&bypass));
    assert_eq!(shell.run(&["run", "--", "sh", "-c", "kill -9 $$"]).status.code(), Some(137));
    assert_eq!(shell.run(&["run", "--", "no-such-command-here"]).status.code(), Some(127));
    assert_eq!(shell.run(&["run"]).status.code(), Some(2));
}

#[cfg(unix)]
#[test]
fn run_passes_signals_on() {
    let shell = Shell::new(ACME);
    let ready = shell.path().join("ready");
    let script = format!("trap 'exit 9' TERM; touch {}; while :; do sleep 0.05; done", ready.display());
    let mut child = shell.command(&["run", "-q", "--", "sh", "-c", &script]).spawn().unwrap();
    wait_for(&ready);
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[test]
fn a_run_in_a_run_shares_its_proxy_unless_it_has_rules_of_its_own() {
    let shell = Shell::new(ACME);
    let program = env!("CARGO_BIN_EXE_namewall");
    let script = format!(
        "echo $HTTPS_PROXY; {program} run -- sh -c 'echo $HTTPS_PROXY'; cd /; {program} run --protect b -- sh -c \
         'echo $HTTPS_PROXY; {program} explain acme-core b c'"
    );
    let output = shell.run(&["run", "--protect", "c", "--", "sh", "-c", &script]);
    let text = stdout(&output);
    let proxies: Vec<&str> = text.lines().filter(|line| line.starts_with("http://")).collect();
    assert!(proxies.len() == 3 && proxies[0] == proxies[1] && proxies[1] != proxies[2], "{text}");
    // The outer rules hold in there, wherever it is.
    assert_eq!(text.matches(": protected").count(), 3, "{text}");
    assert_eq!(stderr(&output).matches("nothing was hidden").count(), 2, "one each: {}", stderr(&output));
    // Rules or a bypass of one's own are one's own, however they come.
    for own in ["env NAMEWALL_PROTECT=attrs", "env NO_PROXY=pypi.org", "env 'NO_PROXY=a.example pypi.org'"] {
        let script = format!("echo $HTTPS_PROXY; {own} {program} run -- sh -c 'echo $HTTPS_PROXY'");
        let text = stdout(&shell.run(&["run", "--", "sh", "-c", &script]));
        let (outer, inner) = text.trim().split_once('\n').unwrap();
        assert_ne!(outer, inner, "{own}: {text}");
    }
    // A proxy that has ended is none.
    let mut stale = shell.command(&["run", "--", "sh", "-c", "echo $HTTPS_PROXY"]);
    let gone = [
        ("NAMEWALL_RUN", "127.0.0.1:9 0000000000000000"),
        ("HTTPS_PROXY", "http://127.0.0.1:9"),
        ("https_proxy", "http://127.0.0.1:9"),
    ];
    let stale = stale.envs(gone).output().unwrap();
    assert_ne!(stdout(&stale).trim(), "http://127.0.0.1:9");
}

#[test]
fn reports_are_written_whatever_became_of_the_command() {
    let shell = Shell::new(ACME);
    let arguments = ["run", "--report", "r.json", "--report", "r.xml", "--report", "r.sarif", "--", "false"];
    assert_eq!(shell.run(&arguments).status.code(), Some(1));
    let read = |name: &str| std::fs::read_to_string(shell.path().join(name)).unwrap();
    let json: serde_json::Value = serde_json::from_str(&read("r.json")).unwrap();
    assert_eq!(
        (&json["command"], &json["command-exit-code"], &json["counts"]["refused"]),
        (&"false".into(), &1.into(), &0.into())
    );
    assert!(read("r.xml").contains("nothing was hidden or refused") && read("r.sarif").contains("\"2.1.0\""));
    for wrong in ["r.txt", "nowhere/r.json"] {
        let output = shell.run(&["run", "--report", wrong, "--", "touch", "ran"]);
        assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    }
    assert!(!shell.path().join("ran").exists(), "it would have run for nothing");
}

/// What Python's `pty` gives a program is a terminal of its own; `keys` are typed once `shown` is on it.
#[cfg(unix)]
fn in_a_terminal(shell: &Shell, command: &str, shown: &str, keys: &str) -> String {
    let script = r#"
import os, pty, select, sys, time
command, shown, keys = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execv("/bin/sh", ["sh", "-c", command])
seen, typed, until = b"", False, time.time() + 30
while time.time() < until:
    if select.select([terminal], [], [], 0.1)[0]:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        seen += piece
    if not typed and shown.encode() in seen:
        os.write(terminal, keys.encode().decode("unicode_escape").encode())
        typed = True
else:
    # What hangs is to be told of, not waited for.
    os.kill(pid, 9)
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(seen.decode(errors="replace"), "status", status)
"#;
    let mut python = Command::new("python3");
    python.args(["-c", script, command, shown, keys]).current_dir(shell.path()).env("HOME", shell.path());
    let output = python.env_remove("HTTPS_PROXY").env_remove("https_proxy").output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

#[cfg(unix)]
#[test]
fn a_program_keeps_its_terminal() {
    let shell = Shell::new(ACME);
    let namewall = env!("CARGO_BIN_EXE_namewall");
    let asks = format!(
        "exec {namewall} run -- sh -c 'test -t 0 -a -t 1 -a -t 2 && printf \"name? \" && read name && echo got-$name'"
    );
    let seen = in_a_terminal(&shell, &asks, "name? ", "ann\\n");
    assert!(seen.contains("got-ann") && seen.contains("status 0"), "{seen}");
    // Ctrl-C is the program's: once, and it may do with it what it likes.
    let counts = format!(
        "exec {namewall} run -- sh -c 'trap \"echo caught; n=x$n\" INT; echo ready; sleep 1; sleep 1; echo n=$n'"
    );
    let seen = in_a_terminal(&shell, &counts, "ready", "\\x03");
    assert_eq!(seen.matches("caught").count(), 1, "{seen}");
    assert!(seen.contains("n=x\r") && seen.contains("status 0"), "{seen}");
    // Ctrl-Z stops both, and a shell brings both back.
    let stops =
        format!("set -m; {namewall} run -- sh -c 'echo ready; sleep 1; echo done' ; echo stopped; jobs; fg; echo back");
    let seen = in_a_terminal(&shell, &stops, "ready", "\\x1a");
    let at = |word: &str| seen.find(word).unwrap_or_else(|| panic!("{word}: {seen}"));
    assert!(at("ready") < at("stopped") && at("stopped") < at("done") && at("done") < at("back"), "{seen}");
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_is_left_behind_when_run_is_killed() {
    let shell = Shell::new(ACME);
    let ready = shell.path().join("ready");
    // The command, one that it started, one that has left for another session, and one that will not listen.
    let script = "(trap '' TERM; sh -c 'echo $$ >> pids; while :; do sleep 0.1; done') & sleep 60 & echo $! >> pids; \
                  setsid sh -c 'echo $$ >> pids; exec sleep 60' & sleep 1; echo $$ >> pids; mv pids ready; sleep 60; true";
    let mut child = shell.command(&["run", "--", "sh", "-c", script]).spawn().unwrap();
    wait_for(&ready);
    let pids: Vec<String> = std::fs::read_to_string(&ready).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(pids.len(), 4, "{pids:?}");
    let state = shell.path().join(".local/state/namewall");
    let files = || {
        let mut names: Vec<_> = std::fs::read_dir(&state).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let before = files();
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = Instant::now();
    while pids.iter().any(|pid| Path::new("/proc").join(pid).exists()) {
        assert!(begun.elapsed() < Duration::from_secs(10), "it still runs");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(files(), before);
}

#[cfg(unix)]
#[test]
fn stop_and_continue_reach_the_command() {
    let shell = Shell::new(ACME);
    let ready = shell.path().join("ready");
    let script = "trap 'touch continued' CONT; touch ready; while :; do sleep 0.05; done";
    let mut child = shell.command(&["run", "-q", "--", "sh", "-c", script]).spawn().unwrap();
    wait_for(&ready);
    let kill = |signal: &str| Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    let stopped = || {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        state.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
    };
    kill("-TSTP");
    let begun = Instant::now();
    while cfg!(target_os = "linux") && !stopped() {
        assert!(begun.elapsed() < Duration::from_secs(10), "not stopped");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill("-CONT");
    wait_for(&shell.path().join("continued"));
    kill("-TERM");
    assert_eq!(child.wait().unwrap().code(), Some(128 + 15));
}

#[cfg(unix)]
#[test]
fn env_keeps_what_the_user_has_and_gives_it_back() {
    let shell = Shell::new(ACME);
    let namewall = env!("CARGO_BIN_EXE_namewall");
    let corp = "-----BEGIN CERTIFICATE-----\nMIIBdDCCARqgAwIBAgIUHn";
    std::fs::write(shell.path().join("corp.pem"), corp).unwrap();
    let script = format!(
        "before=$(env | sort); export SSL_CERT_FILE=$PWD/corp.pem NO_PROXY=corp.example; mine=$(env | sort); \
         eval \"$({namewall} env)\"; eval \"$({namewall} env)\"; echo $SSL_CERT_FILE; \
         eval \"$({namewall} env --unset)\"; test \"$(env | sort | grep -v ^_=)\" = \"$(echo \"$mine\" | grep -v ^_=)\" && echo as-before"
    );
    let mut sh = Command::new("sh");
    sh.args(["-c", &script])
        .current_dir(shell.path())
        .env_clear()
        .env("HOME", shell.path())
        .env("PATH", "/usr/bin:/bin");
    let output = sh.output().unwrap();
    let text = stdout(&output);
    assert!(text.contains("as-before"), "{text}{}", stderr(&output));
    let bundle = text.lines().next().unwrap();
    assert!(Path::new(bundle).is_file() && bundle.contains("/.local/state/namewall/bundle"), "{text}");
    let github = shell.run(&["env", "--unset", "--format", "github"]);
    assert_eq!(github.status.code(), Some(2));
}

#[test]
fn what_cannot_start_ends_with_3() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let shell = Shell::new("");
    let output = shell.run(&["serve", "--listen", &address]);
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));
    std::fs::write(shell.path().join("file"), "").unwrap();
    let shell_with_file = Shell::new(&format!("[ca]\ndir = {:?}\n", shell.path().join("file/ca")));
    let output = shell_with_file.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(3), "{}", stderr(&output));
    assert!(stderr(&output).contains("file"), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn serve_says_when_it_is_ready_and_ends_on_sigterm() {
    let shell = Shell::new(ACME);
    let ready = shell.path().join("ready.json");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", "ready.json"];
    let mut child = shell.command(&arguments).stderr(Stdio::null()).spawn().unwrap();
    wait_for(&ready);
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
    assert_eq!(told["pid"], child.id());
    for key in ["ca", "bundle"] {
        assert!(Path::new(told[key].as_str().unwrap()).is_file(), "{key}");
    }
    std::net::TcpStream::connect(told["listen"][0].as_str().unwrap()).unwrap();
    for (path, part) in
        [("/livez", "200 OK"), ("/readyz", "200 OK"), ("/metrics", "namewall_policy_info"), ("/ca.pem", "BEGIN CERT")]
    {
        let answer = http_get(told["admin"].as_str().unwrap(), path);
        assert!(answer.contains(part), "{path}: {answer}");
    }
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn env_prints_what_a_shell_reads() {
    let shell = Shell::new("");
    let sh = shell.run(&["env", "--proxy", "http://127.0.0.1:1"]);
    assert!(stdout(&sh).contains("export HTTPS_PROXY='http://127.0.0.1:1'\n"));
    let json = shell.run(&["env", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["https_proxy"], "http://127.0.0.1:3128");
    assert!(Path::new(json["SSL_CERT_FILE"].as_str().unwrap()).is_file());
    let github = shell.run(&["env", "--format", "github"]);
    assert!(stdout(&github).lines().all(|line| line.contains('=') && !line.starts_with("export")));
    assert_eq!(shell.run(&["env", "--proxy", "nonsense"]).status.code(), Some(2));
}

#[test]
fn the_authority_is_made_once_and_shown() {
    let shell = Shell::new("");
    assert_eq!(shell.run(&["ca", "show"]).status.code(), Some(3), "there is none to show");
    assert_eq!(shell.run(&["ca", "init"]).status.code(), Some(0));
    let exported = stdout(&shell.run(&["ca", "export"]));
    assert!(exported.starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(shell.run(&["ca", "init"]).status.code(), Some(0));
    assert_eq!(stdout(&shell.run(&["ca", "export"])), exported, "a second init keeps it");
    let show = stdout(&shell.run(&["ca", "show"]));
    assert!(show.contains("pypi.org") && show.contains("files.pythonhosted.org"), "{show}");
    assert_eq!(shell.run(&["ca", "renew"]).status.code(), Some(0));
    assert_ne!(stdout(&shell.run(&["ca", "export"])), exported);
}

pub fn wait_for(path: &Path) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !path.exists() {
        assert!(Instant::now() < deadline, "{} did not appear", path.display());
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn http_get(address: &str, path: &str) -> String {
    use std::io::Read;
    let mut tcp = std::net::TcpStream::connect(address).unwrap();
    write!(tcp, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).unwrap();
    answer
}

#[cfg(unix)]
#[test]
fn sighup_reloads_the_rules_or_keeps_the_old_ones() {
    let shell = Shell::new("");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", "ready.json"];
    let mut child = shell.command(&arguments).stderr(Stdio::null()).spawn().unwrap();
    let ready = shell.path().join("ready.json");
    wait_for(&ready);
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
    let fingerprint = || {
        let metrics = http_get(told["admin"].as_str().unwrap(), "/metrics");
        let line = metrics.lines().find(|line| line.starts_with("namewall_policy_info")).unwrap();
        line.to_owned()
    };
    let reload = |config: &str| {
        std::fs::write(shell.path().join("namewall.toml"), config).unwrap();
        Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap();
    };
    let before = fingerprint();
    reload("[[protect]]\nthis is broken");
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(fingerprint(), before);
    reload(ACME);
    let deadline = Instant::now() + Duration::from_secs(10);
    while fingerprint() == before {
        assert!(Instant::now() < deadline, "the new rules are in force");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Mirrors of PyPI are tunnelled, as all hosts that nobody named; that is said in the log, and by `check`.
#[test]
fn a_public_mirror_is_told_of() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || server.incoming().take(1).for_each(drop));
    let config = format!("{ACME}[upstream]\nconnect-to = {{ \"mirrors.aliyun.com:443\" = \"{address}\" }}\n");
    let shell = Shell::new(&config);
    let log = shell.path().join("log");
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--ready-file", "ready.json"];
    let mut child = shell.command(&arguments).stderr(std::fs::File::create(&log).unwrap()).spawn().unwrap();
    let ready = shell.path().join("ready.json");
    wait_for(&ready);
    let told: serde_json::Value = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
    let mut tcp = std::net::TcpStream::connect(told["listen"][0].as_str().unwrap()).unwrap();
    tcp.write_all(b"CONNECT mirrors.aliyun.com:443 HTTP/1.1\r\nHost: mirrors.aliyun.com:443\r\n\r\nhello").unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while !std::fs::read_to_string(&log).unwrap().contains("public mirror of PyPI") {
        assert!(Instant::now() < deadline, "{}", std::fs::read_to_string(&log).unwrap());
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let check = shell.run(&["check"]);
    assert_eq!(check.status.code(), Some(0));
    assert!(
        stdout(&check).contains("known public mirrors") && stdout(&check).contains("[[intercept]]"),
        "{}",
        stdout(&check)
    );
    let mut with_mirror = shell.command(&["check"]);
    let check = with_mirror.env("PIP_INDEX_URL", "https://mirrors.aliyun.com/pypi/simple/").output().unwrap();
    assert!(stdout(&check).contains("warning: PIP_INDEX_URL leads to mirrors.aliyun.com"), "{}", stdout(&check));
}

#[test]
fn the_decision_log_says_what_each_rule_did() {
    let shell = Shell::new(&format!(
        "{ACME}[[protect]]\nid = \"idle\"\nnames = [\"idle\"]\nexpires = 2020-01-01\n[log]\ndecisions = \"d.jsonl\"\n"
    ));
    let line = |minute: u32, rule: &str, surface: &str, project: &str| {
        format!(
            r#"{{"ts":"2026-11-26T00:{minute:02}:00.000Z","decision":"hidden","surface":"{surface}","project":"{project}","rule":"{rule}","removed":0}}"#
        ) + "\n"
    };
    let log = [
        line(1, "acme", "page", "acme-core"),
        line(2, "acme", "page", "acme-core"),
        line(3, "acme", "file", "acme-data"),
        line(4, "gone", "page", "gone"),
        r#"{"ts":"2026-11-26T00:05"#.to_owned(),
    ]
    .concat();
    assert_eq!(shell.run(&["log", "--rules"]).status.code(), Some(2), "there is none yet");
    std::fs::write(shell.path().join("d.jsonl"), &log).unwrap();
    let output = shell.run(&["log", "--rules", "--top", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    insta::assert_snapshot!(stdout(&output), @r"
4 decisions from 2026-11-26T00:01:00.000Z to 2026-11-26T00:04:00.000Z
skipped, because they are no decisions: 1 lines

RULE                      HITS  FIRST                     LAST                      DECISIONS  SURFACES        NAMES
acme                      3     2026-11-26T00:01:00.000Z  2026-11-26T00:03:00.000Z  hidden 3   file 1, page 2  acme-core 2, others 1
gone (not in the config)  1     2026-11-26T00:04:00.000Z  2026-11-26T00:04:00.000Z  hidden 1   page 1          gone 1

never fired since 2026-11-26T00:01:00.000Z:
  idle (namewall.toml:5), expired after 2020-01-01
");
    let piped = shell.piped(&["log", "--format", "json", "--rules", "-"], &log);
    let json: serde_json::Value = serde_json::from_slice(&piped.stdout).unwrap();
    assert_eq!((&json["records"], &json["skipped_lines"]), (&4.into(), &1.into()));
    let acme = &json["rules"][0];
    assert_eq!((&acme["rule"], &acme["hits"], &acme["surfaces"]["page"]), (&"acme".into(), &3.into(), &2.into()));
    assert_eq!((&acme["names"][0]["name"], &acme["names"][0]["hits"]), (&"acme-core".into(), &2.into()));
    assert_eq!((&json["never_fired"][0]["rule"], &json["rules"][1]["in_config"]), (&"idle".into(), &false.into()));
    let twice = shell.run(&["log", "--format", "json", "--rules", "d.jsonl", "d.jsonl"]);
    assert!(stdout(&twice).contains("\"records\": 8"), "{}", stdout(&twice));
    for wrong in [&["log", "--rules", "namewall.toml"][..], &["log", "--rules", "no-such-file"], &["log"]] {
        assert_eq!(shell.run(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

/// A service manager that hears what it is told.
#[cfg(unix)]
#[test]
fn a_service_manager_is_told_of_all_phases() {
    use std::os::unix::net::UnixDatagram;
    let shell = Shell::new("[listen]\naddr = \"127.0.0.1:0\"\n");
    let socket = UnixDatagram::bind(shell.path().join("notify")).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let hear = || {
        let mut told = [0; 512];
        let length = socket.recv(&mut told).expect("nothing is told");
        String::from_utf8_lossy(&told[..length]).into_owned()
    };
    let mut command = shell.command(&["serve"]);
    command.env("NOTIFY_SOCKET", shell.path().join("notify")).env("WATCHDOG_USEC", "400000");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let signal = |name: &str| {
        assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
    };
    let hear_of = |wanted: &str| {
        let begun = Instant::now();
        let mut others = 0;
        loop {
            let told = hear();
            if told.contains(wanted) {
                return others;
            }
            others += u32::from(told.contains("WATCHDOG=1"));
            assert!(begun.elapsed() < Duration::from_secs(20), "{wanted} is not told");
        }
    };
    hear_of("READY=1");
    hear_of("WATCHDOG=1");
    hear_of("WATCHDOG=1");
    signal("-HUP");
    hear_of("RELOADING=1\nMONOTONIC_USEC=");
    hear_of("READY=1");
    signal("-TERM");
    hear_of("STOPPING=1");
    assert!(child.wait().unwrap().success());
}

/// `serve` in `shell`, which may open as many files, and what its ready file says.
#[cfg(unix)]
fn with_few_files(shell: &Shell, files: usize) -> (Serving, serde_json::Value) {
    let ready = shell.path().join("ready.json");
    let mut command = Command::new("bash");
    let start = format!(
        "ulimit -n {files}; exec {} serve --ready-file {} 2> {}",
        env!("CARGO_BIN_EXE_namewall"),
        ready.display(),
        shell.path().join("log").display()
    );
    command.args(["-c", &start]).current_dir(shell.path()).env("HOME", shell.path());
    for name in ["HTTPS_PROXY", "https_proxy", "NAMEWALL_CONFIG", "XDG_STATE_HOME"] {
        command.env_remove(name);
    }
    let child = Serving(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap());
    let begun = Instant::now();
    while !ready.exists() {
        assert!(begun.elapsed() < Duration::from_secs(20), "it is not ready");
        std::thread::sleep(Duration::from_millis(10));
    }
    let told = serde_json::from_slice(&std::fs::read(&ready).unwrap()).unwrap();
    (child, told)
}

/// Ends it, and gives what it has logged.
#[cfg(unix)]
fn ended(mut child: Serving, shell: &Shell) -> String {
    assert!(Command::new("kill").args(["-TERM", &child.0.id().to_string()]).status().unwrap().success());
    assert!(child.0.wait().unwrap().success());
    std::fs::read_to_string(shell.path().join("log")).unwrap()
}

/// The whole answer to a request, or what came until there was an error.
#[cfg(unix)]
fn answer(address: &str, path: &str, patience: Duration) -> std::io::Result<String> {
    let mut tcp = std::net::TcpStream::connect(address)?;
    write!(tcp, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    tcp.set_read_timeout(Some(patience))?;
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut tcp, &mut answer)?;
    Ok(answer)
}

/// With few file descriptors, who comes when none is left is served once there are some.
#[cfg(unix)]
#[test]
fn who_comes_when_no_descriptor_is_left_is_served_later() {
    let shell = Shell::new("[listen]\naddr = \"127.0.0.1:0\"\n");
    let (child, told) = with_few_files(&shell, 48);
    let address = told["listen"][0].as_str().unwrap().to_owned();
    let open: Vec<_> = (0..100).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    let early = answer(&address, "/", Duration::from_millis(500));
    assert!(early.is_err(), "{early:?}");
    drop(open);
    let begun = Instant::now();
    // Those who have gone may still have their places.
    while !answer(&address, "/", Duration::from_secs(20)).unwrap().starts_with("HTTP/1.1 400") {
        assert!(begun.elapsed() < Duration::from_secs(20));
    }
    let log = ended(child, &shell);
    assert_eq!(log.matches("cannot accept connections").count(), 1, "it is told once: {log}");
}

/// No more clients are served than there are file descriptors for, so that some are left for whoever asks how we do.
#[cfg(unix)]
#[test]
fn no_more_clients_are_served_than_there_are_descriptors_for() {
    let shell = Shell::new("[listen]\naddr = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n");
    let (child, told) = with_few_files(&shell, 200);
    let address = told["listen"][0].as_str().unwrap().to_owned();
    let open: Vec<_> = (0..100).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    let patience = Duration::from_secs(20);
    let refused = answer(&address, "/", patience).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after"), "{refused}");
    let metrics = answer(told["admin"].as_str().unwrap(), "/metrics", patience).unwrap();
    assert!(metrics.contains("namewall_turned_away_total{reason=\"connections\"} 51"), "{metrics}");
    drop(open);
    let log = ended(child, &shell);
    assert!(log.contains("fewer clients at once") && log.contains("served=50"), "{log}");
}
