//! A probe set from its file: one JSON object a line.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::Value;

use super::{Expect, PROBES_MAX, Pattern, Probe, ProbeRequest};

const NAME_CHARS_MAX: usize = 100;
const TEXTS_MAX: usize = 100;

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
                errors.push(error(wrong.column(), without_place(&wrong), EXAMPLE));
                continue;
            }
        };
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

/// `serde_json` names a line of its own, which is always the first.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(what, _)| what.to_owned())
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
    if matches.as_deref().is_some_and(|text| !Pattern::is_valid(text)) {
        return Err((
            "`matches` is not a regular expression, or too large a one".into(),
            "see docs.rs/regex for its syntax; counted repetitions make it large",
        ));
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
