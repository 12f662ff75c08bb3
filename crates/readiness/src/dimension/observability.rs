//! What is seen of it in production.

mod alerts;

use self::alerts::Alerts;
use super::Seen;
use crate::finding::{Evidence, Finding, Outcome};
use crate::tree::{Tree, has_end, is_aside, name};
use crate::yaml::{self, Node};

pub(super) fn findings(seen: &Seen<'_>) -> Vec<(&'static str, Finding)> {
    let ids = [
        "observability.logs",
        "observability.metrics",
        "observability.alerts",
        "observability.escalation",
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

const METRICS: &[&str] = &[
    "opentelemetry*",
    "@opentelemetry/*",
    "go.opentelemetry.io/*",
    "io.opentelemetry*",
    "prometheus*",
    "prom-client",
    "github.com/prometheus/client-golang",
    "github.com/prometheus/client_golang",
    "metrics",
    "metrics-exporter-prometheus",
    "tracing-opentelemetry",
    "micrometer*",
    "spring-boot-starter-actuator",
    "statsd*",
    "dd-trace",
    "ddtrace",
    "datadog*",
    "newrelic*",
    "azure-monitor-opentelemetry",
    "azure.monitor.opentelemetry*",
    "applicationinsights",
    "logfire",
    "langfuse",
    "express-prom-bundle",
    "starlette-exporter",
    "django-prometheus",
    "actix-web-prom",
    "axum-prometheus",
    "yabeda*",
];

fn logs(seen: &Seen<'_>) -> Finding {
    if let Some(found) = seen.manifests.any_of(LOGS) {
        return Finding::pass(format!("logs by {}", found.name)).with([found.evidence.clone()]);
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
    for (path, text) in seen.tree.texts() {
        if files.contains(&name(path)) && !is_aside(path) {
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
            ],
        ),
        ("go", &["slog.New(", "slog.SetDefault(", "log.SetFlags("]),
        ("cs", &["builder.Logging.", "AddConsole("]),
        ("rb", &["Rails.logger", "config.logger"]),
    ];
    match in_code(seen.tree, calls) {
        Some(shown) => Finding::pass("logs are configured").with([shown]),
        None => Finding::fail("no logging library and no configuration of logs"),
    }
}

fn metrics(seen: &Seen<'_>) -> Finding {
    if let Some(found) = seen.manifests.any_of(METRICS) {
        return Finding::pass(format!("metrics or traces by {}", found.name))
            .with([found.evidence.clone()]);
    }
    for (path, text) in seen.tree.texts() {
        if is_aside(path) {
            continue;
        }
        let dashboard = has_end(path, "json")
            && text.contains("\"panels\"")
            && text.contains("\"schemaVersion\"");
        if dashboard {
            return Finding::pass("a dashboard").with([Evidence::file(path, text)]);
        }
        if !is_yaml(path)
            || !["scrape_configs", "ServiceMonitor", "PodMonitor", "exporters:"]
                .iter()
                .any(|mark| text.contains(mark))
        {
            continue;
        }
        for root in yaml::documents(text).unwrap_or_default() {
            let kind = root.get("kind").filter(|kind| {
                matches!(
                    kind.text(),
                    Some("ServiceMonitor" | "PodMonitor" | "OpenTelemetryCollector")
                )
            });
            let scrape = root.get("scrape_configs").filter(|list| !list.items().is_empty());
            let pipelines =
                root.at(&["service", "pipelines"]).filter(|_| root.get("exporters").is_some());
            if let Some(node) = kind.or(scrape).or(pipelines) {
                return Finding::pass("metrics are collected")
                    .with([Evidence::at(path, text, node.place)]);
            }
        }
    }
    Finding::fail("no metrics, traces or dashboards")
}

fn health(seen: &Seen<'_>) -> Finding {
    for (path, text) in seen.tree.texts() {
        if is_aside(path) || path.starts_with(".github/") {
            continue;
        }
        let is_container = name(path).starts_with("Dockerfile") || name(path) == "Containerfile";
        let line = text.lines().position(|line| {
            let line = line.trim_start();
            is_container && line.starts_with("HEALTHCHECK ") && !line.contains("NONE")
                || is_yaml(path)
                    && ["livenessProbe:", "readinessProbe:", "healthcheck:"]
                        .iter()
                        .any(|key| line.starts_with(key))
                || has_end(path, "tf")
                    && (line.starts_with("health_check {") || line.starts_with("liveness_probe {"))
        });
        if let Some(line) = line {
            return Finding::pass("health is checked where it runs")
                .with([Evidence::line(path, text, line)]);
        }
    }
    let routes: &[&str] =
        &["\"/healthz\"", "'/healthz'", "\"/readyz\"", "\"/livez\"", "\"/health\"", "'/health'"];
    let calls: Vec<(&str, &[&str])> = ["rs", "py", "go", "js", "ts", "java", "kt", "cs", "rb"]
        .into_iter()
        .map(|end| (end, routes))
        .collect();
    match in_code(seen.tree, &calls) {
        Some(shown) => Finding::pass("it answers about its health").with([shown]),
        None => Finding::fail("no probes and no health checks"),
    }
}

/// The first line of code, by the end of the file's name, that has one of these calls and is no comment.
fn in_code(tree: &Tree, calls: &[(&str, &[&str])]) -> Option<Evidence> {
    tree.texts().find_map(|(path, text)| {
        let end = name(path).rsplit_once('.')?.1;
        let (_, calls) = calls.iter().find(|(wanted, _)| *wanted == end)?;
        if is_aside(path)
            || name(path).contains("test")
            || !calls.iter().any(|call| text.contains(call))
        {
            return None;
        }
        let line = text.lines().position(|line| {
            let code = line.trim_start();
            !code.starts_with(['#', '*'])
                && !code.starts_with("//")
                && calls.iter().any(|call| code.contains(call))
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
