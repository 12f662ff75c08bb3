//! Programs that run tests, and which of the repository's tests they run.

use std::collections::BTreeMap;

use super::files::{Kinds, Language, TestFile, named, shown};
use super::invoke::{Asked, Done};
use super::{Class, reach, threshold};
use crate::shell::{Blocking, UNKNOWN};
use crate::tree::{Tree, dir as dir_of, join, name};

/// What a command runs of tests.
pub(super) fn done(
    asked: &Asked<'_>,
    words: &[&str],
    dir: Option<&str>,
    wrappers: &[String],
) -> Vec<Done> {
    let Some(run) = recognise(words) else { return Vec::new() };
    let mut all = Vec::new();
    // What does not know its directory is taken to be at the root.
    let root = dir.unwrap_or_default();
    let blocking = softened(words);
    match run {
        Run::Language(language) => {
            all.push(of_language(asked, language, words, root).blocks(blocking));
        }
        Run::Fixed(kinds) => all.push(Done::new(Class::Test(asked.kinds(kinds))).blocks(blocking)),
        Run::Opaque(why) => all.push(Done::new(Class::OpaqueTests).why(why)),
        Run::Threshold => {}
    }
    all.extend(threshold::done(asked.tree, words, root, wrappers));
    all
}

/// Maven goes on behind tests that fail when it is told to.
fn softened(words: &[&str]) -> Blocking {
    let told = matches!(words[0], "mvn" | "mvnw").then(|| {
        words.iter().copied().find(|word| {
            matches!(*word, "-fn" | "--fail-never")
                || word
                    .strip_prefix("-Dmaven.test.failure.ignore")
                    .is_some_and(|rest| rest.is_empty() || rest == "=true")
        })
    });
    match told.flatten() {
        Some(word) => Blocking::No(format!("`{word}`")),
        None => Blocking::Yes,
    }
}

use Language::{DotNet, Go, JavaScript, Jvm, Php, Python, Ruby, Rust};

enum Run {
    /// The tests of a language below the directory.
    Language(Language),
    /// Tests of these kinds, wherever they are.
    Fixed(Kinds),
    /// Tests that are not found by their names here.
    Opaque(String),
    /// No tests, but what was measured of them.
    Threshold,
}

fn recognise(words: &[&str]) -> Option<Run> {
    let rest: Vec<&str> =
        words[1..].iter().copied().filter(|word| !word.starts_with(['+'])).collect();
    let verb = rest.iter().copied().find(|word| !word.starts_with('-')).unwrap_or_default();
    let has = |word: &str| rest.contains(&word);
    let run = match words[0] {
        "cargo" => return cargo(&rest, verb),
        "cargo-nextest" | "cargo-tarpaulin" | "cargo-llvm-cov" => Run::Language(Rust),
        "pytest" | "py.test" | "unittest" | "nosetests" | "nose2" | "trial" | "green" | "ward"
        | "slipcover" => Run::Language(Python),
        "coverage" if verb == "report" => Run::Threshold,
        "django-admin" | "manage.py" | "setup.py" if verb == "test" => Run::Language(Python),
        "behave" | "robot" => Run::Fixed(Kinds::END_TO_END),
        "jest" | "vitest" | "mocha" | "ava" | "tap" | "karma" | "uvu" | "qunit" | "jasmine"
        | "tape" | "wtr" | "web-test-runner" | "react-scripts" | "borp" | "tsx" | "lab"
        | "vue-cli-service" | "craco"
            if !matches!(words[0], "react-scripts" | "tsx" | "vue-cli-service" | "craco")
                || verb.starts_with("test")
                || has("--test") =>
        {
            Run::Language(JavaScript)
        }
        "node" if has("--test") => Run::Language(JavaScript),
        "bun" | "deno" | "ng" if verb == "test" => Run::Language(JavaScript),
        "ng" if verb == "e2e" => Run::Fixed(Kinds::END_TO_END),
        "playwright" | "detox" | "maestro" | "helm" if verb == "test" => {
            Run::Fixed(Kinds::END_TO_END)
        }
        "cypress" if verb == "run" => {
            if has("--component") {
                Run::Fixed(Kinds::UNIT)
            } else {
                Run::Fixed(Kinds::END_TO_END)
            }
        }
        "wdio" | "nightwatch" | "testcafe" | "codeceptjs" | "cucumber-js" => {
            Run::Fixed(Kinds::END_TO_END)
        }
        "nx" if rest.iter().any(|word| {
            matches!(*word, "test" | "--target=test" | "test,lint") || word.ends_with(":test")
        }) =>
        {
            Run::Language(JavaScript)
        }
        "nx" if rest
            .iter()
            .any(|word| matches!(*word, "e2e" | "--target=e2e") || word.ends_with(":e2e")) =>
        {
            Run::Fixed(Kinds::END_TO_END)
        }
        "go" if verb == "test" && !has("-c") => Run::Language(Go),
        "gotestsum" | "ginkgo" | "richgo" => Run::Language(Go),
        "mvn" | "mvnw" => return maven(&rest),
        "gradle" | "gradlew" => return gradle(&rest),
        "sbt" if rest.iter().any(|word| word.contains("test")) => Run::Language(Jvm),
        "dotnet" if verb == "test" || verb == "vstest" => Run::Language(DotNet),
        "rspec" => Run::Language(Ruby),
        "rake" | "rails"
            if verb.starts_with("test")
                || verb == "spec"
                || verb.is_empty() && words[0] == "rake" =>
        {
            Run::Language(Ruby)
        }
        "phpunit" | "pest" | "paratest" | "simple-phpunit" => Run::Language(Php),
        "artisan" if verb == "test" => Run::Language(Php),
        "ctest" | "bats" | "prove" | "shellspec" => Run::Fixed(Kinds::UNIT),
        "bazel" | "bazelisk" if matches!(verb, "test" | "coverage") => Run::Fixed(Kinds::UNIT),
        "meson" | "mix" | "swift" | "zig" | "dune" | "stack" | "cabal" | "flutter" | "dart"
        | "forge" | "elm-test" | "rebar3"
            if verb == "test" || verb == "runtest" || verb == "eunit" =>
        {
            Run::Fixed(Kinds::UNIT)
        }
        "ct" if verb == "install" => Run::Fixed(Kinds { integration: true, ..Kinds::END_TO_END }),
        "k6" if verb == "run" => return None,
        "circleci" if verb == "testsuite" => {
            Run::Opaque("what a suite of `circleci testsuite` runs is not followed".to_owned())
        }
        "composer" if verb == "test" || verb == "phpunit" => Run::Language(Php),
        "nox" | "tox" => Run::Opaque(format!("nothing that {} runs is recognised", words[0])),
        _ => return None,
    };
    Some(run)
}

fn cargo(rest: &[&str], verb: &str) -> Option<Run> {
    let has = |word: &str| rest.contains(&word);
    let runs = match verb {
        "test" | "t" => !has("--no-run") && !has("--doc"),
        "nextest" => has("run") && !has("--no-run"),
        "hack" | "miri" | "careful" | "minimal-versions" => has("test") || has("nextest"),
        "llvm-cov" => !has("report") && !has("show-env") && !has("clean"),
        "tarpaulin" | "insta" | "mutants" => true,
        _ => false,
    };
    if runs {
        Some(Run::Language(Language::Rust))
    } else {
        (verb == "llvm-cov").then_some(Run::Threshold)
    }
}

/// Goals from `test` on run unit tests; the plugins decide about the rest by the names of files.
fn maven(rest: &[&str]) -> Option<Run> {
    let skips = rest.iter().any(|word| {
        matches!(
            *word,
            "-DskipTests" | "-DskipTests=true" | "-Dmaven.test.skip=true" | "-Dmaven.test.skip"
        )
    });
    let runs = rest.iter().any(|word| {
        matches!(
            *word,
            "test"
                | "verify"
                | "install"
                | "package"
                | "integration-test"
                | "deploy"
                | "surefire:test"
                | "failsafe:integration-test"
        )
    });
    (runs && !skips).then_some(Run::Language(Language::Jvm))
}

fn gradle(rest: &[&str]) -> Option<Run> {
    let left_out = rest
        .windows(2)
        .any(|two| matches!(two[0], "-x" | "--exclude-task") && two[1].ends_with("test"));
    let runs = rest.iter().any(|word| {
        let task = word.rsplit(':').next().unwrap_or_default();
        matches!(
            task,
            "test"
                | "check"
                | "build"
                | "integrationTest"
                | "connectedCheck"
                | "allTests"
                | "jvmTest"
        ) || task.ends_with("Test") && !task.starts_with('-')
            || task == "koverVerify"
            || task == "jacocoTestReport"
    });
    (runs && !left_out).then_some(Run::Language(Language::Jvm))
}

/// The tests of a language that a command runs.
fn of_language(asked: &Asked<'_>, language: Language, words: &[&str], root: &str) -> Done {
    let tree = asked.tree;
    let all = asked.tests.below(tree, asked.roots, language, root);
    if all.is_empty() {
        let why = format!(
            "`{}` finds no tests in {}",
            words[0],
            if root.is_empty() { "the repository" } else { root }
        );
        return Done::new(Class::Test(Kinds::default())).why(why);
    }
    let filter = Filter::new(asked, language, words, root);
    let built = |file: &&TestFile| {
        language != Language::Go || is_built(tree.text(&file.path).unwrap_or_default(), words)
    };
    let chosen: Vec<&TestFile> =
        all.into_iter().filter(|file| filter.takes(file)).filter(built).collect();
    let kinds = chosen.iter().fold(Kinds::default(), |kinds, file| kinds.or(file.kinds));
    let shown_of = |wanted: fn(&Kinds) -> bool| {
        chosen.iter().find(|file| wanted(&file.kinds)).map(|file| shown(tree, &file.path))
    };
    let also = [
        shown_of(|kinds| kinds.integration && !kinds.end_to_end),
        shown_of(|kinds| kinds.end_to_end),
    ];
    let mut packages: BTreeMap<String, Kinds> = BTreeMap::new();
    for file in &chosen {
        let is_its =
            |dir: &&String| asked.roots.get(dir).is_some_and(|root| root.is_code(&file.path));
        let Some(package) = file.package.as_ref().filter(is_its) else { continue };
        let kinds = asked.kinds(file.kinds);
        match packages.get_mut(package) {
            Some(known) => *known = known.or(kinds),
            None => _ = packages.insert(package.clone(), kinds),
        }
    }
    if packages.is_empty() {
        // Tests that are in no package are none of any.
        packages.insert(root.to_owned(), Kinds::default());
    }
    let done = Done::new(Class::Test(asked.kinds(kinds))).also(also.into_iter().flatten());
    Done { packages, ..done }
}

/// What the words and the settings of a runner leave out.
struct Filter {
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
    fn new(asked: &Asked<'_>, language: Language, words: &[&str], root: &str) -> Self {
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
            Language::JavaScript => filter.javascript(&words),
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

    fn takes(&self, file: &TestFile) -> bool {
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
    fn javascript(&mut self, words: &[String]) {
        let said = words[1..]
            .iter()
            .filter(|word| !is_exclusion(word))
            .map(|word| named(word))
            .fold(Kinds::default(), |kinds, named| Kinds {
                unit: false,
                integration: kinds.integration || named.integration,
                end_to_end: kinds.end_to_end || named.end_to_end,
            });
        if said.end_to_end {
            self.only = Some(Kinds::END_TO_END);
        } else {
            self.without_end_to_end = true;
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
        let given = words.len();
        let (options, paths) = threshold::pytest_settings(tree, root);
        words.extend(options);
        let names_paths = words[1..given].iter().any(|word| {
            !word.starts_with('-')
                && join(root, word.split("::").next().unwrap_or_default()).is_some_and(|path| {
                    tree.has(&path) || tree.under(&path).next().is_some() && !path.is_empty()
                })
        });
        if !names_paths {
            words.extend(paths);
        }
        for word in words.iter() {
            if let Some(path) = word.strip_prefix("--ignore=") {
                self.ignored.extend(join(root, path));
            }
        }
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

/// Whether a file of Go is built with the tags of a command. Systems and compilers are taken as they usually are.
fn is_built(text: &str, words: &[&str]) -> bool {
    let Some(constraint) = text.lines().take(40).find_map(|line| line.strip_prefix("//go:build "))
    else {
        return true;
    };
    let given: Vec<&str> = words
        .iter()
        .enumerate()
        .filter_map(|(i, word)| match word.trim_start_matches('-').split_once('=') {
            Some(("tags", value)) => Some(value),
            None if matches!(*word, "-tags" | "--tags") => words.get(i + 1).copied(),
            _ => None,
        })
        .flat_map(|value| value.split([',', ' ']))
        .collect();
    let holds = |tag: &str| {
        given.contains(&tag)
            || matches!(tag, "linux" | "unix" | "amd64" | "gc" | "cgo")
            || tag.starts_with("go1.")
    };
    // `a && !b || c`, without brackets, is what files have; anything else is taken to be built.
    if constraint.contains('(') {
        return true;
    }
    constraint.split("||").any(|all| {
        all.split("&&").all(|tag| match tag.trim().strip_prefix('!') {
            Some(tag) => !holds(tag.trim()),
            None => holds(tag.trim()),
        })
    })
}

/// XML without its comments.
pub(super) fn without_comments(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("<!--") {
        out.push_str(before);
        rest = after.split_once("-->").map_or("", |(_, after)| after);
    }
    out + rest
}
