//! The lists of private indexes as they were last fetched, one file each in the state folder, kept over restarts.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use time::OffsetDateTime;

use super::inventory::InventorySource;
use crate::files::{self, Readers, Replacement};
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
    /// When the index said so last: the date of the file.
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
    let path = file_of(source, state);
    let Some(text) = files::read_text(&path, MAX_FILE)? else { return Ok(None) };
    let fetched = path.metadata()?.modified()?.into();
    let (url, list) = parse(&text, fetched).ok_or_else(|| {
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
    std::fs::create_dir_all(files::folder_of(&path))?;
    // What a private index serves is not everybody's business.
    let mut out = Replacement::of(&path, Readers::Owner)?;
    writeln!(out, "{FORMAT}\nurl {}", source.url)?;
    for (key, value) in [("etag", &list.etag), ("last-modified", &list.last_modified)] {
        if let Some(value) = value.as_ref().filter(|value| !value.contains(['\r', '\n'])) {
            writeln!(out, "{key} {value}")?;
        }
    }
    writeln!(out, "names {}", list.names.len())?;
    for name in list.names.iter() {
        writeln!(out, "{name}")?;
    }
    out.commit_durably()
}

/// Notes that what is kept of `source` holds as of now, without writing it all again.
///
/// # Errors
/// What the system says.
pub fn confirm(source: &InventorySource, state: &Path) -> io::Result<()> {
    File::options().write(true).open(file_of(source, state))?.set_modified(std::time::SystemTime::now())
}

/// The URL and the list; `None` unless all of it is there.
fn parse(text: &str, fetched: OffsetDateTime) -> Option<(&str, KeptList)> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    if lines.next()? != FORMAT {
        return None;
    }
    let (mut url, mut etag, mut last_modified) = (None, None, None);
    let count = loop {
        match lines.next()?.split_once(' ')? {
            ("url", value) => url = Some(value),
            ("etag", value) => etag = Some(value.to_owned()),
            ("last-modified", value) => last_modified = Some(value.to_owned()),
            ("names", count) => break count.parse::<usize>().ok()?,
            _ => return None,
        }
    };
    let names: Option<Vec<ProjectName>> = lines.map(|name| ProjectName::parse(name).ok()).collect();
    let names = Arc::new(names.filter(|names| names.len() == count)?.into_iter().collect::<Names>());
    Some((url?, KeptList { names, etag, last_modified, fetched }))
}
