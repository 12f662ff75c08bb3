//! Names and texts of people that a bundle discloses, each with what shows that the signed record commits to it.
//!
//! `disclosed.jsonl`, in the order of records, one canonical object a line: `seq` the record, `at` the place, `value` what
//! stands there, `salt` 32 bytes in base64. With the salt of a text nothing else can be opened; with that of a name, all
//! records of the pseudonym are known as this person's.

use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::check::{BadItem, Lines};
use crate::RECORD_MAX_BYTES;
use crate::record::Record;
use crate::vault::{Disclosed, Vault};

pub(super) const FILE: &str = "disclosed.jsonl";

/// What is disclosed: places in records, such as `/principal` and `/detail/reason`, as far as this vault opens them.
#[derive(Debug, Clone, Copy)]
pub struct Disclosure<'a> {
    /// The keys.
    pub vault: &'a Vault,
    /// The places.
    pub places: &'a [String],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    at: String,
    salt: String,
    seq: u64,
    value: Value,
}

impl Disclosure<'_> {
    /// The lines of a record.
    pub(super) fn lines(&self, record: &Record) -> Vec<Vec<u8>> {
        let of = |at: &String| {
            let found = if record.sealed.contains_key(at) {
                self.vault.disclose(record, at)
            } else {
                self.vault.disclose_name(text_at(record, at)?)
            };
            let Disclosed { value, salt } = found?;
            let salt = BASE64_STANDARD.encode(salt);
            let line = Line { at: at.clone(), salt, seq: record.seq, value };
            serde_json_canonicalizer::to_vec(&line).ok()
        };
        self.places.iter().filter_map(of).collect()
    }
}

/// A text where a pseudonym may stand.
fn text_at<'a>(record: &'a Record, at: &str) -> Option<&'a str> {
    match at {
        "/principal" => Some(&record.principal),
        "/object" => Some(&record.object),
        _ => record.detail.pointer(at.strip_prefix("/detail")?)?.as_str(),
    }
}

/// Holds what is disclosed against the records, as they come by.
pub(super) struct Check<'a> {
    lines: Lines<'a>,
    next: Option<Line>,
    pub(super) found: u64,
}

impl<'a> Check<'a> {
    pub(super) fn begin(dir: &'a Path) -> Result<Self, BadItem> {
        // A value has the length of a record at most; its line says more than that.
        let lines = Lines::open(dir, FILE, 2 * RECORD_MAX_BYTES)?;
        let mut check = Self { lines, next: None, found: 0 };
        check.advance()?;
        Ok(check)
    }

    fn advance(&mut self) -> Result<(), BadItem> {
        let bad = || BadItem::new(FILE, "a line of it is not as it was written");
        self.next = match self.lines.next()? {
            None => None,
            Some(bytes) => {
                let line: Line = serde_json::from_slice(bytes).map_err(|_| bad())?;
                let again = serde_json_canonicalizer::to_vec(&line).map_err(|_| bad())?;
                Some(line)
                    .filter(|_| again == bytes)
                    .map_or_else(|| Err(bad()), |line| Ok(Some(line)))?
            }
        };
        Ok(())
    }

    /// The next record, by its canonical bytes.
    pub(super) fn record(&mut self, seq: u64, bytes: &[u8]) -> Result<(), BadItem> {
        while let Some(line) = self.next.take_if(|line| line.seq == seq) {
            let bad = |why: String| BadItem { file: FILE.into(), seq: Some(seq), why };
            let record = Record::parse(bytes).map_err(|error| bad(error.to_string()))?;
            let salt =
                BASE64_STANDARD.decode(&line.salt).ok().and_then(|salt| salt.try_into().ok());
            let salt = salt.ok_or_else(|| bad("a salt is not 32 bytes in base64".into()))?;
            let disclosed = Disclosed { value: line.value, salt };
            let fits = match record.sealed.get(&line.at) {
                Some(seal) => disclosed.fits(seal),
                None => text_at(&record, &line.at).is_some_and(|text| disclosed.names(text)),
            };
            if !fits {
                return Err(bad(format!(
                    "the record does not commit to what it says is at {}",
                    line.at
                )));
            }
            self.found += 1;
            self.advance()?;
        }
        Ok(())
    }

    /// Nothing may be left.
    pub(super) fn finish(self) -> Result<u64, BadItem> {
        match self.next {
            None => Ok(self.found),
            Some(line) => Err(BadItem {
                file: FILE.into(),
                seq: Some(line.seq),
                why: "it is not of the records, or not in their order".into(),
            }),
        }
    }
}
