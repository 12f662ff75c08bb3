//! The fields of one object of the protocol. Readers of it take names with and without underscores, and leave out what they
//! do not know: here only the names that the specification writes are taken, so that nothing is there that was not read.

use serde_json::{Map, Value};

use super::Unclear;

/// Items of a list.
const ITEMS_MAX: usize = 1_024;

/// An object all of whose fields are known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    /// What it is called in errors.
    what: &'static str,
    all: &'a Map<String, Value>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(
        what: &'static str,
        all: &'a Map<String, Value>,
        known: &[&str],
    ) -> Result<Self, Unclear> {
        if all.keys().all(|key| known.contains(&key.as_str())) {
            return Ok(Self { what, all });
        }
        Err(Unclear::UnknownField(what))
    }

    /// Of a value that has to be an object.
    pub(super) fn read(
        what: &'static str,
        value: &'a Value,
        known: &[&str],
    ) -> Result<Self, Unclear> {
        let all = value.as_object().ok_or(Unclear::Field(what, "is no object"))?;
        Self::of(what, all, known)
    }

    /// What is there. Null is nothing, as `ProtoJSON` has it.
    pub(super) fn get(&self, name: &'static str) -> Option<&'a Value> {
        self.all.get(name).filter(|value| !value.is_null())
    }

    /// A text; an empty one is none, as `ProtoJSON` has it.
    pub(super) fn text(&self, name: &'static str) -> Result<Option<&'a str>, Unclear> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(Unclear::Field(name, "is no text")),
        }
    }

    /// A text that has to be there.
    pub(super) fn some_text(&self, name: &'static str) -> Result<&'a str, Unclear> {
        self.text(name)?.ok_or(Unclear::Field(name, "is missing"))
    }

    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>, Unclear> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(Unclear::Field(name, "is neither yes nor no")),
        }
    }

    /// A whole number; some write it as a text.
    pub(super) fn number(&self, name: &'static str) -> Result<Option<i64>, Unclear> {
        let odd = || Unclear::Field(name, "is no whole number");
        match self.get(name) {
            None => Ok(None),
            Some(Value::Number(number)) => number.as_i64().map(Some).ok_or_else(odd),
            Some(Value::String(text)) => text.parse().map(Some).map_err(|_| odd()),
            Some(_) => Err(odd()),
        }
    }

    pub(super) fn list(&self, name: &'static str) -> Result<&'a [Value], Unclear> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Value::Array(items)) if items.len() <= ITEMS_MAX => Ok(items),
            Some(Value::Array(_)) => Err(Unclear::Field(name, "has more items than are looked at")),
            Some(_) => Err(Unclear::Field(name, "is no list")),
        }
    }

    pub(super) fn texts(&self, name: &'static str) -> Result<Vec<&'a str>, Unclear> {
        let items = self.list(name)?.iter();
        let texts =
            items.map(|item| item.as_str().ok_or(Unclear::Field(name, "is no list of texts")));
        texts.collect()
    }

    pub(super) fn object(
        &self,
        name: &'static str,
        known: &[&str],
    ) -> Result<Option<Fields<'a>>, Unclear> {
        self.get(name).map(|value| Fields::read(name, value, known)).transpose()
    }

    /// An object in which anything may be.
    pub(super) fn open(
        &self,
        name: &'static str,
    ) -> Result<Option<&'a Map<String, Value>>, Unclear> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.as_object().map(Some).ok_or(Unclear::Field(name, "is no object")),
        }
    }

    /// A field that says what kind of object this is, where one has to be this kind.
    pub(super) fn is_kind(&self, kind: &str) -> Result<(), Unclear> {
        match self.text("kind")? {
            Some(said) if said != kind => {
                Err(Unclear::Field("kind", "is another than belongs there"))
            }
            _ => Ok(()),
        }
    }

    /// What it is called in errors.
    pub(super) fn what(&self) -> &'static str {
        self.what
    }
}
