//! Cosignatures: a witness's word that a log has only grown, <https://c2sp.org/tlog-cosignature>, Ed25519.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::{Signature as Ed25519Signature, Signer as _, SigningKey, VerifyingKey};
use signed_note::{Note, NoteError, Signature, VerifierList};

use crate::error::AuditError;

/// The type of key in signed notes.
const COSIGNATURE: u8 = 4;
/// The largest time that may be signed, in seconds since the Unix epoch.
const TIME_MAX_S: u64 = i64::MAX.unsigned_abs();

/// A witness's private key. Its text form is a secret.
#[derive(Clone)]
pub struct WitnessKey {
    signer: SigningKey,
    public: CosignerKey,
    secret: String,
}

impl std::fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WitnessKey").field("public", &self.public).finish_non_exhaustive()
    }
}

impl WitnessKey {
    /// A new key for a witness of this name: a URL without scheme, such as `witness.example/w1`.
    pub fn generate(name: &str) -> Result<Self, AuditError> {
        if !signed_note::is_key_name_valid(name) || name.chars().any(char::is_control) {
            return Err(malformed(
                "the witness's name",
                "it must not be empty, nor have spaces or `+`",
            ));
        }
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)
            .map_err(|error| malformed("the system's randomness", error.to_string()))?;
        let key = SigningKey::from_bytes(&seed).verifying_key();
        let id = key_id(name, &key);
        let private = BASE64_STANDARD.encode([&[COSIGNATURE], seed.as_slice()].concat());
        Self::parse(&format!("PRIVATE+KEY+{name}+{id:08x}+{private}"))
    }

    /// Reads a key in the text form of signed notes.
    pub fn parse(text: &str) -> Result<Self, AuditError> {
        let wrong = |why: &str| malformed("the witness's private key", why);
        let secret = text.trim();
        let rest = secret.strip_prefix("PRIVATE+KEY+");
        let (name, id, key) = rest.and_then(split).ok_or_else(|| wrong("it is not one"))?;
        let seed: [u8; 32] = key.try_into().map_err(|_| wrong("its bytes are not a key"))?;
        let signer = SigningKey::from_bytes(&seed);
        let public = CosignerKey { name: name.to_owned(), id, key: signer.verifying_key() };
        if id != key_id(name, &public.key) {
            return Err(wrong("its id is of another key"));
        }
        Ok(Self { signer, public, secret: secret.to_owned() })
    }

    /// The text form, for a file that only the witness can read.
    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// What others check cosignatures with.
    pub fn public(&self) -> &CosignerKey {
        &self.public
    }

    /// Cosigns a checkpoint's text at a time, in seconds since the Unix epoch.
    pub(crate) fn cosign(&self, text: &[u8], at_s: u64) -> Result<Signature, AuditError> {
        if !(1..=TIME_MAX_S).contains(&at_s) {
            return Err(malformed("the time", "a cosignature cannot say it; set the clock"));
        }
        let signature = self.signer.sign(&message(text, at_s)).to_bytes();
        let signature = [&at_s.to_be_bytes(), signature.as_slice()].concat();
        Signature::new(self.public.name.clone(), self.public.id, signature)
            .map_err(|error| malformed("the witness's name", error.to_string()))
    }
}

/// A witness's public key in the text form of signed notes: `NAME+ID+KEY`.
#[derive(Clone, PartialEq, Eq)]
pub struct CosignerKey {
    name: String,
    id: u32,
    key: VerifyingKey,
}

impl std::fmt::Debug for CosignerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl std::fmt::Display for CosignerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = BASE64_STANDARD.encode([&[COSIGNATURE], self.key.as_bytes().as_slice()].concat());
        write!(f, "{}+{:08x}+{key}", self.name, self.id)
    }
}

impl CosignerKey {
    /// Reads a public key. Only its one canonical spelling is taken.
    pub fn parse(text: &str) -> Result<Self, AuditError> {
        let wrong = |why: &str| malformed("a witness's public key", why);
        let (name, id, key) = split(text).ok_or_else(|| {
            wrong("it is not of the form NAME+ID+KEY, with a key for cosignatures (type 4)")
        })?;
        let key: [u8; 32] = key.try_into().map_err(|_| wrong("its bytes are not a key"))?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| wrong("its bytes are not a key"))?;
        // Under such a key anyone can sign.
        if key.is_weak() {
            return Err(wrong("it is a weak key"));
        }
        let parsed = Self { name: name.to_owned(), id, key };
        if id != key_id(name, &key) || parsed.to_string() != text {
            return Err(wrong("its id is of another key, or it is not spelled as it was written"));
        }
        Ok(parsed)
    }

    /// The witness's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether who has the one private key has the other, whatever their names.
    pub(crate) fn is_same_key(&self, other: &Self) -> bool {
        self.key == other.key
    }

    /// Its short id, which stands in signatures.
    pub fn id(&self) -> u32 {
        self.id
    }
}

impl signed_note::Verifier for CosignerKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let Some((at_s, signature)) = at_and_signature(signature) else { return false };
        self.key.verify_strict(&message(text, at_s), &signature).is_ok()
    }
}

/// A cosignature that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Whose.
    pub witness: CosignerKey,
    /// When, in seconds since the Unix epoch, by the witness's clock.
    pub at_s: u64,
}

/// The cosignatures of these witnesses on a checkpoint. Those of others are passed over; one of theirs that does not
/// hold spoils the note.
pub fn cosignatures(
    note: &[u8],
    witnesses: &[CosignerKey],
) -> Result<Vec<Cosignature>, AuditError> {
    let note = parse_note(note)?;
    let verified = verified(&note, witnesses)?;
    let whose = |signature: &Signature| {
        let of = |key: &&CosignerKey| key.name == signature.name() && key.id == signature.id();
        let witness = witnesses.iter().find(of)?.clone();
        Some(Cosignature { witness, at_s: at_and_signature(signature.signature())?.0 })
    };
    Ok(verified.iter().filter_map(whose).collect())
}

/// Puts a witness's answer under a checkpoint: its cosignature, and nothing else of it.
pub fn add_cosignature(
    note: &[u8],
    answer: &[u8],
    witness: &CosignerKey,
) -> Result<Vec<u8>, AuditError> {
    let all = parse_note(&[note, answer].concat())?;
    let own = verified(&all, std::slice::from_ref(witness))?;
    if own.is_empty() {
        return Err(malformed(
            "the witness's answer",
            "it has no cosignature of the witness's key",
        ));
    }
    let lines = own.iter().flat_map(Signature::to_bytes);
    Ok(note.iter().copied().chain(lines).collect())
}

/// The ids of all who signed a note. Nothing is checked.
pub(crate) fn signers(note: &[u8]) -> Result<Vec<u32>, AuditError> {
    let parsed = parse_note(note)?;
    let lines = note.get(parsed.text().len()..).unwrap_or_default().split(|byte| *byte == b'\n');
    let lines = lines.filter_map(|line| Signature::from_bytes(line).ok());
    Ok(lines.map(|signature| signature.id()).collect())
}

fn verified(note: &Note, witnesses: &[CosignerKey]) -> Result<Vec<Signature>, AuditError> {
    let known: Vec<Box<dyn signed_note::Verifier>> = witnesses
        .iter()
        .map(|witness| Box::new(witness.clone()) as Box<dyn signed_note::Verifier>)
        .collect();
    match note.verify(&VerifierList::new(known)) {
        Ok((verified, _)) => Ok(verified),
        Err(NoteError::UnverifiedNote) => Ok(Vec::new()),
        Err(error) => Err(malformed("a cosignature", error.to_string())),
    }
}

pub(crate) fn parse_note(note: &[u8]) -> Result<Note, AuditError> {
    Note::from_bytes(note).map_err(|error| malformed("the checkpoint", error.to_string()))
}

/// What is signed.
fn message(text: &[u8], at_s: u64) -> Vec<u8> {
    [format!("cosignature/v1\ntime {at_s}\n").as_bytes(), text].concat()
}

fn at_and_signature(bytes: &[u8]) -> Option<(u64, Ed25519Signature)> {
    let (at_s, signature) = bytes.split_first_chunk::<8>()?;
    let at_s = Some(u64::from_be_bytes(*at_s)).filter(|at_s| (1..=TIME_MAX_S).contains(at_s))?;
    Some((at_s, Ed25519Signature::from_bytes(signature.try_into().ok()?)))
}

/// Name, id and key of `NAME+ID+KEY`.
fn split(text: &str) -> Option<(&str, u32, Vec<u8>)> {
    // Base64 has a plus sign of its own.
    let mut parts = text.splitn(3, '+');
    let (name, id, key) = (parts.next()?, parts.next()?, parts.next()?);
    let key = BASE64_STANDARD.decode(key).ok()?;
    let (kind, key) = key.split_first()?;
    let is_name = signed_note::is_key_name_valid(name) && !name.chars().any(char::is_control);
    (is_name && *kind == COSIGNATURE && id.len() == 8)
        .then(|| Some((name, u32::from_str_radix(id, 16).ok()?, key.to_vec())))?
}

fn key_id(name: &str, key: &VerifyingKey) -> u32 {
    signed_note::key_id(name, &[&[COSIGNATURE], key.as_bytes().as_slice()].concat())
}

fn malformed(what: &'static str, why: impl Into<String>) -> AuditError {
    AuditError::Malformed { what, why: why.into() }
}
