//! Forgetting people, and holds that forbid it, each recorded before it is done.

use std::sync::Arc;

use async_trait::async_trait;
use lockgate_audit::{AuditError, Hold, Vault};
use lockgate_model::custody::{Custody, CustodyError, LegalHold};
use lockgate_model::ledger::{Kept, Ledger as _, LedgerEntry, Principal, Step};
use lockgate_model::ports::PortError;
use serde_json::json;

use crate::serve::activate::wall_ms;
use crate::serve::blocking;
use crate::serve::ledger::AuditLedger;

impl AuditLedger {
    async fn vault(&self) -> Result<Arc<Vault>, CustodyError> {
        let persons = Arc::clone(&self.persons);
        blocking(move || persons.vault()).await.map_err(failed)
    }

    /// Destroys one key, recorded before and after.
    async fn erase_one(
        &self,
        by: &Principal,
        pseudonym: &str,
        reason: &str,
        vault: Arc<Vault>,
    ) -> Result<(), CustodyError> {
        let mut intent = said(by, "audit.erase", pseudonym, reason);
        intent.step = Step::Intent;
        let of = self.record(intent).await?;
        let erased = {
            let pseudonym = pseudonym.to_owned();
            blocking(move || vault.erase(&pseudonym)).await
        };
        // Lockgate says how it ended: who asked may be who is gone.
        let lockgate = Principal::Part("lockgate".into());
        let mut outcome = LedgerEntry::event(wall_ms(), lockgate, "audit.erase", pseudonym);
        outcome.step = Step::Outcome { of };
        outcome.detail = match &erased {
            Ok(true) => json!({ "outcome": "erased" }),
            Ok(false) => {
                json!({ "outcome": "nothing", "why": "somebody else erased it meanwhile" })
            }
            Err(error) => json!({ "outcome": "failed", "why": error.to_string() }),
        };
        let recorded = self.record(outcome).await;
        erased.map_err(failed)?;
        recorded?;
        Ok(())
    }
}

#[async_trait]
impl Custody for AuditLedger {
    async fn erase(
        &self,
        by: &Principal,
        name: &str,
        reason: &str,
    ) -> Result<Option<String>, CustodyError> {
        if names(reason, name) {
            let why =
                "the reason names the person, and would go on doing so: say it without the name";
            return Err(CustodyError::Refused(why.into()));
        }
        let vault = self.vault().await?;
        if let Some(hold) = vault.holds().first() {
            return Err(CustodyError::Held { hold: hold.name.clone() });
        }
        let mut erased = None;
        for pseudonym in vault.pseudonyms(name) {
            self.erase_one(by, &pseudonym, reason, Arc::clone(&vault)).await?;
            erased = Some(pseudonym);
        }
        Ok(erased)
    }

    async fn hold(&self, by: &Principal, name: &str, reason: &str) -> Result<(), CustodyError> {
        let vault = self.vault().await?;
        vault.may_hold(name).map_err(failed)?;
        self.record(about_hold(by, "audit.hold", name, reason)).await?;
        let hold = Hold {
            name: name.to_owned(),
            reason: reason.to_owned(),
            by: by.name().to_owned(),
            at_ms: wall_ms(),
        };
        blocking(move || vault.hold(hold)).await.map_err(failed)
    }

    async fn lift(&self, by: &Principal, name: &str, reason: &str) -> Result<bool, CustodyError> {
        let vault = self.vault().await?;
        if vault.holds().iter().all(|hold| hold.name != name) {
            return Ok(false);
        }
        self.record(about_hold(by, "audit.lift_hold", name, reason)).await?;
        let name = name.to_owned();
        blocking(move || vault.lift(&name)).await.map_err(failed)
    }

    async fn holds(&self) -> Result<Vec<LegalHold>, CustodyError> {
        let holds = self.vault().await?.holds().into_iter();
        let legal =
            |Hold { name, reason, by, at_ms }| LegalHold { name, reason, by, at_wall_ms: at_ms };
        Ok(holds.map(legal).collect())
    }
}

/// Whether a text names a person, in whole words.
fn names(text: &str, name: &str) -> bool {
    let (text, name) = (text.to_lowercase(), name.to_lowercase());
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    text.match_indices(&name).any(|(at, found)| {
        let (before, after) = (&text[..at], &text[at + found.len()..]);
        !is_word(before.chars().next_back()) && !is_word(after.chars().next())
    })
}

/// A hold's name may name a person, so it is sealed like the reason.
fn about_hold(by: &Principal, action: &str, name: &str, reason: &str) -> LedgerEntry {
    let mut entry = said(by, action, "audit", reason);
    entry.detail["hold"] = json!(name);
    entry.mark("/hold", by, Kept::Sealed);
    entry
}

fn said(by: &Principal, action: &str, object: &str, reason: &str) -> LedgerEntry {
    let mut entry = LedgerEntry::event(wall_ms(), by.clone(), action, object);
    entry.detail = json!({ "reason": reason });
    entry.mark("/reason", by, Kept::Sealed);
    entry
}

fn failed(error: AuditError) -> CustodyError {
    match error {
        AuditError::Held { hold } => CustodyError::Held { hold },
        AuditError::Missing(why) => CustodyError::Refused(why),
        error => CustodyError::Failed(PortError::new(error)),
    }
}
