//! What is recorded, and its canonical form.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::error::AuditError;
use crate::vault::Seal;

/// The version of this format. Records of version 1 hold names and texts as they are, and no seals.
pub const RECORD_FORMAT: u32 = 2;

/// The largest record in bytes: an entry of a tile has a length of 16 bits.
pub const RECORD_MAX_BYTES: usize = 65_535;

/// The largest whole number that RFC 8785 can write: 2^53 - 1.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// What a record is to the act that it tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Something that happened.
    Event,
    /// Something that is about to be done.
    Intent,
    /// What became of an intent.
    Outcome {
        /// Where the intent is in the log.
        of: u64,
    },
}

/// What a caller wants recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Milliseconds since the Unix epoch, by the caller's clock.
    pub at_ms: i64,
    /// Event, intent or outcome.
    pub step: Step,
    /// What was done, such as `rollout.start`.
    pub action: String,
    /// To what.
    pub object: String,
    /// By whom.
    pub principal: String,
    /// What records are searched by: agent, version, tool, decision, risk, interaction, trace and others.
    pub labels: Vec<(String, String)>,
    /// The rest.
    pub detail: Value,
    /// What seals are bound to; from [`crate::Vault::seal`], and only with seals.
    pub id: Option<Uuid>,
    /// What stands for something personal, by its place; from [`crate::Vault::seal`].
    pub sealed: BTreeMap<String, Seal>,
}

impl Entry {
    /// An event without labels and detail.
    pub fn event(
        at_ms: i64,
        principal: impl Into<String>,
        action: impl Into<String>,
        object: impl Into<String>,
    ) -> Self {
        Self {
            at_ms,
            step: Step::Event,
            action: action.into(),
            object: object.into(),
            principal: principal.into(),
            labels: Vec::new(),
            detail: Value::Null,
            id: None,
            sealed: BTreeMap::new(),
        }
    }

    /// The canonical form, up to the fields that the log itself adds.
    pub(crate) fn open_body(&self) -> Result<String, AuditError> {
        representable(&self.detail)?;
        let labels: Map<String, Value> =
            self.labels.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let mut body = json!({
            "action": self.action, "at_ms": self.at_ms, "detail": self.detail, "format": RECORD_FORMAT,
            "labels": labels, "object": self.object, "principal": self.principal,
        });
        if let Some(id) = self.id {
            body["id"] = json!(id);
            body["sealed"] = json!(self.sealed);
        }
        let mut text = serde_json_canonicalizer::to_string(&body)
            .map_err(|error| AuditError::Unwritable { why: error.to_string() })?;
        // What the log adds sorts after `principal` and `sealed`, so that it can be added without sorting again.
        text.pop();
        let longest = Placed {
            seq: INTEGER_MAX,
            session: Uuid::nil(),
            session_n: INTEGER_MAX,
            step: self.step,
        };
        let bytes = text.len() + longest.tail().len();
        if bytes > RECORD_MAX_BYTES {
            return Err(AuditError::TooLarge { bytes });
        }
        Ok(text)
    }
}

/// Numbers that RFC 8785 would round are refused: a digest over something else than was meant is worth nothing.
pub(crate) fn representable(value: &Value) -> Result<(), AuditError> {
    match value {
        Value::Number(number) => {
            let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if whole.is_some_and(|whole| whole > INTEGER_MAX) {
                return Err(AuditError::Unwritable {
                    why: format!("{number} is above 2^53 - 1; write it as text"),
                });
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(representable),
        Value::Object(fields) => fields.values().try_for_each(representable),
        _ => Ok(()),
    }
}

/// Where a record stands: what the log adds to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) seq: u64,
    pub(crate) session: Uuid,
    pub(crate) session_n: u64,
    pub(crate) step: Step,
}

impl Placed {
    pub(crate) fn tail(&self) -> String {
        let mut text = String::with_capacity(120);
        // Writing to a String does not fail.
        let _ = write!(
            text,
            ",\"seq\":{},\"session\":\"{}\",\"session_n\":{},\"step\":",
            self.seq,
            self.session.as_hyphenated(),
            self.session_n
        );
        let _ = match self.step {
            Step::Event => write!(text, "\"event\"}}"),
            Step::Intent => write!(text, "\"intent\"}}"),
            Step::Outcome { of } => write!(text, "\"outcome\",\"step_of\":{of}}}"),
        };
        text
    }

    /// Reads it from a record's end, without reading the rest: verification looks at every record.
    pub(crate) fn read(record: &[u8]) -> Option<Self> {
        // The longest tail is shorter than this, and a caller's text cannot hold an unescaped quotation mark.
        let from = record.len().saturating_sub(192);
        let end = std::str::from_utf8(record.get(next_boundary(record, from)..)?).ok()?;
        let at = end.rfind(",\"seq\":")?;
        let tail = &end[at..];
        let mut fields = tail.strip_suffix('}')?.split(',').skip(1);
        let seq = fields.next()?.strip_prefix("\"seq\":")?.parse().ok()?;
        let session = fields.next()?.strip_prefix("\"session\":\"")?.strip_suffix('"')?;
        let session = Uuid::try_parse(session).ok()?;
        let session_n = fields.next()?.strip_prefix("\"session_n\":")?.parse().ok()?;
        let step = match fields.next()?.strip_prefix("\"step\":")? {
            "\"event\"" => Step::Event,
            "\"intent\"" => Step::Intent,
            "\"outcome\"" => {
                Step::Outcome { of: fields.next()?.strip_prefix("\"step_of\":")?.parse().ok()? }
            }
            _ => return None,
        };
        let placed = Self { seq, session, session_n, step };
        // Only the one canonical spelling is a record.
        (placed.tail() == tail).then_some(placed)
    }
}

fn next_boundary(bytes: &[u8], from: usize) -> usize {
    (from..bytes.len()).find(|at| bytes[*at] & 0xC0 != 0x80).unwrap_or(bytes.len())
}

/// A record as it is in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// What was done.
    pub action: String,
    /// Milliseconds since the Unix epoch, by the clock of who recorded it.
    pub at_ms: i64,
    /// The rest.
    pub detail: Value,
    /// Version of this format.
    pub format: u32,
    /// What the seals are bound to; only with seals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// What records are searched by.
    pub labels: BTreeMap<String, String>,
    /// To what.
    pub object: String,
    /// By whom: a person's pseudonym, or a part of Lockgate by its name.
    pub principal: String,
    /// What stands for something personal, by the place that holds null instead.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sealed: BTreeMap<String, Seal>,
    /// Its place in the log, from 0.
    pub seq: u64,
    /// Who counted `session_n`.
    pub session: Uuid,
    /// Counts a session's records from 1, without gaps.
    pub session_n: u64,
    /// `event`, `intent` or `outcome`.
    pub step: String,
    /// The intent that an outcome belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_of: Option<u64>,
}

impl Record {
    /// Reads a record.
    pub fn parse(bytes: &[u8]) -> Result<Self, AuditError> {
        let malformed = |why| AuditError::Malformed { what: "an audit record", why };
        let record: Self =
            serde_json::from_slice(bytes).map_err(|error| malformed(error.to_string()))?;
        if !(1..=RECORD_FORMAT).contains(&record.format) {
            let format = record.format;
            return Err(malformed(format!("it is of format {format}; use a newer Lockgate")));
        }
        Ok(record)
    }
}
