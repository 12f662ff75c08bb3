//! Reads files that people name, which may be anything.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;

use crate::error::{CliError, CliResult, Exit, OrExit as _};

/// Opens a file, and nothing else: a pipe that nobody writes to would be waited for, and a device never ends.
pub(crate) fn open(path: &Path) -> CliResult<File> {
    let name = path.display();
    let doing = || format!("cannot read {name}");
    let is_file = fs::metadata(path).or_exit(Exit::Usage, doing())?.is_file();
    if !is_file {
        return Err(CliError::usage(format!("{name} is no file"))
            .hint("name a file; what a pipe or a program gives, save in one first"));
    }
    File::open(path).or_exit(Exit::Usage, doing())
}

/// The text of a file of at most so many bytes. What a file says of its size is not trusted. A pipe that the shell hands
/// over is read, too: it is open already.
pub(crate) fn read(path: &Path, bytes_max: usize) -> CliResult<String> {
    let name = path.display();
    let doing = || format!("cannot read {name}");
    let file = if HANDED_OVER.iter().any(|handed_over| path.starts_with(handed_over)) {
        File::open(path).or_exit(Exit::Usage, doing())?
    } else {
        open(path)?
    };
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).or_exit(Exit::Usage, doing())?;
    if bytes.len() > bytes_max {
        return Err(CliError::usage(format!("{name} is larger than {bytes_max} bytes")));
    }
    String::from_utf8(bytes).or_exit(Exit::Usage, doing())
}

/// Where open files of this process are found.
const HANDED_OVER: [&str; 2] = ["/dev/stdin", "/dev/fd"];

#[cfg(test)]
mod tests {
    use super::*;

    /// Nobody writes to the pipe: whoever opened it would wait.
    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_refused_before_it_is_opened() {
        let dir = tempfile::tempdir().expect("a directory");
        let pipe = dir.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.expect("mkfifo is there").success());
        for path in [pipe.as_path(), dir.path(), Path::new("/dev/zero")] {
            let error = read(path, 9).expect_err("it is no file").to_string();
            assert!(error.contains("is no file"), "{error}");
        }
        let file = dir.path().join("file");
        fs::write(&file, "0123456789").expect("written");
        assert_eq!(read(&file, 10).expect("it is one"), "0123456789");
        assert!(read(&file, 9).is_err());
    }
}
