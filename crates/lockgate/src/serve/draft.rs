//! An entry of another room on its way into the log: what is personal in it, and how it is made to fit.

use lockgate_audit::{Entry, Kept, Personal, Step};
use lockgate_model::ledger::{self, LedgerEntry, Principal};
use lockgate_model::version::Digest;
use serde_json::{Value, json};

/// Whole numbers above this are written as text: RFC 8785 cannot tell them apart.
const INTEGER_MAX: u64 = (1 << 53) - 1;
/// Values that are shorter than this, in bytes, stay when an entry is too large.
const SHORT_BYTES: usize = 2_000;
/// Where the content of an entry that is too large would be.
const CONTENT: &str = "/detail/too_large/content";

/// An entry, and what is to be sealed in it.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    pub(super) entry: Entry,
    pub(super) personal: Vec<Personal>,
}

impl From<LedgerEntry> for Draft {
    fn from(from: LedgerEntry) -> Self {
        let name = from.principal.name();
        let mut entry = Entry::event(from.at_wall_ms, name, from.action, from.object);
        entry.step = match from.step {
            ledger::Step::Event => Step::Event,
            ledger::Step::Intent => Step::Intent,
            ledger::Step::Outcome { of } => Step::Outcome { of },
        };
        let labels = from.labels.into_iter();
        entry.labels = labels.map(|(name, value)| (name.to_owned(), value)).collect();
        entry.detail = writable(from.detail);
        let who = match from.principal {
            Principal::Person(of) => Some(named("/principal".into(), of)),
            Principal::Part(_) => None,
        };
        let personal = from.personal.into_iter().map(|ledger::Personal { at, of, kept }| {
            let kept = match kept {
                ledger::Kept::Name => Kept::Name,
                ledger::Kept::Sealed => Kept::Sealed,
                ledger::Kept::Committed => Kept::Committed,
            };
            Personal { at: format!("/detail{at}"), of, kept }
        });
        Self { entry, personal: who.into_iter().chain(personal).collect() }
    }
}

fn named(at: String, of: String) -> Personal {
    Personal { at, of, kept: Kept::Name }
}

impl Draft {
    /// Makes it smaller, where the log would not take it: long texts are committed to and no longer readable; and if
    /// that was not enough, so is everything. `false` when there is nothing more to be done.
    pub(super) fn shorten(&mut self) -> bool {
        let Self { entry, personal } = self;
        let mut shorter = false;
        for one in personal.iter_mut().filter(|one| one.kept == Kept::Sealed) {
            let at = one.at.strip_prefix("/detail").unwrap_or_default();
            let value = entry.detail.pointer(at);
            if value.is_some_and(|value| value.to_string().len() > SHORT_BYTES) {
                one.kept = Kept::Committed;
                shorter = true;
            }
        }
        shorter || self.leave_out()
    }

    /// Puts a commitment in place of the detail, or its digest when nobody's data is in it.
    fn leave_out(&mut self) -> bool {
        let Self { entry, personal } = self;
        if entry.detail.get("too_large").is_some() {
            return false;
        }
        let detail = std::mem::take(&mut entry.detail);
        let text = detail.to_string();
        let short = |name: &str| {
            detail.get(name).filter(|value| value.to_string().len() < SHORT_BYTES).cloned()
        };
        entry.detail = json!({
            "agent": short("agent"), "digest": short("digest"), "reason": short("reason"),
            "too_large": { "bytes": text.len() },
        });
        let of = personal.first().map(|one| one.of.clone());
        let kept = |one: &Personal| match one.at.strip_prefix("/detail/") {
            Some("reason") => short("reason").is_some(),
            Some(_) => false,
            None => true,
        };
        personal.retain(kept);
        let about = &mut entry.detail["too_large"];
        match of {
            Some(of) => {
                about["content"] = detail;
                personal.push(Personal { at: CONTENT.into(), of, kept: Kept::Committed });
            }
            None => about["digest"] = Digest::of(text.as_bytes()).as_str().into(),
        }
        true
    }
}

/// Numbers that the canonical form would round become text.
fn writable(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if whole.is_some_and(|whole| whole > INTEGER_MAX) {
                return Value::String(number.to_string());
            }
            Value::Number(number)
        }
        Value::Array(items) => items.into_iter().map(writable).collect(),
        Value::Object(fields) => {
            fields.into_iter().map(|(name, value)| (name, writable(value))).collect()
        }
        other => other,
    }
}
