//! The keys of objects: none stands twice in one, however it is written, and no object costs quadratic time.

use super::{Reader, Text};
use crate::pypi::Malformed;

/// Up to this many keys are compared one by one; more are sorted, so that no object costs quadratic time.
pub(super) const FEW_KEYS: usize = 16;

/// An object that is being read.
pub(super) struct OpenObject {
    /// Where its keys begin among those of all objects that are open.
    first_key: usize,
    /// One bit for each kind of key that it has: most keys are the only one of their kind, and needn't be compared.
    seen: u64,
}

impl<'a> Reader<'a> {
    /// Reads a key and its colon, and refuses a key that the open object has already (Python's reader would take the last).
    #[inline]
    pub(super) fn key(&mut self, open: &mut OpenObject) -> Result<Text<'a>, Malformed> {
        let key = self.text()?;
        if self.checked {
            self.expect(b':', "`:` is missing after a key")?;
            return Ok(key);
        }
        if key.escaped && key.decode().is_err() {
            return Err(self.syntax("a key has half a surrogate pair"));
        }
        if open.may_have(key) {
            let others = self.keys.get(open.first_key..).unwrap_or_default();
            if others.len() < FEW_KEYS && others.iter().any(|other| other.says_the_same(key)) {
                return Err(self.syntax("a key stands twice in an object"));
            }
        }
        self.keys.push(key);
        self.expect(b':', "`:` is missing after a key")?;
        Ok(key)
    }

    /// The object has ended: its keys are no others' neighbours.
    pub(super) fn forget_keys(&mut self, open: &OpenObject) -> Result<(), Malformed> {
        let keys = self.keys.get(open.first_key..).unwrap_or_default();
        if keys.len() > FEW_KEYS {
            let mut keys = keys.iter().map(|key| key.decode_bytes()).collect::<Result<Vec<_>, _>>()?;
            keys.sort_unstable();
            if keys.windows(2).any(|pair| matches!(pair, [one, other] if one == other)) {
                return Err(self.syntax("a key stands twice in an object"));
            }
        }
        self.keys.truncate(open.first_key);
        Ok(())
    }
}

impl OpenObject {
    /// An object that begins while those are open to which `keys` belong.
    pub(super) const fn new(keys: &[Text<'_>]) -> Self {
        Self { first_key: keys.len(), seen: 0 }
    }

    /// Whether a key that was asked for before could say the same as `key`; remembers `key`.
    #[inline]
    pub(super) fn may_have(&mut self, key: Text<'_>) -> bool {
        let [first, .., last] = key.inner else { return true };
        if key.escaped {
            // It may say what any other one says, also one to come.
            self.seen = u64::MAX;
            return true;
        }
        let kind = usize::from(*first) ^ (usize::from(*last) << 1) ^ (key.inner.len() << 2);
        let mark = 1 << (kind % 64);
        let may_have = self.seen & mark != 0;
        self.seen |= mark;
        may_have
    }
}
