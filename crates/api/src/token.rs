//! API tokens: `lgk_` and 32 random bytes. Only their SHA-256 is kept.
//!
//! A plain hash is enough here: a token has 256 random bits, so there is nothing to guess.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use lockgate_model::ids::AgentName;
use lockgate_model::ledger::{Kept, Ledger, LedgerEntry, Principal as Who};
use lockgate_model::ports::PortError;
use lockgate_store::{Role, Store, StoreError, TokenRecord};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};
use uuid::Uuid;

use crate::clock;

const PREFIX: &str = "lgk_";
const SECRET_BYTES: usize = 32;
/// `lgk_` and 43 characters of base64url.
const TOKEN_LEN: usize = PREFIX.len() + (SECRET_BYTES * 8).div_ceil(6);

/// A new token, and what the store keeps of it. The first part is shown once and never again.
pub fn mint(name: &str, role: Role, agents: Option<Vec<AgentName>>) -> (String, TokenRecord) {
    let mut secret = [0_u8; SECRET_BYTES];
    getrandom::fill(&mut secret).expect("the operating system has randomness");
    let plaintext = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
    let record = TokenRecord {
        id: Uuid::now_v7().to_string(),
        name: name.to_owned(),
        hash_hex: hash_hex(&plaintext),
        role,
        agents,
        created_wall_ms: clock::wall_ms(),
        revoked_wall_ms: None,
    };
    (plaintext, record)
}

/// Why there is no first token.
#[derive(Debug, thiserror::Error)]
pub enum BootstrapError {
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be recorded, so it is not made.
    #[error("it cannot be recorded")]
    NotRecorded(#[from] PortError),
}

/// The first admin token, if there is no token at all; to be printed once. It is recorded before it is good.
pub async fn bootstrap(
    store: &Store,
    ledger: &dyn Ledger,
) -> Result<Option<String>, BootstrapError> {
    if !store.tokens().await?.is_empty() {
        return Ok(None);
    }
    let (plaintext, token) = mint("first-admin", Role::Admin, None);
    let lockgate = Who::Part("lockgate".into());
    let mut entry = LedgerEntry::event(token.created_wall_ms, lockgate, "token.create", &token.id);
    entry.detail = json!({
        "name": token.name, "role": token.role, "agents": token.agents,
        "reason": "there was no token yet",
    });
    entry.mark("/name", &Who::named(&token.name), Kept::Name);
    ledger.record(entry).await?;
    store.insert_token(&token).await?;
    Ok(Some(plaintext))
}

/// Whether `text` can be a token at all; spares the store a look at anything else.
pub(crate) fn well_formed(text: &str) -> bool {
    text.len() == TOKEN_LEN && text.starts_with(PREFIX)
}

/// The record that `plaintext` belongs to. Takes the same time wherever it stands, and whether it
/// is there or not.
pub(crate) fn find<'a>(plaintext: &str, records: &'a [TokenRecord]) -> Option<&'a TokenRecord> {
    let hash = hash_hex(plaintext);
    let mut found = 0_u64;
    for (position, record) in (1_u64..).zip(records) {
        let same: Choice = hash.as_bytes().ct_eq(record.hash_hex.as_bytes());
        let live = Choice::from(u8::from(record.revoked_wall_ms.is_none()));
        found.conditional_assign(&position, same & live);
    }
    let index = usize::try_from(found.checked_sub(1)?).ok()?;
    records.get(index)
}

pub(crate) fn hash_hex(plaintext: &str) -> String {
    hex::encode(Sha256::digest(plaintext.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_its_hash_only() {
        let (first, a) = mint("a", Role::Viewer, None);
        let (second, b) = mint("b", Role::Admin, None);
        assert!(well_formed(&first) && first.len() == 47);
        assert!(!a.hash_hex.contains(&first[4..]));
        let records = [a, b];
        assert_eq!(find(&second, &records).map(|r| r.name.as_str()), Some("b"));
        assert_eq!(find(&first, &records).map(|r| r.name.as_str()), Some("a"));
        assert!(find("lgk_", &records).is_none());
    }

    #[test]
    fn a_revoked_token_is_no_token() {
        let (plaintext, mut record) = mint("a", Role::Viewer, None);
        record.revoked_wall_ms = Some(1);
        assert!(find(&plaintext, &[record]).is_none());
    }
}
