//! Opens what a command reads: a file, or standard input under the name `-`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Opens the file at `path`; `-` is standard input.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    if path == Path::new("-") { Ok(Box::new(io::stdin())) } else { Ok(Box::new(File::open(path)?)) }
}
