//! Maven and Gradle.

use std::collections::BTreeSet;

use super::Dependency;
use crate::finding::Evidence;
use crate::tree::{Tree, has_end, is_aside, name};

/// Deepest elements that are followed.
const DEPTH_MAX: usize = 64;

/// The `<dependency>` elements of a project that are not for its tests: neither plugins, nor its parent, nor versions that
/// are only managed.
pub(super) fn pom(path: &str, text: &str) -> Vec<Dependency> {
    let mut all = Vec::new();
    let mut open: Vec<&str> = Vec::new();
    let (mut artifact, mut scope) = (None, "");
    let (mut from, mut line, mut counted) = (0, 0, 0);
    while let Some(start) = text[from..].find('<').map(|at| from + at) {
        if text[start..].starts_with("<!--") {
            from = text[start..].find("-->").map_or(text.len(), |end| start + end + 3);
            continue;
        }
        let Some(end) = text[start..].find('>').map(|at| start + at) else { break };
        from = end + 1;
        let tag = &text[start + 1..end];
        let word =
            tag.trim_start_matches('/').split([' ', '\n', '\t', '/']).next().unwrap_or_default();
        if let Some(closed) = tag.strip_prefix('/') {
            let is_managed =
                open.iter().any(|one| matches!(*one, "dependencyManagement" | "plugin"));
            if closed.trim() == "dependency" {
                let found = artifact.take().filter(|_| scope != "test" && !is_managed);
                all.extend(found);
                scope = "";
            }
            if let Some(at) = open.iter().rposition(|one| *one == closed.trim()) {
                open.truncate(at);
            }
            continue;
        }
        if tag.ends_with('/') || tag.starts_with(['?', '!']) {
            continue;
        }
        let inside = text[from..].split('<').next().unwrap_or_default().trim();
        match (word, open.last()) {
            ("artifactId", Some(&"dependency")) => {
                line += text[counted..start].matches('\n').count();
                counted = start;
                let evidence = Evidence::line(path, text, line);
                artifact = Some(Dependency { name: inside.to_ascii_lowercase(), evidence });
            }
            ("scope", Some(&"dependency")) => scope = inside,
            _ => {}
        }
        if open.len() == DEPTH_MAX {
            break;
        }
        open.push(word);
    }
    all
}

/// Whether a line of Gradle is about tests alone, such as `integrationTestImplementation(…)`.
fn is_for_tests(line: &str) -> bool {
    let word = line.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    word.to_ascii_lowercase().contains("test")
}

/// `implementation("group:artifact:version")`; what tests alone need is left out.
pub(super) fn gradle(line: &str) -> Option<String> {
    if is_for_tests(line) || line.starts_with("//") {
        return None;
    }
    artifact(line)
}

fn artifact(line: &str) -> Option<String> {
    let quoted = line.split(['"', '\'']).find(|part| part.contains(':') && !part.contains(' '))?;
    Some(quoted.split(':').nth(1)?.to_ascii_lowercase())
}

/// What the builds of a tree take from catalogs of versions, as `libs.a.b` names it.
pub(super) struct Catalogs {
    used: BTreeSet<String>,
    has_bundles: bool,
}

impl Catalogs {
    pub(super) fn read(tree: &Tree) -> Self {
        let is_build = |path: &str| {
            !is_aside(path) && (name(path).contains(".gradle") || has_end(path, "gradle"))
        };
        let lines =
            tree.texts().filter(|(path, _)| is_build(path)).flat_map(|(_, text)| text.lines());
        let lines =
            lines.map(str::trim).filter(|line| !is_for_tests(line) && !line.starts_with("//"));
        let named = lines.flat_map(|line| line.split("libs.").skip(1)).map(|rest| {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '.'));
            rest[..end.unwrap_or(rest.len())].trim_end_matches(".get").to_owned()
        });
        let used: BTreeSet<String> = named.collect();
        let has_bundles = used.iter().any(|name| name.starts_with("bundles."));
        Self { used, has_bundles }
    }

    /// What a line of a catalog names, where some build takes it, alone or in a bundle.
    pub(super) fn dependency(&self, line: &str) -> Option<String> {
        let (alias, _) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
        let is_used =
            self.has_bundles || self.used.contains(&alias.trim().replace(['-', '_'], "."));
        artifact(line).filter(|_| is_used)
    }
}
