//! What a repository depends on, by its manifests.

mod dotnet;
mod jvm;

use std::collections::BTreeSet;

use self::jvm::Catalogs;
use crate::finding::Evidence;
use crate::toml::Toml;
use crate::tree::{Tree, has_end, is_aside, name};
use crate::yaml;

/// A dependency that the program itself has, not only its tests.
#[derive(Debug, Clone)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) evidence: Evidence,
}

/// All manifests together.
#[derive(Debug, Default)]
pub(crate) struct Manifests {
    pub(crate) any: bool,
    pub(crate) dependencies: Vec<Dependency>,
}

/// Most dependencies that are kept.
const DEPENDENCIES_MAX: usize = 20_000;

impl Manifests {
    pub(crate) fn read(tree: &Tree) -> Self {
        let mut all = Self::default();
        let own = own_crates(tree);
        let catalogs = Catalogs::read(tree);
        for (path, text) in tree.texts() {
            if is_aside(path) || all.dependencies.len() > DEPENDENCIES_MAX {
                continue;
            }
            let found = match name(path) {
                "Cargo.toml" => cargo(path, text, &own),
                "pyproject.toml" => pyproject(path, text),
                "package.json" | "composer.json" => package(path, text),
                "go.mod" => go(path, text),
                "pom.xml" => jvm::pom(path, text),
                "build.gradle" | "build.gradle.kts" => lines(path, text, jvm::gradle),
                "libs.versions.toml" => lines(path, text, |line| catalogs.dependency(line)),
                "Gemfile" => gemfile(path, text),
                // A project of tests.
                other
                    if has_end(other, "csproj") && other.to_ascii_lowercase().contains("test") =>
                {
                    Vec::new()
                }
                other if has_end(other, "csproj") || other == "Directory.Packages.props" => {
                    dotnet::project(path, text)
                }
                other
                    if other.starts_with("requirements")
                        && has_end(other, "txt")
                        && !other.contains("dev")
                        && !other.contains("test") =>
                {
                    lines(path, text, requirement)
                }
                "setup.cfg" | "setup.py" => lines(path, text, setup),
                _ => continue,
            };
            all.any = true;
            all.dependencies.extend(found);
        }
        all
    }

    /// The first dependency with one of these names; a name that ends with `*` is a beginning.
    pub(crate) fn any_of(&self, names: &[&str]) -> Option<&Dependency> {
        self.dependencies.iter().find(|dependency| dependency.is_one_of(names))
    }

    /// All of them.
    pub(crate) fn all_of<'a>(
        &'a self,
        names: &'a [&'a str],
    ) -> impl Iterator<Item = &'a Dependency> {
        self.dependencies.iter().filter(|dependency| dependency.is_one_of(names))
    }
}

impl Dependency {
    /// Whether it has one of these names.
    pub(crate) fn is_one_of(&self, names: &[&str]) -> bool {
        names.iter().any(|name| match name.strip_suffix('*') {
            Some(start) => self.name.starts_with(start),
            None => self.name == *name,
        })
    }
}

/// What the workspaces of the tree call packages of their own.
fn own_crates(tree: &Tree) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for (path, text) in tree.texts().filter(|(path, _)| name(path) == "Cargo.toml") {
        let Some(toml) = Toml::read(path, text) else { continue };
        let names = toml.names_in(&["workspace", "dependencies"]);
        let is_own =
            |name: &String| toml.at(&["workspace", "dependencies", name, "path"]).is_some();
        all.extend(names.into_iter().filter(is_own));
    }
    all
}

/// What a package itself asks for; what its workspace only has at hand is not a dependency of any.
fn cargo(path: &str, text: &str, own: &BTreeSet<String>) -> Vec<Dependency> {
    let Some(toml) = Toml::read(path, text) else { return Vec::new() };
    let targets = toml.names_in(&["target"]);
    let of_targets = targets.iter().map(|target| vec!["target", target.as_str(), "dependencies"]);
    let mut all = Vec::new();
    for table in std::iter::once(vec!["dependencies"]).chain(of_targets) {
        for name in toml.names_in(&table) {
            let keys: Vec<&str> = table.iter().copied().chain([name.as_str()]).collect();
            let has = |key: &str| toml.at(&[&keys[..], &[key]].concat()).is_some();
            // Another package of the repository.
            if has("path") || has("workspace") && own.contains(&name) {
                continue;
            }
            all.push(Dependency {
                evidence: toml.shown(&keys),
                name: name.to_ascii_lowercase().replace('_', "-"),
            });
        }
    }
    all
}

fn pyproject(path: &str, text: &str) -> Vec<Dependency> {
    let Some(toml) = Toml::read(path, text) else { return Vec::new() };
    let mut names: Vec<String> =
        toml.texts_at(&["project", "dependencies"]).into_iter().filter_map(requirement).collect();
    for group in toml.names_in(&["project", "optional-dependencies"]) {
        if !matches!(group.as_str(), "dev" | "test" | "tests" | "testing" | "docs" | "doc" | "lint")
        {
            names.extend(
                toml.texts_at(&["project", "optional-dependencies", &group])
                    .into_iter()
                    .filter_map(requirement),
            );
        }
    }
    names.extend(
        toml.names_in(&["tool", "poetry", "dependencies"]).into_iter().map(|name| normal(&name)),
    );
    names
        .into_iter()
        .map(|name| Dependency { evidence: line_with(path, text, &name), name })
        .collect()
}

/// The line that names it, however it is written.
fn line_with(path: &str, text: &str, name: &str) -> Evidence {
    let at =
        text.lines().position(|line| line.to_ascii_lowercase().replace('_', "-").contains(name));
    Evidence::line(path, text, at.unwrap_or(0))
}

fn package(path: &str, text: &str) -> Vec<Dependency> {
    let Ok(Some(root)) = yaml::document(text) else { return Vec::new() };
    let tables = ["dependencies", "require"];
    let entries = tables.iter().filter_map(|table| root.get(table)).flat_map(yaml::Node::entries);
    entries
        .map(|entry| Dependency {
            name: entry.key.to_ascii_lowercase(),
            evidence: Evidence::at(path, text, entry.key_place),
        })
        .collect()
}

fn go(path: &str, text: &str) -> Vec<Dependency> {
    lines(path, text, |line| {
        let line = line.strip_prefix("require ").unwrap_or(line);
        let mut words = line.split_whitespace();
        let (module, version) = (words.next()?, words.next()?);
        (version.starts_with('v') && module.contains('.') && !line.contains("// indirect"))
            .then(|| module.to_ascii_lowercase())
    })
}

fn lines(path: &str, text: &str, read: impl Fn(&str) -> Option<String>) -> Vec<Dependency> {
    text.lines()
        .enumerate()
        .filter_map(|(i, line)| {
            Some(Dependency { name: read(line.trim())?, evidence: Evidence::line(path, text, i) })
        })
        .collect()
}

/// What is in a group for tests and the like is left out.
fn gemfile(path: &str, text: &str) -> Vec<Dependency> {
    let (mut depth, mut left_out_at) = (0, None);
    let mut all = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("group")
            && line.ends_with(" do")
            && left_out_at.is_none()
            && is_for_tests(line)
        {
            left_out_at = Some(depth);
        }
        if line.ends_with(" do")
            || ["if ", "unless ", "case "].iter().any(|word| line.starts_with(word))
        {
            depth += 1;
        } else if line == "end" {
            depth -= 1;
            left_out_at = left_out_at.filter(|at| *at != depth);
        }
        let Some(rest) = line.strip_prefix("gem ").filter(|_| left_out_at.is_none()) else {
            continue;
        };
        let name = rest.trim_start_matches(['"', '\'', '(']).split(['"', '\'']).next();
        let options = rest.split_once("group").map_or("", |(_, groups)| groups);
        if let Some(name) = name.filter(|_| options.is_empty() || !is_for_tests(options)) {
            let evidence = Evidence::line(path, text, i);
            all.push(Dependency { name: name.to_ascii_lowercase(), evidence });
        }
    }
    all
}

/// Whether all groups that a line names are for tests and development.
fn is_for_tests(line: &str) -> bool {
    let mut groups = line
        .split(':')
        .skip(1)
        .map(|part| {
            part.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default()
        })
        .filter(|group| !group.is_empty())
        .peekable();
    groups.peek().is_some()
        && groups.all(|group| matches!(group, "test" | "development" | "ci" | "lint" | "docs"))
}

fn requirement(line: &str) -> Option<String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', '-']) {
        return None;
    }
    let end = line
        .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
        .unwrap_or(line.len());
    (end > 0).then(|| normal(&line[..end]))
}

/// `"name>=1",` in a list of Python, or a bare requirement in setup.cfg.
fn setup(line: &str) -> Option<String> {
    let bare = line.trim_matches([',', ' ']).trim_matches(['"', '\'']);
    let is_one = bare.len() < line.len() || line.contains(['>', '=', '~']) && !line.contains(" = ");
    if is_one { requirement(bare) } else { None }
}

fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace(['_', '.'], "-")
}
