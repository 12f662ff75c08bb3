//! Libraries that a program not only depends on: some line of its code brings them in, or they work by being there.

use super::in_code_of;
use crate::code::{Code, Syntax};
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
    if let Some((one, line)) = brought_in(seen.tree, &all) {
        let finding = Finding::pass(format!("{what} by {}", one.name));
        return Some(finding.with([one.evidence.clone(), line]));
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

/// The first file that brings one in. Each is looked through once, for all that it could bring in.
fn brought_in<'a>(tree: &Tree, all: &[&'a Dependency]) -> Option<(&'a Dependency, Evidence)> {
    let looked: Vec<Looked<'a>> = all.iter().map(|one| Looked::of(one)).collect();
    tree.texts().filter(|(path, _)| !is_aside(path) && !name(path).contains("test")).find_map(
        |(path, text)| {
            let mut of_language = looked.iter().filter(|one| one.is_in(path)).peekable();
            of_language.peek()?;
            // Names are written in all kinds of letters.
            let lower = text.to_ascii_lowercase();
            let may =
                |one: &&Looked<'_>| one.words.iter().any(|word| lower.contains(word.as_str()));
            let mut may_be: Vec<&Looked<'_>> = of_language.filter(may).collect();
            may_be.dedup_by(|a, b| a.words == b.words);
            let code = if may_be.is_empty() { return None } else { Code::read(path, text)? };
            may_be.into_iter().find_map(|one| {
                let line = line(&code, &one.words, one.written)?;
                Some((one.dependency, code.shown_line(line)))
            })
        },
    )
}

/// A dependency that is looked for.
struct Looked<'a> {
    dependency: &'a Dependency,
    ends: &'static [&'static str],
    written: Written,
    words: Vec<String>,
}

impl<'a> Looked<'a> {
    fn of(dependency: &'a Dependency) -> Self {
        let (ends, written) = language(dependency);
        Self { dependency, ends, written, words: words(&dependency.name, written) }
    }

    fn is_in(&self, path: &str) -> bool {
        self.ends.iter().any(|end| has_end(path, end))
    }
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

/// The first line that brings in one of these by a text: its name, whole or up to a `/` or a dot.
fn quoted(code: &Code<'_>, words: &[String]) -> Option<usize> {
    let is_one = |at: usize, word: &str| {
        let quote = code.masked[..at].chars().next_back();
        let after = code.text[at + word.len()..].chars().next();
        let is_text = matches!(quote, Some('"' | '\'' | '`'));
        is_text && (matches!(after, Some('/' | '.')) || after == quote) && is_import(code, at - 1)
    };
    let at = words.iter().find_map(|word| {
        code.text.match_indices(word.as_str()).map(|(at, _)| at).find(|at| is_one(*at, word))
    })?;
    Some(code.line(at))
}

/// Whether the text that begins here is what something is imported from. In a list of Go there is nothing before it, or
/// another name for it; a list of Python may be one of modules.
fn is_import(code: &Code<'_>, at: usize) -> bool {
    let line = code.masked[..at].rsplit('\n').next().unwrap_or_default().trim();
    match code.syntax {
        Syntax::Script => {
            ["from", "import", "require(", "import("].iter().any(|word| line.ends_with(word))
        }
        Syntax::Compiled => !line.contains([' ', '(', '=', ':']) || line.starts_with("import "),
        _ => true,
    }
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
