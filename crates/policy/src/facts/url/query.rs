//! Percent-encoding, and the names in a query.

use std::borrow::Cow;
use std::collections::BTreeSet;

use crate::facts::{Decided, unicode};

/// More names than any tool has.
const NAMES_MAX: usize = 256;

/// Decoded once. Broken encodings and what is not UTF-8 are read in several ways.
pub(super) fn decoded(text: &str, plus_is_space: bool) -> Decided<Cow<'_, str>> {
    if !text.bytes().any(|byte| byte == b'%' || plus_is_space && byte == b'+') {
        return Ok(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        match first {
            b'%' => {
                let [high, low, after @ ..] = rest else { return Err("broken encoding") };
                let digits = (char::from(*high).to_digit(16), char::from(*low).to_digit(16));
                let (Some(high), Some(low)) = digits else { return Err("broken encoding") };
                bytes.push(u8::try_from(high << 4 | low).map_err(|_| "broken encoding")?);
                rest = after;
            }
            b'+' if plus_is_space => bytes.push(b' '),
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| "not UTF-8")
}

/// The names of a query.
pub(super) fn names(query: Option<&str>) -> Decided<BTreeSet<String>> {
    let Some(query) = query else { return Ok(BTreeSet::new()) };
    // once a separator too, and still one to some
    if query.contains(';') {
        return Err("a semicolon in the query");
    }
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut names = BTreeSet::new();
    for (count, pair) in pairs.enumerate() {
        if count == NAMES_MAX {
            return Err("too many names");
        }
        let name = decoded(pair.split('=').next().unwrap_or_default(), true)?;
        if let Some(why) = name.chars().find_map(unicode::ambiguous) {
            return Err(why);
        }
        names.insert(name.into_owned());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_decoded() {
        let found = names(Some("a=1&b%5B%5D=2&a=3&c+d&&=x")).unwrap();
        let expected = ["", "a", "b[]", "c d"].map(str::to_owned).into();
        assert_eq!(found, expected);
        assert_eq!(names(None), Ok(BTreeSet::new()));
    }

    #[test]
    fn broken_encodings_are_not_decided() {
        for query in ["%", "%4", "%zz", "%c0%ae", "a;b", "%00"] {
            assert!(names(Some(query)).is_err(), "{query}");
        }
    }
}
