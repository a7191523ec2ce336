//! The authority's pair on disk: read, locked, published; a reader sees a whole pair, also while another is being put in its place.
//!
//! Two files can't be replaced in one step. So a writer takes the lock (`ca.lock`), puts both halves into one file
//! (`ca-pending.pem`: its rename is the moment that counts), writes `ca-key.pem` and `ca.pem` from it, and removes it.
//! A reader takes the lock only if that file is there, or the pair isn't whole. Whoever gets the lock first finishes
//! what a killed writer began. Two plain files, because a mounted secret has them, and clients need `ca.pem` alone.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use super::error::CaError;
use crate::files::{self, Readers};

/// A writer is done in milliseconds; one that isn't has been stopped.
const LOCK_WAIT: Duration = Duration::from_secs(10);

const LOCK_RETRY: Duration = Duration::from_millis(5);

/// The folder with the machine's own authority.
#[derive(Clone, Debug)]
pub(super) struct Store {
    pub(super) dir: PathBuf,
    pub(super) cert: PathBuf,
    pub(super) key: PathBuf,
    pub(super) pending: PathBuf,
    pub(super) next: PathBuf,
    /// The key that a certificate was asked for.
    pub(super) request_key: PathBuf,
    /// The fingerprints of certificates that may be used though they aren't confined, one a line.
    unconfined: PathBuf,
}

/// A certificate (or several: its chain) and its key, as they stand in the files.
#[derive(Clone)]
pub(super) struct Pair {
    pub(super) cert: String,
    pub(super) key: String,
}

/// The right to change the folder: gone with the value, or with the process.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    pub(super) store: &'a Store,
    _lock: File,
}

impl Store {
    pub(super) fn new(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            cert: dir.join("ca.pem"),
            key: dir.join("ca-key.pem"),
            pending: dir.join("ca-pending.pem"),
            next: dir.join("ca-next.pem"),
            request_key: dir.join("ca-request-key.pem"),
            unconfined: dir.join("ca-unconfined"),
        }
    }

    /// The pair; an error when there is none, or one file is alone.
    ///
    /// # Errors
    /// [`CaError::Absent`], [`CaError::HalfMissing`], and those of [`read_pair`].
    pub(super) fn read(&self) -> Result<Pair, CaError> {
        let half = |present: &Path, missing: &Path| CaError::HalfMissing {
            present: present.to_owned(),
            missing: missing.to_owned(),
        };
        match (exists(&self.cert)?, exists(&self.key)?) {
            (true, true) => read_pair(&self.cert, &self.key),
            (false, false) => Err(CaError::Absent { dir: self.dir.clone() }),
            (true, false) => Err(half(&self.cert, &self.key)),
            (false, true) => Err(half(&self.key, &self.cert)),
        }
    }

    /// The key that a certificate was asked for, if one was.
    ///
    /// # Errors
    /// [`CaError::Unreadable`], [`CaError::KeyExposed`].
    pub(super) fn read_request_key(&self) -> Result<Option<String>, CaError> {
        if exists(&self.request_key)? { read_key(&self.request_key).map(Some) } else { Ok(None) }
    }

    /// Whether somebody said that the certificate with this fingerprint may be used though it isn't confined.
    pub(super) fn accepts_unconfined(&self, fingerprint: &str) -> bool {
        fs::read_to_string(&self.unconfined).is_ok_and(|accepted| accepted.lines().any(|line| line == fingerprint))
    }

    /// Whether a writer is at work, or was killed.
    pub(super) fn is_pending(&self) -> bool {
        self.pending.exists()
    }

    /// Makes the folder if it is missing, waits for other writers, and finishes what a killed one began.
    ///
    /// # Errors
    /// [`CaError::Unwritable`], [`CaError::Locked`].
    pub(super) fn lock(&self) -> Result<Locked<'_>, CaError> {
        create_private_folder(&self.dir).map_err(|reason| self.unwritable(reason))?;
        let path = self.dir.join("ca.lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|reason| self.unwritable(reason))?;
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_RETRY),
                Err(TryLockError::WouldBlock) => return Err(CaError::Locked { path, waited: LOCK_WAIT }),
                Err(TryLockError::Error(reason)) => return Err(self.unwritable(reason)),
            }
        }
        let locked = Locked { store: self, _lock: lock };
        locked.recover().map_err(|reason| self.unwritable(reason))?;
        Ok(locked)
    }

    pub(super) fn unwritable(&self, reason: io::Error) -> CaError {
        CaError::Unwritable { dir: self.dir.clone(), reason }
    }
}

impl Locked<'_> {
    /// Puts `pair` in the place of whatever is there, and of whatever was to come next.
    ///
    /// # Errors
    /// [`CaError::Unwritable`].
    pub(super) fn publish(&self, pair: &Pair) -> Result<(), CaError> {
        let both = format!("{}{}", pair.key, pair.cert);
        // First, or a writer killed between the two would leave what a thief may know to come next.
        remove(&self.store.next)
            .and_then(|()| files::replace_durably(&self.store.pending, both.as_bytes(), Readers::Owner))
            .and_then(|()| files::sync_folder(&self.store.dir))
            .and_then(|()| self.settle(pair))
            .map_err(|reason| self.store.unwritable(reason))
    }

    /// Keeps the key that a certificate is asked for.
    ///
    /// # Errors
    /// [`CaError::Unwritable`].
    pub(super) fn keep_request_key(&self, key: &str) -> Result<(), CaError> {
        files::replace_durably(&self.store.request_key, key.as_bytes(), Readers::Owner)
            .map_err(|reason| self.store.unwritable(reason))
    }

    /// Forgets it: it has its certificate, and is in the pair.
    ///
    /// # Errors
    /// [`CaError::Unwritable`].
    pub(super) fn forget_request_key(&self) -> Result<(), CaError> {
        remove(&self.store.request_key).map_err(|reason| self.store.unwritable(reason))
    }

    /// Remembers that one certificate may be used though it isn't confined; others may not.
    ///
    /// # Errors
    /// [`CaError::Unwritable`].
    pub(super) fn accept_unconfined(&self, fingerprint: &str) -> Result<(), CaError> {
        let accepted = fs::read_to_string(&self.store.unconfined).unwrap_or_default();
        files::replace_durably(&self.store.unconfined, format!("{accepted}{fingerprint}\n").as_bytes(), Readers::All)
            .map_err(|reason| self.store.unwritable(reason))
    }

    fn recover(&self) -> io::Result<()> {
        for path in [&self.store.pending, &self.store.key, &self.store.cert, &self.store.next] {
            files::sweep(path)?;
        }
        self.finish()?;
        self.show_next()
    }

    /// Makes the pair of what is pending, if anything is.
    pub(super) fn finish(&self) -> io::Result<()> {
        match fs::read_to_string(&self.store.pending) {
            Ok(both) => match Pair::split(&both) {
                Some(pair) => self.settle(&pair),
                // Synced before it was renamed, so this is no file of ours.
                None => fs::remove_file(&self.store.pending),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Writes both files from the pending one. Repeating it does no harm.
    fn settle(&self, pair: &Pair) -> io::Result<()> {
        files::replace_durably(&self.store.key, pair.key.as_bytes(), Readers::Owner)?;
        files::replace_durably(&self.store.cert, pair.cert.as_bytes(), Readers::All)?;
        // Both are sure to be there before what they could be repeated from is gone.
        files::sync_folder(&self.store.dir)?;
        fs::remove_file(&self.store.pending)
    }
}

/// Removes what may not be there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

impl Pair {
    /// The inverse of what [`Locked::publish`] joins, and what `ca-next.pem` holds below its first line.
    pub(super) fn split(both: &str) -> Option<Self> {
        let (_, both) = both.split_at_checked(both.find("-----BEGIN ")?)?;
        let (key, cert) = both.split_at_checked(both.find("-----BEGIN CERTIFICATE-----")?)?;
        Some(Self { cert: cert.to_owned(), key: key.to_owned() })
    }
}

/// Reads the pair in `cert` and `key`.
///
/// # Errors
/// [`CaError::Unreadable`], and [`CaError::KeyExposed`] before a byte of the key is used.
pub(super) fn read_pair(cert: &Path, key: &Path) -> Result<Pair, CaError> {
    let key = read_key(key)?;
    Ok(Pair { cert: read_certificate(cert)?, key })
}

pub(super) fn read_certificate(path: &Path) -> Result<String, CaError> {
    let cert = fs::read(path).map_err(|reason| CaError::Unreadable { path: path.to_owned(), reason })?;
    // What isn't text is found to be no PEM later, by the name of the file.
    Ok(String::from_utf8_lossy(&cert).into_owned())
}

pub(super) fn read_key(path: &Path) -> Result<String, CaError> {
    let unreadable = |reason| CaError::Unreadable { path: path.to_owned(), reason };
    let mut file = File::open(path).map_err(unreadable)?;
    refuse_exposed(path, &file.metadata().map_err(unreadable)?)?;
    let mut key = Vec::new();
    file.read_to_end(&mut key).map_err(unreadable)?;
    Ok(String::from_utf8_lossy(&key).into_owned())
}

/// As PostgreSQL does for its `server.key`: our own file is for us alone. Somebody else's (root's, in a mounted
/// Kubernetes secret with an `fsGroup`) may give our group the right to read, or we could not read it at all.
#[cfg(unix)]
fn refuse_exposed(path: &Path, metadata: &fs::Metadata) -> Result<(), CaError> {
    use std::os::unix::fs::MetadataExt as _;
    let ours = metadata.uid() == rustix::process::geteuid().as_raw();
    let too_much = if ours { 0o077 } else { 0o037 };
    let mode = metadata.mode() & 0o7777;
    if mode & too_much == 0 { Ok(()) } else { Err(CaError::KeyExposed { path: path.to_owned(), mode }) }
}

/// Windows: the access list of the user's profile protects what lies in it.
#[cfg(not(unix))]
fn refuse_exposed(_path: &Path, _metadata: &fs::Metadata) -> Result<(), CaError> {
    Ok(())
}

pub(super) fn exists(path: &Path) -> Result<bool, CaError> {
    path.try_exists().map_err(|reason| CaError::Unreadable { path: path.to_owned(), reason })
}

fn create_private_folder(dir: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(dir)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    fn pair(name: &str) -> Pair {
        let section = |tag: &str| format!("-----BEGIN {tag}-----\n{name}\n-----END {tag}-----\n");
        Pair { cert: section("CERTIFICATE"), key: section("PRIVATE KEY") }
    }

    /// A folder with the pair `old`, where a writer of `new` was killed after its first `steps` steps.
    fn killed_after(steps: usize) -> (TempDir, Store) {
        let dir = TempDir::new().unwrap();
        let store = Store::new(dir.path());
        store.lock().unwrap().publish(&pair("old")).unwrap();
        let new = pair("new");
        fs::write(dir.path().join(".ca-pending.pem.x1y2"), &new.key[..9]).unwrap();
        let both = format!("{}{}", new.key, new.cert);
        let writes = [(&store.pending, &both), (&store.key, &new.key), (&store.cert, &new.cert)];
        for (path, contents) in writes.into_iter().take(steps) {
            files::replace(path, contents.as_bytes(), Readers::Owner).unwrap();
        }
        (dir, store)
    }

    #[test]
    fn a_killed_writer_is_finished_from_the_moment_that_counts() {
        for (steps, expected) in [(0, "old"), (1, "new"), (2, "new"), (3, "new")] {
            let (dir, store) = killed_after(steps);
            assert_eq!(store.is_pending(), steps > 0);
            drop(store.lock().unwrap());
            let read = store.read().unwrap();
            assert_eq!((read.cert, read.key), (pair(expected).cert, pair(expected).key), "after {steps}");
            let left: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
            assert_eq!(left.len(), 3, "{left:?}");
        }
    }

    #[test]
    fn a_pending_file_that_is_none_is_removed() {
        let (_dir, store) = killed_after(0);
        fs::write(&store.pending, "").unwrap();
        drop(store.lock().unwrap());
        assert!(!store.is_pending());
        assert_eq!(store.read().unwrap().cert, pair("old").cert);
    }

    #[test]
    fn one_writer_at_a_time() {
        let dir = TempDir::new().unwrap();
        let store = Store::new(dir.path());
        let locked = store.lock().unwrap();
        let other = File::open(dir.path().join("ca.lock")).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(locked);
        assert!(other.try_lock().is_ok());
    }

    #[test]
    #[cfg(unix)]
    fn somebody_elses_key_may_be_readable_for_our_group() {
        use std::os::unix::fs::{PermissionsExt as _, chown};
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("key.pem");
        fs::write(&path, "key").unwrap();
        if chown(&path, Some(65534), None).is_err() {
            eprintln!("skipped: only root can give a file away");
            return;
        }
        for (mode, readable) in [(0o440, true), (0o640, true), (0o444, false), (0o660, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_key(&path).is_ok(), readable, "{mode:o}");
        }
    }
}
