//! Reads files that people name, which may be anything.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::error::{CliError, CliResult, Exit, OrExit as _};

/// The text of a file of at most so many bytes. What a file says of its size is not trusted: a device
/// and a pipe say nothing, and never end.
pub(crate) fn read(path: &Path, bytes_max: usize) -> CliResult<String> {
    let name = path.display();
    let doing = || format!("cannot read {name}");
    let file = File::open(path).or_exit(Exit::Usage, doing())?;
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).or_exit(Exit::Usage, doing())?;
    if bytes.len() > bytes_max {
        return Err(CliError::usage(format!("{name} is larger than {bytes_max} bytes")));
    }
    String::from_utf8(bytes).or_exit(Exit::Usage, doing())
}
