//! The house: both indexes, and a proxy without and one with the rule, all on free loopback ports and in one folder.

use std::fs;
use std::future::ready;
use std::path::Path;

use tempfile::TempDir;
use time::OffsetDateTime;

use super::{DemoError, cast};
use crate::config::environment::Environment;
use crate::config::{Overrides, Settings};
use crate::demo::{PrivateIndex, StandIn};
use crate::proxy::Proxy;

/// What stands before the first client plays. Dropping it takes everything down.
#[derive(Debug)]
pub(super) struct Theatre {
    pub(super) public: StandIn,
    pub(super) private: PrivateIndex,
    pub(super) open: Proxy,
    pub(super) walled: Proxy,
    pub(super) folder: TempDir,
}

impl Theatre {
    pub(super) async fn build() -> Result<Self, DemoError> {
        let folder = tempfile::Builder::new().prefix("namewall-demo-").tempdir().map_err(made)?;
        let [planted, ordinary] = cast::public().map_err(made)?;
        let public = StandIn::builder().project(planted).project(ordinary).start().await?;
        let private = PrivateIndex::start(cast::private().map_err(made)?).await.map_err(made)?;
        let open = proxy(&public, folder.path(), "open", "").await?;
        let rule = format!("[[protect]]\nid = \"{}\"\nnames = [\"{}\"]\n", cast::RULE, cast::PATTERN);
        let walled = proxy(&public, folder.path(), "walled", &rule).await?;
        Ok(Self { public, private, open, walled, folder })
    }

    /// Ends the proxies in order; nobody is left whose requests could be worth waiting for.
    pub(super) async fn close(self) {
        self.open.stop(ready(())).await;
        self.walled.stop(ready(())).await;
    }
}

/// What `HTTPS_PROXY` takes.
pub(super) fn url(proxy: &Proxy) -> String {
    format!("http://{}", proxy.addresses().first().map(ToString::to_string).unwrap_or_default())
}

/// A proxy as a config of its own says, that takes the stand-in for PyPI.
async fn proxy(public: &StandIn, folder: &Path, name: &str, rules: &str) -> Result<Proxy, DemoError> {
    let root = public.write_root(folder).map_err(made)?;
    let path = folder.join(format!("{name}.toml"));
    let ca = toml::Value::from(folder.join("ca").display().to_string());
    let upstream = public.upstream_table(&root);
    let config = format!("[listen]\naddr = [\"127.0.0.1:0\"]\n[ca]\ndir = {ca}\n{upstream}{rules}");
    fs::write(&path, config).map_err(made)?;
    let overrides = Overrides { config: Some(path), ..Overrides::default() };
    // The user's environment may name a parent proxy or another config: none of the story's business.
    let settings = Settings::load_from(&overrides, &Environment::default(), folder)?;
    let policy = settings.policy(OffsetDateTime::now_utc().date())?;
    Ok(Proxy::start(settings, policy).await?)
}

fn made(cause: std::io::Error) -> DemoError {
    DemoError::Io { what: "setting the stage in the temporary folder and on a loopback port", cause }
}
