//! The private keys that sign tokens of agents' versions.
//!
//! Which of them signs, the store says. `identity.key` is that one, and `identity.key.next` is one that will or, when a
//! change was cut off, does already: whatever the store names is in one of both, as it is written before it is named.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use lockgate_gateway::identity::Signer;
use lockgate_model::identity::{Identity, IdentityKey, Issuer, KeyId, SigningKeys};
use lockgate_model::ledger::LOCAL;
use lockgate_model::ports::PortError;
use lockgate_store::{Store, StoreError};

use crate::serve::{blocking, keys};

const KEY: &str = "identity.key";
const NEXT: &str = "identity.key.next";

/// Why no key is in use.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoKey {
    /// The files.
    #[error("the key file {} cannot be used", path.display())]
    File { path: PathBuf, source: io::Error },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The private keys of a server.
#[derive(Debug, Clone)]
pub(super) struct KeyFiles {
    dir: PathBuf,
}

impl KeyFiles {
    /// In this directory.
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Sees to it that the store names a key, and finishes a change that was cut off.
    pub(super) async fn start(&self, store: &Store) -> Result<(), NoKey> {
        let files = self.clone();
        if let Some(current) = store.signing_key().await? {
            let settled = blocking(move || files.settle(&current.kid)).await;
            // Tokens that were issued go on being good without it.
            if let Err(error) = settled {
                tracing::error!(%error, "tokens cannot be issued until `lockgate identity rotate-key` makes a new key");
            }
            return Ok(());
        }
        let first = blocking(move || files.first()).await;
        let path = self.dir.join(KEY);
        let first = first.map_err(|source| NoKey::File { path, source })?;
        let at_wall_ms = jiff::Timestamp::now().as_millisecond();
        store.adopt_identity_key(&first, LOCAL, at_wall_ms).await?;
        Ok(())
    }

    /// The key of before there were several, or a new one.
    fn first(&self) -> io::Result<IdentityKey> {
        if self.read(KEY)?.is_none() {
            keys::make(&self.dir, KEY)?;
        }
        let signer = self.read(KEY)?.ok_or(ErrorKind::NotFound)?;
        Ok(signer.public())
    }

    fn read(&self, name: &str) -> io::Result<Option<Signer>> {
        match keys::read(&self.dir.join(name)) {
            Ok(secret) => Ok(Some(Signer::new(&secret))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the key is in this file. One that cannot be read is not: it is never written over.
    fn is_in(&self, name: &str, kid: &KeyId) -> bool {
        self.read(name).is_ok_and(|signer| signer.is_some_and(|one| one.public().kid == *kid))
    }

    fn lost(&self, kid: &KeyId) -> PortError {
        let dir = self.dir.display();
        PortError::new(io::Error::other(format!("the private key {kid} is not in {dir}")))
    }
}

impl Issuer for KeyFiles {
    fn issue(&self, identity: &Identity) -> Result<String, PortError> {
        let Some(kid) = identity.voucher.key() else {
            return Err(PortError::new(io::Error::other("it is not ours to issue")));
        };
        for name in [KEY, NEXT] {
            let signer = self.read(name).ok().flatten();
            if let Some(signer) = signer.filter(|signer| signer.public().kid == *kid) {
                return signer.issue(identity);
            }
        }
        Err(self.lost(kid))
    }
}

impl SigningKeys for KeyFiles {
    fn prepare(&self, current: &KeyId) -> Result<IdentityKey, PortError> {
        // What would be written over must not be the one that signs. One that is lost is no reason against a new one.
        if let Err(error) = self.settle(current) {
            tracing::warn!(%error, "the key that signs tokens is replaced by a new one");
        }
        keys::make(&self.dir, NEXT).map_err(PortError::new)?;
        let signer = self.read(NEXT).map_err(PortError::new)?;
        signer.map(|signer| signer.public()).ok_or_else(|| self.lost(current))
    }

    fn settle(&self, current: &KeyId) -> Result<(), PortError> {
        let next = self.dir.join(NEXT);
        if self.is_in(NEXT, current) {
            fs::rename(&next, self.dir.join(KEY)).map_err(PortError::new)?;
            return sync(&self.dir).map_err(PortError::new);
        }
        if self.is_in(KEY, current) { Ok(()) } else { Err(self.lost(current)) }
    }
}

fn sync(dir: &Path) -> io::Result<()> {
    fs::File::open(dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use lockgate_model::identity::Voucher;
    use lockgate_model::ids::IdentityId;
    use lockgate_model::version::Digest;
    use uuid::Uuid;

    use super::*;

    fn identity(kid: &KeyId) -> Identity {
        Identity {
            id: IdentityId(Uuid::from_u128(1)),
            agent: "support".parse().expect("a name"),
            version: "v1".parse().expect("a name"),
            manifest: Digest::of(b"manifest"),
            issued_wall_s: 0,
            expires_wall_s: 60,
            voucher: Voucher::Key(kid.clone()),
            acting: None,
        }
    }

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt as _;
        fs::metadata(path).expect("it is there").permissions().mode() & 0o777
    }

    #[test]
    fn wherever_a_change_is_cut_off_the_key_that_signs_is_there() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let files = KeyFiles::new(dir.path().join("keys"));
        let one = files.first().expect("made").kid;
        assert_eq!(files.first().expect("read").kid, one);
        // Before the store names the new one.
        let unused = files.prepare(&one).expect("made").kid;
        files.settle(&one).expect("it still signs");
        files.issue(&identity(&one)).expect("it signs");
        let two = files.prepare(&one).expect("made").kid;
        assert!(unused != two && one != two);
        // The store names it; the files are not settled yet.
        files.issue(&identity(&two)).expect("it signs");
        files.issue(&identity(&one)).expect("whoever began before");
        // The next change comes before they were.
        let three = files.prepare(&two).expect("made").kid;
        files.issue(&identity(&two)).expect("it is not written over");
        files.settle(&three).expect("it takes the place");
        files.settle(&three).expect("twice is once");
        files.issue(&identity(&three)).expect("it signs");
        for former in [&one, &two, &unused] {
            assert!(files.issue(&identity(former)).is_err(), "its private half is gone");
        }
        #[cfg(unix)]
        assert_eq!(mode(&dir.path().join("keys").join(KEY)), 0o600);
        assert!(!dir.path().join("keys").join(NEXT).exists());
    }

    #[test]
    fn a_key_that_is_lost_is_replaced_and_never_made_up() {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let files = KeyFiles::new(dir.path().to_owned());
        let one = files.first().expect("made").kid;
        fs::write(dir.path().join(KEY), "abc").expect("the directory takes files");
        assert!(files.issue(&identity(&one)).is_err() && files.settle(&one).is_err());
        assert!(files.first().is_err(), "what is no key is not replaced by itself");
        let two = files.prepare(&one).expect("a new one can be made").kid;
        assert_eq!(fs::read_to_string(dir.path().join(KEY)).expect("there"), "abc");
        files.settle(&two).expect("it takes the place");
        files.issue(&identity(&two)).expect("it signs");
    }
}
