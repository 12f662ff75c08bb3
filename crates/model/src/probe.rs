//! Probes: requests that a candidate gets in the test environment, and what is expected of its
//! answers. A set of them is a file of JSON lines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::version::Digest;

mod pattern;
mod read;

pub use pattern::{MATCHED_BYTES_MAX, Pattern};
pub use read::{LineError, read};

/// The most probes in one set.
pub const PROBES_MAX: usize = 1_000;

/// The most bytes of an answer that are looked at.
pub const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// The probes of one agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probes {
    /// Time from one probe to the next, milliseconds. Each gateway sends at this pace.
    pub every_ms: u64,
    /// In the file's order, sent in turn.
    pub set: Vec<Probe>,
    /// The set's text, see [`digest`].
    #[serde(default)]
    pub digest: Option<Digest>,
}

/// The digest of a set's text, blank lines and spaces around lines aside.
pub fn digest(text: &str) -> Digest {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Digest::of(lines.join("\n").as_bytes())
}

impl Probes {
    /// Their names, in order.
    pub fn names(&self) -> Vec<String> {
        self.set.iter().map(|probe| probe.name.clone()).collect()
    }
}

/// A request, and what is expected of its answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// Unique in its set.
    pub name: String,
    /// What is sent.
    pub request: ProbeRequest,
    /// What must hold of the answer.
    pub expect: Expect,
    /// Longest time to the end of the answer, milliseconds.
    pub latency_ms_max: Option<u64>,
    /// Highest cost, nano-dollars. An answer of unknown cost does not keep it.
    pub cost_nanousd_max: Option<u64>,
}

/// What a probe sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeRequest {
    /// The method.
    pub method: String,
    /// Path and query, below the version's endpoint.
    pub path: String,
    /// Headers by name in lower case.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
}

/// What must hold of an answer: all of these.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expect {
    /// Exactly this status; 200 to 299 without it.
    pub status: Option<u16>,
    /// Texts that the body has.
    pub contains: Vec<String>,
    /// Texts that the body has not.
    pub lacks: Vec<String>,
    /// An expression that the body matches somewhere.
    pub matches: Option<Pattern>,
    /// Values in a body of JSON, by pointer (RFC 6901).
    pub json: BTreeMap<String, Value>,
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProbeAnswer<'a> {
    /// Its status.
    pub status: u16,
    /// Its body, decoded.
    pub body: &'a [u8],
    /// Time to its end, milliseconds.
    pub total_ms: u64,
    /// Nano-dollars, if known.
    pub cost_nanousd: Option<u64>,
}

impl Probe {
    /// Whether the answer is as expected; if not, the first thing that is not, in words. The
    /// answer itself is not repeated: it may hold what should not be kept. Bounded work, but seconds of
    /// it with the worst of expressions: no place for it where others wait.
    pub fn judge(&self, answer: &ProbeAnswer<'_>) -> Result<(), String> {
        self.expect.judge(answer)?;
        if let Some(max) = self.latency_ms_max
            && answer.total_ms > max
        {
            return Err(format!("took {} ms, at most {max} ms expected", answer.total_ms));
        }
        match (self.cost_nanousd_max, answer.cost_nanousd) {
            (Some(_), None) => Err("its cost is not known".into()),
            (Some(max), Some(cost)) if cost > max => {
                let usd = |nanousd: u64| nanousd as f64 / 1e9;
                Err(format!("cost ${}, at most ${} expected", usd(cost), usd(max)))
            }
            _ => Ok(()),
        }
    }
}

impl Expect {
    fn judge(&self, answer: &ProbeAnswer<'_>) -> Result<(), String> {
        let status = answer.status;
        match self.status {
            Some(expected) if status != expected => {
                return Err(format!("status {status}, {expected} expected"));
            }
            None if !(200..300).contains(&status) => {
                return Err(format!("status {status}, 200 to 299 expected"));
            }
            _ => {}
        }
        let body = String::from_utf8_lossy(answer.body);
        if let Some(text) = self.contains.iter().find(|text| !body.contains(text.as_str())) {
            return Err(format!("the answer does not contain `{text}`"));
        }
        if let Some(text) = self.lacks.iter().find(|text| body.contains(text.as_str())) {
            return Err(format!("the answer contains `{text}`"));
        }
        if let Some(pattern) = &self.matches {
            if body.len() > MATCHED_BYTES_MAX {
                let reason = "the answer is longer than `matches` searches";
                return Err(format!("{reason}: {} bytes, {MATCHED_BYTES_MAX} at most", body.len()));
            }
            if !pattern.is_in(&body) {
                return Err(format!("the answer does not match `{}`", pattern.as_str()));
            }
        }
        self.judge_json(answer.body)
    }

    fn judge_json(&self, body: &[u8]) -> Result<(), String> {
        if self.json.is_empty() {
            return Ok(());
        }
        let Ok(document) = serde_json::from_slice::<Value>(body) else {
            return Err("the answer is not JSON".into());
        };
        for (pointer, expected) in &self.json {
            match document.pointer(pointer) {
                None => return Err(format!("the answer has nothing at `{pointer}`")),
                Some(found) if found != expected => {
                    return Err(format!("the answer has another value at `{pointer}`"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(line: &str) -> Probe {
        read(line).unwrap().remove(0)
    }

    fn answer(status: u16, body: &str) -> ProbeAnswer<'_> {
        ProbeAnswer { status, body: body.as_bytes(), total_ms: 10, cost_nanousd: None }
    }

    #[test]
    fn every_expectation_can_fail() {
        let probe = probe(
            r#"{"name":"p","request":{"path":"/"},"expect":{"contains":["yes"],"lacks":["no"],
                "matches":"[0-9]+","json":{"/a/0":"yes 7"}},"latency_ms_max":20,"cost_usd_max":0.001}"#
                .replace('\n', "")
                .as_str(),
        );
        let known = |body| ProbeAnswer { cost_nanousd: Some(1_000_000), ..answer(200, body) };
        let good = r#"{"a":["yes 7"]}"#;
        assert_eq!(probe.judge(&known(good)), Ok(()));
        for (answer, why) in [
            (known(r#"{"a":["yes"]}"#), "does not match"),
            (known(r#"{"a":["yes 8"]}"#), "another value"),
            (known(r#"{"b":["yes 7"]}"#), "nothing at `/a/0`"),
            (known("yes 7"), "not JSON"),
            (known(r#"{"a":["7"]}"#), "does not contain `yes`"),
            (known(r#"{"a":["yes 7"],"no":1}"#), "contains `no`"),
            (ProbeAnswer { status: 201, ..known("") }, "does not contain"),
            (ProbeAnswer { status: 500, ..known(good) }, "status 500, 200 to 299 expected"),
            (ProbeAnswer { total_ms: 21, ..known(good) }, "took 21 ms, at most 20 ms"),
            (ProbeAnswer { cost_nanousd: None, ..known(good) }, "cost is not known"),
            (ProbeAnswer { cost_nanousd: Some(1_000_001), ..known(good) }, "at most $0.001"),
        ] {
            let said = probe.judge(&answer).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
    }

    #[test]
    fn an_answer_that_is_too_long_to_search_fails_with_that_reason() {
        let searched = probe(r#"{"name":"p","request":{"path":"/"},"expect":{"matches":"b$"}}"#);
        let body = |length: usize| format!("{}b", "a".repeat(length - 1));
        assert_eq!(searched.judge(&answer(200, &body(MATCHED_BYTES_MAX))), Ok(()));
        let said = searched.judge(&answer(200, &body(MATCHED_BYTES_MAX + 1))).unwrap_err();
        assert!(said.contains("65537 bytes, 65536 at most"), "{said}");
        let other = probe(r#"{"name":"p","request":{"path":"/"},"expect":{"contains":["ab"]}}"#);
        assert_eq!(other.judge(&answer(200, &body(MATCHED_BYTES_MAX + 1))), Ok(()));
    }

    #[test]
    fn a_status_that_is_named_is_the_only_good_one() {
        let probe = probe(r#"{"name":"p","request":{"path":"/"},"expect":{"status":404}}"#);
        assert_eq!(probe.judge(&answer(404, "")), Ok(()));
        assert!(probe.judge(&answer(200, "")).is_err());
    }
}
