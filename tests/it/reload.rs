//! The config is changed, broken, mended and moved under a program that serves; the decision log is rotated.

#![cfg(unix)]

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

fn rule(name: &str) -> String {
    format!("[[protect]]\nid = \"{name}\"\nnames = [\"{name}\"]\n")
}

/// `namewall serve`, its admin listener and its log.
struct Serving {
    child: Child,
    folder: TempDir,
    told: Value,
}

impl Serving {
    /// Serves the config that `prepare` writes, and looks at it once in `pace` milliseconds.
    fn new(pace: u64, prepare: impl FnOnce(&Path)) -> Self {
        Self::with(&["--listen", "127.0.0.1:0"], pace, prepare)
    }

    fn with(arguments: &[&str], pace: u64, prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let ready = folder.path().join("ready.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_namewall"));
        command.arg("serve").args(arguments).args(["--admin", "127.0.0.1:0", "--ready-file", "ready.json"]);
        command.args(["--pace", &pace.to_string()]).current_dir(folder.path()).env_clear().env("HOME", folder.path());
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
        until("it is ready", || ready.exists());
        let told = serde_json::from_slice(&fs::read(&ready).unwrap()).unwrap();
        Self { child, folder, told }
    }

    fn of(pace: u64, config: &str) -> Self {
        Self::new(pace, |folder| fs::write(folder.join("namewall.toml"), config).unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, config: &str) {
        fs::write(self.path("namewall.toml"), config).unwrap();
    }

    fn hang_up(&self) {
        assert!(Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status().unwrap().success());
    }

    fn get(&self, path: &str) -> String {
        let address = self.told["admin"].as_str().unwrap();
        let mut tcp = TcpStream::connect(address).unwrap();
        write!(tcp, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).unwrap();
        answer
    }

    fn metric(&self, name: &str) -> String {
        let metrics = self.get("/metrics");
        metrics.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
    }

    fn fingerprint(&self) -> String {
        self.metric("namewall_policy_info")
    }

    fn reloads(&self, result: &str) -> u64 {
        self.metric(&format!("namewall_reloads_total{{result=\"{result}\"}}")).parse().unwrap()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap()
    }

    /// Waits until other rules than those of `before` are in force.
    fn until_other_than(&self, before: &str) -> String {
        until("other rules are in force", || self.fingerprint() != before);
        self.fingerprint()
    }

    /// Asks for what the rule hides; gives the answer's status line.
    fn ask(&self, path: &str) -> String {
        let mut tcp = TcpStream::connect(self.told["listen"][0].as_str().unwrap()).unwrap();
        write!(tcp, "GET http://pypi.org{path} HTTP/1.1\r\nhost: pypi.org\r\nconnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
        if std::thread::panicking() {
            let _said = std::io::stderr().write_all(self.log().as_bytes());
        }
    }
}

fn until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A certificate of its own for the proxy itself.
fn write_identity(folder: &Path) {
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap();
    fs::write(folder.join("proxy.pem"), certificate.pem()).unwrap();
    fs::write(folder.join("proxy.key"), key.serialize_pem()).unwrap();
}

#[test]
fn the_config_the_listeners_certificate_and_the_ca_are_refused_and_mended_each_by_itself() {
    const CONFIG: &str =
        "[ca]\ndir = \"ca\"\n[[listener]]\naddr = \"127.0.0.1:0\"\ncert = \"proxy.pem\"\nkey = \"proxy.key\"\n";
    let serving = Serving::with(&[], NEVER, |folder| {
        write_identity(folder);
        fs::write(folder.join("namewall.toml"), CONFIG).unwrap();
    });
    let ready = || serving.get("/readyz").split_once("\r\n\r\n").unwrap().1.to_owned();
    let refused = || {
        ["config", "certificates", "ca"]
            .map(|what| serving.metric(&format!("namewall_{what}_refused")).parse::<u64>().unwrap())
    };
    assert_eq!((ready().as_str(), refused()), ("ok\n", [0, 0, 0]));
    // At once on SIGHUP: nothing here waits for a second look.
    fs::write(serving.path("proxy.pem"), "junk").unwrap();
    serving.hang_up();
    until("the certificate is refused", || refused() == [0, 1, 0]);
    assert!(ready().contains("the listener's certificate `") && ready().contains("holds none"), "{}", ready());
    assert_eq!(serving.reloads("failed"), 1);
    // One that comes beside it, and goes by itself.
    let good = fs::read(serving.path("ca/ca.pem")).unwrap();
    fs::write(serving.path("ca/ca.pem"), "junk").unwrap();
    until("the CA is refused as well", || refused() == [0, 1, 1]);
    assert!(ready().contains("the CA on disk is refused since") && ready().lines().count() == 3, "{}", ready());
    serving.write("junk");
    serving.hang_up();
    until("and the config", || refused() == [1, 1, 1]);
    assert_eq!(ready().lines().count(), 4, "{}", ready());
    serving.write(CONFIG);
    write_identity(serving.folder.path());
    serving.hang_up();
    until("those are mended", || refused() == [0, 0, 1]);
    assert!(!ready().contains("the listener's") && ready().contains("the CA on disk"), "{}", ready());
    fs::write(serving.path("ca/ca.pem"), good).unwrap();
    serving.hang_up();
    until("all is well", || ready() == "ok\n");
    assert_eq!((refused(), serving.reloads("failed")), ([0, 0, 0], 3));
}

#[test]
fn a_ready_file_that_was_left_is_no_sign_of_a_proxy_that_cannot_start() {
    let folder = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (config, code) in [("", 3), ("junk", 2)] {
        fs::write(folder.path().join("namewall.toml"), config).unwrap();
        fs::write(folder.path().join("ready.json"), "{}").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_namewall"));
        command.args(["serve", "--listen", &address, "--ready-file", "ready.json"]);
        command.current_dir(folder.path()).env_clear().env("HOME", folder.path());
        let status = command.stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert_eq!(status.code(), Some(code));
        assert!(!folder.path().join("ready.json").exists(), "{config}");
    }
}

/// Never by itself: only a signal makes it look.
const NEVER: u64 = 3_600_000;

#[test]
fn a_users_file_is_read_again_and_a_broken_one_changes_nothing() {
    const OLD: &str = "ci:$2y$04$CkGmt0TpsIjhaxp2ZuMVPuEA45W.x/BbM24ouP37MXVchCtXNxP5S\n";
    const NEW: &str = "ci:$2y$04$XuNZ0ZyHYIYmrI0naDEqtOuHMZh8DvirxVZraT2h/eOiJaiIREB6y\n";
    let serving = Serving::new(50, |folder| {
        fs::write(folder.join("users"), OLD).unwrap();
        fs::write(folder.join("namewall.toml"), "[listen]\nusers = \"users\"\n").unwrap();
    });
    // `ci` with the password `secret` and with `other`.
    let admits = |token: &str| {
        let mut tcp = TcpStream::connect(serving.told["listen"][0].as_str().unwrap()).unwrap();
        write!(tcp, "CONNECT pypi.org:443 HTTP/1.0\r\nproxy-authorization: Basic {token}\r\n\r\n").unwrap();
        let mut status = [0; 12];
        tcp.read_exact(&mut status).unwrap();
        status.ends_with(b"200")
    };
    let (old, new) = ("Y2k6c2VjcmV0", "Y2k6b3RoZXI=");
    assert!(admits(old) && !admits(new));
    fs::write(serving.path("users"), "ci:$apr1$zzzzzzzz$zzzzzzzzzzzzzzzzzzzzzz\n").unwrap();
    until("the file is refused", || serving.reloads("failed") == 1);
    let ready = serving.get("/readyz");
    assert!(ready.contains("users:1: user `ci`") && !ready.contains("zzz"), "{ready}");
    assert!(!serving.log().contains("zzz"));
    assert!(admits(old) && !admits(new));
    fs::write(serving.path("users"), NEW).unwrap();
    until("the new password is right", || admits(new));
    assert!(!admits(old) && !serving.get("/readyz").contains("refused"));
    // Also when it is asked to read it.
    fs::write(serving.path("users"), OLD).unwrap();
    serving.hang_up();
    until("the old password is right again", || admits(old));
}

#[test]
fn a_signal_reads_the_rules_and_a_broken_config_changes_nothing() {
    let serving = Serving::of(NEVER, &rule("one"));
    let before = serving.fingerprint();
    assert_eq!((serving.reloads("ok"), serving.reloads("failed")), (0, 0));

    serving.write("[[protect]]\nid = \"one\"\nnaems = [\"one\"]\n");
    serving.hang_up();
    until("it is refused", || serving.reloads("failed") == 1);
    assert_eq!(serving.fingerprint(), before);
    let ready = serving.get("/readyz");
    assert!(ready.starts_with("HTTP/1.1 200"), "{ready}");
    for part in ["ok\n", "refused since 20", "naems", "namewall.toml:3:1"] {
        assert!(ready.contains(part), "{part}: {ready}");
    }
    assert_eq!(serving.metric("namewall_config_refused"), "1");
    let log = serving.log();
    let admin = format!("admin={}", serving.told["admin"].as_str().unwrap());
    assert!(log.contains("listen=\"127.0.0.1:") && log.contains(&admin) && !log.contains("Some("), "{log}");
    assert!(log.contains("unknown key `naems` (namewall.toml:3:1); `namewall check` shows all of it"), "{log}");
    assert!(!log.contains("naems = "), "the line itself, in which a password may stand: {log}");

    serving.write(&format!("{}[listen]\ndrain = \"7s\"\n", rule("two")));
    serving.hang_up();
    let after = serving.until_other_than(&before);
    assert!(serving.get("/readyz").ends_with("\r\n\r\nok\n"));
    assert_eq!((serving.reloads("ok"), serving.reloads("failed")), (1, 1));
    assert_eq!(serving.metric("namewall_config_refused"), "0");
    let log = serving.log();
    let print = |info: &str| info.split('"').nth(1).unwrap().to_owned();
    for part in [print(&before), print(&after), "rules=1".into(), "take a restart: listen.drain\n".into()] {
        assert!(log.contains(&part), "{part}: {log}");
    }
    serving.hang_up();
    until("it is read again", || serving.reloads("ok") == 2);
    assert_eq!(serving.log().matches("take a restart").count(), 1, "said once");
}

#[test]
fn a_file_that_comes_into_a_folder_below_is_noticed() {
    let serving = Serving::new(50, |folder| {
        fs::create_dir_all(folder.join("teams/a/rules")).unwrap();
        fs::write(folder.join("namewall.toml"), format!("include = [\"teams/*/rules/*.toml\"]\n{}", rule("one")))
            .unwrap();
    });
    let first = serving.fingerprint();
    fs::write(serving.path("teams/a/rules/two.toml"), rule("two")).unwrap();
    let second = serving.until_other_than(&first);
    fs::create_dir(serving.path("teams/b")).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    fs::create_dir(serving.path("teams/b/rules")).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    fs::write(serving.path("teams/b/rules/three.toml"), rule("three")).unwrap();
    serving.until_other_than(&second);
}

#[test]
fn an_assertion_that_fails_changes_nothing() {
    let serving = Serving::of(50, &rule("one"));
    let before = serving.fingerprint();
    serving.write(&format!("{}[[assert]]\nprotected = [\"one\"]\n", rule("two")));
    until("it is refused", || serving.reloads("failed") == 1);
    assert_eq!(serving.fingerprint(), before);
    assert!(serving.get("/readyz").contains("`one` is asserted to be protected"), "{}", serving.get("/readyz"));
}

#[test]
fn a_change_is_noticed_however_it_is_made() {
    let serving = Serving::of(50, &rule("one"));
    let first = serving.fingerprint();
    // In place.
    serving.write(&rule("two"));
    let second = serving.until_other_than(&first);
    // By an editor that renames the new over the old, of the same length.
    fs::write(serving.path("new"), rule("six")).unwrap();
    fs::rename(serving.path("new"), serving.path("namewall.toml")).unwrap();
    let third = serving.until_other_than(&second);
    // Deleted: the rules stay, since a config that is gone is no permission; then made anew.
    fs::remove_file(serving.path("namewall.toml")).unwrap();
    until("it is missed", || serving.get("/readyz").contains("is gone"));
    assert_eq!(serving.fingerprint(), third);
    serving.write(&rule("one"));
    until("the first rules are in force", || serving.fingerprint() == first);
    until("all is well", || serving.get("/readyz").ends_with("\r\n\r\nok\n"));
    // Emptied, as a full disk does it.
    serving.write("");
    until("it is missed", || serving.get("/readyz").contains("is empty"));
    assert_eq!(serving.fingerprint(), first);
    serving.write(&rule("one"));
    until("all is well", || serving.get("/readyz").ends_with("\r\n\r\nok\n"));
    // A file that nobody may read; root reads all the same, so that only the end of it is tested.
    fs::set_permissions(serving.path("namewall.toml"), fs::Permissions::from_mode(0o000)).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    fs::set_permissions(serving.path("namewall.toml"), fs::Permissions::from_mode(0o600)).unwrap();
    until("all is well", || serving.get("/readyz").ends_with("\r\n\r\nok\n"));
}

#[test]
fn a_volume_of_kubernetes_is_followed() {
    let version = |folder: &Path, name: &str, config: &str| {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join("namewall.toml"), config).unwrap();
    };
    let serving = Serving::new(50, |folder| {
        version(folder, "..2026_11_26_1", &rule("one"));
        symlink("..2026_11_26_1", folder.join("..data")).unwrap();
        symlink("..data/namewall.toml", folder.join("namewall.toml")).unwrap();
    });
    let before = serving.fingerprint();
    // As the kubelet's atomic writer does it.
    version(serving.folder.path(), "..2026_11_26_2", &rule("two"));
    symlink("..2026_11_26_2", serving.path("..data_tmp")).unwrap();
    fs::rename(serving.path("..data_tmp"), serving.path("..data")).unwrap();
    fs::remove_dir_all(serving.path("..2026_11_26_1")).unwrap();
    serving.until_other_than(&before);
    assert_eq!((serving.reloads("ok"), serving.reloads("failed")), (1, 0));
}

#[test]
fn a_config_that_is_written_slowly_is_read_whole() {
    let serving = Serving::of(1200, &rule("one"));
    let before = serving.fingerprint();
    let mut file = fs::File::create(serving.path("namewall.toml")).unwrap();
    for piece in rule("two").as_bytes().chunks(4) {
        file.write_all(piece).unwrap();
        std::thread::sleep(Duration::from_millis(10));
    }
    serving.until_other_than(&before);
    assert_eq!((serving.reloads("ok"), serving.reloads("failed")), (1, 0));
}

#[test]
fn a_request_is_judged_by_the_rules_of_now() {
    // PyPI is a port that nobody listens on.
    let nowhere =
        "[upstream]\nconnect-to = { \"pypi.org:443\" = \"127.0.0.1:1\", \"pypi.org:80\" = \"127.0.0.1:1\" }\n";
    let serving = Serving::of(NEVER, &format!("{}{nowhere}", rule("one")));
    assert!(serving.ask("/simple/two/").contains("502"), "{}", serving.ask("/simple/two/"));
    serving.write(&format!("{}{nowhere}", rule("two")));
    let before = serving.fingerprint();
    serving.hang_up();
    serving.until_other_than(&before);
    assert!(serving.ask("/simple/two/").contains("404"));
}

#[test]
fn a_rotated_decision_log_loses_nothing() {
    let config = format!("{}[log]\ndecisions = \"decisions.jsonl\"\n", rule("one"));
    let serving = Serving::of(NEVER, &config);
    let (path, old) = (serving.path("decisions.jsonl"), serving.path("decisions.jsonl.1"));
    let lines = |path: &Path| fs::read_to_string(path).unwrap_or_default().lines().count();
    let hidden = |from: usize, to: usize| {
        for _ in from..to {
            assert!(serving.ask("/simple/one/").contains("404"));
        }
    };
    hidden(0, 5);
    fs::rename(&path, &old).unwrap();
    hidden(5, 10);
    until("what comes before the signal is in the old file", || lines(&old) == 10);
    serving.hang_up();
    until("the new file is there", || path.exists());
    hidden(10, 15);
    until("what comes after it is in the new file", || lines(&path) == 5);
    assert_eq!(lines(&old), 10);
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o137, 0, "not for everybody");
}
