//! Terraform and Modal, as far as numbers are written out in a block.

use super::{Found, Function, Number, mebibytes, quantity, seconds};
use crate::finding::Evidence;

/// Longest block, in bytes.
const BLOCK_BYTES_MAX: usize = 64 * 1024;

/// A block between brackets, and the lines that it has.
struct Block<'a> {
    path: &'a str,
    text: &'a str,
    /// The line that it begins on, from 0.
    line: usize,
    body: &'a str,
}

impl Block<'_> {
    fn at(&self) -> Evidence {
        Evidence::line(self.path, self.text, self.line)
    }

    /// What stands behind `key =`, as it is written; the first of several.
    fn value(&self, key: &str) -> Option<(String, Evidence)> {
        for (at, line) in self.body.lines().enumerate() {
            for part in line.split(',') {
                let code = part.split('#').next().unwrap_or_default().trim();
                let code = code.trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
                let Some(rest) = code.strip_prefix(key) else { continue };
                let Some(value) = rest.trim_start().strip_prefix('=') else { continue };
                let value = value.trim().trim_end_matches([')', '}']).trim().trim_matches('"');
                let shown = Evidence::line(self.path, self.text, self.line + at);
                return Some((value.to_owned(), shown));
            }
        }
        None
    }

    fn number(&self, keys: &[&str], read: impl Fn(&str) -> Option<u64>) -> Number {
        let found = keys.iter().find_map(|key| self.value(key));
        Number::of(found.as_ref().map(|(text, _)| text.as_str()), read)
    }

    /// Notes what is kept or limited by these keys.
    fn scaling(&self, (min, max): (&[&str], &[&str]), found: &mut Found) {
        let value = |key: &&str| self.value(key);
        found.warm.extend(min.iter().filter_map(value).filter(|(n, _)| n != "0").map(|(_, at)| at));
        found
            .single
            .extend(max.iter().filter_map(value).filter(|(n, _)| n == "1").map(|(_, at)| at));
    }
}

/// Blocks that begin where a line holds `start`, to the bracket that closes them.
fn blocks<'a>(
    path: &'a str,
    text: &'a str,
    start: &'a str,
    (open, close): (char, char),
) -> impl Iterator<Item = Block<'a>> {
    text.match_indices(start).filter_map(move |(at, _)| {
        let end = text.len().min(at.saturating_add(BLOCK_BYTES_MAX));
        let rest = text.get(at..).map(|rest| {
            let mut cut = end - at;
            while !rest.is_char_boundary(cut) {
                cut -= 1;
            }
            &rest[..cut]
        })?;
        let mut depth = 0_usize;
        for (index, c) in rest.char_indices() {
            if c == open {
                depth += 1;
            } else if c == close {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    let line = text[..at].matches('\n').count();
                    return Some(Block { path, text, line, body: &rest[..index] });
                }
            }
        }
        None
    })
}

/// `resource "KIND" "name" { … }`.
pub(super) fn terraform(path: &str, text: &str, found: &mut Found) {
    for block in blocks(path, text, "resource \"aws_lambda_function\"", ('{', '}')) {
        block.scaling((&[], &["reserved_concurrent_executions"]), found);
        found.functions.push(Function {
            platform: "AWS Lambda",
            name: named(block.body),
            at: block.at(),
            memory_bytes: block.number(&["memory_size"], mebibytes),
            timeout_s: block.number(&["timeout"], seconds),
        });
    }
    let kept = "resource \"aws_lambda_provisioned_concurrency_config\"";
    found.warm.extend(blocks(path, text, kept, ('{', '}')).map(|block| block.at()));
    for kind in
        ["resource \"google_cloud_run_v2_service\"", "resource \"google_cloud_run_service\""]
    {
        for block in blocks(path, text, kind, ('{', '}')) {
            let min = ["min_instance_count", "autoscaling.knative.dev/minScale\""];
            let max = ["max_instance_count", "autoscaling.knative.dev/maxScale\""];
            block.scaling((&min, &max), found);
            found.functions.push(Function {
                platform: "Google Cloud Run",
                name: named(block.body),
                at: block.at(),
                memory_bytes: block.number(&["memory"], quantity),
                timeout_s: block.number(&["timeout_seconds", "timeout"], seconds),
            });
        }
    }
}

/// The second text between quotation marks.
fn named(body: &str) -> String {
    body.split('"').nth(3).unwrap_or("function").to_owned()
}

/// `@app.function(memory=1024, timeout=60)`.
pub(super) fn modal(path: &str, text: &str, found: &mut Found) {
    if !text.contains("modal.App(")
        && !text.contains("import modal")
        && !text.contains("from modal")
    {
        return;
    }
    for start in [".function(", ".cls("] {
        for block in blocks(path, text, start, ('(', ')')) {
            let line = text.lines().nth(block.line).unwrap_or_default();
            if !line.trim_start().starts_with('@') {
                continue;
            }
            let min = ["min_containers", "keep_warm"];
            block.scaling((&min, &["max_containers", "concurrency_limit"]), found);
            let after = text.lines().skip(block.line).find_map(|line| {
                let rest = line.trim_start().trim_start_matches("async ");
                rest.strip_prefix("def ").or_else(|| rest.strip_prefix("class "))
            });
            let name = after.and_then(|rest| rest.split(['(', ':']).next()).unwrap_or("function");
            // The brackets go, so that the first argument is one.
            let inner = Block { body: block.body.trim_start_matches(start), ..block };
            found.functions.push(Function {
                platform: "Modal",
                name: name.trim().to_owned(),
                at: inner.at(),
                memory_bytes: inner.number(&["memory"], mebibytes),
                timeout_s: inner.number(&["timeout"], seconds),
            });
        }
    }
}
