//! The packages of a repository: directories with a manifest of their own.

use std::collections::BTreeMap;

use crate::toml::Toml;
use crate::tree::{Tree, dir, has_end, is_aside, join, name};
use crate::yaml;

/// Most packages that are told apart; what is in others belongs to the directories around them.
const PACKAGES_MAX: usize = 500;

/// A package's own directory, with what describes it.
#[derive(Debug, Default)]
pub(crate) struct Root {
    pub(crate) manifests: Vec<String>,
    /// What cargo calls it.
    pub(crate) cargo_name: Option<String>,
}

/// All packages by their directories; the empty one is the root of the repository.
#[derive(Debug, Default)]
pub(crate) struct Roots(BTreeMap<String, Root>);

impl Root {
    /// Whether a file is code in a language that a manifest of the package is for.
    pub(crate) fn is_code(&self, path: &str) -> bool {
        let Some((_, end)) = name(path).rsplit_once('.') else { return false };
        self.manifests.iter().any(|manifest| {
            let ends: &[&str] = match name(manifest) {
                "Cargo.toml" => &["rs"],
                "pyproject.toml" | "setup.py" | "requirements.txt" => &["py"],
                "package.json" => &["js", "mjs", "cjs", "jsx", "ts", "mts", "cts", "tsx"],
                "go.mod" => &["go"],
                "composer.json" => &["php"],
                _ => &["java", "kt", "scala", "groovy"],
            };
            ends.contains(&end)
        })
    }
}

impl Roots {
    pub(crate) fn read(tree: &Tree) -> Self {
        let mut all = Self::default();
        for (path, text) in tree.texts() {
            if is_aside(path) || is_shown_only(path) || !is_manifest(tree, path, text) {
                continue;
            }
            if all.0.len() >= PACKAGES_MAX && !all.0.contains_key(dir(path)) {
                continue;
            }
            let root = all.0.entry(dir(path).to_owned()).or_default();
            root.manifests.push(path.to_owned());
            if name(path) == "Cargo.toml" {
                root.cargo_name = Toml::read(path, text)
                    .and_then(|toml| toml.text_at(&["package", "name"]).map(str::to_owned));
            }
        }
        all
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Root)> {
        self.0.iter().map(|(dir, root)| (dir.as_str(), root))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, dir: &str) -> Option<&Root> {
        self.0.get(dir)
    }

    pub(crate) fn has(&self, dir: &str) -> bool {
        self.0.contains_key(dir)
    }

    /// The package that a file belongs to: the innermost one around it.
    pub(crate) fn of(&self, path: &str) -> Option<&str> {
        let mut from = dir(path);
        loop {
            if let Some((dir, _)) = self.0.get_key_value(from) {
                return Some(dir);
            }
            if from.is_empty() {
                return None;
            }
            from = dir(from);
        }
    }

    /// The package that cargo knows by a name.
    pub(crate) fn of_cargo(&self, name: &str) -> Option<&str> {
        self.iter().find(|(_, root)| root.cargo_name.as_deref() == Some(name)).map(|(dir, _)| dir)
    }
}

/// Packages that show how something is used, in directories such as `js-examples`.
fn is_shown_only(path: &str) -> bool {
    let words = [
        "example",
        "examples",
        "sample",
        "samples",
        "fixture",
        "fixtures",
        "playground",
        "playgrounds",
    ];
    let mut all = dir(path).split(['/', '-', '_', '.']);
    all.any(|word| words.contains(&word) || word.starts_with("template"))
}

/// The innermost directory from one upwards that has a file of this name.
pub(crate) fn around(tree: &Tree, from: &str, file: &str) -> Option<String> {
    let mut from = from;
    loop {
        if join(from, file).is_some_and(|path| tree.has(&path)) {
            return Some(from.to_owned());
        }
        if from.is_empty() {
            return None;
        }
        from = dir(from);
    }
}

/// Whether a file describes a package, and not only a workspace of them or the settings of tools.
fn is_manifest(tree: &Tree, path: &str, text: &str) -> bool {
    match name(path) {
        "Cargo.toml" => has_table(path, text, &[&["package"]]),
        "pyproject.toml" => has_table(path, text, &[&["project"], &["tool", "poetry"]]),
        "setup.py" | "go.mod" | "composer.json" => true,
        "package.json" => {
            let root = yaml::document(text).ok().flatten();
            root.is_some_and(|root| root.get("workspaces").is_none())
                && !join(dir(path), "pnpm-workspace.yaml").is_some_and(|file| tree.has(&file))
        }
        "requirements.txt" => is_service(tree, dir(path)),
        "pom.xml" => !text.contains("<packaging>pom</packaging>"),
        "build.gradle" | "build.gradle.kts" => {
            join(dir(path), "src").is_some_and(|src| tree.under(&src).next().is_some())
        }
        _ => false,
    }
}

/// Whether a directory has a program of Python that runs by itself: requirements alone are also those of tools and pages.
fn is_service(tree: &Tree, dir: &str) -> bool {
    let starts = ["Dockerfile", "Procfile", "main.py", "app.py", "manage.py", "wsgi.py", "asgi.py"];
    let is_aside =
        dir.split('/').any(|part| matches!(part, "docs" | "doc" | "scripts" | "tools" | "ci"));
    !is_aside
        && starts.iter().any(|file| join(dir, file).is_some_and(|path| tree.has(&path)))
        && tree.under(dir).any(|path| has_end(path, "py"))
}

fn has_table(path: &str, text: &str, tables: &[&[&str]]) -> bool {
    Toml::read(path, text).is_some_and(|toml| tables.iter().any(|table| toml.at(table).is_some()))
}
