//! Coverage below which a run fails: only where the run measures coverage does a threshold in a file mean anything.

mod jvm;
mod python;
mod script;

pub(super) use self::python::{effective, is_measured, pytest_settings, shell_words};
use self::script::{jest, node_coverage, vitest};
use super::Class;
use super::flags::last;
use super::invoke::Done;
use crate::finding::Evidence;
use crate::shell::Blocking;
use crate::tree::{Tree, join};

/// The thresholds that a command enforces.
pub(super) fn done(tree: &Tree, words: &[&str], root: &str) -> Vec<Done> {
    match words[0] {
        "pytest" | "py.test" => python::pytest(tree, words, root),
        "coverage" => python::coverage(tree, words, root),
        "cargo" => flag(
            words,
            &[
                "--fail-under-lines",
                "--fail-under-regions",
                "--fail-under-functions",
                "--fail-under",
            ],
        ),
        "jest" | "react-scripts" | "craco" => jest(tree, words, root),
        "vitest" => vitest(tree, words, root),
        "nyc" | "c8" => node_coverage(tree, words, root),
        "gradle" | "gradlew" => jvm::gradle(tree, words, root),
        "mvn" | "mvnw" => jvm::maven(tree, words, root),
        "rspec" | "rake" | "rails" => simplecov(tree, root),
        "dotnet" => coverlet(words),
        _ => Vec::new(),
    }
}

/// The thresholds of programs that measure what they run, by their own words.
pub(super) fn around(tree: &Tree, wrappers: &[Vec<String>], root: &str) -> Vec<Done> {
    let ours = wrappers.iter().filter(|words| matches!(words[0].as_str(), "nyc" | "c8"));
    ours.flat_map(|words| {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        node_coverage(tree, &words, root)
    })
    .collect()
}

/// A script that compares what `go tool cover` prints may end with a failure.
pub(super) fn compared(text: &str) -> Option<Done> {
    let fails = ["exit 1", "exit(1)", "exit !"].iter().any(|end| text.contains(end));
    (text.contains("go tool cover") && fails).then(|| {
        let why = "a script may compare what `go tool cover` prints with a limit";
        Done::new(Class::Threshold(None)).blocks(Blocking::Unsure(why.into()))
    })
}

fn enforced(number: Option<f64>, shown: impl IntoIterator<Item = Evidence>) -> Vec<Done> {
    vec![Done::new(Class::Threshold(number)).also(shown)]
}

/// The number of the first of these options that is there, the last time that it is.
fn flag(words: &[&str], flags: &[&str]) -> Vec<Done> {
    given(words, flags).unwrap_or_default()
}

/// As [`flag`]; `None` where none of the options is there.
fn given(words: &[&str], flags: &[&str]) -> Option<Vec<Done>> {
    let value = flags.iter().find_map(|flag| last(words, &[flag]))?;
    Some(at_least(value.trim_end_matches('%').parse().ok(), None))
}

/// Zero enforces nothing, and what is no share of a hundred is no limit that anybody can keep.
fn at_least(number: Option<f64>, shown: Option<Evidence>) -> Vec<Done> {
    match number {
        Some(number) if number > 0.0 && number <= 100.0 => enforced(Some(number), shown),
        Some(number) if number <= 0.0 => Vec::new(),
        Some(number) => {
            let why = format!("a limit of {number} is no share of a hundred");
            let none = enforced(None, shown);
            none.into_iter().map(|done| done.blocks(Blocking::Unsure(why.clone()))).collect()
        }
        None => enforced(None, shown),
    }
}

/// Coverlet's properties, which are given to `dotnet test`.
fn coverlet(words: &[&str]) -> Vec<Done> {
    let lower: Vec<String> = words.iter().map(|word| word.to_ascii_lowercase()).collect();
    if !lower.iter().any(|word| word.contains("collectcoverage=true")) {
        return Vec::new();
    }
    let mut numbers = lower.iter().filter_map(|word| word.split_once("threshold="));
    let last = numbers.next_back().map(|(_, number)| number.trim_matches('"').parse().ok());
    last.map_or_else(Vec::new, |number| at_least(number, None))
}

/// `minimum_coverage` of `SimpleCov`, where the tests of Ruby are set up.
fn simplecov(tree: &Tree, root: &str) -> Vec<Done> {
    let files =
        [".simplecov", "spec/spec_helper.rb", "spec/rails_helper.rb", "test/test_helper.rb"];
    for file in files.iter().filter_map(|name| join(root, name)) {
        let text = tree.text(&file).unwrap_or_default();
        for (i, line) in text.lines().enumerate() {
            let code = line.split('#').next().unwrap_or_default();
            let Some((_, rest)) = code.split_once("minimum_coverage") else { continue };
            if rest.starts_with('_') {
                continue;
            }
            let digits = |c: &char| c.is_ascii_digit() || *c == '.';
            let number: String =
                rest.chars().skip_while(|c| !digits(c)).take_while(digits).collect();
            return at_least(number.parse().ok(), Some(Evidence::line(&file, text, i)));
        }
    }
    Vec::new()
}
