//! Who may use the proxy, by name and password: the users file, what a client says of itself, and whether that is so.

mod credentials;
mod file;
mod hash;
mod tag;
mod verify;

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

pub use self::credentials::{Credentials, Malformed};
pub use self::file::FileError;
pub use self::hash::{Hash, HashError};
pub use self::verify::{Outcome, Verifier};

/// The users of a file; at least one.
#[derive(Clone)]
pub struct Users {
    by_name: HashMap<Arc<str>, Hash>,
    /// The names in the order of the file.
    names: Vec<Arc<str>>,
    /// So that it can't be told from outside which hash is computed for a name that isn't there.
    chance: RandomState,
}

impl Users {
    /// Reads a users file.
    ///
    /// # Errors
    /// [`FileError`], of the first line that is wrong.
    pub fn parse(text: &str) -> Result<Self, FileError> {
        let mut users = Self { by_name: HashMap::new(), names: Vec::new(), chance: RandomState::new() };
        let mut lines = HashMap::new();
        for entry in file::entries(text) {
            let file::Entry { line, name, hash } = entry?;
            if let Some(first) = lines.insert(name, line) {
                return Err(FileError::twice(line, name, first));
            }
            let name: Arc<str> = name.into();
            users.names.push(Arc::clone(&name));
            users.by_name.insert(name, hash);
        }
        if users.names.is_empty() { Err(FileError::nobody()) } else { Ok(users) }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.names.len()
    }

    /// Never so.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Their names, in the order of the file.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }

    /// The user of this name, and the hash of the password.
    fn find(&self, name: &str) -> Option<(&Arc<str>, &Hash)> {
        self.by_name.get_key_value(name)
    }

    /// A hash to compute for a `name` that isn't there, so that it takes as long as for one that is: always the same one
    /// for the same name, and any of them.
    fn stand_in(&self, name: &str) -> Option<&Hash> {
        let chance = usize::try_from(self.chance.hash_one(name) >> 33).unwrap_or_default();
        self.by_name.get(self.names.get(chance.checked_rem(self.names.len())?)?)
    }
}

// Names alone: a hash that leaks is tried offline.
impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.names).finish()
    }
}

impl PartialEq for Users {
    fn eq(&self, other: &Self) -> bool {
        self.by_name == other.by_name
    }
}
