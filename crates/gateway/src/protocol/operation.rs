//! A request to an HTTP tool, read so that its server cannot read it otherwise: which operation it is, what its
//! arguments are, and how it is written then. What could mean something else to a server that decodes twice, takes
//! dots away, or looks at no case, is refused; what is left is written in one way.

use std::fmt::Write as _;

use http::Method;
use lockgate_model::operation::{Operation, SEGMENTS_MAX, Segment};
use serde_json::{Map, Value};

use super::json::{Keys, Malformed, folded, value};

/// Bytes of a path, and of a query.
const TEXT_BYTES_MAX: usize = 8 * 1024;
/// Names in a query.
const QUERY_MAX: usize = 64;
/// The argument that a body is which is no object.
const BODY: &str = "body";
/// What some servers take for a dot, or for a slash.
const LOOK_ALIKES: [char; 6] =
    ['\u{2024}', '\u{2044}', '\u{2215}', '\u{ff0e}', '\u{ff0f}', '\u{ff3c}'];

/// Why a request is not one that may be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unclear {
    /// No operation has this method and path.
    #[error("no operation has this method and path")]
    Unknown,
    /// Path, query or body can be read in more ways than one.
    #[error("{0}")]
    Odd(&'static str),
    /// The body is no JSON, or has two meanings.
    #[error("the body cannot be read: {0}")]
    Body(Malformed),
}

/// A request that is known so far.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Request<'o> {
    pub(crate) operation: &'o Operation,
    /// Path and query as they are sent on, after the tool's own URL.
    pub(crate) target: String,
    arguments: Map<String, Value>,
}

impl<'o> Request<'o> {
    /// Finds the operation. `path` is what follows the tool's name, `query` what follows the question mark.
    pub(crate) fn find(
        operations: &'o [Operation],
        method: &Method,
        path: &str,
        query: Option<&str>,
    ) -> Result<Self, Unclear> {
        let parts = segments(path)?;
        let fits = |operation: &&Operation| {
            let template = &operation.call.path;
            let same = |(segment, part): (&Segment, &String)| match segment {
                Segment::Literal(text) => text == part,
                Segment::Argument(_) => true,
            };
            operation.call.method.as_str() == method.as_str()
                && template.len() == parts.len()
                && template.iter().zip(&parts).all(same)
        };
        // Two that fit differ in how many paths they are about: the configuration is refused otherwise.
        let found =
            operations.iter().filter(fits).max_by_key(|operation| operation.call.literals());
        let operation = found.ok_or(Unclear::Unknown)?;
        let mut target = String::new();
        let mut arguments = Map::new();
        for (segment, part) in operation.call.path.iter().zip(parts) {
            target.push('/');
            encode(&part, b"!$&'()*+,=:@", &mut target);
            if let Segment::Argument(name) = segment {
                arguments.insert(name.clone(), part.into());
            }
        }
        let mut request = Self { operation, target, arguments };
        if let Some(query) = query.filter(|query| !query.is_empty()) {
            request.query(query)?;
        }
        Ok(request)
    }

    fn query(&mut self, query: &str) -> Result<(), Unclear> {
        if query.len() > TEXT_BYTES_MAX || query.split('&').count() > QUERY_MAX {
            return Err(Unclear::Odd("the query is longer than allowed"));
        }
        for (at, pair) in query.split('&').enumerate() {
            let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
            let decoded = |text: &str| {
                let text = decode(&text.replace('+', " "))?;
                let plain = !text.contains(char::is_control);
                Some(text).filter(|_| plain)
            };
            let odd = Unclear::Odd("the query has a part that is not plainly encoded text");
            let (Some(name), Some(text)) = (decoded(name), decoded(text)) else { return Err(odd) };
            if !self.operation.query.contains(&name) {
                return Err(Unclear::Odd("the query has a name that is not declared"));
            }
            self.target.push(if at == 0 { '?' } else { '&' });
            encode(&name, b"", &mut self.target);
            self.target.push('=');
            encode(&text, b"", &mut self.target);
            self.argument(name, text.into())?;
        }
        Ok(())
    }

    /// Takes the body, and gives all arguments.
    pub(crate) fn with_body(mut self, body: &[u8]) -> Result<(String, Value), Unclear> {
        if !body.is_empty() {
            if !self.operation.call.method.has_body() {
                return Err(Unclear::Odd("requests of this method have no body"));
            }
            match value(body, Keys::Folded).map_err(Unclear::Body)? {
                Value::Object(fields) => {
                    for (name, value) in fields {
                        self.argument(name, value)?;
                    }
                }
                other => self.argument(BODY.to_owned(), other)?,
            }
        }
        Ok((self.target, Value::Object(self.arguments)))
    }

    fn argument(&mut self, name: String, value: Value) -> Result<(), Unclear> {
        let same = folded(&name);
        if self.arguments.keys().any(|other| folded(other) == same) {
            return Err(Unclear::Odd("an argument is there twice"));
        }
        self.arguments.insert(name, value);
        Ok(())
    }
}

/// The parts of a path, decoded once.
pub(super) fn segments(path: &str) -> Result<Vec<String>, Unclear> {
    if path.len() > TEXT_BYTES_MAX {
        return Err(Unclear::Odd("the path is longer than allowed"));
    }
    let Some(path) = path.strip_prefix('/') else {
        return if path.is_empty() { Ok(Vec::new()) } else { Err(Unclear::Unknown) };
    };
    if path.is_empty() {
        return Ok(Vec::new());
    }
    let mut parts = Vec::new();
    for part in path.split('/') {
        if parts.len() == SEGMENTS_MAX {
            return Err(Unclear::Unknown);
        }
        let odd = Unclear::Odd("the path has a part that is empty, or not plainly encoded text");
        parts.push(decode(part).filter(|part| is_plain(part)).ok_or(odd)?);
    }
    Ok(parts)
}

/// Whether a part of a path means itself to every server.
fn is_plain(part: &str) -> bool {
    let odd = |c: char| c.is_control() || "/\\%;?#".contains(c) || LOOK_ALIKES.contains(&c);
    // `..` with blanks after it is `..` to some.
    let dots = part.chars().all(|c| c == '.' || c.is_whitespace());
    !part.is_empty() && !dots && !part.contains(odd)
}

/// Takes percent-encoding away, once; `None` when it is not well-formed, or no Unicode.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte == b'%' {
            let (digits, tail) = tail.split_at_checked(2)?;
            let digit = |at: usize| char::from(digits[at]).to_digit(16);
            bytes.push(u8::try_from(digit(0)? * 16 + digit(1)?).ok()?);
            rest = tail;
        } else {
            bytes.push(byte);
            rest = tail;
        }
    }
    String::from_utf8(bytes).ok()
}

/// Writes a text as RFC 3986 does: what is not unreserved, nor among `also`, is encoded.
pub(super) fn encode(text: &str, also: &[u8], to: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.contains(&byte) {
            to.push(char::from(byte));
        } else {
            write!(to, "%{byte:02X}").expect("a text takes everything");
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn operations() -> Vec<Operation> {
        [
            ("list", "GET /orders", &["limit", "q"][..]),
            ("look_up", "GET /orders/{id}", &[]),
            ("mine", "GET /orders/mine", &[]),
            ("refund", "POST /orders/{id}/refunds", &["dry"]),
            ("root", "GET /", &[]),
        ]
        .map(|(name, call, query)| Operation {
            name: name.into(),
            call: call.parse().unwrap(),
            query: query.iter().map(|name| (*name).to_owned()).collect(),
        })
        .to_vec()
    }

    /// Name, target and arguments.
    fn read(
        method: &str,
        path: &str,
        query: Option<&str>,
        body: &str,
    ) -> Result<(String, String, Value), Unclear> {
        let operations = operations();
        let request = Request::find(&operations, &method.parse().unwrap(), path, query)?;
        let name = request.operation.name.clone();
        let (target, arguments) = request.with_body(body.as_bytes())?;
        Ok((name, target, arguments))
    }

    #[test]
    fn path_query_and_body_are_the_arguments() {
        let (name, target, arguments) =
            read("POST", "/orders/a%20b/refunds", Some("dry=1"), r#"{"amount":{"x":1}}"#).unwrap();
        assert_eq!((name.as_str(), target.as_str()), ("refund", "/orders/a%20b/refunds?dry=1"));
        assert_eq!(arguments, json!({ "id": "a b", "dry": "1", "amount": { "x": 1 } }));
        let (name, target, arguments) =
            read("GET", "/orders", Some("q=a+b%2bc%26&limit="), "").unwrap();
        assert_eq!((name.as_str(), target.as_str()), ("list", "/orders?q=a%20b%2Bc%26&limit="));
        assert_eq!(arguments, json!({ "q": "a b+c&", "limit": "" }));
        assert_eq!(read("GET", "/orders/mine", None, "").unwrap().0, "mine");
        assert_eq!(read("GET", "/orders/%6Dine", None, "").unwrap().1, "/orders/mine");
        assert_eq!(read("GET", "/", Some(""), "").unwrap().0, "root");
        assert_eq!(read("GET", "", None, "").unwrap().1, "");
        let (_, _, arguments) = read("POST", "/orders/1/refunds", None, "[1]").unwrap();
        assert_eq!(arguments, json!({ "id": "1", "body": [1] }));
        let (_, target, arguments) = read("GET", "/orders/ünï", None, "").unwrap();
        assert_eq!((target.as_str(), &arguments["id"]), ("/orders/%C3%BCn%C3%AF", &json!("ünï")));
    }

    #[test]
    fn what_is_not_declared_is_unknown() {
        for (method, path) in [
            ("DELETE", "/orders/1"),
            ("HEAD", "/orders"),
            ("get", "/orders"),
            ("GET", "/Orders"),
            ("GET", "/orders/1/2"),
            ("GET", "/orders/1/refunds"),
            ("GET", "orders"),
        ] {
            assert_eq!(read(method, path, None, ""), Err(Unclear::Unknown), "{method} {path}");
        }
        let deep = "/a".repeat(SEGMENTS_MAX + 1);
        assert_eq!(read("GET", &deep, None, ""), Err(Unclear::Unknown));
    }

    #[test]
    fn what_a_server_could_read_otherwise_is_refused() {
        for path in [
            "/orders/..",
            "/orders/.",
            "/orders/%2e%2e",
            "/orders/%2E.",
            "/orders/..%20",
            "/orders/...",
            "/orders/%2f",
            "/orders/a%2Fb",
            "/orders/a%5cb",
            "/orders/a\\b",
            "/orders/a%252fb",
            "/orders/a%00",
            "/orders/a%0d%0aX:1",
            "/orders/a;b",
            "/orders/a%3bb",
            "/orders/a%3fb",
            "/orders/a%23b",
            "/orders/%",
            "/orders/%2",
            "/orders/%zz",
            "/orders/%ff",
            "/orders/%c0%ae%c0%ae",
            "/orders/%ef%bc%8e%ef%bc%8e",
            "/orders/a\u{2215}b",
            "//orders",
            "/orders/",
            "/orders//1",
        ] {
            assert!(matches!(read("GET", path, None, ""), Err(Unclear::Odd(_))), "{path}");
        }
        for query in [
            "limit=1&limit=2",
            "limit=1&Limit=2",
            "l%69mit=1&limit=2",
            "other=1",
            "limit=%",
            "limit=%zz",
            "limit=%00",
            "limit=%ff",
            "limit=1&",
            "&",
            "limit=1;q=2&x",
        ] {
            let read = read("GET", "/orders", Some(query), "");
            assert!(matches!(read, Err(Unclear::Odd(_))), "{query}");
        }
        for (query, body) in
            [("", r#"{"id":"2"}"#), ("", r#"{"ID":"2"}"#), ("dry=1", r#"{"dry":false}"#)]
        {
            let read = read("POST", "/orders/1/refunds", Some(query), body);
            assert_eq!(read, Err(Unclear::Odd("an argument is there twice")), "{body}");
        }
        for body in ["{", r#"{"a":1,"a":2}"#, r#"{"a":1,"A":2}"#, r#"{"a":1} {}"#, "a=1"] {
            let read = read("POST", "/orders/1/refunds", None, body);
            assert!(matches!(read, Err(Unclear::Body(_))), "{body}");
        }
        assert!(read("GET", "/orders/1", None, "{}").is_err(), "a body where none belongs");
        assert!(read("GET", "/orders", Some(&"q=a&".repeat(65)), "").is_err());
        assert!(read("GET", &format!("/orders/{}", "a".repeat(9_000)), None, "").is_err());
    }

    proptest! {
        /// What is sent on is read as the same again, and by whoever takes encoding away and dots out.
        #[test]
        fn what_is_taken_has_one_spelling(path in "(/([a-z.%;é ]|%2[0-9a-f]|%[0-9a-f]{2}){0,6}){0,4}", query in "(q|limit)=[ -~é]{0,12}") {
            let path = format!("/orders{path}");
            if let Ok((name, target, arguments)) = read("GET", &path, Some(&query), "") {
                let (written, asked) = target.split_once('?').unwrap();
                prop_assert!(target.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert_eq!(&read("GET", written, Some(asked), "").unwrap(), &(name, target.clone(), arguments));
                let decoded = decode(written).unwrap();
                prop_assert_eq!(decoded.matches('/').count(), path.matches('/').count());
                prop_assert!(decoded.split('/').skip(1).all(|part| part != ".." && part != "." && !part.is_empty()));
            }
        }
    }
}
