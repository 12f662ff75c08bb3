//! Exactly what is to be done, as text: two that differ in anything differ here, and two that are written otherwise and
//! mean the same do not.

use std::collections::BTreeMap;

use serde_json::value::RawValue;

/// The parameters of a message, but for what is said about it: keys in order, and numbers as they are written. As
/// numbers, two that are too long to be told apart would be the same.
pub(crate) fn params(message: &[u8]) -> Option<String> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(message).ok()?;
    let mut params: BTreeMap<String, &RawValue> =
        serde_json::from_str(fields.get("params")?.get()).ok()?;
    params.remove("_meta");
    let mut text = String::new();
    write_fields(&params, &mut text)?;
    Some(text)
}

fn write_fields(fields: &BTreeMap<String, &RawValue>, text: &mut String) -> Option<()> {
    write_fields_without(fields, &[], text)
}

/// The same but for these fields of it, and of what is in it. What nothing else is in is left out with them.
fn write_fields_without(
    fields: &BTreeMap<String, &RawValue>,
    without: &[&[&str]],
    text: &mut String,
) -> Option<()> {
    text.push('{');
    let mut is_first = true;
    for (key, value) in fields {
        let inside: Vec<&[&str]> =
            without.iter().filter_map(|path| path.strip_prefix(&[key.as_str()][..])).collect();
        if inside.contains(&&[][..]) {
            continue;
        }
        let mut written = String::new();
        match serde_json::from_str(value.get()) {
            Ok(fields) if !inside.is_empty() => {
                write_fields_without(&fields, &inside, &mut written)?;
                if written == "{}" {
                    continue;
                }
            }
            _ => write_value(value, &mut written)?,
        }
        if !std::mem::take(&mut is_first) {
            text.push(',');
        }
        text.push_str(&serde_json::to_string(key).ok()?);
        text.push(':');
        text.push_str(&written);
    }
    text.push('}');
    Some(())
}

/// A whole text, so. Depth is bounded: what is asked about here was read before.
pub(crate) fn value(text: &[u8]) -> Option<String> {
    let mut exact = String::new();
    write_value(serde_json::from_slice(text).ok()?, &mut exact)?;
    Some(exact)
}

/// The same of one field of an object; nothing for one that is not there.
pub(crate) fn field(text: &[u8], name: &str) -> Option<String> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(text).ok()?;
    let mut exact = String::new();
    if let Some(field) = fields.get(name) {
        write_value(field, &mut exact)?;
    }
    Some(exact)
}

/// An object without what these paths lead to.
pub(crate) fn value_without(text: &[u8], without: &[&[&str]]) -> Option<String> {
    let mut exact = String::new();
    write_fields_without(&serde_json::from_slice(text).ok()?, without, &mut exact)?;
    Some(exact)
}

/// The same of an object that is a field of another; nothing for one that is not there.
pub(crate) fn field_without(text: &[u8], name: &str, without: &[&[&str]]) -> Option<String> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_slice(text).ok()?;
    match fields.get(name) {
        Some(field) => value_without(field.get().as_bytes(), without),
        None => Some(String::new()),
    }
}

/// Depth is bounded, see there.
fn write_value(value: &RawValue, text: &mut String) -> Option<()> {
    let raw = value.get().trim();
    match raw.as_bytes().first()? {
        b'{' => write_fields(&serde_json::from_str(raw).ok()?, text),
        b'[' => {
            let items: Vec<&RawValue> = serde_json::from_str(raw).ok()?;
            text.push('[');
            for (at, item) in items.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_value(item, text)?;
            }
            text.push(']');
            Some(())
        }
        b'"' => {
            let plain: String = serde_json::from_str(raw).ok()?;
            text.push_str(&serde_json::to_string(&plain).ok()?);
            Some(())
        }
        _ => {
            text.push_str(raw);
            Some(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<String> {
        params(
            format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{text}}}"#)
                .as_bytes(),
        )
    }

    #[test]
    fn what_is_written_otherwise_and_means_the_same_is_the_same() {
        let one = of(r#"{"name":"a","arguments":{"x":1,"y":["\u0061",null]}}"#);
        assert!(one.is_some());
        assert_eq!(one, of(r#"{ "arguments" : {"y" : [ "a" , null ], "x" : 1}, "name" : "a" }"#));
        assert_eq!(
            one,
            of(r#"{"_meta":{"progressToken":3},"name":"a","arguments":{"x":1,"y":["a",null]}}"#)
        );
    }

    #[test]
    fn what_differs_in_anything_is_another_action() {
        let all = [
            r#"{"name":"a","arguments":{"x":1}}"#,
            r#"{"name":"a","arguments":{"x":"1"}}"#,
            r#"{"name":"a","arguments":{"x":1.0}}"#,
            r#"{"name":"a","arguments":{"x":[1]}}"#,
            r#"{"name":"a","arguments":{"X":1}}"#,
            r#"{"name":"a","arguments":{"x":1,"y":null}}"#,
            r#"{"name":"a","arguments":{}}"#,
            r#"{"name":"a"}"#,
            r#"{"name":"b","arguments":{"x":1}}"#,
            // The same number to whoever reads it as one of 64 bits.
            r#"{"name":"a","arguments":{"x":100000000000000000000001}}"#,
            r#"{"name":"a","arguments":{"x":100000000000000000000002}}"#,
            r#"{"name":"a","arguments":{"x":"\",\"y\":1"}}"#,
        ];
        let texts: std::collections::BTreeSet<_> =
            all.iter().map(|text| of(text).expect("it is read")).collect();
        assert_eq!(texts.len(), all.len());
    }

    #[test]
    fn a_value_and_a_field_are_written_in_the_same_way() {
        let text = br#"{ "b" : [1.0, 2], "a" : {"y":1,"x":1} }"#;
        assert_eq!(value(text).as_deref(), Some(r#"{"a":{"x":1,"y":1},"b":[1.0,2]}"#));
        assert_eq!(field(text, "a").as_deref(), Some(r#"{"x":1,"y":1}"#));
        assert_eq!(field(text, "c").as_deref(), Some(""));
        assert_eq!((value(b"{"), field(b"[]", "a")), (None, None));
    }

    #[test]
    fn what_paths_lead_to_is_left_out_and_nothing_else() {
        let without: [&[&str]; 3] = [&["m", "id"], &["m", "meta", "x"], &["meta", "x"]];
        let of = |text: &str| value_without(text.as_bytes(), &without).unwrap();
        assert_eq!(
            of(r#"{"m":{"id":1,"meta":{"x":1,"y":2.0},"id2":{"id":3}},"id":4}"#),
            r#"{"id":4,"m":{"id2":{"id":3},"meta":{"y":2.0}}}"#
        );
        assert_eq!(of(r#"{"a":{},"meta":{"x":1},"m":7}"#), r#"{"a":{},"m":7}"#);
        let field = field_without(br#"{"params":{"b":1,"a":2},"id":1}"#, "params", &without);
        assert_eq!(field.as_deref(), Some(r#"{"a":2,"b":1}"#));
        assert_eq!(field_without(b"{}", "params", &without).as_deref(), Some(""));
        assert_eq!(value_without(b"[]", &without), None);
    }

    #[test]
    fn what_cannot_be_read_is_none() {
        assert_eq!(params(b"{}"), None);
        assert_eq!(params(b"[]"), None);
        assert_eq!(params(b"{\"params\":[1]}"), None);
    }
}
