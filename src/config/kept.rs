//! The lists of private indexes as they were last fetched, one file each in the state folder, kept over restarts.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use tempfile::NamedTempFile;
use time::OffsetDateTime;

use super::inventory::InventorySource;
use crate::name::ProjectName;
use crate::policy::Names;

/// The first line. A later format has another.
const FORMAT: &str = "namewall-inventory 1";

/// The largest file that is read: five million names of a usual length.
const MAX_FILE: u64 = 256 << 20;

/// What an index was known to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptList {
    /// The names.
    pub names: Arc<Names>,
    /// What the index calls this state of the list.
    pub etag: Option<String>,
    /// When the index says that it changed last.
    pub last_modified: Option<String>,
    /// When the index said so last.
    pub fetched: OffsetDateTime,
}

/// Where the list of `source` is kept below `state`.
#[must_use]
pub fn file_of(source: &InventorySource, state: &Path) -> PathBuf {
    let name = utf8_percent_encode(&source.id, NON_ALPHANUMERIC);
    state.join("inventory").join(format!("{name}.list"))
}

/// Reads what is kept of `source`; nothing if there is nothing, or if it was another index that was asked then.
///
/// # Errors
/// The file can't be read, or holds something else.
pub fn read(source: &InventorySource, state: &Path) -> io::Result<Option<KeptList>> {
    let file = match std::fs::File::open(file_of(source, state)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(MAX_FILE).read_to_string(&mut text)?;
    let (url, list) = parse(&text).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, "it is no complete list of an inventory of this version")
    })?;
    Ok((url == source.url.to_string()).then_some(list))
}

/// Puts `list` in the place of what is kept of `source`: whoever reads gets the old list or the new one, whole.
///
/// # Errors
/// What the system says.
pub fn write(source: &InventorySource, state: &Path, list: &KeptList) -> io::Result<()> {
    let path = file_of(source, state);
    let folder = path.parent().unwrap_or(state);
    std::fs::create_dir_all(folder)?;
    // Made with mode 0600: what a private index serves is not everybody's business.
    let file = NamedTempFile::new_in(folder)?;
    let mut out = io::BufWriter::new(file);
    writeln!(out, "{FORMAT}\nurl {}\nfetched {}", source.url, list.fetched.unix_timestamp())?;
    for (key, value) in [("etag", &list.etag), ("last-modified", &list.last_modified)] {
        if let Some(value) = value.as_ref().filter(|value| !value.contains(['\r', '\n'])) {
            writeln!(out, "{key} {value}")?;
        }
    }
    writeln!(out, "names {}", list.names.len())?;
    for name in list.names.iter() {
        writeln!(out, "{name}")?;
    }
    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.as_file().sync_all()?;
    file.persist(&path).map(drop).map_err(|failed| failed.error)
}

/// The URL and the list; `None` unless all of it is there.
fn parse(text: &str) -> Option<(&str, KeptList)> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    if lines.next()? != FORMAT {
        return None;
    }
    let (mut url, mut fetched, mut etag, mut last_modified) = (None, None, None, None);
    let count = loop {
        match lines.next()?.split_once(' ')? {
            ("url", value) => url = Some(value),
            ("fetched", value) => fetched = OffsetDateTime::from_unix_timestamp(value.parse().ok()?).ok(),
            ("etag", value) => etag = Some(value.to_owned()),
            ("last-modified", value) => last_modified = Some(value.to_owned()),
            ("names", count) => break count.parse::<usize>().ok()?,
            _ => return None,
        }
    };
    let names: Option<Vec<ProjectName>> = lines.map(|name| ProjectName::parse(name).ok()).collect();
    let names = Arc::new(names.filter(|names| names.len() == count)?.into_iter().collect::<Names>());
    Some((url?, KeptList { names, etag, last_modified, fetched: fetched? }))
}
