//! What stands in a record in place of something personal, and how it is opened again.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::Vault;
use super::subject::{
    Place, Subject, canonical, commitment, is_pseudonym, looks_like_pseudonym, pseudonym,
};
use crate::error::AuditError;
use crate::record::{Entry, Record, representable};

/// What is shown where a subject's key was erased.
pub const ERASED: &str = "[erased]";
/// What is shown where the key is not at hand.
const SEALED: &str = "[sealed]";
/// What is shown where only a commitment was kept.
const COMMITTED: &str = "[committed]";
/// What is shown where the record holds something that its key did not seal there.
const BROKEN: &str = "[does not open]";

/// How something personal is kept in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// As the person's pseudonym. For names.
    Name,
    /// As a commitment, and encrypted under the person's key. For texts and payloads that are read again.
    Sealed,
    /// As a commitment alone. For what is only ever compared: actions, facts, digests.
    Committed,
}

/// A place in an entry that holds something personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Personal {
    /// Where: `/principal`, `/object`, or a JSON pointer (RFC 6901) that begins with `/detail`.
    pub at: String,
    /// Whose: the person's name.
    pub of: String,
    /// How it is kept.
    pub kept: Kept,
}

/// What a record holds for a sealed place. The place itself holds null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seal {
    /// HMAC-SHA-256 of the canonical value under a salt of its own, in base64.
    pub commitment: String,
    /// Whose: a pseudonym.
    pub of: String,
    /// Nonce and ciphertext of XChaCha20-Poly1305, in base64; nothing when only the commitment was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// What came of opening it. Never in a record.
    #[serde(skip_deserializing, skip_serializing_if = "Option::is_none")]
    pub found: Option<Opened>,
}

/// What came of opening a seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Opened {
    /// The value is there, and it is the one that was committed to.
    Opened,
    /// The person's key was erased.
    Erased,
    /// The person's key is not in this vault.
    NoKey,
    /// Nothing but the commitment was kept.
    Committed,
    /// It is not what the person's key sealed here.
    Broken,
}

/// A value with what shows that a record commits to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosed {
    /// The value.
    pub value: Value,
    /// Its salt; nothing else can be opened with it. For a name: all records with the pseudonym.
    pub salt: [u8; 32],
}

impl Disclosed {
    /// Whether a seal commits to this value.
    pub fn fits(&self, seal: &Seal) -> bool {
        canonical(&self.value).is_ok_and(|bytes| commitment(&self.salt, &bytes) == seal.commitment)
    }

    /// Whether a pseudonym is made of this name.
    pub fn names(&self, subject: &str) -> bool {
        self.value.as_str().is_some_and(|name| pseudonym(&self.salt, name) == subject)
    }
}

impl Vault {
    /// Takes what is personal out of an entry. The keys that this needs are on disk when it returns.
    ///
    /// Blocks when a person is new.
    pub fn seal(&self, mut entry: Entry, personal: &[Personal]) -> Result<Entry, AuditError> {
        let id = Uuid::new_v4();
        let named = |at: &str| personal.iter().any(|one| one.at == at && one.kept == Kept::Name);
        for (at, text) in [("/principal", &entry.principal), ("/object", &entry.object)] {
            if looks_like_pseudonym(text) && !named(at) && !self.is_known(text) {
                let why = format!("`{text}` would be taken for a person's pseudonym");
                return Err(AuditError::Unwritable { why });
            }
        }
        for one in personal {
            let subject = self.subject(&one.of)?;
            let at = one.at.as_str();
            if one.kept == Kept::Name {
                subject.pseudonym().clone_into(name_at(&mut entry, at)?);
                continue;
            }
            let value = value_at(&mut entry, at).ok_or_else(|| no_place(at))?.take();
            entry.sealed.insert(at.to_owned(), sealed(&subject, id, at, &value, one.kept)?);
            entry.id = Some(id);
        }
        Ok(entry)
    }

    /// Puts back what this vault can open, and says in place of the rest why it cannot.
    pub fn reveal(&self, mut record: Record) -> Record {
        let id = record.id.unwrap_or_default();
        for (at, seal) in &mut record.sealed {
            let (found, value) = self.opened(id, at, seal);
            seal.found = Some(found);
            seal.text = None;
            if let Some(place) =
                at.strip_prefix("/detail").and_then(|at| record.detail.pointer_mut(at))
            {
                *place = value;
            }
        }
        for text in [&mut record.principal, &mut record.object] {
            if let Some(shown) = self.shown_name(text) {
                *text = shown;
            }
        }
        self.name_all(&mut record.detail);
        record
    }

    fn opened(&self, record: Uuid, at: &str, seal: &Seal) -> (Opened, Value) {
        let found = match self.key_of(&seal.of) {
            Ok(_) if seal.text.is_none() => (Opened::Committed, COMMITTED),
            Ok(subject) => match open(&subject, record, at, seal) {
                Some(value) => return (Opened::Opened, value),
                None => (Opened::Broken, BROKEN),
            },
            Err(Opened::Erased) => (Opened::Erased, ERASED),
            Err(why) => (why, SEALED),
        };
        (found.0, found.1.into())
    }

    /// The name behind a pseudonym, or what is shown instead; `None` for other texts and unknown pseudonyms.
    fn shown_name(&self, text: &str) -> Option<String> {
        if !is_pseudonym(text) {
            return None;
        }
        match self.key_of(text) {
            Ok(subject) => Some(subject.name().to_owned()),
            Err(Opened::Erased) => Some(ERASED.to_owned()),
            Err(_) => None,
        }
    }

    fn name_all(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some(shown) = self.shown_name(text) {
                    *text = shown;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.name_all(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.name_all(field)),
            _ => {}
        }
    }

    /// What shows someone without the key what a record says at a place; `None` when it does not open.
    pub fn disclose(&self, record: &Record, at: &str) -> Option<Disclosed> {
        let (id, seal) = (record.id?, record.sealed.get(at)?);
        let subject = self.key_of(&seal.of).ok()?;
        let value = open(&subject, id, at, seal)?;
        Some(Disclosed { value, salt: *subject.salt(id, at) })
    }

    /// What shows someone without the key whose pseudonym this is.
    pub fn disclose_name(&self, pseudonym: &str) -> Option<Disclosed> {
        let subject = self.key_of(pseudonym).ok()?;
        Some(Disclosed { value: subject.name().into(), salt: *subject.salt_of_name() })
    }

    /// Whether a record commits to this value at this place; `None` when the key is gone or there is no seal.
    pub fn commits_to(&self, record: &Record, at: &str, value: &Value) -> Option<bool> {
        let (id, seal) = (record.id?, record.sealed.get(at)?);
        let subject = self.key_of(&seal.of).ok()?;
        Some(
            canonical(value)
                .is_ok_and(|bytes| commitment(&subject.salt(id, at), &bytes) == seal.commitment),
        )
    }
}

fn sealed(
    subject: &Subject,
    id: Uuid,
    at: &str,
    value: &Value,
    kept: Kept,
) -> Result<Seal, AuditError> {
    representable(value)?;
    let plain = canonical(value)?;
    let commitment = commitment(&subject.salt(id, at), &plain);
    let place = Place { record: id, at, commitment: &commitment };
    let text = match kept {
        Kept::Sealed => Some(subject.encrypt(&place, &plain)?),
        Kept::Name | Kept::Committed => None,
    };
    Ok(Seal { commitment, of: subject.pseudonym().to_owned(), text, found: None })
}

/// The value of a seal, held against its commitment: so no second key opens it to something else.
fn open(subject: &Subject, record: Uuid, at: &str, seal: &Seal) -> Option<Value> {
    let place = Place { record, at, commitment: &seal.commitment };
    let plain: Zeroizing<Vec<u8>> = subject.decrypt(&place, seal.text.as_deref()?)?;
    if commitment(&subject.salt(record, at), &plain) != seal.commitment {
        return None;
    }
    serde_json::from_slice(&plain).ok()
}

fn value_at<'a>(entry: &'a mut Entry, at: &str) -> Option<&'a mut Value> {
    entry.detail.pointer_mut(at.strip_prefix("/detail")?)
}

fn name_at<'a>(entry: &'a mut Entry, at: &str) -> Result<&'a mut String, AuditError> {
    match at {
        "/principal" => Ok(&mut entry.principal),
        "/object" => Ok(&mut entry.object),
        _ => match value_at(entry, at) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(no_place(at)),
        },
    }
}

/// Left in the clear it must not be, so nothing is recorded.
fn no_place(at: &str) -> AuditError {
    AuditError::Unwritable {
        why: format!("there is nothing at `{at}` that could be kept as personal"),
    }
}
