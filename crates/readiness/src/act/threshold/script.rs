//! Limits of the runners of JavaScript, in their settings and options.

use super::{at_least, enforced, flag, given};
use crate::act::flags::{last, told};
use crate::act::invoke::Done;
use crate::finding::Evidence;
use crate::tree::{Tree, join};
use crate::yaml::{self, Node};

/// `jest.coverageThreshold`, in package.json or in a file of its own.
pub(super) fn jest(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
    let package = join(root, "package.json").unwrap_or_default();
    let text = tree.text(&package).unwrap_or_default();
    let settings = yaml::document(text).ok().flatten();
    let own = settings.as_ref().and_then(|root| root.get("jest"));
    let config = config_file(tree, root, "jest.config");
    let config_text =
        config.as_deref().and_then(|file| tree.text(file)).map(script_code).unwrap_or_default();
    let measures = words
        .iter()
        .any(|word| matches!(*word, "--coverage" | "--collectCoverage" | "--coverage=true"))
        || own.and_then(|own| own.get("collectCoverage")).and_then(Node::truth) == Some(true)
        || config_text.contains("collectCoverage: true");
    if !measures {
        return Vec::new();
    }
    // What the command says comes before the settings.
    if let Some(told) = last(words, &["--coverageThreshold"]) {
        let told = yaml::document(told).ok().flatten();
        let global = told.as_ref().and_then(|told| told.get("global"));
        return global.map_or_else(Vec::new, |global| at_least(least(numbers_of(global)), None));
    }
    if let Some(threshold) = own.and_then(|own| own.at(&["coverageThreshold", "global"])) {
        let numbers = least(numbers_of(threshold));
        return at_least(numbers, Some(Evidence::at(&package, text, threshold.place)));
    }
    in_script(tree, config.as_deref(), &config_text, "coverageThreshold")
}

fn numbers_of(node: &Node) -> impl Iterator<Item = (&str, f64)> {
    node.entries()
        .iter()
        .filter_map(|entry| Some((entry.key.as_str(), entry.value.text()?.parse().ok()?)))
}

pub(super) fn vitest(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
    let config =
        config_file(tree, root, "vitest.config").or_else(|| config_file(tree, root, "vite.config"));
    let code =
        config.as_deref().and_then(|file| tree.text(file)).map(script_code).unwrap_or_default();
    let measures = words.iter().any(|word| {
        matches!(
            *word,
            "--coverage" | "--coverage.enabled" | "--coverage.enabled=true" | "--coverage=true"
        )
    });
    let measures = measures || code.contains("coverage:") && code.contains("enabled: true");
    if !measures {
        return Vec::new();
    }
    let flags = ["lines", "statements", "branches", "functions"]
        .map(|what| format!("--coverage.thresholds.{what}"));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    given(words, &flags).unwrap_or_else(|| in_script(tree, config.as_deref(), &code, "thresholds"))
}

fn config_file(tree: &Tree, root: &str, stem: &str) -> Option<String> {
    let ends = ["js", "ts", "mjs", "cjs", "mts", "cts", "json"];
    ends.iter().filter_map(|end| join(root, &format!("{stem}.{end}"))).find(|file| tree.has(file))
}

/// A script with its comments blanked, line by line as it was.
pub(super) fn script_code(text: &str) -> String {
    let mut out = String::new();
    let mut block = false;
    for line in text.lines() {
        let mut rest = line;
        while !rest.is_empty() {
            if block {
                match rest.split_once("*/") {
                    Some((_, after)) => (block, rest) = (false, after),
                    None => break,
                }
            } else {
                match (rest.find("/*"), rest.find("//")) {
                    (_, Some(at)) if rest[..at].ends_with(':') => {
                        out.push_str(&rest[..at + 2]);
                        rest = &rest[at + 2..];
                    }
                    (Some(open), line) if line.is_none_or(|line| open < line) => {
                        out.push_str(&rest[..open]);
                        (block, rest) = (true, &rest[open + 2..]);
                    }
                    (_, Some(at)) => {
                        out.push_str(&rest[..at]);
                        break;
                    }
                    _ => {
                        out.push_str(rest);
                        break;
                    }
                }
            }
        }
        out.push('\n');
    }
    out
}

/// The numbers after a word of a script, up to its closing bracket.
fn in_script(tree: &Tree, file: Option<&str>, code: &str, word: &str) -> Vec<Done> {
    let (Some(file), Some(at)) =
        (file, code.find(&format!("{word}:")).or_else(|| code.find(&format!("\"{word}\":"))))
    else {
        return Vec::new();
    };
    let mut depth = 0_i32;
    let mut end = code.len();
    for (i, c) in code[at..].char_indices() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth <= 0 {
                    end = at + i;
                    break;
                }
            }
            _ => {}
        }
    }
    let numbers = code[at..end].split([',', '{', '\n']).filter_map(|pair| {
        let (key, value) = pair.split_once(':')?;
        Some((key.trim().trim_matches(['"', '\'']), value.trim().parse().ok()?))
    });
    let line = code[..at].matches('\n').count();
    at_least(least(numbers), Some(Evidence::line(file, tree.text(file).unwrap_or_default(), line)))
}

/// What is asked of lines, or the least of what is asked.
fn least<'a>(numbers: impl Iterator<Item = (&'a str, f64)>) -> Option<f64> {
    let all: Vec<(&str, f64)> = numbers
        .filter(|(key, _)| matches!(*key, "lines" | "statements" | "branches" | "functions"))
        .collect();
    let lines = all.iter().find(|(key, _)| *key == "lines").map(|(_, number)| *number);
    lines.or_else(|| all.iter().map(|(_, number)| *number).reduce(f64::min))
}

/// nyc and c8 check only when they are told to.
pub(super) fn node_coverage(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
    if told(words, &["--check-coverage", "check-coverage"]) {
        let given = flag(words, &["--lines", "--statements", "--branches", "--functions"]);
        return if given.is_empty() { enforced(None, None) } else { given };
    }
    for name in [".nycrc", ".nycrc.json", ".c8rc.json"] {
        let Some(file) = join(root, name).filter(|file| tree.has(file)) else { continue };
        let text = tree.text(&file).unwrap_or_default();
        let Ok(Some(settings)) = yaml::document(text) else { continue };
        let checks = settings.get("check-coverage").and_then(Node::truth) == Some(true);
        if checks && let Some(lines) = settings.get("lines") {
            return at_least(
                lines.text().and_then(|text| text.parse().ok()),
                Some(Evidence::at(&file, text, lines.place)),
            );
        }
    }
    let package = join(root, "package.json").unwrap_or_default();
    let text = tree.text(&package).unwrap_or_default();
    let settings = yaml::document(text).ok().flatten();
    for tool in ["nyc", "c8"] {
        if let Some(own) = settings.as_ref().and_then(|root| root.get(tool))
            && own.get("check-coverage").and_then(Node::truth) == Some(true)
            && let Some(lines) = own.get("lines")
        {
            return at_least(
                lines.text().and_then(|text| text.parse().ok()),
                Some(Evidence::at(&package, text, lines.place)),
            );
        }
    }
    Vec::new()
}
