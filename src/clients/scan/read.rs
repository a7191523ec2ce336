//! Bounded reading of files that somebody else wrote, and where in them something stands.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest lock file that is read; the largest known ones have a tenth of it.
pub(super) const MAX_FILE: u64 = 32 << 20;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is no regular file")]
    NoFile,
    #[error("it has more than {} MiB", MAX_FILE >> 20)]
    TooLarge,
    #[error("it is not UTF-8")]
    Encoding,
}

/// The whole of a text file.
pub(super) fn text(path: &Path) -> Result<String, ReadError> {
    let bytes = start_of(path, MAX_FILE + 1)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(ReadError::TooLarge);
    }
    let text = String::from_utf8(bytes).map_err(|_not_utf8| ReadError::Encoding)?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

/// The first `limit` bytes of a regular file.
pub(super) fn start_of(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    // Before it is opened: to open a FIFO is to wait for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(ReadError::NoFile);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Where the lines of a text end: looked through once, however many places are asked for.
#[derive(Debug)]
pub(super) struct Lines {
    ends: Vec<usize>,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        Self { ends: memchr::memchr_iter(b'\n', text.as_bytes()).collect() }
    }

    /// The line, from 1, on which the byte at `offset` stands.
    pub(super) fn at(&self, offset: usize) -> usize {
        self.ends.partition_point(|&end| end < offset) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        let lines = Lines::of("a\nb\n");
        assert_eq!([0, 1, 2, 3, 4].map(|at| lines.at(at)), [1, 1, 2, 2, 3]);
    }

    #[test]
    fn what_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, b"\xff").unwrap();
        assert!(matches!(text(&file), Err(ReadError::Encoding)));
        assert!(matches!(text(folder.path()), Err(ReadError::NoFile)));
        assert!(matches!(text(&folder.path().join("none")), Err(ReadError::Io(_))));
        File::create(&file).unwrap().set_len(MAX_FILE + 1).unwrap();
        assert!(matches!(text(&file), Err(ReadError::TooLarge)));
    }
}
