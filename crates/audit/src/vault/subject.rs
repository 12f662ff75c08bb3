//! A person as records know them: a key, and a pseudonym that says nothing without it.
//!
//! From a subject's key `K` come, by HKDF-Expand with SHA-256 (RFC 5869), a key for each purpose. The pseudonym is
//! HMAC-SHA-256 of the name under the first; a value in a record is committed to by HMAC-SHA-256 of its canonical form
//! (RFC 8785) under a salt of its own, which is HMAC-SHA-256 of the record's id and the place under the second; and
//! sealed by XChaCha20-Poly1305 under the third. Without `K` none of them can be told from chance.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305};
use hmac::{Hmac, Mac as _};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::Sha256;
use uuid::Uuid;
use zeroize::{Zeroize as _, Zeroizing};

use crate::error::AuditError;

/// How a pseudonym begins; the rest is 43 characters of base64url.
const PREFIX: &str = "subject:";
const PSEUDONYM_CHARS: usize = PREFIX.len() + 43;
const NONCE_BYTES: usize = 24;
const FORMAT: u32 = 1;

/// Thirty-two secret bytes that are wiped when they go.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

/// One person.
pub(crate) struct Subject {
    name: String,
    key: Secret,
    pseudonym: String,
}

/// A subject's file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: u32,
    key: String,
    name: String,
}

impl Drop for File {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl Subject {
    /// A new key for this person.
    pub(crate) fn generate(name: &str) -> Result<Self, AuditError> {
        let mut key = Secret::default();
        fill(key.as_mut())?;
        Ok(Self::new(name.to_owned(), key))
    }

    fn new(name: String, key: Secret) -> Self {
        let pseudonym = pseudonym(&expand(&key, "name"), &name);
        Self { name, key, pseudonym }
    }

    /// Reads a subject's file.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let file: File = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if file.format != FORMAT {
            return Err(format!(
                "it is of format {}, which this program does not know",
                file.format
            ));
        }
        let decoded = Zeroizing::new(BASE64_STANDARD.decode(&file.key).unwrap_or_default());
        let key: [u8; 32] =
            decoded.as_slice().try_into().map_err(|_| "its key is not 32 bytes in base64")?;
        Ok(Self::new(file.name.clone(), Secret::new(key)))
    }

    /// The file.
    pub(crate) fn to_text(&self) -> Zeroizing<String> {
        let key = BASE64_STANDARD.encode(self.key.as_slice());
        let file = File { format: FORMAT, key, name: self.name.clone() };
        Zeroizing::new(serde_json::to_string(&file).expect("texts can be written") + "\n")
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn pseudonym(&self) -> &str {
        &self.pseudonym
    }

    /// What shows that the pseudonym is this person's, without the key.
    pub(crate) fn salt_of_name(&self) -> Secret {
        expand(&self.key, "name")
    }

    /// What shows what a record says at a place, without the key.
    pub(crate) fn salt(&self, record: Uuid, at: &str) -> Secret {
        let mut mac = mac(&expand(&self.key, "commit"));
        mac.update(record.as_bytes());
        mac.update(at.as_bytes());
        Secret::new(mac.finalize().into_bytes().into())
    }

    /// Encrypts canonical bytes for one place in one record.
    pub(crate) fn encrypt(&self, place: &Place<'_>, plain: &[u8]) -> Result<String, AuditError> {
        let mut nonce = [0; NONCE_BYTES];
        fill(&mut nonce)?;
        let payload = Payload { msg: plain, aad: &place.bound_to(&self.pseudonym) };
        let sealed = self
            .cipher()
            .encrypt(&nonce.into(), payload)
            .map_err(|_| AuditError::Unwritable { why: "it cannot be encrypted".into() })?;
        Ok(BASE64_STANDARD.encode([&nonce[..], &sealed].concat()))
    }

    /// The canonical bytes, if they were encrypted for this very place.
    pub(crate) fn decrypt(&self, place: &Place<'_>, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        let bytes = BASE64_STANDARD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let payload = Payload { msg: sealed, aad: &place.bound_to(&self.pseudonym) };
        self.cipher().decrypt(&(*nonce).into(), payload).ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*expand(&self.key, "seal")).into())
    }
}

/// Where a sealed value stands; it opens nowhere else.
pub(crate) struct Place<'a> {
    pub(crate) record: Uuid,
    pub(crate) at: &'a str,
    pub(crate) commitment: &'a str,
}

impl Place<'_> {
    /// No two places give the same bytes: what comes before `at` is of fixed length.
    fn bound_to(&self, pseudonym: &str) -> Vec<u8> {
        let fixed = [pseudonym.as_bytes(), self.record.as_bytes(), self.commitment.as_bytes()];
        [&fixed.concat(), self.at.as_bytes()].concat()
    }
}

/// The pseudonym that this salt gives this name.
pub(crate) fn pseudonym(salt: &[u8; 32], name: &str) -> String {
    let mut mac = mac(salt);
    mac.update(name.as_bytes());
    PREFIX.to_owned() + &BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
}

/// Whether a text has the form of one.
pub(crate) fn is_pseudonym(text: &str) -> bool {
    text.len() == PSEUDONYM_CHARS
        && text.strip_prefix(PREFIX).is_some_and(|rest| {
            rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        })
}

/// Whether a text could be taken for one. Nothing but a pseudonym may stand in a record like this.
pub(crate) fn looks_like_pseudonym(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// The commitment to a value's canonical bytes under a salt.
pub(crate) fn commitment(salt: &[u8; 32], canonical: &[u8]) -> String {
    let mut mac = mac(salt);
    mac.update(canonical);
    BASE64_STANDARD.encode(mac.finalize().into_bytes())
}

/// RFC 8785.
pub(crate) fn canonical(value: &Value) -> Result<Zeroizing<Vec<u8>>, AuditError> {
    serde_json_canonicalizer::to_vec(value)
        .map(Zeroizing::new)
        .map_err(|error| AuditError::Unwritable { why: error.to_string() })
}

/// HKDF-Expand of one block.
fn expand(key: &[u8; 32], purpose: &str) -> Secret {
    let mut mac = mac(key);
    mac.update(b"lockgate audit subject v1 ");
    mac.update(purpose.as_bytes());
    mac.update(&[1]);
    Secret::new(mac.finalize().into_bytes().into())
}

fn mac(key: &[u8; 32]) -> Hmac<Sha256> {
    hmac::KeyInit::new_from_slice(key).expect("HMAC takes a key of any length")
}

fn fill(bytes: &mut [u8]) -> Result<(), AuditError> {
    getrandom::fill(bytes).map_err(|error| AuditError::Malformed {
        what: "the system's randomness",
        why: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_has_one_form() {
        let subject = Subject::generate("ada").unwrap();
        assert!(is_pseudonym(subject.pseudonym()));
        for other in ["", "subject:", "ada", "subject:ada"] {
            assert!(!is_pseudonym(other), "{other}");
        }
        assert_ne!(Subject::generate("ada").unwrap().pseudonym(), subject.pseudonym());
        let again = Subject::parse(subject.to_text().as_bytes()).unwrap();
        assert_eq!((again.name(), again.pseudonym()), ("ada", subject.pseudonym()));
        assert_eq!(pseudonym(&subject.salt_of_name(), "ada"), subject.pseudonym());
        assert_ne!(pseudonym(&subject.salt_of_name(), "eve"), subject.pseudonym());
    }

    #[test]
    fn what_is_sealed_opens_in_its_place_alone() {
        let (ada, eve) = (Subject::generate("ada").unwrap(), Subject::generate("eve").unwrap());
        let record = Uuid::new_v4();
        let place = Place { record, at: "/detail/reason", commitment: "c" };
        let text = ada.encrypt(&place, b"\"why\"").unwrap();
        assert_eq!(ada.decrypt(&place, &text).unwrap().as_slice(), b"\"why\"");
        assert!(eve.decrypt(&place, &text).is_none(), "another key");
        for other in [
            Place { record: Uuid::new_v4(), ..place },
            Place { at: "/detail/other", ..place },
            Place { commitment: "d", ..place },
        ] {
            assert!(ada.decrypt(&other, &text).is_none(), "another place");
        }
        let mut bytes = BASE64_STANDARD.decode(&text).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert!(ada.decrypt(&place, &BASE64_STANDARD.encode(&bytes)).is_none(), "byte {at}");
            bytes[at] ^= 1;
        }
        assert_ne!(ada.encrypt(&place, b"\"why\"").unwrap(), text, "a nonce of its own");
    }
}
