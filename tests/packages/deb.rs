//! The Debian package: built, looked at, installed below a folder, upgraded, purged; and its unit.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::tools::{NAMEWALL, cargo_deb, ended, repository, said, target};

/// The package, with the program of these tests in it.
fn package() -> PathBuf {
    let built = target().join("packages");
    let _nothing_there = fs::remove_dir_all(built.join("debian"));
    fs::create_dir_all(built.join("release")).unwrap();
    fs::copy(NAMEWALL, built.join("release/namewall")).unwrap();
    let path = std::env::join_paths(
        [cargo_deb()].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut build = Command::new(repository().join("packaging/deb/build"));
    said(build.arg("--no-build").env("CARGO_TARGET_DIR", &built).env("PATH", path.unwrap()));
    fs::read_dir(built.join("debian")).unwrap().next().unwrap().unwrap().path()
}

/// A folder that dpkg takes for a machine.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for part in ["updates", "info"] {
            fs::create_dir_all(folder.path().join("var/lib/dpkg").join(part)).unwrap();
        }
        fs::write(folder.path().join("var/lib/dpkg/status"), "").unwrap();
        fs::create_dir(folder.path().join("etc")).unwrap();
        Self(folder)
    }

    fn path(&self, file: &str) -> PathBuf {
        self.0.path().join(file)
    }

    /// Runs dpkg where this machine's own systemd is out of sight; maintainer scripts are told of the folder.
    fn dpkg(&self, arguments: &[&str]) -> String {
        let script = "mount -t tmpfs tmpfs /run && exec dpkg \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh", "--force-depends", "--force-script-chrootless"]);
        said(command.arg(format!("--root={}", self.0.path().display())).args(arguments))
    }
}

#[test]
fn the_package_is_installed_upgraded_and_purged() {
    let package = package();
    let file = package.to_str().unwrap();
    let listed = said(Command::new("dpkg-deb").args(["-c", file]));
    for (mode, path) in [
        ("-rwxr-xr-x", "./usr/bin/namewall"),
        ("-rw-r--r--", "./etc/namewall/namewall.toml"),
        ("-rw-r--r--", "./usr/lib/sysusers.d/namewall.conf"),
        ("-rw-r--r--", "./usr/share/man/man1/namewall-serve.1.gz"),
        ("-rw-r--r--", "./usr/share/bash-completion/completions/namewall"),
        ("-rw-r--r--", "./usr/share/zsh/vendor-completions/_namewall"),
        ("-rw-r--r--", "./usr/share/fish/vendor_completions.d/namewall.fish"),
        ("-rw-r--r--", "./usr/share/doc/namewall/copyright"),
        ("-rw-r--r--", "./usr/share/doc/namewall/changelog.Debian.gz"),
        ("-rw-r--r--", "./usr/share/doc/namewall/examples/haproxy.cfg"),
        ("-rw-r--r--", "./usr/share/doc/namewall/examples/systemd/namewall.socket"),
    ] {
        let line = listed.lines().find(|line| line.ends_with(path)).unwrap_or_else(|| panic!("{path}: {listed}"));
        assert!(line.starts_with(mode) && line.contains(" 0/0 "), "{line}");
    }
    let field = |name: &str| said(Command::new("dpkg-deb").args(["-f", file, name]));
    assert!(field("Version").starts_with(env!("CARGO_PKG_VERSION")));
    let changes = fs::read_to_string(repository().join("packaging/deb/changelog")).unwrap();
    assert!(changes.starts_with(&format!("namewall ({}) ", field("Version").trim())), "{changes}");
    for needed in ["libc6", "ca-certificates"] {
        assert!(field("Depends").contains(needed), "{}", field("Depends"));
    }

    let machine = Machine::new();
    machine.dpkg(&["--install", file]);
    let users = fs::read_to_string(machine.path("etc/passwd")).unwrap();
    assert!(users.lines().any(|user| user.starts_with("namewall:") && user.contains(":/var/lib/namewall:")), "{users}");
    let wanted = machine.path("etc/systemd/system/multi-user.target.wants/namewall.service");
    assert!(wanted.is_symlink(), "the service is not enabled");
    let config = machine.path("etc/namewall/namewall.toml");
    let check = |config: &Path| ended(Command::new(NAMEWALL).args(["check", "--config"]).arg(config));
    assert_eq!(check(&config).0, Some(0), "{}", check(&config).1);

    // What the machine's owner has written outlives an upgrade.
    let rule = "[[protect]]\nid = \"acme\"\nnames = [\"acme-*\"]\n";
    fs::write(&config, fs::read_to_string(&config).unwrap() + rule).unwrap();
    fs::create_dir(machine.path("etc/namewall/rules.d")).unwrap();
    fs::write(machine.path("etc/namewall/rules.d/team.toml"), rule.replace("acme", "team")).unwrap();
    machine.dpkg(&["--install", file]);
    let explain = |name: &str| ended(Command::new(NAMEWALL).args(["explain", name, "--config"]).arg(&config));
    assert_eq!((explain("acme-core").0, explain("team-1").0, explain("requests").0), (Some(1), Some(1), Some(0)));

    machine.dpkg(&["--purge", "namewall"]);
    assert!(!config.exists() && !wanted.is_symlink() && !machine.path("usr/bin/namewall").exists());
}

#[test]
fn systemd_understands_the_unit_and_finds_it_closed() {
    let folder = tempfile::tempdir().unwrap();
    let unit = fs::read_to_string(repository().join("packaging/systemd/namewall.service")).unwrap();
    let file = folder.path().join("namewall.service");
    // systemd looks whether the programs are there.
    fs::write(&file, unit.replace("/usr/bin/namewall", NAMEWALL)).unwrap();
    let analyze = |arguments: &[&str]| said(Command::new("systemd-analyze").args(arguments).arg(&file));
    let told = analyze(&["verify", "--man=no"]);
    assert!(!told.contains("namewall.service"), "{told}");
    // The higher the more open; most units of a Debian machine are at 9.
    let told = analyze(&["security", "--offline=true", "--no-pager", "--threshold=20"]);
    assert!(told.contains("OK"), "{told}");
}
