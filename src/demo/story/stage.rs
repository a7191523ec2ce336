//! The stage: for each half an environment of its own, away from the user's settings and caches, and its proxy.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use super::python::Python;
use super::roles::{self, Line};
use super::theatre::{Theatre, url};
use super::troupe::Troupe;
use super::{Client, DemoError};
use crate::clients::env;

/// Says which version is there, and lets the module speak for itself.
const PROOF: &str = "import importlib.metadata as m, acme_core; print(m.version('acme-core'))";

/// What of that is shown.
pub(super) const IMPORT: &str = "python -c 'import acme_core'";

/// What is ready to be played on.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) theatre: Theatre,
    pub(super) client: Client,
    pub(super) open: Half,
    pub(super) walled: Half,
    troupe: Troupe,
}

/// Where one half is played.
#[derive(Debug)]
pub(super) struct Half {
    /// The environment's folder.
    pub(super) at: PathBuf,
    /// Its Python.
    python: PathBuf,
}

/// What came of an install.
#[derive(Debug)]
pub(super) struct Proof {
    /// What the installed module says.
    pub(super) module: String,
    /// The version that is installed.
    pub(super) version: String,
}

impl Stage {
    /// Makes both environments at the same time.
    pub(super) async fn build(
        theatre: Theatre,
        troupe: Troupe,
        python: &Python,
        client: Client,
    ) -> Result<Self, DemoError> {
        let half = async |name: &str| {
            let at = theatre.folder.path().join(name);
            let python = python.environment(&troupe, &at, client == Client::Pip).await?;
            let dressed = |cause| DemoError::Io { what: "writing a project in the temporary folder", cause };
            roles::dress(client, &at).map_err(dressed)?;
            Ok::<_, DemoError>(Half { at, python })
        };
        let (open, walled) = tokio::try_join!(half("without"), half("with"))?;
        Ok(Self { theatre, client, open, walled, troupe })
    }

    /// What the client is told to do in one half.
    pub(super) fn lines(&self) -> Vec<Line> {
        roles::lines(self.client, &self.theatre.private.url())
    }

    /// Runs one command; gives what it says of what it has installed.
    pub(super) async fn perform(&self, line: &Line, protected: bool) -> Result<String, DemoError> {
        let half = self.half(protected);
        let mut command = line.command(self.client, &self.troupe, &half.python);
        self.prepare(&mut command, protected);
        let said = self.troupe.run(&mut command, &line.typed).await?;
        Ok(roles::last_word(&said))
    }

    /// Looks at what was installed in one half.
    pub(super) async fn proof(&self, protected: bool) -> Result<Proof, DemoError> {
        let mut command = self.troupe.command(&self.half(protected).python);
        let said = self.troupe.run(command.args(["-c", PROOF]), IMPORT).await?;
        let (module, version) = said.trim_end().rsplit_once('\n').unwrap_or_default();
        Ok(Proof { module: module.trim().to_owned(), version: version.trim().to_owned() })
    }

    /// The variables of one half: through its proxy, into its environment.
    pub(super) fn variables(&self, protected: bool) -> Vec<env::Variable> {
        let proxy = if protected { &self.theatre.walled } else { &self.theatre.open };
        let mut variables = env::variables(&url(proxy), proxy.bundle(), proxy.ca(), None);
        variables.extend(roles::apart(&self.half(protected).at));
        variables
    }

    /// Ends the proxies in order.
    pub(super) async fn close(self) {
        self.theatre.close().await;
    }

    fn half(&self, protected: bool) -> &Half {
        if protected { &self.walled } else { &self.open }
    }

    fn prepare(&self, command: &mut Command, protected: bool) {
        command.envs(self.variables(protected)).current_dir(&self.half(protected).at);
    }
}

impl Half {
    /// The folder of the environment's programs.
    pub(super) fn programs(&self) -> &Path {
        self.python.parent().unwrap_or(&self.at)
    }
}
