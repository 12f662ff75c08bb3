//! Programs that run tests, and which of the repository's tests they run.

mod filter;
mod go;

use std::collections::BTreeMap;

use self::filter::Filter;
use super::files::{Kinds, Language, TestFile, shown};
use super::flags::{last, told};
use super::idle::is_idle;
use super::invoke::{Asked, Done};
use super::measured::Data;
use super::{Class, threshold};
use crate::shell::Blocking;

/// What a command runs of tests.
pub(super) fn done(asked: &Asked<'_>, words: &[&str], dir: Option<&str>) -> Vec<Done> {
    // What does not know its directory is taken to be at the root.
    let root = dir.unwrap_or_default();
    let mut measures =
        matches!(words[0], "nosetests" | "nose2") && told(words, &["--with-coverage"]);
    if matches!(words[0], "pytest" | "py.test") {
        let all = threshold::effective(asked.tree, words, root);
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        if is_idle(&all) {
            return Vec::new();
        }
        measures = threshold::is_measured(&all);
    }
    let Some(run) = recognise(words) else { return Vec::new() };
    let mut all = Vec::new();
    let blocking = softened(words);
    match run {
        Run::Language(language) => {
            all.push(of_language(asked, language, words, root).blocks(blocking));
        }
        Run::Fixed(kinds) => all.push(Done::new(Class::Test(asked.kinds(kinds))).blocks(blocking)),
        Run::Opaque(why) => all.push(Done::new(Class::OpaqueTests).why(why)),
        Run::Threshold => {}
    }
    all.extend(threshold::done(asked.tree, words, root));
    if measures {
        for done in &mut all {
            done.data = Data::Made;
        }
    }
    all
}

/// Options by which a runner passes whatever becomes of the tests.
const PASSES: &[(&str, &[&str])] = &[
    (
        "mvn|mvnw",
        &["-fn", "--fail-never", "-Dmaven.test.failure.ignore", "-Dsurefire.testFailureIgnore"],
    ),
    ("rspec", &["--failure-exit-code=0"]),
    ("robot", &["--nostatusrc"]),
    ("pytest|py.test", &["--suppress-tests-failed-exit-code"]),
];

/// Options by which a runner passes where it selects no test, and those that select.
const EMPTY: &[(&str, &[&str], &[&str])] = &[
    ("pytest|py.test", &["--suppress-no-test-exit-code"], &["-k", "-m"]),
    (
        "jest|react-scripts|craco",
        &["--passWithNoTests"],
        &["-t", "--testNamePattern", "--testPathPattern", "--testPathPatterns", "--testRegex"],
    ),
    ("vitest", &["--passWithNoTests"], &["-t", "--testNamePattern", "--dir"]),
    ("playwright", &["--pass-with-no-tests"], &["-g", "--grep"]),
    (
        "mvn|mvnw",
        &["-DfailIfNoTests=false", "-Dsurefire.failIfNoSpecifiedTests=false"],
        &["-Dtest"],
    ),
];

/// What the words make of tests that fail.
fn softened(words: &[&str]) -> Blocking {
    let is = |programs: &str| programs.split('|').any(|program| program == words[0]);
    let passes = PASSES.iter().filter(|(programs, _)| is(programs)).flat_map(|(_, flags)| *flags);
    if let Some(flag) = passes.into_iter().find(|flag| told(words, &[flag])) {
        return Blocking::No(format!("`{flag}`"));
    }
    for (_, empty, selects) in EMPTY.iter().filter(|(programs, ..)| is(programs)) {
        if told(words, empty) && last(words, selects).is_some() {
            return Blocking::Unsure(format!("with `{}` it may select no test and pass", empty[0]));
        }
    }
    if words[0] == "cargo" && told(words, &["--ignored"]) {
        return Blocking::Unsure("`--ignored` runs only what is left out elsewhere".into());
    }
    Blocking::Yes
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
        "coverage" if matches!(verb, "report" | "xml" | "html" | "json" | "lcov") => Run::Threshold,
        "nyc" | "c8" => Run::Threshold,
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
        "go" if verb == "test" => Run::Language(Go),
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
        "test" | "t" => !has("--doc") && !only_others(rest),
        "nextest" => has("run"),
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

/// Benchmarks and examples alone are no tests.
fn only_others(rest: &[&str]) -> bool {
    told(rest, &["--bench", "--benches", "--example", "--examples"])
        && !told(rest, &["--lib", "--bin", "--bins", "--test", "--tests", "--all-targets"])
}

/// Goals from `test` on run unit tests; the plugins decide about the rest by the names of files.
fn maven(rest: &[&str]) -> Option<Run> {
    let skips = ["-DskipTests", "-Dmaven.test.skip", "-Dmaven.test.skip.exec", "-Dsurefire.skip"];
    let skips = told(rest, &skips);
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
    if !asked.looks_at(all.len()) {
        let why = "commands run tests more often than is followed".to_owned();
        return Done::new(Class::OpaqueTests).why(why);
    }
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
        language != Language::Go || go::is_built(tree.text(&file.path).unwrap_or_default(), words)
    };
    let chosen: Vec<&TestFile> =
        all.into_iter().filter(|file| filter.takes(file)).filter(built).collect();
    let texts = chosen.iter().map(|file| tree.text(&file.path).unwrap_or_default());
    if language == Language::Go && go::names_none(words, texts) {
        return Done::new(Class::Test(Kinds::default())).why("`-run` names no test that is there");
    }
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
