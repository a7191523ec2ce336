//! A CI job for one test: a folder, a stand-in for PyPI, a shell that runs a template's steps, and clients as the steps
//! have set them up.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use namewall::demo::{Artifact, Project, StandIn, Wheel};
use serde_json::Value;
use tempfile::TempDir;

use crate::install::client;
use crate::pins;
use crate::tools::{NAMEWALL, ended, linter, repository, said};

/// A job; whatever proxy it has started ends with it. Its commands are waited for by a whole thread, so that the stand-in
/// needs another to answer them: `#[tokio::test(flavor = "multi_thread")]`.
pub(crate) struct Job {
    pub(crate) pypi: StandIn,
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

impl Job {
    pub(crate) async fn new() -> Self {
        let wheel = |name, version| Project::new(name).file(Artifact::wheel(&Wheel::new(name, version)).unwrap());
        let pypi = StandIn::builder().project(wheel("acme-core", "99.0")).project(wheel("paint", "3.0"));
        let folder = tempfile::Builder::new().prefix("namewall-job-").tempdir().unwrap();
        let mut variables = BTreeMap::new();
        variables.insert("PATH".to_owned(), std::env::var("PATH").unwrap());
        variables.insert("HOME".to_owned(), folder.path().display().to_string());
        Self { pypi: pypi.start().await.unwrap(), folder, variables }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A config of the job's own, by which the stand-in is PyPI.
    pub(crate) fn config(&self, log: &str) -> String {
        let root = self.pypi.write_root(self.path()).unwrap();
        let file = self.path().join("own.toml");
        let upstream = self.pypi.upstream_table(&root);
        let text = format!("[listen]\naddr = [\"127.0.0.1:0\"]\n[ca]\ndir = \"ca\"\n[log]\n{log}\n{upstream}");
        fs::write(&file, text).unwrap();
        file.display().to_string()
    }

    /// Sets a variable for what comes.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Sets the variables that stand in `file`, one a line.
    pub(crate) fn set_from(&mut self, file: &Path) {
        for line in fs::read_to_string(file).unwrap_or_default().lines() {
            let (name, value) = line.split_once('=').unwrap();
            self.set(name, value);
        }
    }

    /// Runs `command` in the job's folder, with its variables and no others; its exit code and all that it prints.
    pub(crate) fn run(&self, command: &mut Command) -> (Option<i32>, String) {
        ended(command.env_clear().envs(&self.variables).current_dir(self.path()))
    }

    /// Packs the program under test as a wheel in the job's folder: its name, and its hash. Quicker than maturin's, which
    /// has tests of its own. It wants another project that no index is to be asked for.
    pub(crate) fn wheel(&self) -> (&'static str, String) {
        const NAME: &str = "namewall-0.1.0-py3-none-any.whl";
        let script = r"
import hashlib, sys, zipfile
program, name = sys.argv[1:]
parts = {
    '0.1.0.dist-info/METADATA': b'Metadata-Version: 2.1\nName: namewall\nVersion: 0.1.0\nRequires-Dist: acme-core\n',
    '0.1.0.dist-info/WHEEL': b'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n',
    '0.1.0.data/scripts/namewall': open(program, 'rb').read(),
}
with zipfile.ZipFile(name, 'w') as wheel:
    for part, content in parts.items():
        entry = zipfile.ZipInfo('namewall-' + part)
        entry.external_attr = 0o100755 << 16
        wheel.writestr(entry, content)
    wheel.writestr('namewall-0.1.0.dist-info/RECORD', ''.join(f'namewall-{part},,\n' for part in parts))
print(hashlib.sha256(open(name, 'rb').read()).hexdigest())
";
        let mut python = Command::new("python3");
        let hash = said(python.args(["-c", script, NAMEWALL, NAME]).current_dir(self.path()));
        (NAME, hash.trim().to_owned())
    }

    /// The shell command by which pip installs `requirement` into a folder.
    pub(crate) fn pip(&self, requirement: &str) -> String {
        let python = client(pins::NEWEST_PIP).join("python");
        let (python, site) = (python.display(), self.path().join("site").display().to_string());
        format!("PIP_CONFIG_FILE=/dev/null {python} -m pip install --no-cache-dir --target {site} '{requirement}'")
    }

    /// What a lock file that holds the stranger's file leads to.
    pub(crate) fn planted(&self) -> String {
        format!("acme-core @ {}", self.pypi.url_of("acme-core", "acme_core-99.0-py3-none-any.whl").unwrap())
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        // The CI's runner would do this. Each proxy has said who it is.
        for ready in glob::glob(&format!("{}/**/ready.json", self.path().display())).unwrap().flatten() {
            let ready: Value = serde_json::from_slice(&fs::read(ready).unwrap()).unwrap();
            let _ended = Command::new("kill").arg(ready["pid"].to_string()).status();
        }
    }
}

/// What a YAML file of the repository says.
pub(crate) fn yaml(file: &str) -> Value {
    let script =
        "import json, sys; from ruamel.yaml import YAML\nprint(json.dumps(YAML(typ='safe').load(open(sys.argv[1]))))";
    let mut python = Command::new(linter("python"));
    serde_json::from_str(&said(python.args(["-c", script]).arg(repository().join(file)))).unwrap()
}

/// Has the linter of shell scripts read `script`.
pub(crate) fn shellcheck(shell: &str, script: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("script");
    fs::write(&file, script).unwrap();
    said(Command::new(linter("shellcheck")).args(["--shell", shell]).arg(file));
}
