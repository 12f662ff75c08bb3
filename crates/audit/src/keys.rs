//! Keys, and the checkpoints they sign.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::SigningKey;
use signed_note::{
    Note, Signer as _, StandardSigner, StandardVerifier, Verifier as _, VerifierList,
};
use tlog_tiles::Hash;

use crate::error::AuditError;

const ED25519: u8 = 1;

/// The log's private key. Its text form is a secret.
#[derive(Clone)]
pub struct LogKey {
    signer: StandardSigner,
    public: VerifierKey,
    secret: String,
}

impl std::fmt::Debug for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl LogKey {
    /// A new key for a log of this origin.
    pub fn generate(origin: &str) -> Result<Self, AuditError> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| AuditError::Malformed {
            what: "the system's randomness",
            why: error.to_string(),
        })?;
        let key = SigningKey::from_bytes(&seed);
        let public = [&[ED25519], key.verifying_key().to_bytes().as_slice()].concat();
        let id = signed_note::key_id(origin, &public);
        let private = BASE64_STANDARD.encode([&[ED25519], seed.as_slice()].concat());
        Self::parse(&format!("PRIVATE+KEY+{origin}+{id:08x}+{private}"))
    }

    /// Reads a key in the text form of signed notes.
    pub fn parse(text: &str) -> Result<Self, AuditError> {
        let malformed =
            |why: String| AuditError::Malformed { what: "the audit log's private key", why };
        let secret = text.trim().to_owned();
        let signer = StandardSigner::new(&secret).map_err(|error| malformed(error.to_string()))?;
        let seed = secret.splitn(5, '+').last().and_then(|text| BASE64_STANDARD.decode(text).ok());
        let seed: [u8; 32] = seed
            .and_then(|bytes| bytes.get(1..)?.try_into().ok())
            .ok_or_else(|| malformed("its bytes are not an Ed25519 key".into()))?;
        let public = SigningKey::from_bytes(&seed).verifying_key();
        let public =
            VerifierKey::parse(&signed_note::new_ed25519_verifier_key(signer.name(), &public))?;
        Ok(Self { signer, public, secret })
    }

    /// The text form, for a file that only the server can read.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What others check signatures with.
    pub fn public(&self) -> &VerifierKey {
        &self.public
    }

    /// A signed checkpoint.
    pub(crate) fn sign(&self, size: u64, root: Hash) -> Result<Vec<u8>, AuditError> {
        Self::sign_all(&[self], Checkpoint { size, root: root.0 }, "")
    }

    /// A checkpoint with further lines, signed by each of these keys.
    pub(crate) fn sign_all(
        keys: &[&Self],
        at: Checkpoint,
        lines: &str,
    ) -> Result<Vec<u8>, AuditError> {
        let malformed = |why: String| AuditError::Malformed { what: "a checkpoint", why };
        let origin = keys.first().map_or("", |key| key.signer.name());
        let text = tlog_tiles::Checkpoint::new(origin, at.size, Hash(at.root), lines)
            .map_err(|error| malformed(error.to_string()))?;
        let mut note =
            Note::new(&text.to_bytes(), &[]).map_err(|error| malformed(error.to_string()))?;
        for key in keys {
            note.add_sigs(&[&key.signer]).map_err(|error| malformed(error.to_string()))?;
        }
        Ok(note.to_bytes())
    }
}

/// A public key in the text form of signed notes: `NAME+ID+KEY`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    text: String,
}

impl std::fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl VerifierKey {
    /// Reads a public key. Only its one canonical spelling is taken.
    pub fn parse(text: &str) -> Result<Self, AuditError> {
        let malformed =
            |why: &str| AuditError::Malformed { what: "a public key", why: why.to_owned() };
        let verifier =
            StandardVerifier::new(text).map_err(|error| malformed(&error.to_string()))?;
        // Base64 has a plus sign of its own.
        let key = text.splitn(3, '+').last().unwrap_or_default();
        if text != format!("{}+{:08x}+{key}", verifier.name(), verifier.key_id()) {
            return Err(malformed("it is not spelled as it was written"));
        }
        Ok(Self { text: text.to_owned() })
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        self.text.split('+').next().unwrap_or_default()
    }

    pub(crate) fn verifier(&self) -> Result<StandardVerifier, AuditError> {
        StandardVerifier::new(&self.text)
            .map_err(|error| AuditError::Malformed { what: "a public key", why: error.to_string() })
    }
}

/// A checkpoint whose signature was checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checkpoint {
    /// Records under it.
    pub size: u64,
    /// The root of their tree.
    pub root: [u8; 32],
}

/// The further lines of a checkpoint, and how many have signed it. Nothing is checked.
pub(crate) fn note_parts(note: &[u8]) -> Result<(String, usize), AuditError> {
    let malformed = |why: String| AuditError::Malformed { what: "the checkpoint", why };
    let parsed = Note::from_bytes(note).map_err(|error| malformed(error.to_string()))?;
    let text = tlog_tiles::Checkpoint::from_bytes(parsed.text())
        .map_err(|error| malformed(error.to_string()))?;
    let signatures = note.len() - parsed.text().len();
    let signatures = note[note.len() - signatures..].split(|byte| *byte == b'\n');
    Ok((text.extension().to_owned(), signatures.filter(|line| !line.is_empty()).count()))
}

/// How many records a note says that it signs.
pub(crate) fn unchecked_size(note: &[u8]) -> Option<u64> {
    let note = Note::from_bytes(note).ok()?;
    tlog_tiles::Checkpoint::from_bytes(note.text()).ok().map(|text| text.size())
}

/// Reads a checkpoint that one of the keys has signed.
pub fn checkpoint_from_note(note: &[u8], keys: &[VerifierKey]) -> Result<Checkpoint, AuditError> {
    let malformed = |why: String| AuditError::Malformed { what: "the checkpoint", why };
    let parsed = Note::from_bytes(note).map_err(|error| malformed(error.to_string()))?;
    // One spelling only, so that no bit of it is free.
    if parsed.to_bytes() != note {
        return Err(malformed("it is not spelled as it was signed".into()));
    }
    let text = tlog_tiles::Checkpoint::from_bytes(parsed.text())
        .map_err(|error| malformed(error.to_string()))?;
    let mut verifiers: Vec<Box<dyn signed_note::Verifier>> = Vec::new();
    for key in keys.iter().filter(|key| key.origin() == text.origin()) {
        verifiers.push(Box::new(key.verifier()?));
    }
    if verifiers.is_empty() {
        return Err(malformed(format!("it is of `{}`, and none of the keys is", text.origin())));
    }
    parsed.verify(&VerifierList::new(verifiers)).map_err(|error| {
        malformed(format!("{error}: another key has signed it, or it was changed"))
    })?;
    Ok(Checkpoint { size: text.size(), root: text.hash().0 })
}
