//! One field of the file form, which may be missing or wrong without taking its neighbours along:
//! that is how all errors come out at once.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A field's value.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) enum Field<T> {
    /// Not in the file.
    #[default]
    Missing,
    /// In the file, and not what it should be. The schema says what it should be.
    Wrong(String),
    /// In the file.
    Is(T),
}

impl<T> Field<T> {
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Missing)
    }

    /// The value, if it is there and right.
    pub(super) fn ok(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            Self::Missing | Self::Wrong(_) => None,
        }
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        Ok(match serde_json::from_value(value) {
            Ok(value) => Self::Is(value),
            Err(error) => Self::Wrong(error.to_string()),
        })
    }
}

impl<T: JsonSchema> JsonSchema for Field<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}
