//! Both indexes and a proxy for one test, and a client that installs through it.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use namewall::clients::env::variables;
use namewall::demo::{Artifact, PrivateIndex, Project, StandIn, Wheel};
use tempfile::TempDir;
use tokio::process::Command;

use crate::install::client;
use crate::pins::Pin;
use crate::support::{Builder, Namewall};

/// No client needs longer; pip tries again for some ten seconds before it gives up.
const LIMIT: Duration = Duration::from_secs(120);

/// What one test plays in.
pub(crate) struct World {
    pub(crate) pypi: StandIn,
    pub(crate) wall: Namewall,
    private: PrivateIndex,
}

/// What came of an install.
pub(crate) struct Installed {
    /// Whether the client was content.
    pub(crate) success: bool,
    /// All that it printed.
    pub(crate) said: String,
    folder: TempDir,
}

impl World {
    /// A proxy that protects nothing.
    pub(crate) async fn without_rules() -> Self {
        Self::with(|wall| wall).await
    }

    /// A proxy that protects `acme-*`.
    pub(crate) async fn protecting() -> Self {
        Self::with(|wall| wall.protect("acme", &["acme-*"])).await
    }

    async fn with(rules: impl FnOnce(Builder) -> Builder) -> Self {
        let pypi = StandIn::builder()
            .project(project(&acme("99.0")))
            .project(project(&Wheel::new("greetings", "2.1")))
            .project(project(&Wheel::new("paint", "3.0").requires("greetings")))
            .start()
            .await
            .unwrap();
        let private = PrivateIndex::start([project(&acme("1.0"))].into_iter().collect()).await.unwrap();
        let wall = rules(Namewall::before(&pypi)).start().await;
        Self { pypi, wall, private }
    }

    /// Installs `requirements` with `pin` into a fresh folder, from PyPI and the private index, as `namewall env` sets
    /// a client up and with nothing else of this machine's settings.
    pub(crate) async fn install(&self, pin: Pin, requirements: &[&str]) -> Installed {
        let folder = tempfile::tempdir().unwrap();
        let bin = client(pin);
        let mut command = match pin.name {
            "uv" => self.uv(&bin.join("uv"), &bin.join("python")),
            _ => self.pip(&bin.join("python")),
        };
        command.arg("--target").arg(folder.path().join("site")).args(requirements);
        let (success, said) = self.run(command, folder.path()).await;
        Installed { success, said, folder }
    }

    /// Runs a client in `folder`, as `namewall env` sets it up and with nothing else of this machine's settings. Whether
    /// it was content, and all that it printed.
    pub(crate) async fn run(&self, mut command: Command, folder: &Path) -> (bool, String) {
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", folder);
        command.envs(variables(&self.wall.url(), &self.wall.bundle(), &self.wall.ca(), None));
        // This machine may have an /etc/pip.conf.
        command.env("PIP_CONFIG_FILE", "/dev/null");
        command.current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
        let output = tokio::time::timeout(LIMIT, command.output()).await;
        let output = output.unwrap_or_else(|_| panic!("a client had not ended after {LIMIT:?}")).unwrap();
        let said = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    /// PyPI never heard the protected name: not in a request, not in a handshake.
    pub(crate) fn assert_nothing_leaked(&self) {
        let heard = self.pypi.mentions("acme");
        assert!(heard.is_empty(), "PyPI was asked: {heard:#?}");
        let shaken = self.pypi.handshakes();
        assert!(shaken.iter().all(|handshake| !format!("{handshake:?}").contains("acme")), "{shaken:?}");
    }

    fn pip(&self, python: &Path) -> Command {
        let mut command = Command::new(python);
        command.args(["-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check"]);
        command.args(["--extra-index-url", &self.private.url()]);
        command
    }

    /// The order of indexes in which the attack works: PyPI is asked first, and the first that knows a name is taken.
    fn uv(&self, uv: &Path, python: &Path) -> Command {
        let mut command = Command::new(uv);
        command.args(["pip", "install", "--no-cache", "--no-config", "--python"]).arg(python);
        command.args(["--default-index", &self.private.url(), "--index", "https://pypi.org/simple/"]);
        command
    }
}

impl Installed {
    /// The installed version of `project`, read from the folder that it left.
    pub(crate) fn version(&self, project: &str) -> Option<String> {
        let prefix = format!("{}-", project.replace('-', "_"));
        let site = fs::read_dir(self.folder.path().join("site")).ok()?;
        site.filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .find_map(|name| Some(name.strip_prefix(&prefix)?.strip_suffix(".dist-info")?.to_owned()))
    }
}

fn acme(version: &str) -> Wheel {
    Wheel::new("acme-core", version).module(&format!("VERSION = '{version}'\n")).requires("greetings")
}

fn project(wheel: &Wheel) -> Project {
    Project::new(wheel.name()).file(Artifact::wheel(wheel).unwrap())
}
