//! What is recorded, and its canonical form.

use std::collections::BTreeMap;
use std::io::Write as _;

use memchr::{memchr, memmem};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::error::AuditError;
use crate::vault::Seal;

/// The version of this format. Records of version 1 hold names and texts as they are, and no seals.
pub const RECORD_FORMAT: u32 = 2;

/// The largest record in bytes: an entry of a tile has a length of 16 bits.
pub const RECORD_MAX_BYTES: usize = 65_535;

/// The largest whole number that RFC 8785 can write: 2^53 - 1.
const INTEGER_MAX: u64 = (1 << 53) - 1;

/// The longest end that the log adds to a record, its numbers below 2^64, in bytes.
const TAIL_MAX: usize = 192;
/// The shortest one.
const TAIL_MIN: usize = 87;
/// How it begins.
const TAIL: &[u8] = b",\"seq\":";

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
    ///
    /// Written field by field in the order that RFC 8785 asks for: building a JSON value and sorting it takes five times
    /// as long. What is free in form, the detail, is left to the canonicalizer.
    pub(crate) fn open_body(&self) -> Result<Vec<u8>, AuditError> {
        representable(&self.detail)?;
        if self.at_ms.unsigned_abs() > INTEGER_MAX {
            return Err(unwritable(format!("the time {} is above 2^53 - 1", self.at_ms)));
        }
        let mut out = Vec::with_capacity(512);
        out.extend_from_slice(b"{\"action\":");
        text(&mut out, &self.action)?;
        // Writing to a Vec does not fail.
        let _ = write!(out, ",\"at_ms\":{},\"detail\":", self.at_ms);
        if self.detail.is_null() {
            out.extend_from_slice(b"null");
        } else {
            serde_json_canonicalizer::to_writer(&self.detail, &mut out)
                .map_err(|error| unwritable(error.to_string()))?;
        }
        let _ = write!(out, ",\"format\":{RECORD_FORMAT},");
        if let Some(id) = self.id {
            let _ = write!(out, "\"id\":\"{id}\",");
        }
        out.extend_from_slice(b"\"labels\":{");
        for (at, (name, value)) in self.sorted_labels().into_iter().enumerate() {
            if at > 0 {
                out.push(b',');
            }
            text(&mut out, name)?;
            out.push(b':');
            text(&mut out, value)?;
        }
        out.extend_from_slice(b"},\"object\":");
        text(&mut out, &self.object)?;
        out.extend_from_slice(b",\"principal\":");
        text(&mut out, &self.principal)?;
        if self.id.is_some() {
            out.extend_from_slice(b",\"sealed\":");
            serde_json_canonicalizer::to_writer(&self.sealed, &mut out)
                .map_err(|error| unwritable(error.to_string()))?;
        }
        // What the log adds sorts after `principal` and `sealed`, so that it can be added without sorting again.
        let bytes = out.len() + TAIL_MAX;
        if bytes > RECORD_MAX_BYTES {
            return Err(AuditError::TooLarge { bytes });
        }
        Ok(out)
    }

    /// Labels in the order of their names' UTF-16 code units; of two with one name the last one.
    fn sorted_labels(&self) -> Vec<(&str, &str)> {
        let labels = self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut sorted: Vec<(&str, &str)> = labels.rev().collect();
        sorted.sort_by(|(one, _), (other, _)| {
            if one.is_ascii() && other.is_ascii() {
                one.cmp(other)
            } else {
                one.encode_utf16().cmp(other.encode_utf16())
            }
        });
        sorted.dedup_by_key(|(name, _)| *name);
        sorted
    }
}

/// Text as RFC 8785 has it, which is how `serde_json` escapes.
fn text(out: &mut Vec<u8>, text: &str) -> Result<(), AuditError> {
    serde_json::to_writer(out, text).map_err(|error| unwritable(error.to_string()))
}

fn unwritable(why: String) -> AuditError {
    AuditError::Unwritable { why }
}

/// Numbers that RFC 8785 would round are refused: a digest over something else than was meant is worth nothing.
pub(crate) fn representable(value: &Value) -> Result<(), AuditError> {
    match value {
        Value::Number(number) => {
            let whole = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if whole.is_some_and(|whole| whole > INTEGER_MAX) {
                return Err(unwritable(format!("{number} is above 2^53 - 1; write it as text")));
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
    /// Adds it to an open body, which makes that a record.
    pub(crate) fn write_tail(&self, out: &mut Vec<u8>) {
        let mut session = [0; Hyphenated::LENGTH];
        self.session.hyphenated().encode_lower(&mut session);
        // Writing to a Vec does not fail.
        let _ = write!(out, ",\"seq\":{},\"session\":\"", self.seq);
        out.extend_from_slice(&session);
        let _ = write!(out, "\",\"session_n\":{},\"step\":\"", self.session_n);
        let _ = match self.step {
            Step::Event => out.write_all(b"event\"}"),
            Step::Intent => out.write_all(b"intent\"}"),
            Step::Outcome { of } => write!(out, "outcome\",\"step_of\":{of}}}"),
        };
    }

    /// Reads it from a record's end, without reading the rest: verification looks at every record. Only the one
    /// spelling that [`Placed::write_tail`] writes is taken.
    pub(crate) fn read(record: &[u8]) -> Option<Self> {
        // A caller's text cannot hold an unescaped quotation mark, so the last one is the log's own.
        let from = record.len().saturating_sub(TAIL_MAX);
        let to = record.len().checked_sub(TAIL_MIN)?;
        let begins = |at: &usize| record[*at] == TAIL[0] && record[*at..].starts_with(TAIL);
        let at = (from..=to).rev().find(begins)?;
        let mut tail = Tail(&record[at + TAIL.len()..]);
        let seq = tail.number()?;
        tail.skip(b",\"session\":\"")?;
        let session = tail.session()?;
        tail.skip(b"\",\"session_n\":")?;
        let session_n = tail.number()?;
        tail.skip(b",\"step\":\"")?;
        let step = if tail.skip(b"event\"").is_some() {
            Step::Event
        } else if tail.skip(b"intent\"").is_some() {
            Step::Intent
        } else {
            tail.skip(b"outcome\",\"step_of\":")?;
            Step::Outcome { of: tail.number()? }
        };
        (tail.0 == b"}").then_some(Self { seq, session, session_n, step })
    }
}

/// What is still to be read of a record's end.
struct Tail<'a>(&'a [u8]);

impl Tail<'_> {
    fn skip(&mut self, expected: &[u8]) -> Option<()> {
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// A number without leading zeros.
    fn number(&mut self) -> Option<u64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(digits);
        if digits == 0 || (digits > 1 && number[0] == b'0') {
            return None;
        }
        self.0 = rest;
        number
            .iter()
            .try_fold(0_u64, |all, digit| all.checked_mul(10)?.checked_add(u64::from(digit - b'0')))
    }

    fn session(&mut self) -> Option<Uuid> {
        let (text, rest) = self.0.split_first_chunk::<{ Hyphenated::LENGTH }>()?;
        self.0 = rest;
        let is_canonical = !text.iter().any(u8::is_ascii_uppercase);
        is_canonical.then(|| Uuid::try_parse_ascii(text).ok())?
    }
}

/// A record's time without reading the whole of it: the second field of the canonical form, after one text.
pub(crate) fn at_ms(record: &[u8]) -> Option<i64> {
    const MARK: &[u8] = b"\",\"at_ms\":";
    const BEGIN: usize = b"{\"action\":\"".len();
    let text = record.get(BEGIN..)?;
    let end = memchr(b'"', text)?;
    // Only a text with a quotation mark in it ends later.
    let end = if text[end..].starts_with(MARK) { end } else { memmem::find(text, MARK)? };
    let mut number = Tail(&text[end + MARK.len()..]);
    let is_negative = number.skip(b"-").is_some();
    let at = i64::try_from(number.number()?).ok()?;
    Some(if is_negative { -at } else { at })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn tail(placed: Placed) -> Vec<u8> {
        let mut out = b"{\"detail\":{\"seq\":1}".to_vec();
        placed.write_tail(&mut out);
        out
    }

    #[test]
    fn every_end_is_read_back_and_fits() {
        let session = Uuid::from_u128(0xABCD_EF01_2345_6789_0011_2233_4455_6677);
        for seq in [0, 1, 10, u64::MAX] {
            for step in [Step::Event, Step::Intent, Step::Outcome { of: seq }] {
                let placed = Placed { seq, session, session_n: seq, step };
                let record = tail(placed);
                assert_eq!(Placed::read(&record), Some(placed));
                assert!((TAIL_MIN..=TAIL_MAX).contains(&(record.len() - tail_at(&record))));
            }
        }
    }

    fn tail_at(record: &[u8]) -> usize {
        memmem::rfind(record, TAIL).unwrap_or(0)
    }

    #[test]
    fn another_spelling_is_no_record() {
        let step = Step::Outcome { of: 7 };
        let placed = Placed { seq: 12, session: Uuid::from_u128(0xAB), session_n: 3, step };
        let record = String::from_utf8(tail(placed)).unwrap_or_default();
        for (from, to) in [
            (":12,", ":012,"),
            (":12,", ":+12,"),
            (":12,", ":,"),
            (":12,", ":99999999999999999999,"),
            ("ab\"", "AB\""),
            ("00000000-0000", "000000000000"),
            ("step_of\":7", "step_of\":07"),
            ("outcome", "outcomes"),
            ("outcome", "event"),
            ("}", " }"),
        ] {
            let (head, end) = record.split_at(tail_at(record.as_bytes()));
            let changed = format!("{head}{}", end.replacen(from, to, 1));
            assert_ne!(changed, record);
            assert_eq!(Placed::read(changed.as_bytes()), None, "{from} as {to}");
        }
        assert_eq!(Placed::read(b""), None);
    }

    #[test]
    fn the_time_is_found_behind_any_text() {
        for action in ["a", "", "a\"b", "\",\"at_ms\":7,", "\\", "\\\",\"at_ms\":7"] {
            for at_ms in [0, -5, 1_795_500_000_000] {
                let body = Entry::event(at_ms, "ada", action, "").open_body().unwrap_or_default();
                assert_eq!(super::at_ms(&body), Some(at_ms), "{action}");
            }
        }
        assert_eq!(super::at_ms(b"{}"), None);
    }
}
