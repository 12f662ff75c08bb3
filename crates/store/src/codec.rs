//! Between the model's types and columns.

use std::str::FromStr;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::StoreError;

/// A value as JSON text.
pub(crate) fn to_json<T: Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Document { what, source })
}

/// A value from JSON text.
pub(crate) fn from_json<T: DeserializeOwned>(
    what: &'static str,
    text: &str,
) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Document { what, source })
}

/// An id or a name from its text.
pub(crate) fn parse<T: FromStr>(what: &'static str, text: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| StoreError::Value { what, value: text.to_owned() })
}

/// The same for a column that may be empty.
pub(crate) fn parse_some<T: FromStr>(
    what: &'static str,
    text: Option<&str>,
) -> Result<Option<T>, StoreError> {
    text.map(|text| parse(what, text)).transpose()
}

/// A unit variant as the text that serde gives it.
pub(crate) fn to_tag<T: Serialize>(what: &'static str, value: &T) -> Result<String, StoreError> {
    match serde_json::to_value(value).map_err(|source| StoreError::Document { what, source })? {
        serde_json::Value::String(tag) => Ok(tag),
        other => Err(StoreError::Value { what, value: other.to_string() }),
    }
}

/// The reverse of [`to_tag`].
pub(crate) fn from_tag<T: DeserializeOwned>(
    what: &'static str,
    tag: &str,
) -> Result<T, StoreError> {
    serde_json::from_value(serde_json::Value::String(tag.to_owned()))
        .map_err(|source| StoreError::Document { what, source })
}

/// A count as the database's signed integer.
pub(crate) fn signed(what: &'static str, value: u64) -> Result<i64, StoreError> {
    i64::try_from(value).map_err(|_| StoreError::Value { what, value: value.to_string() })
}

/// A measured value as the database's signed integer. What upstream reports has no bounds, and
/// one absurd number must not keep a whole batch from being written.
pub(crate) fn measured(value: Option<u64>) -> Option<i64> {
    value.map(|value| i64::try_from(value).unwrap_or(i64::MAX))
}

/// The reverse of [`signed`].
pub(crate) fn unsigned(what: &'static str, value: i64) -> Result<u64, StoreError> {
    u64::try_from(value).map_err(|_| StoreError::Value { what, value: value.to_string() })
}
