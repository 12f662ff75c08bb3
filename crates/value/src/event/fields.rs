//! The fields of an event in JSON, as they were written: one that is there twice is not overlooked.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::Invalid;

/// Of a name that is told back, so many characters.
const NAME_CHARS_MAX: usize = 64;

/// A flat JSON object. Of a field that is there twice the first value is kept, and its name.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) map: Map<String, Value>,
    twice: Option<String>,
}

impl Fields {
    /// The fields, when each is there once. Of two values another program may take the other one.
    pub(super) fn distinct(self) -> Result<Map<String, Value>, Invalid> {
        match self.twice {
            Some(name) => Err(Invalid::new(&name, "this field is there twice")),
            None => Ok(self.map),
        }
    }
}

impl From<Map<String, Value>> for Fields {
    fn from(map: Map<String, Value>) -> Self {
        Self { map, twice: None }
    }
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Object)
    }
}

struct Object;

impl<'de> Visitor<'de> for Object {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an event, which is a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Fields, A::Error> {
        let mut fields = Fields::default();
        while let Some((name, value)) = entries.next_entry::<String, Value>()? {
            if fields.map.contains_key(&name) {
                // A field without a name is a fault of the event.
                let name = if name.is_empty() { "event" } else { &name };
                fields.twice = Some(name.chars().take(NAME_CHARS_MAX).collect());
            } else {
                fields.map.insert(name, value);
            }
        }
        Ok(fields)
    }
}
