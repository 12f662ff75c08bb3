//! Reads files that may be anything.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

/// The bytes of a file; `None` when it has more than these. What it says of its length is not trusted, and what is no
/// file, such as a pipe that nobody writes to, is not opened.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let metadata = fs::metadata(path)?;
    if !metadata.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    if metadata.len() > bytes_max {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(bytes_max + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
}

/// The text of a short file; none when it is anything else.
pub(crate) fn text(path: &Path, bytes_max: u64) -> Option<String> {
    String::from_utf8(read(path, bytes_max).ok()??).ok()
}
