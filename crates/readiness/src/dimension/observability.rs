//! What is seen of it in production.

mod alerts;
mod health;
mod image;
mod metrics;
mod used;

use self::alerts::Alerts;
use self::health::health;
use self::metrics::metrics;
use self::used::used;
use super::Seen;
use crate::code::Code;
use crate::finding::{Evidence, Finding, Outcome};
use crate::tree::{Tree, has_end, is_aside, name};
use crate::yaml::Node;

pub(super) fn findings(seen: &Seen<'_>) -> Vec<(&'static str, Finding)> {
    let ids = [
        "observability.logs",
        "observability.metrics",
        "observability.alerts",
        "observability.escalation",
        "observability.owners",
        "observability.health_checks",
    ];
    if seen.deploys_nothing {
        let nothing = || {
            Finding::new(
                Outcome::NotApplicable,
                "a library or a tool, which runs nowhere by itself",
            )
        };
        return ids.into_iter().map(|id| (id, nothing())).collect();
    }
    let alerts = Alerts::read(seen.tree);
    ids.into_iter()
        .zip([
            logs(seen),
            metrics(seen),
            alerts.routed(),
            alerts.escalated(seen.tree),
            alerts.owned(),
            health(seen),
        ])
        .collect()
}

/// Libraries that a program sets its logs up with.
const LOGS: &[&str] = &[
    "tracing-subscriber",
    "env-logger",
    "log4rs",
    "flexi-logger",
    "fern",
    "slog",
    "structlog",
    "loguru",
    "python-json-logger",
    "winston",
    "pino",
    "nestjs-pino",
    "bunyan",
    "log4js",
    "go.uber.org/zap",
    "github.com/rs/zerolog",
    "github.com/sirupsen/logrus",
    "github.com/go-logr/logr",
    "k8s.io/klog/v2",
    "logback-classic",
    "log4j-core",
    "serilog*",
    "nlog*",
    "monolog/monolog",
    "lograge",
    "spring-boot-starter*",
];

fn logs(seen: &Seen<'_>) -> Finding {
    let by_code = used(seen, LOGS, "logs");
    if let Some(finding) = by_code.as_ref().filter(|finding| finding.outcome == Outcome::Pass) {
        return finding.clone();
    }
    let files = [
        "logback.xml",
        "logback-spring.xml",
        "log4j2.xml",
        "log4j2.yaml",
        "log4j2.properties",
        "fluent-bit.conf",
        "fluent.conf",
        "vector.toml",
        "vector.yaml",
    ];
    // Laravel's own file of channels.
    let is_laravel = |path: &str, text: &str| {
        (path == "config/logging.php" || path.ends_with("/config/logging.php"))
            && text.contains("channels")
    };
    for (path, text) in seen.tree.texts() {
        if (files.contains(&name(path)) || is_laravel(path, text)) && !is_aside(path) {
            return Finding::pass("logs are configured").with([Evidence::file(path, text)]);
        }
    }
    let calls: &[(&str, &[&str])] = &[
        (
            "py",
            &[
                "logging.basicConfig(",
                "logging.config.dictConfig(",
                "dictConfig(",
                "logging.config.fileConfig(",
                // Django takes it from its settings.
                "LOGGING = {",
                "LOGGING={",
                "LOGGING: dict = {",
            ],
        ),
        ("go", &["slog.New(", "slog.SetDefault(", "log.SetFlags("]),
        ("cs", &["builder.Logging.", "AddConsole("]),
        ("rb", &["Rails.logger", "config.logger"]),
    ];
    match in_code(seen.tree, calls, |_, _| true) {
        Some(shown) => Finding::pass("logs are configured").with([shown]),
        None => by_code
            .unwrap_or_else(|| Finding::fail("no logging library and no configuration of logs")),
    }
}

/// Words before a path that is asked for elsewhere, in small letters.
const ASKERS: &[&str] = &[
    "requests.",
    "httpx.",
    "fetch(",
    "axios",
    "http.get(",
    "http.newrequest",
    "urlopen",
    "urljoin",
    "client.",
    "session.",
    "reqwest",
    "new request(",
    "resttemplate",
    "webclient",
    "getasync(",
    "curl",
    "supertest",
    "request(",
];

/// Whether a path in code is one that the program answers: not one that it asks somebody else for.
fn answered(code: &Code<'_>, at: usize) -> bool {
    let line = code.masked[..at].rsplit('\n').next().unwrap_or_default().trim_end();
    let lower = line.to_ascii_lowercase();
    !line.ends_with('+') && !ASKERS.iter().any(|word| lower.contains(word))
}

/// The first line of code, by the end of the file's name, that has one of these calls, is no comment, and is meant.
fn in_code(
    tree: &Tree,
    calls: &[(&str, &[&str])],
    is_meant: impl Fn(&Code<'_>, usize) -> bool,
) -> Option<Evidence> {
    tree.texts().find_map(|(path, text)| {
        let end = name(path).rsplit_once('.')?.1;
        let (_, calls) = calls.iter().find(|(wanted, _)| *wanted == end)?;
        let is_test = is_aside(path) || name(path).contains("test");
        if is_test || !calls.iter().any(|call| text.contains(call)) {
            return None;
        }
        let code = Code::read(path, text)?;
        // A text in quotes keeps its quotes and a call its letters; of what is in a comment nothing is left.
        let is_code = |at: usize| !code.masked[at..].starts_with(' ');
        let at = calls.iter().flat_map(|call| text.match_indices(call)).map(|(at, _)| at);
        at.filter(|at| is_code(*at) && is_meant(&code, *at)).min().map(|at| code.shown(at))
    })
}

/// The first line of such files that has one of these and is no comment.
fn in_code_of(tree: &Tree, is: impl Fn(&str) -> bool, calls: &[&str]) -> Option<Evidence> {
    tree.texts().filter(|(path, _)| is(path) && !is_aside(path)).find_map(|(path, text)| {
        if !calls.iter().any(|call| text.contains(call)) {
            return None;
        }
        let line = text.lines().position(|line| {
            !line.trim_start().starts_with('#') && calls.iter().any(|call| line.contains(call))
        })?;
        Some(Evidence::line(path, text, line))
    })
}

fn is_yaml(path: &str) -> bool {
    has_end(path, "yml") || has_end(path, "yaml")
}

/// The text of a node, when it is one that reaches somebody.
fn real(node: Option<&Node>) -> bool {
    node.and_then(Node::text).is_some_and(|text| {
        let text = text.to_ascii_lowercase();
        let placeholder = [
            "localhost",
            "127.0.0.1",
            "0.0.0.0",
            "[::1]",
            "example.com",
            "example.org",
            "example.net",
            "example.io",
            ".invalid",
            ".test",
            "changeme",
            "change-me",
            "your-",
            "your_",
            "<",
            "xxx",
            "todo",
            "placeholder",
            "dummy",
        ];
        !text.trim().is_empty() && !placeholder.iter().any(|mark| text.contains(mark))
    })
}
