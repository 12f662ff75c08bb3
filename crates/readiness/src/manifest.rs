//! What a repository depends on, by its manifests.

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
        for (path, text) in tree.texts() {
            if is_aside(path) || all.dependencies.len() > DEPENDENCIES_MAX {
                continue;
            }
            let found = match name(path) {
                "Cargo.toml" => cargo(path, text),
                "pyproject.toml" => pyproject(path, text),
                "package.json" | "composer.json" => package(path, text),
                "go.mod" => go(path, text),
                "pom.xml" => lines(path, text, pom),
                "build.gradle" | "build.gradle.kts" | "libs.versions.toml" => {
                    lines(path, text, gradle)
                }
                "Gemfile" => lines(path, text, gemfile),
                other if has_end(other, "csproj") || other == "Directory.Packages.props" => {
                    lines(path, text, csproj)
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

fn cargo(path: &str, text: &str) -> Vec<Dependency> {
    let Some(toml) = Toml::read(path, text) else { return Vec::new() };
    let mut all = Vec::new();
    for table in [&["dependencies"][..], &["workspace", "dependencies"]] {
        for name in toml.names_in(table) {
            let keys: Vec<&str> = table.iter().copied().chain([name.as_str()]).collect();
            // Another package of the repository.
            if toml.at(&[&keys[..], &["path"]].concat()).is_some() {
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

fn pom(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("<artifactId>")?;
    Some(rest.split('<').next()?.to_ascii_lowercase())
}

/// `implementation("group:artifact:version")`; what tests alone need is left out.
fn gradle(line: &str) -> Option<String> {
    if line.starts_with("test") || line.starts_with("//") {
        return None;
    }
    let quoted = line.split(['"', '\'']).find(|part| part.contains(':') && !part.contains(' '))?;
    Some(quoted.split(':').nth(1)?.to_ascii_lowercase())
}

fn gemfile(line: &str) -> Option<String> {
    let rest = line.strip_prefix("gem ")?;
    Some(rest.trim_start_matches(['"', '\'']).split(['"', '\'']).next()?.to_ascii_lowercase())
}

fn csproj(line: &str) -> Option<String> {
    if line.contains("Sdk=\"Microsoft.NET.Sdk.Web\"") {
        return Some("microsoft.net.sdk.web".into());
    }
    let (_, rest) = line.split_once("Include=\"")?;
    (line.contains("PackageReference")
        || line.contains("PackageVersion")
        || line.contains("FrameworkReference"))
    .then(|| rest.split('"').next().unwrap_or_default().to_ascii_lowercase())
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
