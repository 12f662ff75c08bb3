//! Keys that a server makes for itself and keeps in its directory, for the owner only.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use crate::error::{CliError, CliResult, Exit, OrExit as _};

/// Bytes of a key.
const KEY_LEN: usize = 32;

/// The key that signs pins and tickets. Losing it unpins running conversations and voids tickets.
pub(super) fn signing(dir: &Path) -> CliResult<[u8; KEY_LEN]> {
    kept(dir, "signing.key")
}

/// A key that is made at the first start; a file that is not a key is never replaced.
fn kept(dir: &Path, name: &str) -> CliResult<[u8; KEY_LEN]> {
    let path = dir.join(name);
    let doing = || format!("cannot use the key file {}", path.display());
    if !path.exists() {
        make(dir, name).or_exit(Exit::Failed, doing())?;
    }
    read(&path).map_err(|error| {
        let broken = error.kind() == io::ErrorKind::InvalidData;
        let error = CliError::new(Exit::Failed, error).context(doing());
        if broken {
            return error.hint("put the file back from a backup; moving it away makes a new key");
        }
        error
    })
}

/// A key that is there.
pub(super) fn read(path: &Path) -> io::Result<[u8; KEY_LEN]> {
    let text = fs::read_to_string(path)?;
    let mut key = [0; KEY_LEN];
    hex::decode_to_slice(text.trim(), &mut key)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(key)
}

/// Makes a key, in place of one that may be there.
pub(super) fn make(dir: &Path, name: &str) -> io::Result<()> {
    let mut key = [0; KEY_LEN];
    getrandom::fill(&mut key)?;
    write(dir, name, &hex::encode(key))
}

/// Writes a secret beside and renames it, so that a crash leaves a whole one or none.
pub(crate) fn write(dir: &Path, name: &str, secret: &str) -> io::Result<()> {
    let mut folder = fs::DirBuilder::new();
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        std::os::unix::fs::DirBuilderExt::mode(&mut folder, 0o700);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    }
    folder.recursive(true).create(dir)?;
    let beside = dir.join(format!("{name}.part"));
    let mut file = options.open(&beside)?;
    writeln!(file, "{secret}")?;
    file.sync_all()?;
    fs::rename(&beside, dir.join(name))?;
    fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_stays_the_same_and_a_broken_one_is_not_replaced() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let keys = dir.path().join("keys");
        let key = signing(&keys).expect("made");
        assert_eq!(signing(&keys).expect("read"), key);
        assert_ne!(kept(&keys, "other.key").expect("made"), key, "each purpose has its own");
        fs::write(keys.join("signing.key"), "abc").expect("the directory takes files");
        assert!(signing(&keys).is_err());
        assert_eq!(fs::read_to_string(keys.join("signing.key")).expect("there"), "abc");
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_may_read_it() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("a directory for the test");
        signing(dir.path()).expect("made");
        let mode =
            fs::metadata(dir.path().join("signing.key")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
