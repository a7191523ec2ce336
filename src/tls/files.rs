//! Whole files or none: written beside their place, and renamed into it.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use tempfile::NamedTempFile;

/// Who may read a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Readers {
    /// The owner alone, from the first byte on.
    Owner,
    /// Everyone.
    All,
}

/// Puts `contents` at `path`: whoever opens it gets the old file or the new one, whole.
///
/// # Errors
/// What the system said.
pub(super) fn replace(path: &Path, contents: &[u8], readers: Readers) -> io::Result<()> {
    let file = write_beside(path, contents, readers)?;
    file.persist(path).map(drop).map_err(|failed| failed.error)
}

/// As [`replace`], also after a power cut. [`sync_folder`] then says when the new file is sure to be the one.
///
/// # Errors
/// What the system said.
pub(super) fn replace_durably(path: &Path, contents: &[u8], readers: Readers) -> io::Result<()> {
    let file = write_beside(path, contents, readers)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|failed| failed.error)
}

/// Removes what writers of `path` left that were killed. Only for whoever knows that no other writer is at work.
///
/// # Errors
/// What the system said.
pub(super) fn sweep(path: &Path) -> io::Result<()> {
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
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    }
}

fn write_beside(path: &Path, contents: &[u8], readers: Readers) -> io::Result<NamedTempFile> {
    // tempfile opens with O_EXCL and mode 0600: the key is never readable for others, not for a moment.
    let mut file = tempfile::Builder::new().prefix(&unfinished(path)).tempfile_in(folder_of(path))?;
    file.write_all(contents)?;
    if readers == Readers::All {
        open_to_all(file.as_file())?;
    }
    Ok(file)
}

/// How the names of unfinished copies of `path` begin.
fn unfinished(path: &Path) -> String {
    format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Makes renames and removals in `dir` outlive a power cut.
#[cfg(unix)]
pub(super) fn sync_folder(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Windows has no handle to sync a folder by; its file systems journal renames.
#[cfg(not(unix))]
pub(super) fn sync_folder(_dir: &Path) -> io::Result<()> {
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
