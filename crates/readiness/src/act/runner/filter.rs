//! Which of the tests of a language the words and the settings of its runner leave out.

use super::super::files::{Kinds, Language, TestFile, named};
use super::super::invoke::Asked;
use super::super::{flags, reach, threshold};
use super::without_comments;
use crate::shell::UNKNOWN;
use crate::tree::{Tree, dir as dir_of, join, name};

/// What the words and the settings of a runner leave out.
pub(super) struct Filter {
    /// Only below these paths; empty for all.
    paths: Vec<String>,
    ignored: Vec<String>,
    /// Only in these packages.
    packages: Option<Vec<String>>,
    /// Only these kinds.
    only: Option<Kinds>,
    without_integration: bool,
    without_end_to_end: bool,
    /// The first word may say to test, and is no path then.
    verbs: bool,
}

impl Filter {
    pub(super) fn new(asked: &Asked<'_>, language: Language, words: &[&str], root: &str) -> Self {
        let tree = asked.tree;
        let packages = match language {
            Language::Rust => reach::cargo(asked, words, root),
            Language::Go => reach::go(asked, root),
            _ => None,
        };
        let mut filter = Self {
            paths: Vec::new(),
            ignored: Vec::new(),
            packages,
            only: None,
            without_integration: false,
            without_end_to_end: false,
            verbs: language != Language::Python,
        };
        let mut words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        if language == Language::Python && words[0] != "unittest" {
            filter.pytest_settings(tree, root, &mut words);
        }
        match language {
            Language::Rust => filter.rust(&words),
            Language::JavaScript => filter.javascript(tree, &words, root),
            Language::Jvm => filter.jvm(tree, &words, root),
            Language::Go => filter.go(&words),
            _ => {}
        }
        if !matches!(language, Language::Rust | Language::Go) {
            filter.plain_paths(tree, &words, root);
        }
        filter.markers(&words);
        filter
    }

    pub(super) fn takes(&self, file: &TestFile) -> bool {
        let below = |path: &String| {
            path.is_empty() || file.path == *path || file.path.starts_with(&format!("{path}/"))
        };
        if !self.paths.is_empty() && !self.paths.iter().any(below) || self.ignored.iter().any(below)
        {
            return false;
        }
        let is_in = |packages: &Vec<String>| {
            file.package.as_ref().is_some_and(|package| packages.contains(package))
        };
        if !self.packages.as_ref().is_none_or(is_in) {
            return false;
        }
        let kinds = file.kinds;
        if let Some(only) = self.only {
            return only.unit && kinds.unit
                || only.integration && kinds.integration
                || only.end_to_end && kinds.end_to_end;
        }
        !(self.without_integration && kinds.integration
            || self.without_end_to_end && kinds.end_to_end)
    }

    fn rust(&mut self, words: &[String]) {
        let has = |word: &str| words.iter().any(|found| found == word);
        if (has("--lib") || has("--bins") || has("--bin")) && !has("--tests") && !has("--test") {
            self.only = Some(Kinds::UNIT);
        }
        let targets: Vec<&String> =
            words.windows(2).filter(|two| two[0] == "--test").map(|two| &two[1]).collect();
        if !targets.is_empty() && !has("--lib") && !has("--bins") {
            let named = targets
                .iter()
                .map(|name| named(&format!("tests/{name}")))
                .fold(Kinds::default(), Kinds::or);
            self.only = Some(if named.end_to_end {
                Kinds::END_TO_END
            } else {
                Kinds { integration: true, ..Kinds::default() }
            });
        }
    }

    /// Browsers are not what the runners of units start, unless they are told to.
    fn javascript(&mut self, tree: &Tree, words: &[String], root: &str) {
        let said: Vec<(&String, Kinds)> = words[1..]
            .iter()
            .filter(|word| !is_exclusion(word))
            .map(|word| (word, named(word)))
            .collect();
        if !said.iter().any(|(_, kinds)| kinds.end_to_end) {
            self.without_end_to_end = true;
            return;
        }
        // Beside other paths, those of end-to-end tests are only more of them.
        let is_path = |word: &str| {
            join(root, word.trim_end_matches('/')).is_some_and(|path| {
                !path.is_empty() && (tree.has(&path) || tree.under(&path).next().is_some())
            })
        };
        let others = said.iter().any(|(word, kinds)| !kinds.end_to_end && is_path(word));
        if !others {
            self.only = Some(Kinds::END_TO_END);
        }
    }

    fn jvm(&mut self, tree: &Tree, words: &[String], root: &str) {
        let goals = |names: &[&str]| {
            words.iter().any(|word| names.contains(&word.rsplit(':').next().unwrap_or_default()))
        };
        if words[0].starts_with("mvn") {
            let poms = tree.under(root).filter(|path| path.ends_with("pom.xml"));
            let failsafe = poms
                .filter_map(|path| tree.text(path))
                .any(|text| without_comments(text).contains("maven-failsafe-plugin"));
            self.without_integration =
                !(failsafe && goals(&["verify", "install", "deploy", "integration-test"]));
        } else {
            let asks = words.iter().any(|word| named(word).integration);
            let plain = goals(&["test", "build", "check"]);
            if asks && !plain {
                self.only = Some(Kinds { integration: true, ..Kinds::default() });
            }
        }
    }

    fn go(&mut self, words: &[String]) {
        if words.iter().any(|word| word == "-short") {
            self.without_integration = true;
            self.without_end_to_end = true;
        }
        // The directory of packages is the path, without `./` and `/...`.
        for word in words.iter().skip(1).filter(|word| word.starts_with("./") && *word != "./...") {
            self.paths.push(
                word.trim_start_matches("./")
                    .trim_end_matches("/...")
                    .trim_end_matches('/')
                    .to_owned(),
            );
        }
    }

    fn plain_paths(&mut self, tree: &Tree, words: &[String], root: &str) {
        for (i, word) in words.iter().enumerate().skip(1) {
            // `dotnet test` names no directory.
            let is_verb = i == 1 && word == "test" && self.verbs;
            if is_verb || word.starts_with('-') || word.contains(UNKNOWN) || word.contains('=') {
                continue;
            }
            let path = word.split("::").next().unwrap_or_default().trim_end_matches('/');
            let Some(full) = join(root, path) else { continue };
            if name(&full).ends_with("proj") {
                self.paths.push(dir_of(&full).to_owned());
            } else if is_source(&full) && tree.has(&full)
                || tree.under(&full).next().is_some() && !full.is_empty()
            {
                self.paths.push(full);
            }
        }
    }

    /// `-m "not e2e"`, `-k integration`, `--ignore=tests/e2e`, `-tags=integration`, `--grep`, `--filter`.
    fn markers(&mut self, words: &[String]) {
        let takes_value = [
            "-m",
            "-k",
            "--ignore",
            "-tags",
            "--tags",
            "-run",
            "--grep",
            "-t",
            "--filter",
            "-E",
            "--project",
            "--selectProjects",
            "--testPathPattern",
            "--testPathPatterns",
            "--testPathIgnorePatterns",
            "--exclude",
        ];
        let mut at = 1;
        while at < words.len() {
            let (flag, value) = match words[at].split_once('=') {
                Some((flag, value)) => (flag.to_owned(), value.to_owned()),
                None => (words[at].clone(), words.get(at + 1).cloned().unwrap_or_default()),
            };
            at += 1;
            if !takes_value.contains(&flag.as_str()) {
                continue;
            }
            let kinds = named(&value);
            let negative = is_exclusion(&flag)
                || value.trim_start().starts_with("not ")
                || value.contains("!=")
                || value.contains("not ");
            if negative {
                self.without_integration |= kinds.integration || value.contains("integration");
                self.without_end_to_end |= kinds.end_to_end || value.contains("e2e");
            } else if kinds.integration || kinds.end_to_end {
                // A build tag adds to what runs anyway.
                if !flag.ends_with("tags") {
                    self.only = Some(kinds);
                }
            }
        }
    }

    /// What pyproject.toml, pytest.ini, tox.ini or setup.cfg add to the command.
    fn pytest_settings(&mut self, tree: &Tree, root: &str, words: &mut Vec<String>) {
        let own: Vec<&str> = words.iter().map(String::as_str).collect();
        let (_, paths) = threshold::pytest_settings(tree, &own, root);
        let names_paths = own[1..].iter().any(|word| {
            !word.starts_with('-')
                && join(root, word.split("::").next().unwrap_or_default()).is_some_and(|path| {
                    tree.has(&path) || tree.under(&path).next().is_some() && !path.is_empty()
                })
        });
        let mut all = threshold::effective(tree, &own, root);
        if !names_paths {
            all.extend(paths);
        }
        *words = all;
        let own: Vec<&str> = words.iter().map(String::as_str).collect();
        let left_out = flags::all(&own, &["--ignore", "--deselect"]);
        self.ignored.extend(left_out.iter().filter_map(|path| join(root, path)));
    }
}

fn is_exclusion(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    ["ignore", "exclude", "skip", "not", "invert"].iter().any(|part| word.contains(part))
}

/// A file that holds code, and no list of projects or settings.
fn is_source(path: &str) -> bool {
    let end = name(path).rsplit_once('.').map_or("", |(_, end)| end);
    matches!(
        end,
        "py" | "js"
            | "mjs"
            | "cjs"
            | "ts"
            | "mts"
            | "cts"
            | "tsx"
            | "jsx"
            | "rb"
            | "php"
            | "java"
            | "kt"
    )
}
