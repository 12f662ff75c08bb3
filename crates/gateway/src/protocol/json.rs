//! JSON of agents, read so that nobody can read it otherwise: no key is there twice, and where it counts not in another
//! case either, which some parsers take for the same.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::ops::Range;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

/// Levels of arrays and objects.
const DEPTH_MAX: usize = 64;
/// Fields of an object that is not taken apart further.
const FIELDS_MAX: usize = 256;

/// What is wrong with a text that should be JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    /// Not JSON, or not one that has a single meaning.
    #[error("{0}")]
    Json(String),
    /// JSON, and not what it should be.
    #[error("{0}")]
    Shape(&'static str),
}

/// A key as parsers see it that do not look at case.
pub(crate) fn folded(key: &str) -> String {
    key.to_uppercase().to_lowercase()
}

/// When two keys of an object are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keys {
    /// When they are written the same.
    Exact,
    /// When only their case differs, too.
    Folded,
}

/// Values in what agents send: more than policies look at. A short text can hold millions, which take a hundred times its size.
const ASKED_VALUES_MAX: usize = 50_000;
/// Values in what others send.
const TOLD_VALUES_MAX: usize = 500_000;

/// A value in which no key is there twice. What agents send is read with [`Keys::Folded`].
pub(crate) fn value(bytes: &[u8], keys: Keys) -> Result<Value, Malformed> {
    let left = Cell::new(match keys {
        Keys::Folded => ASKED_VALUES_MAX,
        Keys::Exact => TOLD_VALUES_MAX,
    });
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = Strict { levels: DEPTH_MAX, keys, left: &left }.deserialize(&mut reader).and_then(
        |value| {
            reader.end()?;
            Ok(value)
        },
    );
    read.map_err(|error| Malformed::Json(error.to_string()))
}

/// Reads a value of at most so many levels, and values in it.
#[derive(Clone, Copy)]
struct Strict<'l> {
    levels: usize,
    keys: Keys,
    left: &'l Cell<usize>,
}

impl Strict<'_> {
    fn below<E: serde::de::Error>(self) -> Result<Self, E> {
        let levels = self.levels.checked_sub(1).ok_or_else(|| E::custom("too many levels"))?;
        Ok(Self { levels, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let left = self.left.get().checked_sub(1);
        self.left.set(left.ok_or_else(|| D::Error::custom("too many values"))?);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("no finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut all = Vec::new();
        while let Some(item) = items.next_element_seed(below)? {
            all.push(item);
        }
        Ok(Value::Array(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let below = self.below()?;
        let mut all = Map::new();
        let mut seen = HashSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            if self.keys == Keys::Folded && !seen.insert(folded(&key)) {
                return Err(A::Error::custom("a key is there twice, or in another case"));
            }
            let value = fields.next_value_seed(below)?;
            if all.insert(key, value).is_some() {
                return Err(A::Error::custom("a key is there twice"));
            }
        }
        Ok(Value::Object(all))
    }
}

/// The fields of one object, each as it stands in the text: what nobody asks for is checked, and not built.
#[derive(Debug)]
pub(crate) struct Fields<'a>(Vec<(String, &'a RawValue)>);

impl<'a> Fields<'a> {
    /// Reads an object. Of the names that count, none may be there in another case.
    pub(crate) fn read(text: &'a str, counts: &[&str]) -> Result<Self, Malformed> {
        if !text.trim_ascii_start().starts_with('{') {
            return Err(Malformed::Shape("it is not a JSON object"));
        }
        let mut reader = serde_json::Deserializer::from_str(text);
        let fields = reader.deserialize_map(Raw { counts }).and_then(|fields| {
            reader.end()?;
            Ok(fields)
        });
        fields.map(Self).map_err(|error| Malformed::Json(error.to_string()))
    }

    /// The field, if it is there and not null.
    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        let (_, value) = self.0.iter().find(|(key, _)| key == name)?;
        Some(value.get()).filter(|text| *text != "null")
    }

    /// The names of those that are not null.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, value)| value.get() != "null").map(|(key, _)| key.as_str())
    }

    /// Whether it is there at all.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(key, _)| key == name)
    }

    /// Where the field's value stands in the text that was read; at its start when it is not there.
    pub(crate) fn place(&self, name: &str, text: &str) -> Range<usize> {
        let Some((_, value)) = self.0.iter().find(|(key, _)| key == name) else { return 0..0 };
        let start = (value.get().as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
        start..start + value.get().len()
    }
}

/// Refuses a text that has not one meaning all the way down, without building anything of it: too many levels, or a key
/// twice in an object. Keys that differ in case are two, as in a schema. Says whether one of the names that are sought is
/// a key anywhere in it, in whatever case and however it is written.
pub(crate) fn one_meaning(text: &str, sought: &[&str]) -> Result<bool, Malformed> {
    // First, as the next step goes down.
    if is_deep(text) {
        return Err(Malformed::Shape("it has too many levels"));
    }
    let mut reader = serde_json::Deserializer::from_str(text);
    let found = Cell::new(false);
    let unique = Unique { sought, found: &found };
    let read = unique.deserialize(&mut reader).and_then(|()| reader.end());
    read.map_err(|error| Malformed::Json(error.to_string()))?;
    Ok(found.get())
}

/// Looks for keys that are there twice, and for some that are sought.
#[derive(Clone, Copy)]
struct Unique<'s> {
    sought: &'s [&'s str],
    found: &'s Cell<bool>,
}

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            if !self.sought.is_empty() && self.sought.contains(&folded(&key).as_str()) {
                self.found.set(true);
            }
            if !seen.insert(key) {
                return Err(A::Error::custom("a key is there twice"));
            }
            fields.next_value_seed(self)?;
        }
        Ok(())
    }
}

/// Whether a text has more levels than are read. Of what is no JSON it says nothing.
fn is_deep(text: &str) -> bool {
    let mut rest = text.as_bytes();
    let mut levels = 0_usize;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match byte {
            b'[' | b'{' => levels += 1,
            b']' | b'}' => levels = levels.saturating_sub(1),
            b'"' => rest = after_string(rest),
            _ => {}
        }
        if levels > DEPTH_MAX {
            return true;
        }
    }
    false
}

/// What follows the end of a string whose beginning went by.
fn after_string(mut rest: &[u8]) -> &[u8] {
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        if rest[at] == b'"' {
            return &rest[at + 1..];
        }
        rest = rest.get(at + 2..).unwrap_or_default();
    }
    &[]
}

struct Raw<'c> {
    counts: &'c [&'c str],
}

impl<'de> Visitor<'de> for Raw<'_> {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self::Value, A::Error> {
        let mut all = Vec::new();
        let mut seen = HashSet::new();
        while let Some((key, value)) = fields.next_entry::<String, &'de RawValue>()? {
            let folded = folded(&key);
            if folded != key && self.counts.contains(&folded.as_str()) {
                return Err(A::Error::custom("a key is there in another case"));
            }
            if all.len() == FIELDS_MAX {
                return Err(A::Error::custom("an object has too many fields"));
            }
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom("a key is there twice"));
            }
            all.push((key, value));
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_and_what_others_tell_may_have_more() {
        let many = |count: usize| format!("[{}0]", "{},".repeat(count - 2));
        let read = |count, keys| value(many(count).as_bytes(), keys).is_ok();
        assert!(read(ASKED_VALUES_MAX, Keys::Folded) && !read(ASKED_VALUES_MAX + 1, Keys::Folded));
        assert!(read(ASKED_VALUES_MAX + 1, Keys::Exact) && !read(TOLD_VALUES_MAX + 1, Keys::Exact));
    }

    #[test]
    fn levels_are_counted_outside_of_strings() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let read = |value: &str| one_meaning(&format!(r#"{{"a":{value}}}"#), &[]).is_ok();
        assert!(read(&nested(DEPTH_MAX - 1)) && !read(&nested(DEPTH_MAX)));
        assert!(!read(&nested(1_000_000)));
        // Many, one after the other, and in texts.
        assert!(read(&format!("[{}1]", "[[]],".repeat(1_000))));
        let text = format!(r#""\\\"{}""#, "[{".repeat(100));
        assert!(read(&text), "{text}");
        assert!(!read(&format!(r#"["\\",{}]"#, nested(DEPTH_MAX))));
    }

    #[test]
    fn no_key_is_there_twice_however_deep() {
        for (text, once) in [
            (r#"{"a":[{"b":1},{"b":2}],"A":{"a":1.5,"b":null}}"#, true),
            (r#"{"a":[{"b":1,"b":1}]}"#, false),
            (r#"{"a":{"b":{"c":"x","\u0063":"y"}}}"#, false),
            (r#"{"a":"\ud800"}"#, false),
            (r#"{"a":1e999}"#, false),
            (r#"{"a":1} {}"#, false),
            ("", false),
        ] {
            assert_eq!(one_meaning(text, &[]).is_ok(), once, "{text}");
        }
    }

    #[test]
    fn a_key_is_found_however_deep_and_however_it_is_written() {
        for (text, found) in [
            (r#"{"a":[{"ttl":1}]}"#, true),
            (r#"{"a":[{"t\u0074l":1}]}"#, true),
            (r#"{"TTL":1}"#, true),
            (r#"{"a":"ttl","b":["ttl"],"ttls":"\"ttl\""}"#, false),
            ("{}", false),
        ] {
            assert_eq!(one_meaning(text, &["ttl"]), Ok(found), "{text}");
        }
    }
}
