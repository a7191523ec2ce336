//! Both indexes, a proxy with rules, and a way past it, for one test; and clients that are run there.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use namewall::clients::env::variables;
use namewall::demo::{Artifact, PrivateIndex, Project, StandIn, Wheel};
use tempfile::TempDir;
use tokio::process::Command;

use crate::relay::Relay;
use crate::sdist;
use crate::support::Namewall;

/// No client needs longer; pip tries again for some ten seconds before it gives up.
const LIMIT: Duration = Duration::from_secs(180);

/// The planted file.
pub(crate) const PLANTED: &str = "acme_core-99.0-py3-none-any.whl";

/// For how long clients may keep a page without asking again, in this world.
pub(crate) const PAGE_AGE: Duration = Duration::from_secs(1);

/// What one test plays in.
pub(crate) struct World {
    pub(crate) pypi: StandIn,
    pub(crate) wall: Namewall,
    pub(crate) private: PrivateIndex,
    past: Relay,
    root: PathBuf,
    _folder: TempDir,
}

/// How a client gets to PyPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Through namewall.
    Wall,
    /// Past it, as if there were none.
    Past,
}

impl World {
    /// PyPI has a stranger's acme-core, the private index the company's; namewall protects `acme-*`, and holds the newest
    /// wheel of an innocent project back.
    pub(crate) async fn protecting() -> Self {
        Self::listening("").await
    }

    /// The same, with these lines in the `[listen]` table.
    pub(crate) async fn listening(lines: &str) -> Self {
        let pypi = StandIn::builder()
            .project(project(&[acme("99.0")]))
            .project(project(&[Wheel::new("greetings", "2.1")]))
            .project(project(&[Wheel::new("paint", "3.0").requires("greetings")]))
            .project(project(&[Wheel::new("dye", "1.0"), Wheel::new("dye", "2.0")]))
            .project(Project::new("crayon").file(sdist::sdist("crayon", "1.4")))
            .project(Project::new(sdist::BACKEND).file(sdist::backend()))
            .pages_kept_for(PAGE_AGE)
            .start()
            .await
            .unwrap();
        let private = PrivateIndex::start([project(&[acme("1.0")])].into_iter().collect()).await.unwrap();
        let wall = Namewall::before(&pypi).listen(lines).protect("acme", &["acme-*"]);
        let wall = wall.config("[[protect]]\nid = \"recalled\"\nfiles = [\"dye-2.0-*\"]\n").start().await;
        let past = Relay::to(pypi.address()).await;
        let folder = tempfile::tempdir().unwrap();
        let root = pypi.write_root(folder.path()).unwrap();
        Self { pypi, wall, private, past, root, _folder: folder }
    }

    /// Runs a client in `folder`, as `namewall env` sets it up and with nothing else of this machine's settings. Whether
    /// it was content, and all that it printed.
    pub(crate) async fn run(&self, command: Command, folder: &Path) -> (bool, String) {
        self.run_by(Way::Wall, command, folder, folder).await
    }

    /// The same by any way, with a home that need not be where it runs.
    pub(crate) async fn run_by(&self, way: Way, mut command: Command, home: &Path, folder: &Path) -> (bool, String) {
        // The client's own folder first: some look for a Python, and must not find a wrapper that wants another home.
        let bin = Path::new(command.as_std().get_program()).parent().unwrap().to_owned();
        let path = std::env::join_paths([bin, "/usr/bin".into(), "/bin".into()]).unwrap();
        let own = command.as_std().get_envs().map(|(name, value)| (name.to_owned(), value.unwrap().to_owned()));
        let own: Vec<_> = own.collect();
        command.env_clear().env("PATH", path).env("HOME", home).env("LANG", "C.UTF-8");
        command.envs(match way {
            Way::Wall => variables(&self.wall.url(), &self.wall.bundle(), &self.wall.ca(), None),
            Way::Past => variables(&self.past.url(), &self.root, &self.root, None),
        });
        // This machine may have an /etc/pip.conf.
        command.env("PIP_CONFIG_FILE", "/dev/null").envs(own);
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
}

fn acme(version: &str) -> Wheel {
    Wheel::new("acme-core", version).module(&format!("VERSION = '{version}'\n")).requires("greetings")
}

/// The project of these wheels.
fn project(wheels: &[Wheel]) -> Project {
    let files = wheels.iter().map(|wheel| Artifact::wheel(wheel).unwrap());
    files.fold(Project::new(wheels[0].name()), Project::file)
}
