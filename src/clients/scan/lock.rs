//! Reads a lock file that is a list of packages in TOML, as uv, poetry and pdm write it.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::entry::Entry;
use super::read::Lines;

#[derive(Deserialize)]
struct Lock<P> {
    // The alias is uv's, from before its format settled.
    #[serde(default = "Vec::new", rename = "package", alias = "distribution")]
    packages: Vec<P>,
}

/// A package as one tool writes it.
pub(super) trait Package: DeserializeOwned {
    /// What it says, whoever wrote it.
    fn entry(self, lines: &Lines) -> Entry;
}

/// The packages that `text` locks.
pub(super) fn read<P: Package>(text: &str) -> Result<Vec<Entry>, toml::de::Error> {
    let lock: Lock<P> = toml::from_str(text)?;
    let lines = Lines::of(text);
    Ok(lock.packages.into_iter().map(|package| package.entry(&lines)).collect())
}
