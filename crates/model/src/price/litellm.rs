//! Prices from a file in the form of LiteLLM's `model_prices_and_context_window.json`: models by their names, with US
//! dollars per token. Fields that say nothing about prices of tokens are not looked at.

mod entry;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use serde::Deserializer as _;
use serde::de::{Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::ModelPrice;
use entry::Unusable;

/// Reasons that are told, each with its models.
const NOTES_MAX: usize = 50;

/// The largest file, bytes. LiteLLM's own had 3.5 million in November 2026 (release 1.110.2), and grows.
pub const BYTES_MAX: usize = 8 * 1024 * 1024;
/// The most models.
const ENTRIES_MAX: usize = 20_000;
/// Levels of arrays and objects.
const DEPTH_MAX: usize = 16;
/// The longest name of a model, bytes.
const NAME_BYTES_MAX: usize = 256;
/// Names in one note.
const NAMED_MAX: usize = 5;
/// An entry that shows the form and prices nothing.
const SAMPLE: &str = "sample_spec";

/// What a file prices.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PriceList {
    models: BTreeMap<String, Listed>,
}

#[derive(Debug, Clone, PartialEq)]
struct Listed {
    provider: Option<String>,
    price: ModelPrice,
}

impl PriceList {
    /// What a model costs. It is looked for as it is named, then below its provider's name and a slash, and last without
    /// a provider's name that it begins with.
    pub fn find(&self, provider: Option<&str>, model: &str) -> Option<&ModelPrice> {
        let below = || self.models.get(&format!("{}/{model}", provider?));
        let without = || {
            let (provider, model) = model.split_once('/')?;
            self.models.get(model).filter(|listed| listed.provider.as_deref() == Some(provider))
        };
        self.models.get(model).or_else(below).or_else(without).map(|listed| &listed.price)
    }

    /// How many models it prices.
    pub fn len(&self) -> usize {
        self.models.len()
    }

    /// Whether it prices none.
    pub fn is_empty(&self) -> bool {
        self.models.is_empty()
    }
}

/// Something about a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What it is.
    pub message: String,
    /// What to do about it.
    pub hint: &'static str,
}

/// A file that was read, with what could not be used of it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// What it prices.
    pub list: PriceList,
    /// Models that it names and does not price, by why.
    pub notes: Vec<Note>,
}

const FORM: &str = "the file is like LiteLLM's `model_prices_and_context_window.json`: {\"gpt-4o\": {\"input_cost_per_token\": 2.5e-06, \"output_cost_per_token\": 1e-05}}";

/// Reads a file.
pub fn read(text: &str) -> Result<Read, Note> {
    let fault = |at: usize, message: String, hint| {
        let (line, column) = place(text, at);
        Note { line, column, message, hint }
    };
    if let Some(at) = too_deep(text) {
        return Err(fault(at, format!("there are more than {DEPTH_MAX} levels here"), FORM));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let entries = reader.deserialize_map(Entries).and_then(|entries| {
        reader.end()?;
        Ok(entries)
    });
    let entries = entries.map_err(|error| {
        let line = u32::try_from(error.line().max(1)).unwrap_or(u32::MAX);
        let column = u32::try_from(error.column().max(1)).unwrap_or(u32::MAX);
        let said = error.to_string();
        let what = said.rsplit_once(" at line ").map_or(said.as_str(), |(what, _)| what);
        Note { line, column, message: format!("this is no file of prices: {what}"), hint: FORM }
    })?;
    let mut read = Read::default();
    let mut seen = HashSet::with_capacity(entries.len());
    let mut left_out: BTreeMap<Unusable, Vec<(usize, String)>> = BTreeMap::new();
    for (name, entry) in entries {
        let at = (entry.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        if !seen.insert(name.clone()) {
            let message = format!("model `{}` is there twice", shown(&name));
            return Err(fault(at, message, "keep one of the two: they may have different prices"));
        }
        if name == SAMPLE {
            continue;
        }
        if name.is_empty() || name.len() > NAME_BYTES_MAX {
            left_out.entry(Unusable::Name).or_default().push((at, name));
            continue;
        }
        match entry::read(entry.get()) {
            Ok((provider, price)) => {
                read.list.models.insert(name, Listed { provider, price });
            }
            Err(why) => left_out.entry(why).or_default().push((at, name)),
        }
    }
    if read.list.is_empty() {
        return Err(fault(0, "it prices no model by its tokens".into(), FORM));
    }
    read.notes = notes(text, &left_out);
    Ok(read)
}

/// One for each reason, up to [`NOTES_MAX`].
fn notes(text: &str, left_out: &BTreeMap<Unusable, Vec<(usize, String)>>) -> Vec<Note> {
    let said = left_out.iter().take(NOTES_MAX).map(|(why, models)| note(text, why, models));
    let mut notes: Vec<Note> = said.collect();
    let more: usize = left_out.values().skip(NOTES_MAX).map(Vec::len).sum();
    if more > 0 {
        let message = format!("{more} more models are not priced by this file, for other reasons");
        notes.push(Note { line: 1, column: 1, message, hint: FORM });
    }
    notes
}

/// What is said of all models that cannot be used for the same reason; its place is the first of them.
fn note(text: &str, why: &Unusable, models: &[(usize, String)]) -> Note {
    let (line, column) = place(text, models.first().map_or(0, |(at, _)| *at));
    let names: Vec<String> =
        models.iter().take(NAMED_MAX).map(|(_, name)| format!("`{}`", shown(name))).collect();
    let more = match models.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("not priced by this file: {why}: {}{more}", names.join(", "));
    Note { line, column, message, hint: why.hint() }
}

/// The beginning of a name, on one line.
fn shown(name: &str) -> String {
    name.chars().take(60).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Line and column of a byte, from 1.
fn place(text: &str, at: usize) -> (u32, u32) {
    let before = &text[..text.floor_char_boundary(at.min(text.len()))];
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

/// Where a text goes deeper than is read. Of what is no JSON it says nothing.
fn too_deep(text: &str) -> Option<usize> {
    let (mut levels, mut in_text, mut escaped) = (0_usize, false, false);
    for (at, byte) in text.bytes().enumerate() {
        match (in_text, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_text = !in_text,
            (false, b'{' | b'[') => levels += 1,
            (false, b'}' | b']') => levels = levels.saturating_sub(1),
            _ => {}
        }
        if levels > DEPTH_MAX {
            return Some(at);
        }
    }
    None
}

/// The entries of an object, each as it stands in the text.
struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("models by their names")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = fields.next_entry::<String, &'de RawValue>()? {
            if all.len() == ENTRIES_MAX {
                let why = format!("it has more than {ENTRIES_MAX} models");
                return Err(A::Error::custom(why));
            }
            all.push(entry);
        }
        Ok(all)
    }
}
