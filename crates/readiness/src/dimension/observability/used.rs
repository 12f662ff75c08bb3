//! Libraries that a program not only depends on: some line of its code brings them in, or they work by being there.

use super::in_code_of;
use crate::code::Code;
use crate::dimension::Seen;
use crate::finding::{Evidence, Finding};
use crate::manifest::Dependency;
use crate::tree::{Tree, has_end, is_aside, name};

/// Most dependencies that are looked for in code.
const LOOKED_FOR_MAX: usize = 60;

/// What sets itself up when it is there.
const BY_ITSELF: &[&str] = &[
    "spring-boot-starter*",
    "micrometer*",
    "quarkus*",
    "logback-classic",
    "log4j-core",
    "lograge",
    "nestjs-pino",
    "express-prom-bundle",
];

/// Programs and options that bring an agent in from outside, without a line of code.
const AGENTS: &[&str] = &[
    "opentelemetry-instrument ",
    "ddtrace-run ",
    "newrelic-admin run-program",
    "-javaagent:",
    "--require @opentelemetry/",
    "--require dd-trace/",
    "-r dd-trace/",
    "--import @opentelemetry/",
];

/// Whether one of these is used. `None` when no manifest names one.
pub(super) fn used(seen: &Seen<'_>, names: &[&str], what: &str) -> Option<Finding> {
    let all: Vec<&Dependency> = seen.manifests.all_of(names).take(LOOKED_FOR_MAX).collect();
    let first = all.first()?;
    let by_itself = all.iter().find(|one| one.is_one_of(BY_ITSELF));
    if let Some(one) = by_itself {
        let shown = [one.evidence.clone()];
        return Some(Finding::pass(format!("{what} by {}", one.name)).with(shown));
    }
    for one in &all {
        if let Some(line) = brought_in(seen.tree, one) {
            let finding = Finding::pass(format!("{what} by {}", one.name));
            return Some(finding.with([one.evidence.clone(), line]));
        }
    }
    if let Some(agent) = agent(seen.tree) {
        let finding = Finding::pass(format!("{what} by {}", first.name));
        return Some(finding.with([first.evidence.clone(), agent]));
    }
    let is_seen = all.iter().any(|one| {
        let ends = language(one).0;
        seen.tree.texts().any(|(path, _)| ends.iter().any(|end| has_end(path, end)))
    });
    let shown = all.iter().map(|one| one.evidence.clone());
    Some(if is_seen {
        Finding::fail(format!("it depends on {}, and no line of code uses it", first.name))
            .with(shown)
    } else {
        Finding::unknown(format!("it depends on {}; no code is seen that could use it", first.name))
            .with(shown)
    })
}

/// The ends of the names of a dependency's code, and how code writes what it is called.
fn language(dependency: &Dependency) -> (&'static [&'static str], Written) {
    match name(&dependency.evidence.file) {
        "Cargo.toml" => (&["rs"], Written::Word),
        "package.json" => (&["js", "mjs", "cjs", "ts", "mts", "cts", "tsx", "jsx"], Written::Text),
        "go.mod" => (&["go"], Written::Text),
        "composer.json" => (&["php"], Written::Name),
        "Gemfile" => (&["rb"], Written::Name),
        "pom.xml" | "build.gradle" | "build.gradle.kts" | "libs.versions.toml" => {
            (&["java", "kt"], Written::Name)
        }
        file if has_end(file, "csproj") || file == "Directory.Packages.props" => {
            (&["cs"], Written::Name)
        }
        _ => (&["py"], Written::Word),
    }
}

/// How a line names a library.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// As a word of the language: `tracing_subscriber`.
    Word,
    /// As a text, or what begins with it: `"pino"`, `"go.uber.org/zap/zapcore"`.
    Text,
    /// By its first part that says something: `io.opentelemetry`, `OpenTelemetry`.
    Name,
}

fn brought_in(tree: &Tree, dependency: &Dependency) -> Option<Evidence> {
    let (ends, written) = language(dependency);
    let words = words(&dependency.name, written);
    tree.texts()
        .filter(|(path, _)| !is_aside(path) && ends.iter().any(|end| has_end(path, end)))
        .filter(|(path, _)| !name(path).contains("test"))
        .filter(|(_, text)| {
            words.iter().any(|word| text.contains(word.as_str()))
                || written == Written::Name
                    && words.iter().any(|word| contains_any_case(text, word))
        })
        .find_map(|(path, text)| {
            let code = Code::read(path, text)?;
            line(&code, &words, written).map(|line| code.shown_line(line))
        })
}

fn contains_any_case(text: &str, word: &str) -> bool {
    text.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word.as_bytes()))
}

/// What code calls it.
fn words(name: &str, written: Written) -> Vec<String> {
    match written {
        Written::Text => vec![name.to_owned()],
        Written::Word => {
            let mut words = vec![name.replace(['-', '.'], "_")];
            // Packages of Python whose modules are in a package of another name.
            let module = match name {
                _ if name.starts_with("opentelemetry-") => "opentelemetry",
                "azure-monitor-opentelemetry" => "azure.monitor.opentelemetry",
                "python-json-logger" => "pythonjsonlogger",
                "prometheus-client" => "prometheus_client",
                _ => return words,
            };
            words.push(module.to_owned());
            words
        }
        Written::Name if name.contains("telemetry") => vec!["opentelemetry".to_owned()],
        Written::Name => {
            let start = name
                .split(['-', '.', '/', ':'])
                .find(|part| !matches!(*part, "io" | "net" | "com" | "org"));
            start.map(str::to_owned).into_iter().collect()
        }
    }
}

/// The first line that brings one in, from 0.
fn line(code: &Code<'_>, words: &[String], written: Written) -> Option<usize> {
    match written {
        // Some frameworks take what they bring in as a text.
        Written::Word => {
            let at = words.iter().find_map(|word| code.words(word).next());
            at.map(|at| code.line(at)).or_else(|| quoted(code, words))
        }
        Written::Text => quoted(code, words),
        Written::Name => code.masked.lines().position(|line| {
            let parts = line.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            let mut parts = parts.map(str::to_ascii_lowercase);
            parts.any(|part| words.iter().any(|word| part.trim_start_matches("add") == word))
        }),
    }
}

/// The first line that has one of these in quotes, whole or up to a `/` or a dot.
fn quoted(code: &Code<'_>, words: &[String]) -> Option<usize> {
    let is_one = |at: usize, word: &str| {
        let quote = code.masked[..at].chars().next_back();
        let after = code.text[at + word.len()..].chars().next();
        matches!(quote, Some('"' | '\'' | '`'))
            && (matches!(after, Some('/' | '.')) || after == quote)
    };
    let at = words.iter().find_map(|word| {
        code.text.match_indices(word.as_str()).map(|(at, _)| at).find(|at| is_one(*at, word))
    })?;
    Some(code.line(at))
}

/// What starts the program with an agent.
fn agent(tree: &Tree) -> Option<Evidence> {
    let starts = |path: &str| {
        let file = name(path);
        file.starts_with("Dockerfile")
            || ["Containerfile", "Procfile", "package.json", "entrypoint.sh", "start.sh"]
                .contains(&file)
            || super::is_yaml(path)
    };
    in_code_of(tree, starts, AGENTS)
}
