//! The system's trust store: our authority is put there, taken away and looked for, by the system's own tools.
//!
//! Only certificates get here, never a key: `ca install` runs as root, and what it needs is public.

mod anchors;
mod error;
mod keychain;
mod source;
mod windows;

use std::path::Path;
use std::process::{Command, Stdio};

use self::anchors::Anchors;
pub use self::error::StoreError;
use self::keychain::Keychain;
pub use self::source::{Held, Source};
use self::windows::RootStore;

/// The trust store of this machine.
#[derive(Debug)]
pub struct SystemStore(Kind);

#[derive(Debug)]
enum Kind {
    /// A folder and a tool that makes one bundle of what lies in it: Linux.
    Anchors(Anchors),
    /// macOS.
    Keychain(Keychain),
    /// Windows.
    RootStore(RootStore),
}

/// What the store holds of namewall's authorities.
#[derive(Debug)]
pub struct Holdings {
    /// Those that programs which use the store trust.
    trusted: Vec<Held>,
    /// Those that `install` put there from the same file, trusted or not (yet).
    ours: Vec<Held>,
}

/// What a command did to the store.
#[derive(Debug, Default)]
pub struct Change {
    /// What was added.
    pub added: Vec<Held>,
    /// What was taken away.
    pub removed: Vec<Held>,
}

impl SystemStore {
    /// The store of the system that runs, recognised by what is there.
    ///
    /// # Errors
    /// [`StoreError::NoStore`] and [`StoreError::NoTool`].
    pub fn here() -> Result<Self, StoreError> {
        Ok(Self(if cfg!(target_os = "macos") {
            Kind::Keychain(Keychain::here())
        } else if cfg!(windows) {
            Kind::RootStore(RootStore::here())
        } else {
            Kind::Anchors(Anchors::under(Path::new("/"))?)
        }))
    }

    /// How people call it.
    #[must_use]
    pub fn name(&self) -> String {
        match &self.0 {
            Kind::Anchors(anchors) => anchors.name(),
            Kind::Keychain(keychain) => keychain.name(),
            Kind::RootStore(_) => RootStore::name(),
        }
    }

    /// What it holds of namewall's authorities; `path` is the file that ours come from.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn holdings(&self, path: &Path) -> Result<Holdings, StoreError> {
        match &self.0 {
            Kind::Anchors(anchors) => anchors.holdings(path),
            Kind::Keychain(keychain) => keychain.holdings(path),
            Kind::RootStore(store) => store.holdings(path),
        }
    }

    /// Makes it hold the authorities of `source`, and of those that were installed from the same file no other. Does
    /// nothing if that is so.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn install(&self, source: &Source) -> Result<Change, StoreError> {
        let holdings = self.holdings(source.path())?;
        let wanted = source.certificates();
        let added: Vec<_> = wanted.iter().filter(|held| !holdings.trusts(held)).cloned().collect();
        let removed: Vec<_> = holdings.ours.into_iter().filter(|held| !wanted.contains(held)).collect();
        self.apply(source.path(), Change { added, removed })
    }

    /// Takes away what was installed from the file at `path`, which need not be there any more.
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn uninstall(&self, path: &Path) -> Result<Change, StoreError> {
        let removed = self.holdings(path)?.ours;
        self.apply(path, Change { added: Vec::new(), removed })
    }

    fn apply(&self, path: &Path, change: Change) -> Result<Change, StoreError> {
        if change.is_none() {
            return Ok(change);
        }
        match &self.0 {
            Kind::Anchors(anchors) => anchors.apply(path, &change)?,
            Kind::Keychain(keychain) => keychain.apply(&change)?,
            Kind::RootStore(store) => store.apply(&change)?,
        }
        // The tools end well over what they don't understand, too.
        let after = self.holdings(path)?;
        let missing = change.added.iter().find(|held| !after.trusts(held));
        match (missing, change.removed.iter().find(|held| after.trusts(held))) {
            (Some(held), _) => Err(StoreError::NotTaken { store: self.name(), subject: held.subject().to_owned() }),
            (None, Some(held)) => Err(StoreError::NotGone { store: self.name(), subject: held.subject().to_owned() }),
            (None, None) => Ok(change),
        }
    }
}

impl Holdings {
    /// Whether programs that use the store trust `held`.
    #[must_use]
    pub fn trusts(&self, held: &Held) -> bool {
        self.trusted.contains(held)
    }

    /// Those that aren't `wanted`: of this machine's earlier ones (`true`), and of others.
    pub fn others<'a>(&'a self, wanted: &'a [Held]) -> impl Iterator<Item = (&'a Held, bool)> {
        let unwanted = |held: &&Held| !wanted.contains(held);
        let ours = self.ours.iter().filter(unwanted).map(|held| (held, true));
        let foreign = self.trusted.iter().filter(unwanted).filter(|held| !self.ours.contains(held));
        ours.chain(foreign.map(|held| (held, false)))
    }
}

impl Change {
    /// Whether nothing had to be done.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }
}

/// Runs a tool of the system's, and gives what it printed.
fn run(command: &mut Command) -> Result<String, StoreError> {
    let said = |command: &Command| format!("{command:?}").replace('"', "");
    let output = command.stdin(Stdio::null()).output();
    let output = output.map_err(|reason| StoreError::Tool { command: said(command), said: reason.to_string() })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let mut text = String::from_utf8_lossy(&output.stderr).into_owned();
    if text.trim().is_empty() {
        text = String::from_utf8_lossy(&output.stdout).into_owned();
    }
    Err(StoreError::Tool { command: said(command), said: format!("{} ({})", text.trim(), output.status) })
}
