//! The clients: real pip and uv, each in an environment of its own, away from the user's settings and caches.

use std::ffi::OsStr;
use std::path::PathBuf;

use tokio::process::Command;

use super::python::Python;
use super::theatre::Theatre;
use super::troupe::Troupe;
use super::{Client, DemoError, cast};
use crate::clients::env;
use crate::proxy::Proxy;

/// Says which version is there, and lets the module speak for itself.
const PROOF: &str = "import importlib.metadata as m, acme_core; print(m.version('acme-core'))";

/// What of that is shown.
pub(super) const IMPORT: &str = "python -c 'import acme_core'";

/// What is ready to be played on.
#[derive(Debug)]
pub(super) struct Stage<'t> {
    theatre: &'t Theatre,
    troupe: Troupe,
    python: Python,
    uv: bool,
    /// With pip in it; one without rules, one with.
    environments: [PathBuf; 2],
}

/// An install that can begin.
struct Prepared {
    python: PathBuf,
    command: Command,
    typed: String,
}

/// One install, as it went.
#[derive(Debug)]
pub(super) struct Scene {
    /// What a user would have typed.
    pub(super) typed: String,
    /// The client's last word.
    pub(super) said: String,
    /// What the installed module says.
    pub(super) module: String,
    /// The version that is installed.
    pub(super) version: String,
}

impl<'t> Stage<'t> {
    /// Makes the environments for pip, both at the same time, and looks for uv.
    pub(super) async fn build(theatre: &'t Theatre, troupe: Troupe, python: Python) -> Result<Self, DemoError> {
        let folder = theatre.folder.path();
        let (first, second) = (folder.join("pip-open"), folder.join("pip-walled"));
        let (first, second) =
            tokio::try_join!(python.environment(&troupe, &first, true), python.environment(&troupe, &second, true))?;
        let uv = troupe.run(troupe.command("uv").arg("--version"), "uv").await.is_ok();
        Ok(Self { theatre, troupe, python, uv, environments: [first, second] })
    }

    /// Who plays.
    pub(super) fn clients(&self) -> Vec<Client> {
        if self.uv { vec![Client::Pip, Client::Uv] } else { vec![Client::Pip] }
    }

    /// Installs the private package with `client`, and looks at what came.
    pub(super) async fn install(&self, client: Client, protected: bool) -> Result<Scene, DemoError> {
        let Prepared { python, mut command, typed } = match client {
            Client::Pip => self.pip(protected),
            Client::Uv => self.uv(protected).await?,
        };
        let said = self.troupe.run(&mut command, &typed).await?;
        let proof = self.troupe.run(self.troupe.command(&python).args(["-c", PROOF]), IMPORT).await?;
        let (module, version) = proof.trim_end().rsplit_once('\n').unwrap_or_default();
        let (module, version) = (module.trim().to_owned(), version.trim().to_owned());
        Ok(Scene { typed, said: last_word(&said), module, version })
    }

    fn pip(&self, protected: bool) -> Prepared {
        let [open, walled] = &self.environments;
        let python = if protected { walled } else { open }.clone();
        let asked = ["install", cast::PACKAGE, "--extra-index-url", &self.theatre.private.url()];
        let mut command = self.command(&python, protected);
        command.args(["-m", "pip", "--no-cache-dir", "--disable-pip-version-check", "--no-input"]).args(asked);
        Prepared { python, command, typed: format!("pip {}", asked.join(" ")) }
    }

    /// With the order of indexes in which the attack works: uv takes the first `--index` that knows the name, before
    /// the default one.
    async fn uv(&self, protected: bool) -> Result<Prepared, DemoError> {
        let at = self.theatre.folder.path().join(if protected { "uv-walled" } else { "uv-open" });
        let python = self.python.environment(&self.troupe, &at, false).await?;
        let private = self.theatre.private.url();
        let index = "https://pypi.org/simple/";
        let asked = ["pip", "install", cast::PACKAGE, "--default-index", &private, "--index", index];
        let mut command = self.command("uv", protected);
        command.args(asked).args(["--no-cache", "--no-config", "--python"]).arg(&python);
        Ok(Prepared { python, command, typed: format!("uv {}", asked.join(" ")) })
    }

    /// A command whose traffic goes through the proxy that plays this half.
    fn command(&self, program: impl AsRef<OsStr>, protected: bool) -> Command {
        let proxy = if protected { &self.theatre.walled } else { &self.theatre.open };
        let mut command = self.troupe.command(program);
        command.envs(through(proxy)).env("PIP_CONFIG_FILE", if cfg!(windows) { "nul" } else { "/dev/null" });
        command
    }
}

fn through(proxy: &Proxy) -> Vec<env::Variable> {
    let address = proxy.addresses().first().map(ToString::to_string).unwrap_or_default();
    env::variables(&format!("http://{address}"), proxy.bundle(), proxy.ca(), None)
}

/// What the client says it has installed: pip in one line, uv in one line each.
fn last_word(said: &str) -> String {
    let installed = |line: &&str| line.starts_with("Successfully installed") || line.starts_with(" + ");
    let lines: Vec<&str> = said.lines().filter(installed).map(str::trim).collect();
    lines.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_of_either_client() {
        let pip = "Collecting acme-core\nSuccessfully installed acme-core-99.0 greetings-2.1\n";
        assert_eq!(last_word(pip), "Successfully installed acme-core-99.0 greetings-2.1");
        let uv = "Installed 2 packages in 3ms\n + acme-core==1.0\n + greetings==2.1\n";
        assert_eq!(last_word(uv), "+ acme-core==1.0  + greetings==2.1");
    }
}
