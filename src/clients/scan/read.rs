//! Bounded reading of files that somebody else wrote, and where in them something stands.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The largest lock file that is read; the largest known ones have a tenth of it.
pub(super) const MAX_FILE: u64 = 32 << 20;

/// Why a file was not read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
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
    utf8(bytes(path)?)
}

/// The whole of a requirement file, in whatever encoding pip reads it.
pub(super) fn requirements(path: &Path) -> Result<String, ReadError> {
    decoded(bytes(path)?)
}

/// The text of a requirement file (pip's `auto_decode`): UTF-16 where its mark stands in front, as PowerShell writes
/// it; else UTF-8, unless one of the first lines says otherwise.
pub(crate) fn decoded(bytes: Vec<u8>) -> Result<String, ReadError> {
    match &*bytes {
        [0xff, 0xfe, units @ ..] => utf16(units, u16::from_le_bytes),
        [0xfe, 0xff, units @ ..] => utf16(units, u16::from_be_bytes),
        _ if std::str::from_utf8(&bytes).is_err() && declares_another(&bytes) => {
            // Names are ASCII in all of them, and what isn't stands in comments and paths.
            Ok(bytes.into_iter().map(char::from).collect())
        }
        _ => utf8(bytes),
    }
}

fn bytes(path: &Path) -> Result<Vec<u8>, ReadError> {
    let bytes = start_of(path, MAX_FILE + 1)?;
    if bytes.len() as u64 > MAX_FILE {
        return Err(ReadError::TooLarge);
    }
    Ok(bytes)
}

fn utf8(bytes: Vec<u8>) -> Result<String, ReadError> {
    let text = String::from_utf8(bytes).map_err(|_not_utf8| ReadError::Encoding)?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, ReadError> {
    let (units, []) = bytes.as_chunks() else { return Err(ReadError::Encoding) };
    char::decode_utf16(units.iter().map(|&pair| unit(pair)))
        .collect::<Result<_, _>>()
        .map_err(|_odd| ReadError::Encoding)
}

/// `# -*- coding: latin-1 -*-`, as in Python's sources.
fn declares_another(bytes: &[u8]) -> bool {
    bytes.split(|&byte| byte == b'\n').take(2).filter(|line| line.starts_with(b"#")).any(|line| {
        let line = String::from_utf8_lossy(line).to_ascii_lowercase();
        let coding = line.split_once("coding").and_then(|(_, rest)| rest.strip_prefix([':', '=']));
        coding.is_some_and(|coding| !coding.trim_start().starts_with("utf"))
    })
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
    fn what_pip_decodes() {
        let utf16 = |mark: u16, bytes: fn(u16) -> [u8; 2]| {
            std::iter::once(mark).chain("acme==1.0\r\n".encode_utf16()).flat_map(bytes).collect::<Vec<u8>>()
        };
        for bytes in [
            b"acme==1.0\r\n".to_vec(),
            b"\xef\xbb\xbfacme==1.0\r\n".to_vec(),
            utf16(0xfeff, u16::to_le_bytes),
            utf16(0xfeff, u16::to_be_bytes),
        ] {
            assert_eq!(decoded(bytes).unwrap(), "acme==1.0\r\n");
        }
        let latin = b"# -*- coding: latin-1 -*-\nacme # caf\xe9\n";
        assert!(decoded(latin.to_vec()).unwrap().ends_with("acme # caf\u{e9}\n"));
        for odd in [&b"acme # caf\xe9"[..], b"# coding: utf-8\n\xe9", b"\xff\xfea", b"\xff\xfe\x00\xd8"] {
            assert!(matches!(decoded(odd.to_vec()), Err(ReadError::Encoding)), "{odd:?}");
        }
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
