//! A probe set from its file: one JSON object a line.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::Value;
use serde_json::error::Category;

use super::{Expect, PROBES_MAX, Pattern, Probe, ProbeRequest};

const NAME_CHARS_MAX: usize = 100;
const TEXTS_MAX: usize = 100;
/// Of a line, in a message.
const SHOWN_CHARS_MAX: usize = 40;

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LineError {
    /// From 1.
    pub line: u32,
    /// From 1, in bytes.
    pub column: u32,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: &'static str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    name: String,
    request: RequestLine,
    #[serde(default)]
    expect: ExpectLine,
    latency_ms_max: Option<u64>,
    cost_usd_max: Option<f64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestLine {
    method: Option<String>,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ExpectLine {
    status: Option<u16>,
    contains: Vec<String>,
    lacks: Vec<String>,
    matches: Option<String>,
    json: BTreeMap<String, Value>,
}

const EXAMPLE: &str = "a line is like {\"name\": \"refund\", \"request\": {\"path\": \"/chat\", \"body\": {\"q\": \"…\"}}, \"expect\": {\"contains\": [\"14 days\"]}, \"latency_ms_max\": 2000}";

/// Reads a probe set; every wrong line is reported at once. Empty lines are left out.
pub fn read(text: &str) -> Result<Vec<Probe>, Vec<LineError>> {
    let (mut probes, mut errors) = (Vec::new(), Vec::new());
    let mut names = HashSet::new();
    let lines = text.lines().zip(1_u32..).filter(|(line, _)| !line.trim().is_empty());
    for (line, number) in lines {
        let error = |column: usize, message: String, hint| LineError {
            line: number,
            column: u32::try_from(column.max(1)).unwrap_or(u32::MAX),
            message,
            hint,
        };
        if probes.len() + errors.len() >= PROBES_MAX {
            errors.push(error(1, format!("more than {PROBES_MAX} probes"), "split the set"));
            break;
        }
        let read = match serde_json::from_str::<Line>(line) {
            Ok(read) => read,
            Err(wrong) => {
                let (column, message) = not_read(line, &wrong);
                errors.push(error(column, message, EXAMPLE));
                continue;
            }
        };
        if let Some((column, message)) = no_expression(line, read.expect.matches.as_deref()) {
            errors.push(error(column, message, "see docs.rs/regex for its syntax"));
            continue;
        }
        match probe(read) {
            Ok(probe) if names.insert(probe.name.clone()) => probes.push(probe),
            Ok(probe) => {
                let message = format!("probe `{}` is there twice", probe.name);
                errors.push(error(1, message, "give each its own name"));
            }
            Err((message, hint)) => errors.push(error(1, message, hint)),
        }
    }
    if probes.is_empty() && errors.is_empty() {
        let message = "there is no probe in it".to_owned();
        errors.push(LineError { line: 1, column: 1, message, hint: EXAMPLE });
    }
    if errors.is_empty() { Ok(probes) } else { Err(errors) }
}

/// Why a line cannot be read, and where, from 1. `serde_json` names a line of its own, which is
/// always the first.
fn not_read(line: &str, error: &serde_json::Error) -> (usize, String) {
    let (column, text) = (error.column(), error.to_string());
    let what = text.rsplit_once(" at line ").map_or(text.as_str(), |(what, _)| what);
    match error.classify() {
        Category::Data | Category::Io => (column, what.to_owned()),
        Category::Eof => (column, "this line is not JSON: it ends in the middle".into()),
        Category::Syntax => {
            let at = line.floor_char_boundary(column.saturating_sub(1));
            // A word is refused at one of its later letters.
            let word = |c: char| c.is_alphanumeric() || c == '_';
            let start = line[..at].trim_end_matches(word).len();
            let there = cut(&line[start..]);
            let why = match what {
                "expected ident" | "expected value" => format!("`{there}` is no value"),
                what => format!("{what} at `{there}`"),
            };
            (start + 1, format!("this line is not JSON: {why}"))
        }
    }
}

/// What stands somewhere, short enough for a message.
fn cut(text: &str) -> String {
    let shown = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= SHOWN_CHARS_MAX {
        return shown.collect();
    }
    shown.take(SHOWN_CHARS_MAX - 1).chain(['…']).collect()
}

/// What is wrong with the expression of a line, and where it begins, from 1.
fn no_expression(line: &str, text: Option<&str>) -> Option<(usize, String)> {
    let text = text?;
    let error = Pattern::fault(text)?;
    // The library draws where in the expression, over several lines; the last one says what.
    let what = error.lines().last().unwrap_or_default();
    let what = what.trim_start_matches("error: ").trim_end_matches('.');
    let message = format!("`{}` is not a regular expression: {what}", cut(text));
    let places = line.match_indices("\"matches\"").filter_map(|(at, key)| {
        let value = line[at + key.len()..].trim_start().strip_prefix(':')?.trim_start();
        let mut values = serde_json::Deserializer::from_str(value).into_iter::<String>();
        let same = values.next()?.is_ok_and(|value| value == text);
        same.then(|| line.len() - value.len() + 1)
    });
    Some((places.last().unwrap_or(1), message))
}

/// Controls, breaks of lines, marks of direction, and what has no width (Unicode 16, the categories Cc, Zl, Zp and
/// those of Cf that reorder or hide text). Names are shown on terminals and pages.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn probe(line: Line) -> Result<Probe, (String, &'static str)> {
    let Line { name, request, expect, latency_ms_max, cost_usd_max } = line;
    if name.trim().is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(("`name` is empty or too long".into(), "use 1 to 100 characters"));
    }
    if let Some(unseen) = name.chars().find(|c| is_unseen(*c)) {
        let code = u32::from(unseen);
        return Err((
            format!("`name` has U+{code:04X}, which is not seen and changes how the rest is shown"),
            "use letters, digits, spaces and punctuation",
        ));
    }
    if latency_ms_max == Some(0) {
        return Err(("`latency_ms_max` is 0".into(), "use milliseconds from 1 on"));
    }
    let cost_nanousd_max = match cost_usd_max {
        None => None,
        Some(usd) if (0.0..=1_000.0).contains(&usd) =>
        {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within")]
            Some((usd * 1e9).round() as u64)
        }
        Some(_) => {
            return Err(("`cost_usd_max` is out of range".into(), "use US dollars from 0 to 1000"));
        }
    };
    let (request, expect) = (self::request(request)?, self::expect(expect)?);
    Ok(Probe { name, request, expect, latency_ms_max, cost_nanousd_max })
}

fn request(line: RequestLine) -> Result<ProbeRequest, (String, &'static str)> {
    let RequestLine { method, path, headers, body } = line;
    let plain = path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic());
    if !plain || path.len() > 4_096 || path.contains('#') {
        return Err((
            "`path` is not a path".into(),
            "start it with `/`, and encode what is not ASCII",
        ));
    }
    let default = if body.is_some() { "POST" } else { "GET" };
    let method = method.unwrap_or_else(|| default.into());
    if !["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"].contains(&method.as_str()) {
        return Err((
            format!("`{method}` is not a method that a probe can have"),
            "use GET or POST",
        ));
    }
    let mut lower = BTreeMap::new();
    for (name, value) in headers {
        let name = name.to_ascii_lowercase();
        let ok = |c: u8| c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c);
        if name.is_empty()
            || !name.bytes().all(ok)
            || value.bytes().any(|c| !(b' '..=b'~').contains(&c))
        {
            return Err((format!("`{name}` is not a header"), "use visible ASCII"));
        }
        let ours = name.starts_with("lockgate-");
        if ours
            || matches!(
                name.as_str(),
                "host" | "content-length" | "transfer-encoding" | "connection"
            )
        {
            return Err((format!("`{name}` is set by Lockgate"), "leave it out"));
        }
        lower.insert(name, value);
    }
    let body = body.map(|body| match body {
        Value::String(text) => text,
        json => {
            lower.entry("content-type".into()).or_insert_with(|| "application/json".into());
            json.to_string()
        }
    });
    Ok(ProbeRequest { method, path, headers: lower, body })
}

fn expect(line: ExpectLine) -> Result<Expect, (String, &'static str)> {
    let ExpectLine { status, contains, lacks, matches, json } = line;
    if status.is_some_and(|status| !(100..600).contains(&status)) {
        return Err(("`status` is not an HTTP status".into(), "use 100 to 599"));
    }
    if contains.len() + lacks.len() + json.len() > TEXTS_MAX {
        return Err(("more than 100 expectations".into(), "split the probe"));
    }
    if contains.iter().chain(&lacks).any(String::is_empty) {
        return Err(("an empty text is in every answer".into(), "say what is expected"));
    }
    if json.keys().any(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
        return Err((
            "a key of `json` is not a pointer".into(),
            "write it like `/choices/0/text` (RFC 6901)",
        ));
    }
    let matches = matches.map(Pattern::from);
    Ok(Expect { status, contains, lacks, matches, json })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_makes_it_a_post_and_json_says_so() {
        let probes = read(concat!(
            "{\"name\":\"a\",\"request\":{\"path\":\"/x?y=1\"}}\n\n",
            "{\"name\":\"b\",\"request\":{\"path\":\"/\",\"body\":{\"q\":1}}}\n",
            "{\"name\":\"c\",\"request\":{\"path\":\"/\",\"body\":\"text\",\"headers\":{\"X-A\":\"1\"}}}",
        ))
        .unwrap();
        let told: Vec<_> =
            probes.iter().map(|p| (p.request.method.as_str(), p.request.body.as_deref())).collect();
        assert_eq!(told, [("GET", None), ("POST", Some("{\"q\":1}")), ("POST", Some("text"))]);
        assert_eq!(probes[1].request.headers["content-type"], "application/json");
        assert_eq!(probes[2].request.headers.keys().collect::<Vec<_>>(), ["x-a"]);
    }

    #[test]
    fn a_name_is_shown_as_it_is_written() {
        let read = |name: &str| {
            read(&serde_json::json!({"name": name, "request": {"path": "/"}}).to_string())
        };
        for (name, code) in [
            ("a\nb", "U+000A"),
            ("a\u{1b}[2J", "U+001B"),
            ("a\u{9b}2J", "U+009B"),
            ("a\u{202e}b", "U+202E"),
            ("\u{2066}a", "U+2066"),
            ("a\u{200b}", "U+200B"),
            ("\u{feff}a", "U+FEFF"),
        ] {
            let errors = read(name).unwrap_err();
            assert!(errors[0].message.contains(code), "{errors:?}");
        }
        assert!(read("Rückgabe – 14 Tage? 返品").is_ok());
    }

    #[test]
    fn a_line_that_is_not_json_says_so_and_what_is_there() {
        let said = |line: &str| {
            let error = read(line).unwrap_err().remove(0);
            (error.column, error.message)
        };
        let (column, message) = said("name: refund, path: /chat");
        assert_eq!(
            (column, message.as_str()),
            (1, "this line is not JSON: `name: refund, path: /chat` is no value")
        );
        let (column, message) = said("{\"name\": \"a\" \"request\"}");
        assert_eq!(
            (column, message.as_str()),
            (14, "this line is not JSON: expected `,` or `}` at `\"request\"}`")
        );
        let (_, message) = said("{\"name\": \"a\"");
        assert_eq!(message, "this line is not JSON: it ends in the middle");
        let long = format!("ä{}", "x".repeat(1_000));
        assert!(said(&long).1.chars().count() < 100, "what is there is cut");
        let (_, message) = said("{\"name\": 7}");
        assert!(
            message.starts_with("invalid type: integer `7`"),
            "JSON of another shape: {message}"
        );
    }

    #[test]
    fn an_expression_that_is_none_is_placed_where_it_stands_with_its_own_message() {
        let line = r#"{"name":"\"matches\":","request":{"path":"/"},"expect":{"contains":["matches"],"matches" : "a\u0028b"}}"#;
        let error = read(line).unwrap_err().remove(0);
        assert_eq!(error.column as usize, line.find("\"a\\u0028b").unwrap() + 1, "{error:?}");
        assert_eq!(error.message, "`a(b` is not a regular expression: unclosed group");
        let large = r#"{"name":"a","request":{"path":"/"},"expect":{"matches":"(a{900}){900}"}}"#;
        let error = read(large).unwrap_err().remove(0);
        assert!(error.message.contains("size limit"), "{error:?}");
    }

    #[test]
    fn every_wrong_line_is_named() {
        let lines = [
            "{",
            "[]",
            r#"{"name":"a"}"#,
            r#"{"name":"","request":{"path":"/"}}"#,
            r#"{"name":"b","request":{"path":"x"}}"#,
            r#"{"name":"c","request":{"path":"/","method":"CONNECT"}}"#,
            r#"{"name":"d","request":{"path":"/","headers":{"host":"x"}}}"#,
            r#"{"name":"e","request":{"path":"/","headers":{"a b":"x"}}}"#,
            r#"{"name":"f","request":{"path":"/"},"expect":{"matches":"("}}"#,
            r#"{"name":"g","request":{"path":"/"},"expect":{"status":20}}"#,
            r#"{"name":"h","request":{"path":"/"},"expect":{"json":{"a":1}}}"#,
            r#"{"name":"i","request":{"path":"/"},"latency_ms_max":0}"#,
            r#"{"name":"j","request":{"path":"/"},"cost_usd_max":-1}"#,
            r#"{"name":"k","request":{"path":"/"},"expects":{}}"#,
            r#"{"name":"l","request":{"path":"/"},"expect":{"contains":[""]}}"#,
            r#"{"name":"m","request":{"path":"/"}}"#,
            r#"{"name":"m","request":{"path":"/"}}"#,
        ];
        let errors = read(&lines.join("\n")).unwrap_err();
        let wrong: Vec<u32> = errors.iter().map(|error| error.line).collect();
        let all_but_the_good_one: Vec<u32> = (1..=15).chain([17]).collect();
        assert_eq!(wrong, all_but_the_good_one, "{errors:?}");
        assert!(read("\n \n").is_err());
    }
}
