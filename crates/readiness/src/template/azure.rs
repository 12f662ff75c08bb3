//! Bicep, and templates of Azure Resource Manager in JSON.

use super::fact::{About, Fact};
use super::{Found, Templates, secret};
use crate::code::Code;
use crate::finding::{Evidence, Place, count};
use crate::lines::File;
use crate::yaml::Node;

impl Templates {
    /// An ARM template; `resources` is a list, or a map of them by their names.
    pub(super) fn arm(&mut self, file: File<'_>, root: &Node) {
        let schema =
            root.get("$schema").and_then(Node::text).unwrap_or_default().to_ascii_lowercase();
        let is_one = schema.contains("deploymenttemplate.json");
        let Some(resources) = root.get("resources").filter(|_| is_one) else { return };
        if resources.items().is_empty() && resources.entries().is_empty() {
            return;
        }
        self.environments.push(Found { what: "an ARM template", evidence: file.shown(resources) });
        secret::all(resources, file, &mut self.facts);
        for parameter in root.get("parameters").map(Node::entries).unwrap_or_default() {
            let kind = parameter.value.get("type").and_then(Node::text).unwrap_or_default();
            let is_secure = kind.eq_ignore_ascii_case("securestring")
                || kind.eq_ignore_ascii_case("secureobject");
            let default =
                parameter.value.get("defaultValue").and_then(Node::text).unwrap_or_default();
            if !is_secure && !secret::is_name(&parameter.key) {
                continue;
            }
            self.facts.push(if default.is_empty() {
                plain_or_hidden(&parameter.key, is_secure, file.at(parameter.key_place))
            } else {
                secret::judged(&parameter.key, default, false, parameter.key_place, file)
            });
        }
    }

    /// A Bicep file, by its statements: what stands in comments and in texts is none.
    pub(super) fn bicep(&mut self, file: File<'_>) {
        let Some(code) = Code::read(file.path, file.text) else { return };
        let (mut depth, mut is_secure) = (0_i64, false);
        let mut made: Option<Evidence> = None;
        for (at, (line, original)) in code.masked.lines().zip(file.text.lines()).enumerate() {
            let words = line.trim_start();
            let shown = || Evidence::indented(file.path, original, at);
            if depth == 0 {
                if words.starts_with('@') {
                    is_secure |= words.starts_with("@secure(") || words.starts_with("@sys.secure(");
                } else {
                    if is_made(words) {
                        made.get_or_insert_with(shown);
                    }
                    self.facts.extend(module(words, original, shown));
                    self.facts.extend(parameter(words, original, is_secure, at, file));
                    is_secure &= words.is_empty();
                }
            } else {
                self.facts.extend(property(words, original, at, file));
                if words.starts_with("probes: [") || words.starts_with("healthCheckPath: ") {
                    self.facts.push(Fact::good(About::Health, shown()));
                }
            }
            let opened = line.matches(['{', '[', '(']).count();
            let closed = line.matches(['}', ']', ')']).count();
            depth += i64::from(count(opened)) - i64::from(count(closed));
        }
        if let Some(evidence) = made {
            self.environments.push(Found { what: "Bicep", evidence });
        }
    }
}

/// `resource a 'T@v' = …` or `module a 'path' = …`; what exists already, or is switched off, is not made by it.
fn is_made(words: &str) -> bool {
    let rest = words.strip_prefix("resource ").or_else(|| words.strip_prefix("module "));
    let Some((head, value)) = rest.and_then(|rest| rest.split_once('=')) else { return false };
    let (value, head) = (value.trim_start(), head.trim_end());
    let is_off =
        value.strip_prefix("if").is_some_and(|rest| rest.trim_start().starts_with("(false)"));
    !head.ends_with(" existing")
        && !is_off
        && (value.starts_with(['{', '[']) || value.starts_with("if"))
}

/// A module of a registry has its version behind the last colon.
fn module(words: &str, original: &str, shown: impl Fn() -> Evidence) -> Option<Fact> {
    let source = words.starts_with("module ").then(|| original.split('\'').nth(1))??;
    if !source.starts_with("br") && !source.starts_with("ts") || !source.contains(':') {
        return None;
    }
    let tag = source.rsplit_once(':').map_or("", |(_, tag)| tag);
    let at = shown();
    Some(match tag {
        "latest" => {
            Fact::bad(About::Pinned, format!("the module `{source}` is whatever is latest"), at)
        }
        tag if tag.contains('/') => {
            Fact::bad(About::Pinned, format!("the module `{source}` has no version"), at)
        }
        _ => Fact::good(About::Pinned, at),
    })
}

/// `param name string = 'default'`.
fn parameter(
    words: &str,
    original: &str,
    is_secure: bool,
    line: usize,
    file: File<'_>,
) -> Option<Fact> {
    let name = words.strip_prefix("param ")?.split_whitespace().next()?;
    let may_be_one = is_secure || secret::is_name(name) && words.contains(" string");
    if !may_be_one {
        return None;
    }
    let default =
        words.split_once('=').and_then(|_| quoted(original)).filter(|text| !text.is_empty());
    Some(match default {
        Some(text) => secret::judged(name, text, false, place(line), file),
        None => plain_or_hidden(name, is_secure, Evidence::indented(file.path, original, line)),
    })
}

/// `adminPassword: 'written out'`.
fn property(words: &str, original: &str, line: usize, file: File<'_>) -> Option<Fact> {
    let (key, value) = words.split_once(':')?;
    if !secret::is_name(key.trim()) || value.trim().is_empty() {
        return None;
    }
    let written = value.trim_start().starts_with('\'').then(|| quoted(original)).flatten();
    Some(secret::judged(
        key.trim(),
        written.unwrap_or_default(),
        written.is_none(),
        place(line),
        file,
    ))
}

fn quoted(line: &str) -> Option<&str> {
    Some(line.split_once('\'')?.1.rsplit_once('\'')?.0)
}

fn plain_or_hidden(name: &str, is_hidden: bool, at: Evidence) -> Fact {
    if is_hidden {
        Fact::good(About::Secrets, at)
    } else {
        Fact::unsure(
            About::Secrets,
            format!("`{name}` is a parameter that is not marked as secure"),
            at,
        )
    }
}

fn place(line: usize) -> Place {
    Place { line: count(line + 1), column: 1 }
}
