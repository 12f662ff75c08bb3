//! Which tests a repository has, by the names and contents of its files.

use std::cell::OnceCell;

use crate::finding::Evidence;
use crate::package::Roots;
use crate::tree::{Tree, dir, name};

/// Kinds of tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Kinds {
    pub(crate) unit: bool,
    pub(crate) integration: bool,
    pub(crate) end_to_end: bool,
}

impl Kinds {
    pub(crate) const UNIT: Self = Self { unit: true, integration: false, end_to_end: false };
    pub(crate) const END_TO_END: Self = Self { unit: false, integration: false, end_to_end: true };

    pub(crate) fn or(self, other: Self) -> Self {
        Self {
            unit: self.unit || other.unit,
            integration: self.integration || other.integration,
            end_to_end: self.end_to_end || other.end_to_end,
        }
    }

    pub(crate) fn any(self) -> bool {
        self.unit || self.integration || self.end_to_end
    }
}

/// Languages whose tests are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Language {
    Rust,
    Python,
    JavaScript,
    Go,
    Jvm,
    DotNet,
    Ruby,
    Php,
}

impl Language {
    pub(crate) const ALL: [Self; 8] = [
        Self::Rust,
        Self::Python,
        Self::JavaScript,
        Self::Go,
        Self::Jvm,
        Self::DotNet,
        Self::Ruby,
        Self::Php,
    ];

    /// Whether a file holds tests that the usual runner of the language finds.
    fn is_test(self, path: &str, text: Option<&str>) -> bool {
        let name = name(path);
        let (stem, end) = name.rsplit_once('.').unwrap_or((name, ""));
        let in_dir = |wanted: &str| dir(path).split('/').any(|part| part == wanted);
        match self {
            Self::Rust => end == "rs" && text.is_some_and(has_rust_test),
            Self::Python => {
                end == "py"
                    && (stem.starts_with("test_")
                        || stem.ends_with("_test")
                        || stem == "tests"
                        || stem == "test")
            }
            Self::JavaScript => {
                let script =
                    matches!(end, "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" | "tsx" | "jsx");
                let named = [".test", ".spec", "-test", "_test", ".e2e-spec", ".e2e", ".cy"];
                script
                    && (named.iter().any(|ending| stem.ends_with(ending))
                        || in_dir("__tests__")
                        || in_dir("test")
                        || in_dir("tests")
                        || stem == "test")
            }
            Self::Go => name.ends_with("_test.go"),
            Self::Jvm => {
                matches!(end, "java" | "kt" | "groovy" | "scala")
                    && (in_dir("test")
                        || path.contains("Test/")
                        || path.contains("integrationTest/")
                        || in_dir("it"))
            }
            Self::DotNet => {
                matches!(end, "cs" | "fs")
                    && text.is_some_and(|text| {
                        ["[Fact", "[Theory", "[Test", "TestMethod", "<Fact>"]
                            .iter()
                            .any(|mark| text.contains(mark))
                    })
            }
            Self::Ruby => {
                name.ends_with("_spec.rb")
                    || name.ends_with("_test.rb")
                    || stem.starts_with("test_") && end == "rb"
            }
            Self::Php => name.ends_with("Test.php"),
        }
    }
}

fn has_rust_test(text: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("#[test]")
            || line.starts_with("#[") && line.contains("::test]")
            || line.starts_with("#[") && line.contains("::test(")
            || [
                "#[rstest",
                "#[test_case",
                "#[wasm_bindgen_test",
                "#[quickcheck",
                "proptest!",
                "#[test_",
                "#[sqlx::test",
            ]
            .iter()
            .any(|start| line.starts_with(start))
    })
}

/// What a path's words say about its tests.
pub(super) fn named(path: &str) -> Kinds {
    let words = words(path);
    let has = |word: &str| words.iter().any(|found| found == word);
    let end_to_end = has("e2e")
        || has("end2end")
        || has("endtoend")
        || has("acceptance")
        || words.windows(3).any(|three| three == ["end", "to", "end"]);
    if end_to_end {
        return Kinds::END_TO_END;
    }
    let lower = path.to_ascii_lowercase();
    let joined = ["integrationtest", "functionaltest", "integration_test", "integration-test"]
        .iter()
        .any(|word| lower.contains(word));
    // In names of directories the word stands alone or with its like: `payments-integration` is a feature.
    let (dirs, file) = lower.rsplit_once('/').unwrap_or(("", &lower));
    let alike = ["integration", "functional", "integ", "test", "tests", "it", "int"];
    let in_dirs = dirs.split('/').any(|part| {
        let tokens: Vec<&str> = part.split(['-', '_', '.']).collect();
        tokens.iter().any(|token| matches!(*token, "integration" | "functional" | "integ"))
            && tokens.iter().all(|token| alike.contains(token))
            || part == "it" && lower.contains("test")
    });
    let in_file = file
        .split(['-', '_', '.', ' ', ':', '/', '*'])
        .any(|token| matches!(token, "integration" | "functional" | "integ"));
    if joined || in_dirs || in_file {
        Kinds { integration: true, ..Kinds::default() }
    } else {
        Kinds::UNIT
    }
}

/// The words of a text: `testE2eLogin-it` is test, e2e, login, it.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut before_lower = false;
    for c in text.chars() {
        let starts = c.is_uppercase() && before_lower;
        if (!c.is_alphanumeric() || starts) && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        if c.is_alphanumeric() {
            word.extend(c.to_lowercase());
        }
        before_lower = c.is_lowercase();
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// A file with tests.
#[derive(Debug, Clone)]
pub(super) struct TestFile {
    pub(super) path: String,
    pub(super) kinds: Kinds,
    /// The package that it belongs to.
    pub(super) package: Option<String>,
}

/// The test files of a tree, looked for once for each language.
#[derive(Default)]
pub(super) struct TestFiles {
    found: [OnceCell<Vec<TestFile>>; Language::ALL.len()],
}

impl TestFiles {
    /// Those of a language below a directory; the empty one is the root.
    pub(super) fn below(
        &self,
        tree: &Tree,
        roots: &Roots,
        language: Language,
        root: &str,
    ) -> Vec<&TestFile> {
        let all = self.found[language as usize].get_or_init(|| tests(tree, roots, language));
        let inside = |path: &str| {
            root.is_empty() || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'))
        };
        all.iter().filter(|file| inside(&file.path)).collect()
    }
}

fn tests(tree: &Tree, roots: &Roots, language: Language) -> Vec<TestFile> {
    let foreign = |part: &str| matches!(part, "node_modules" | "vendor" | "third_party");
    tree.paths()
        .filter(|path| !dir(path).split('/').any(foreign))
        .filter(|path| language.is_test(path, tree.text(path)))
        .map(|path| TestFile {
            path: path.to_owned(),
            kinds: kinds(tree, language, path),
            package: roots.of(path).map(str::to_owned),
        })
        .collect()
}

fn kinds(tree: &Tree, language: Language, path: &str) -> Kinds {
    let named = named(path);
    match language {
        // What stands in a package's `tests` directory sees the package from outside.
        Language::Rust if is_cargo_integration(tree, path) && !named.end_to_end => {
            Kinds { integration: true, ..Kinds::default() }
        }
        Language::Jvm if name(path).split('.').next().is_some_and(|stem| stem.ends_with("IT")) => {
            Kinds { integration: true, ..Kinds::default() }
        }
        _ => named,
    }
}

fn is_cargo_integration(tree: &Tree, path: &str) -> bool {
    let mut from = dir(path);
    while !from.is_empty() {
        if name(from) == "tests" {
            let package = dir(from);
            let manifest = if package.is_empty() {
                "Cargo.toml".to_owned()
            } else {
                format!("{package}/Cargo.toml")
            };
            return tree.has(&manifest);
        }
        from = dir(from);
    }
    false
}

/// The line of a file that shows its tests, or its first.
pub(super) fn shown(tree: &Tree, path: &str) -> Evidence {
    Evidence::file(path, tree.text(path).unwrap_or_default())
}

/// Whether a file is named as one of tests alone; Rust's and .NET's stand beside what they test.
pub(crate) fn is_test(path: &str) -> bool {
    Language::ALL.into_iter().any(|language| language.is_test(path, None))
}

/// The kinds of tests that a file holds, alone or beside what they test.
pub(crate) fn held(tree: &Tree, path: &str, text: &str) -> Option<Kinds> {
    let language = Language::ALL.into_iter().find(|one| one.is_test(path, Some(text)))?;
    Some(kinds(tree, language, path))
}

/// A test file that no pipeline may run, to be named in a finding.
pub(crate) fn any(tree: &Tree) -> Option<Evidence> {
    Language::ALL.into_iter().find_map(|language| {
        let first = tree.paths().find(|path| {
            !crate::tree::is_aside(&path.replace("tests/", "").replace("test/", ""))
                && language.is_test(path, tree.text(path))
        })?;
        Some(shown(tree, first))
    })
}

#[cfg(test)]
mod tests_of_names {
    use super::*;

    #[test]
    fn paths_say_what_kind_of_tests_they_hold() {
        for (path, expected) in [
            ("tests/e2e/login.spec.ts", "e"),
            ("tests/end-to-end/a.py", "e"),
            ("tests/integration/test_db.py", "i"),
            ("src/IntegrationTest/java/A.java", "i"),
            ("src/a/integration.test.ts", "i"),
            ("tests/unit/test_a.py", "u"),
            ("src/homeassistant/integrations.py", "u"),
            ("src/payments-integration/pay.test.ts", "u"),
            ("src/telemetryIntegration.test.ts", "u"),
            ("tests/Catalog.FunctionalTests/A.cs", "i"),
            ("tests/test_disintegration.py", "u"),
        ] {
            let kinds = named(path);
            let told = if kinds.end_to_end {
                "e"
            } else if kinds.integration {
                "i"
            } else {
                "u"
            };
            assert_eq!(told, expected, "{path}");
        }
    }
}
