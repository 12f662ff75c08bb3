//! The file layer under the log, so that tests can stand on one that loses what was not synced.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// Files that are synced at the same time.
const SYNCS_AT_ONCE: usize = 8;

/// What the log asks of a file system.
pub trait Disk: Send + Sync + 'static {
    /// Makes a directory and what is above it, durably.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Opens for appending, and makes the file when it is missing. Its name is durable when this returns.
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn Segment>>;
    /// Reads a whole file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Replaces a file by these bytes, durably and at once: whoever reads sees the old or the new.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Replaces each of these files so; which of them first is not said.
    fn replace_all(&self, files: &[(PathBuf, &[u8])]) -> io::Result<()> {
        files.iter().try_for_each(|(path, bytes)| self.replace(path, bytes))
    }
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
}

/// An open file that grows at its end.
pub trait Segment: Send {
    /// Its length in bytes.
    fn byte_len(&self) -> io::Result<u64>;
    /// Hands bytes to the system: they outlive this process.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written outlive a power failure.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the end off.
    fn set_len(&mut self, len: u64) -> io::Result<()>;
}

/// The largest file that is read whole, in bytes: no log has one of this size.
const FILE_MAX_BYTES: u64 = 256 << 20;

/// Opens a file, and nothing else: a pipe would wait for who never writes.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file"));
    }
    File::open(path)
}

/// Reads a file that is no larger than a log's may be.
pub(crate) fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    read_file_into(path, &mut bytes)?;
    Ok(bytes)
}

/// The same, behind what is there already.
pub(crate) fn read_file_into(path: &Path, bytes: &mut Vec<u8>) -> io::Result<()> {
    let read = open_file(path)?.take(FILE_MAX_BYTES + 1).read_to_end(bytes)?;
    if read as u64 > FILE_MAX_BYTES {
        bytes.clear();
        let why = format!("it is larger than {FILE_MAX_BYTES} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(())
}

/// Reads a file that is text.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read_file(path)?)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not text"))
}

/// The file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.create_dir_all(parent)?;
        }
        match fs::create_dir(path) {
            Err(error) if !path.is_dir() => Err(error),
            _ => sync_parent(path),
        }
    }

    fn open_append(&self, path: &Path) -> io::Result<Box<dyn Segment>> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        sync_parent(path)?;
        Ok(Box::new(LocalSegment(file)))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        read_file(path)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.replace_all(&[(path.to_owned(), bytes)])
    }

    /// Files that are synced at the same time share commits of the file system's journal: forty take a fifth of the time
    /// that they take one after the other, and hold up the write-ahead log as much less.
    fn replace_all(&self, files: &[(PathBuf, &[u8])]) -> io::Result<()> {
        let written: Vec<File> = files
            .iter()
            .map(|(path, bytes)| {
                let mut file = File::create(temporary(path))?;
                file.write_all(bytes)?;
                Ok(file)
            })
            .collect::<io::Result<_>>()?;
        sync_at_once(&written)?;
        for (path, _) in files {
            fs::rename(temporary(path), path)?;
        }
        let parents: BTreeSet<_> = files.iter().filter_map(|(path, _)| path.parent()).collect();
        parents.into_iter().try_for_each(sync_directory)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)?;
        // Unfinished tiles have directories of their own; one that still holds others stays.
        if let Some(parent) =
            path.parent().filter(|parent| parent.extension().is_some_and(|end| end == "p"))
        {
            let _ = fs::remove_dir(parent);
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect()
    }
}

fn temporary(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

/// Syncs each of these files, up to eight at a time.
fn sync_at_once(files: &[File]) -> io::Result<()> {
    let sync = |files: &[File]| files.iter().try_for_each(File::sync_all);
    if let [_] = files {
        return sync(files);
    }
    std::thread::scope(|scope| {
        let share = files.len().div_ceil(SYNCS_AT_ONCE).max(1);
        let threads: Vec<_> =
            files.chunks(share).map(|some| scope.spawn(move || sync(some))).collect();
        let ends = threads.into_iter().map(|thread| {
            thread.join().unwrap_or_else(|_| Err(io::Error::other("a sync ended badly")))
        });
        ends.fold(Ok(()), io::Result::and)
    })
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_directory)
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    File::open(path)?.sync_all()
}

struct LocalSegment(File);

impl Segment for LocalSegment {
    fn byte_len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&mut self, len: u64) -> io::Result<()> {
        self.0.set_len(len)?;
        self.0.sync_all()
    }
}
