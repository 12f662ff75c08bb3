//! The vault's files: for the owner only, whole or not there, and overwritten before they go.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::AuditError;

/// A file on its way to its name.
const UNFINISHED: &str = ".part";
/// The largest file of a vault, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// Makes a directory that only the owner can enter.
pub(super) fn make_directory(path: &Path) -> Result<(), AuditError> {
    if path.is_dir() {
        return Ok(());
    }
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).and_then(|()| sync_parent(path)).map_err(AuditError::io("make", path))
}

/// Writes a file durably and at once.
pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), AuditError> {
    let mut name = path.as_os_str().to_owned();
    name.push(UNFINISHED);
    let beside = Path::new(&name);
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(beside, path)?;
        sync_parent(path)
    });
    written.map_err(AuditError::io("write", path))
}

pub(super) fn is_unfinished(name: &str) -> bool {
    name.ends_with(UNFINISHED)
}

pub(super) fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, AuditError> {
    let found = fs::symlink_metadata(path).map_err(AuditError::io("read", path))?;
    let unusable = |why| Err(AuditError::Vault { path: path.to_owned(), why });
    if !found.is_file() {
        return unusable("it is not a file".into());
    }
    if found.len() > MAX_BYTES {
        return unusable(format!("it has {} bytes", found.len()));
    }
    fs::read(path).map(Zeroizing::new).map_err(AuditError::io("read", path))
}

/// Overwrites a file where it is, then removes it. What the file system or a backup keeps of it is beyond us.
pub(super) fn destroy(path: &Path) -> Result<(), AuditError> {
    let destroyed = fs::symlink_metadata(path).and_then(|found| {
        // What a link leads to is somebody else's.
        if found.is_file() {
            overwrite(&OpenOptions::new().write(true).open(path)?)?;
        }
        fs::remove_file(path)?;
        sync_parent(path)
    });
    match destroyed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(AuditError::io("destroy", path)),
    }
}

fn overwrite(mut file: &File) -> io::Result<()> {
    let mut left = file.metadata()?.len();
    let zeros = [0; 4096];
    while left > 0 {
        let some = left.min(zeros.len() as u64);
        file.write_all(&zeros[..usize::try_from(some).unwrap_or(zeros.len())])?;
        left -= some;
    }
    file.sync_all()
}

/// The names in a directory.
pub(super) fn list(path: &Path) -> Result<Vec<String>, AuditError> {
    let listed = fs::read_dir(path).and_then(|entries| {
        entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
    });
    listed.map_err(AuditError::io("read", path))
}

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}
