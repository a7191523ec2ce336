//! Whole files or none: written beside their place, and renamed into it; and the reading of what was kept so.

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Readers {
    /// The owner alone, from the first byte on.
    Owner,
    /// Everyone.
    All,
}

/// A file on the way into its place. One that is dropped leaves nothing behind.
#[derive(Debug)]
pub(crate) struct Replacement {
    path: PathBuf,
    file: BufWriter<NamedTempFile>,
}

impl Replacement {
    /// Begins to write what shall be at `path`.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn of(path: &Path, readers: Readers) -> io::Result<Self> {
        // tempfile opens with O_EXCL and mode 0600: a secret is never readable for others, not for a moment.
        let file = tempfile::Builder::new().prefix(&unfinished(path)).tempfile_in(folder_of(path))?;
        if readers == Readers::All {
            open_to_all(file.as_file())?;
        }
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file) })
    }

    /// Puts the file in its place: whoever opens it gets the old one or the new one, whole.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn commit(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.persist(self.path).map(drop).map_err(|failed| failed.error)
    }

    /// As [`Self::commit`], also after a power cut. [`sync_folder`] then says when the new file is sure to be the one.
    ///
    /// # Errors
    /// What the system said.
    pub(crate) fn commit_durably(mut self) -> io::Result<()> {
        self.file.flush()?;
        self.file.get_ref().as_file().sync_all()?;
        self.commit()
    }
}

impl Write for Replacement {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Puts `contents` at `path`.
///
/// # Errors
/// What the system said.
pub(crate) fn replace(path: &Path, contents: &[u8], readers: Readers) -> io::Result<()> {
    let mut file = Replacement::of(path, readers)?;
    file.write_all(contents)?;
    file.commit()
}

/// Puts `contents` at `path`, also after a power cut.
///
/// # Errors
/// What the system said.
pub(crate) fn replace_durably(path: &Path, contents: &[u8], readers: Readers) -> io::Result<()> {
    let mut file = Replacement::of(path, readers)?;
    file.write_all(contents)?;
    file.commit_durably()
}

/// The text at `path`; `None` if nothing is there.
///
/// # Errors
/// It can't be read, isn't UTF-8, or has more than `limit` bytes.
pub(crate) fn read_text(path: &Path, limit: u64) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(limit.saturating_add(1)).read_to_string(&mut text)?;
    if text.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than {limit} bytes")));
    }
    Ok(Some(text))
}

/// Removes what writers of `path` left that were killed. Only for whoever knows that no other writer is at work.
///
/// # Errors
/// What the system said.
pub(crate) fn sweep(path: &Path) -> io::Result<()> {
    let unfinished = unfinished(path);
    for entry in fs::read_dir(folder_of(path))? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&unfinished) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// The folder that `path` lies in.
pub(crate) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

/// How the names of unfinished copies of `path` begin.
fn unfinished(path: &Path) -> String {
    format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Makes renames and removals in `dir` outlive a power cut.
#[cfg(unix)]
pub(crate) fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Windows has no handle to sync a folder by; its file systems journal renames.
#[cfg(not(unix))]
pub(crate) fn sync_folder(_dir: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn open_to_all(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn open_to_all(_file: &File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_committed_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        replace(&path, b"old", Readers::Owner).unwrap();
        let mut begun = Replacement::of(&path, Readers::Owner).unwrap();
        begun.write_all(b"new").unwrap();
        drop(begun);
        assert_eq!(read_text(&path, 3).unwrap().as_deref(), Some("old"));
        assert_eq!(fs::read_dir(folder_of(&path)).unwrap().count(), 1);
    }

    #[test]
    fn what_is_too_long_or_missing_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kept");
        assert_eq!(read_text(&path, 3).unwrap(), None);
        replace_durably(&path, b"1234", Readers::All).unwrap();
        assert_eq!(read_text(&path, 4).unwrap().as_deref(), Some("1234"));
        assert_eq!(read_text(&path, 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
