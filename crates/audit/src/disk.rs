//! The file layer under the log, so that tests can stand on one that loses what was not synced.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

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
        fs::read(path)
    }

    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut name = path.as_os_str().to_owned();
        name.push(".tmp");
        let temporary = Path::new(&name);
        let mut file = File::create(temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(temporary, path)?;
        sync_parent(path)
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

fn sync_parent(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
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
