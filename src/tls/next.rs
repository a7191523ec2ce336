//! The pair that comes next: one file (`ca-next.pem`: its moment, key and certificate), which appears by one rename.
//!
//! `ca.pem` then holds both certificates, that in force first. From its moment on the next one signs wherever the file is
//! read; whoever may write makes it the pair later, by renaming `ca-next.pem` to `ca-pending.pem`.

use std::fs;
use std::io;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::error::{CaError, Remedy};
use super::store::{Locked, Pair, Store, exists, read_key};
use crate::files::{self, Readers};

/// The pair that comes next, and when.
#[derive(Clone)]
pub(super) struct Next {
    pub(super) pair: Pair,
    pub(super) from: OffsetDateTime,
}

impl Store {
    /// The pair that comes next, if there is one. To be read before the pair: what is no longer there is the pair by then.
    ///
    /// # Errors
    /// [`CaError::Unreadable`], [`CaError::KeyExposed`]; [`CaError::NotAKey`] when it is no file of ours.
    pub(super) fn read_next(&self) -> Result<Option<Next>, CaError> {
        if !exists(&self.next)? {
            return Ok(None);
        }
        match read_key(&self.next) {
            Ok(text) => Next::parse(&text)
                .map(Some)
                .ok_or_else(|| CaError::NotAKey { path: self.next.clone(), remedy: Remedy::Renew }),
            // It has become the pair since.
            Err(CaError::Unreadable { reason, .. }) if reason.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl Locked<'_> {
    /// Lets `next` come after what is there. Clients that are given `ca.pem` from now on trust both.
    ///
    /// # Errors
    /// [`CaError::Unwritable`].
    pub(super) fn announce(&self, next: &Next) -> Result<(), CaError> {
        self.hide_next()
            .and_then(|()| files::replace_durably(&self.store.next, next.to_text().as_bytes(), Readers::Owner))
            .and_then(|()| files::sync_folder(&self.store.dir))
            .and_then(|()| self.show_next())
            .map_err(|reason| self.store.unwritable(reason))
    }

    /// Makes what came next the pair.
    ///
    /// # Errors
    /// [`CaError::Unwritable`].
    pub(super) fn succeed(&self) -> Result<(), CaError> {
        fs::rename(&self.store.next, &self.store.pending)
            .and_then(|()| files::sync_folder(&self.store.dir))
            .and_then(|()| self.finish())
            .map_err(|reason| self.store.unwritable(reason))
    }

    /// Puts the certificate that comes next behind that in force. Repeating it does no harm.
    pub(super) fn show_next(&self) -> io::Result<()> {
        let (Ok(Some(next)), Ok(present)) = (self.store.read_next(), fs::read_to_string(&self.store.cert)) else {
            return Ok(());
        };
        if present.ends_with(&next.pair.cert) {
            return Ok(());
        }
        let both = format!("{}\n{}", present.trim_end(), next.pair.cert);
        files::replace_durably(&self.store.cert, both.as_bytes(), Readers::All)
    }

    /// Takes it away again, before another one is to come.
    fn hide_next(&self) -> io::Result<()> {
        let (Ok(Some(next)), Ok(present)) = (self.store.read_next(), fs::read_to_string(&self.store.cert)) else {
            return Ok(());
        };
        match present.strip_suffix(&next.pair.cert) {
            Some(own) if !own.is_empty() => files::replace_durably(&self.store.cert, own.as_bytes(), Readers::All),
            _ => Ok(()),
        }
    }
}

/// How the first line of `ca-next.pem` begins: text before a PEM section is no part of it (RFC 7468 section 2).
const FROM: &str = "in force from ";

impl Next {
    fn parse(text: &str) -> Option<Self> {
        let (line, both) = text.split_once('\n')?;
        let from = OffsetDateTime::parse(line.strip_prefix(FROM)?, &Rfc3339).ok()?;
        Some(Self { pair: Pair::split(both)?, from })
    }

    fn to_text(&self) -> String {
        // Our own clock tells whole seconds of UTC: nothing that RFC 3339 couldn't say.
        let from = self.from.format(&Rfc3339).unwrap_or_default();
        format!("{FROM}{from}\n{}{}", self.pair.key, self.pair.cert)
    }
}
