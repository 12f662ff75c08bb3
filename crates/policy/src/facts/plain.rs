//! Types with a single value, or nearly: numbers, yes or no, sizes, lists of texts.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde_json::Value;

use super::json::is_too_deep;
use super::{Decided, Fact, Kind, Shape, long, unknown};

/// The largest whole number that every reader of JSON reads exactly (RFC 7493).
pub(super) const LONG_MAX: i64 = (1 << 53) - 1;

/// More texts than a list of choices has.
pub(super) const TEXTS_MAX: usize = 1024;

/// All texts of a list together.
pub(super) const TEXTS_BYTES_MAX: usize = 64 * 1024;

/// - `value`: the whole number
pub(super) const NUMBER: Shape = &[("value", Kind::Long)];

/// - `value`: yes or no
pub(super) const BOOL: Shape = &[("value", Kind::Bool)];

/// - `bytes`: of the value as canonical JSON (RFC 8785)
pub(super) const SIZE: Shape = &[("bytes", Kind::Long)];

/// - `bytes`: of all texts together
/// - `count`: how many there are, doubles too
/// - `values`: the texts
pub(super) const TEXTS: Shape =
    &[("bytes", Kind::Long), ("count", Kind::Long), ("values", Kind::Texts)];

pub(super) fn number(argument: &Value) -> Vec<Fact> {
    vec![whole(argument).into()]
}

pub(super) fn whole(argument: &Value) -> Decided<i64> {
    let Value::Number(number) = argument else { return Err("not a number") };
    if number.is_f64() {
        return Err("not a whole number");
    }
    number.as_i64().filter(|whole| (-LONG_MAX..=LONG_MAX).contains(whole)).ok_or("too large")
}

pub(super) fn yes_or_no(argument: &Value) -> Vec<Fact> {
    vec![argument.as_bool().ok_or("not a bool").into()]
}

pub(super) fn size(argument: &Value) -> Vec<Fact> {
    if is_too_deep(argument) {
        return unknown(SIZE, "too deep");
    }
    let mut counted = Counted(0);
    let written = serde_json_canonicalizer::to_writer(argument, &mut counted);
    vec![written.map(|()| long(counted.0)).map_err(|_| "it has no canonical form").into()]
}

/// Counts what is written to it.
struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(super) fn texts(argument: &Value) -> Vec<Fact> {
    let Value::Array(items) = argument else { return unknown(TEXTS, "not a list of texts") };
    let Some(bytes) =
        items.iter().try_fold(0, |sum, item| item.as_str().map(|text| sum + text.len()))
    else {
        return unknown(TEXTS, "not a list of texts");
    };
    let values: Decided<BTreeSet<String>> = if items.len() > TEXTS_MAX || bytes > TEXTS_BYTES_MAX {
        Err("too long")
    } else {
        Ok(items.iter().filter_map(Value::as_str).map(str::to_owned).collect())
    };
    vec![Fact::Long(long(bytes)), Fact::Long(long(items.len())), values.into()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_whole_and_read_alike_by_all() {
        for (argument, expected) in [
            (json!(0), Fact::Long(0)),
            (json!(-7), Fact::Long(-7)),
            (json!(9_007_199_254_740_991_i64), Fact::Long(LONG_MAX)),
            (json!(9_007_199_254_740_992_i64), Fact::Unknown("too large")),
            (json!(u64::MAX), Fact::Unknown("too large")),
            (json!(1.0), Fact::Unknown("not a whole number")),
            (json!("1"), Fact::Unknown("not a number")),
            (json!(true), Fact::Unknown("not a number")),
        ] {
            assert_eq!(number(&argument), [expected], "{argument}");
        }
    }

    #[test]
    fn only_true_and_false_are_yes_and_no() {
        assert_eq!(yes_or_no(&json!(false)), [Fact::Bool(false)]);
        for argument in [json!("true"), json!(1), json!(null)] {
            assert_eq!(yes_or_no(&argument), [Fact::Unknown("not a bool")]);
        }
    }

    #[test]
    fn sizes_are_of_canonical_json() {
        for (argument, expected) in [
            (json!({"b": 1, "a": "é\u{1}"}), 22),
            (json!(""), 2),
            (json!(null), 4),
            (json!(1.0), 1),
        ] {
            assert_eq!(size(&argument), [Fact::Long(expected)], "{argument}");
        }
    }

    #[test]
    fn lists_keep_their_size_when_they_are_too_long() {
        assert_eq!(
            texts(&json!(["b", "a", "b"])),
            [Fact::Long(3), Fact::Long(3), Fact::Texts(["a", "b"].map(str::to_owned).into())]
        );
        let many = texts(&json!(vec!["x"; TEXTS_MAX + 1]));
        assert_eq!(many[1], Fact::Long(long(TEXTS_MAX) + 1));
        assert_eq!(many[2], Fact::Unknown("too long"));
        assert_eq!(texts(&json!(["a", 1]))[0], Fact::Unknown("not a list of texts"));
    }
}
