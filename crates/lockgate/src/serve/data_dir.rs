//! The directory of one server: who owns it, and where others find the server.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde_json::json;

use crate::error::{CliError, CliResult, Exit, OrExit as _};

/// Held by the process that serves from the directory.
const LOCK: &str = "lock";
/// Where the server of this directory listens.
const ADDRESSES: &str = "addresses.json";

/// A data directory that belongs to this process until it ends, however it ends.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// The kernel gives the lock back with the file.
    _lock: File,
}

impl DataDir {
    /// Creates the directory where needed and takes it, or says who has it.
    pub(crate) fn take(path: &Path) -> CliResult<Self> {
        let shown = path.display();
        make_private(path)
            .or_exit(Exit::Usage, format!("cannot use the data directory {shown}"))?;
        let lock = private()
            .read(true)
            .open(path.join(LOCK))
            .or_exit(Exit::Usage, format!("cannot lock the data directory {shown}"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(CliError::usage(format!(
                    "another process serves from the data directory {shown}"
                ))
                .hint("stop it first, or give this one a directory of its own with --data-dir"));
            }
            Err(TryLockError::Error(error)) => {
                return Err(CliError::new(Exit::Usage, error)
                    .context(format!("cannot lock the data directory {shown}")));
            }
        }
        let taken = Self { path: path.to_owned(), _lock: lock };
        // Left by a process that was killed.
        taken.forget_addresses();
        Ok(taken)
    }

    /// The database.
    pub(crate) fn database(&self) -> PathBuf {
        self.path.join("state.db")
    }

    /// The audit log.
    pub(crate) fn audit(&self) -> PathBuf {
        self.path.join("audit")
    }

    /// What a witness cosigned last.
    pub(crate) fn cosigned(&self) -> PathBuf {
        self.path.join("cosigned")
    }

    /// The keys of persons whom the audit log names.
    pub(crate) fn vault(&self) -> PathBuf {
        self.path.join("audit-vault")
    }

    /// Secrets that the server made for itself.
    pub(crate) fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }

    /// Whether the gateway can serve without the store.
    pub(crate) fn has_snapshot(&self) -> bool {
        self.gateway().join("snapshot.json").exists()
    }

    /// What the gateway keeps: last snapshot, latched fuses.
    pub(crate) fn gateway(&self) -> PathBuf {
        self.path.join("gateway")
    }

    /// Tells programs on this machine where the server listens.
    pub(crate) fn tell_addresses(
        &self,
        ingress: SocketAddr,
        egress: SocketAddr,
        api: SocketAddr,
    ) -> CliResult<()> {
        let beside = self.path.join("addresses.json.new");
        let text = format!("{}\n", json!({ "ingress": ingress, "egress": egress, "api": api }));
        fs::write(&beside, text)
            .and_then(|()| fs::rename(&beside, self.path.join(ADDRESSES)))
            .or_exit(Exit::Failed, "cannot write where the server listens")
    }

    /// Nobody listens there any more.
    pub(crate) fn forget_addresses(&self) {
        // Not there is as good; anything else shows when it is written.
        let _ = fs::remove_file(self.path.join(ADDRESSES));
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// Options for a file that only the owner may read.
fn private() -> fs::OpenOptions {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// A file for a secret, opened before there is a secret to lose.
#[derive(Debug)]
pub(crate) struct SecretFile {
    path: PathBuf,
    file: File,
}

impl SecretFile {
    /// Opens or creates it for the owner only.
    pub(crate) fn open(path: &Path) -> CliResult<Self> {
        let file = private()
            .open(path)
            .or_exit(Exit::Usage, format!("cannot write the token file {}", path.display()))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Writes the secret in place of what was there.
    pub(crate) fn write(mut self, secret: &str) -> CliResult<()> {
        self.restrict()
            .and_then(|()| self.file.set_len(0))
            .and_then(|()| writeln!(self.file, "{secret}"))
            .and_then(|()| self.file.sync_all())
            .or_exit(Exit::Failed, format!("cannot write the token file {}", self.path.display()))
    }

    /// A file that was there before may have been open to others.
    #[cfg(unix)]
    fn restrict(&self) -> io::Result<()> {
        use std::os::unix::fs::PermissionsExt as _;
        self.file.set_permissions(fs::Permissions::from_mode(0o600))
    }

    #[cfg(not(unix))]
    fn restrict(&self) -> io::Result<()> {
        Ok(())
    }
}
