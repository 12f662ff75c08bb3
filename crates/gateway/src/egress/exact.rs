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
    text.push('{');
    for (at, (key, value)) in fields.iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        text.push_str(&serde_json::to_string(key).ok()?);
        text.push(':');
        write_value(value, text)?;
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
    fn what_cannot_be_read_is_none() {
        assert_eq!(params(b"{}"), None);
        assert_eq!(params(b"[]"), None);
        assert_eq!(params(b"{\"params\":[1]}"), None);
    }
}
