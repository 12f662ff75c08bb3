//! Metrics, traces and dashboards.

use super::used::used;
use super::{answered, in_code, is_yaml};
use crate::dimension::Seen;
use crate::finding::{Evidence, Finding};
use crate::hcl;
use crate::template::terraform::{blocks, resources};
use crate::tree::{has_end, is_aside};
use crate::yaml::{self, Node};

/// Libraries that make them.
const SDKS: &[&str] = &[
    "opentelemetry*",
    "@opentelemetry/*",
    "go.opentelemetry.io/*",
    "io.opentelemetry*",
    "open-telemetry/*",
    "prometheus*",
    "simpleclient*",
    "prom-client",
    "github.com/prometheus/client-golang",
    "github.com/prometheus/client_golang",
    "metrics",
    "metrics-exporter-prometheus",
    "tracing-opentelemetry",
    "micrometer*",
    "spring-boot-starter-actuator",
    "quarkus-micrometer*",
    "quarkus-opentelemetry",
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
    "aws-xray-sdk*",
    "aws-lambda-powertools",
    "@aws-lambda-powertools/*",
    "express-prom-bundle",
    "starlette-exporter",
    "django-prometheus",
    "actix-web-prom",
    "axum-prometheus",
    "yabeda*",
];

/// Dashboards and collections that Terraform makes.
const RESOURCES: &[&str] = &[
    "aws_cloudwatch_dashboard",
    "google_monitoring_dashboard",
    "azurerm_portal_dashboard",
    "azurerm_dashboard_grafana",
    "datadog_dashboard",
    "datadog_dashboard_json",
    "grafana_dashboard",
    "newrelic_one_dashboard",
    "aws_prometheus_workspace",
    "aws_prometheus_scraper",
];

pub(super) fn metrics(seen: &Seen<'_>) -> Finding {
    let by_code = used(seen, SDKS, "metrics or traces");
    if let Some(finding) =
        by_code.as_ref().filter(|finding| finding.outcome == crate::finding::Outcome::Pass)
    {
        return finding.clone();
    }
    for (path, text) in seen.tree.texts().filter(|(path, _)| !is_aside(path)) {
        let found = if has_end(path, "tf") || has_end(path, "tofu") {
            terraform(path, text)
        } else if has_end(path, "json") {
            dashboard(path, text)
        } else if is_yaml(path) {
            collected(path, text)
        } else {
            None
        };
        if let Some(found) = found {
            return found;
        }
    }
    let routes: &[&str] = &["\"/metrics\"", "'/metrics'"];
    let ends = ["rs", "py", "go", "js", "ts", "java", "kt", "cs", "rb"];
    let calls: Vec<(&str, &[&str])> = ends.into_iter().map(|end| (end, routes)).collect();
    if let Some(shown) = in_code(seen.tree, &calls, answered) {
        return Finding::pass("it answers with its metrics").with([shown]);
    }
    by_code.unwrap_or_else(|| Finding::fail("no metrics, traces or dashboards"))
}

fn terraform(path: &str, text: &str) -> Option<Finding> {
    let may = RESOURCES.iter().any(|kind| text.contains(kind)) || text.contains("tracing_config");
    let root = if may { hcl::document(text).ok()? } else { return None };
    let found = resources(&root).find_map(|resource| {
        if RESOURCES.contains(&resource.kind) {
            return Some(("a dashboard, or what collects metrics", resource.body.place));
        }
        let mut tracing =
            blocks(resource.body, "tracing_config").filter_map(|block| block.get("mode"));
        let active = tracing.find(|mode| mode.text() == Some("Active"))?;
        Some(("traces of functions", active.place))
    });
    found.map(|(what, place)| Finding::pass(what).with([Evidence::at(path, text, place)]))
}

/// A dashboard of Grafana, as it is exported or as its API takes it: one that has a panel which asks for something.
fn dashboard(path: &str, text: &str) -> Option<Finding> {
    if !text.contains("\"panels\"") {
        return None;
    }
    let root = yaml::document(text).ok()??;
    let board = root.get("dashboard").unwrap_or(&root);
    let is_one = ["schemaVersion", "title", "uid"].iter().any(|key| board.get(key).is_some());
    let panel = panels(board, 0).filter(|_| is_one)?;
    Some(Finding::pass("a dashboard").with([Evidence::at(path, text, panel.place)]))
}

/// The first panel that asks for something. Rows hold panels again.
fn panels(board: &Node, depth: usize) -> Option<&Node> {
    if depth > 3 {
        return None;
    }
    let all = board.get("panels").map(Node::items).unwrap_or_default();
    let rows = board.get("rows").map(Node::items).unwrap_or_default();
    let asks = |target: &Node| {
        target.entries().iter().any(|entry| {
            !matches!(entry.key.as_str(), "refId" | "datasource" | "hide")
                && (entry.value.text().is_some_and(|text| !text.is_empty()) || entry.value.is_map())
        })
    };
    let is_one =
        |panel: &&Node| panel.get("targets").is_some_and(|all| all.items().iter().any(asks));
    all.iter()
        .find(is_one)
        .or_else(|| all.iter().chain(rows).find_map(|row| panels(row, depth + 1)))
}

/// What collects metrics or traces, and brings them somewhere.
fn collected(path: &str, text: &str) -> Option<Finding> {
    let marks = [
        "scrape_configs",
        "ServiceMonitor",
        "PodMonitor",
        "exporters:",
        "OpenTelemetryCollector",
        "prometheus.io/scrape",
        "grafana_dashboard",
        "AWS::CloudWatch::Dashboard",
        "Tracing:",
    ];
    if !marks.iter().any(|mark| text.contains(mark)) {
        return None;
    }
    let documents = yaml::documents(text).unwrap_or_default();
    let node = documents.iter().find_map(|root| scraped(root).or_else(|| functions(root)))?;
    Some(Finding::pass("metrics are collected").with([Evidence::at(path, text, node.place)]))
}

fn scraped(root: &Node) -> Option<&Node> {
    let kind = root.get("kind")?.text().map_or("", |kind| kind);
    let filled = |keys: &[&str]| root.at(keys).filter(|list| !list.items().is_empty());
    match kind {
        "ServiceMonitor" => filled(&["spec", "endpoints"]),
        "PodMonitor" => filled(&["spec", "podMetricsEndpoints"]),
        "OpenTelemetryCollector" => root.at(&["spec", "config"]).and_then(pipeline),
        "ConfigMap" => {
            let label = root.at(&["metadata", "labels", "grafana_dashboard"])?;
            let data = root.get("data").map(Node::entries).unwrap_or_default();
            let is_board = data.iter().any(|entry| {
                let board = entry.value.text().and_then(|text| yaml::document(text).ok().flatten());
                board.is_some_and(|board| panels(&board, 0).is_some())
            });
            Some(label).filter(|_| is_board)
        }
        _ => [&["metadata", "annotations"][..], &["spec", "template", "metadata", "annotations"]]
            .iter()
            .filter_map(|keys| root.at(keys)?.get("prometheus.io/scrape"))
            .find(|scrape| scrape.text() == Some("true")),
    }
}

/// Configurations without a kind: of Prometheus, of a collector, and of functions.
fn functions(root: &Node) -> Option<&Node> {
    let targets = |one: &Node| {
        one.entries()
            .iter()
            .any(|entry| entry.key.ends_with("_configs") && !entry.value.items().is_empty())
    };
    let scrape = root.get("scrape_configs").filter(|list| list.items().iter().any(targets));
    let traced = || {
        root.at(&["Globals", "Function", "Tracing"]).filter(|mode| mode.text() == Some("Active"))
    };
    let resources = root.get("Resources").map(Node::entries).unwrap_or_default();
    let board = || {
        resources.iter().map(|entry| &entry.value).find(|one| {
            one.get("Type").and_then(Node::text) == Some("AWS::CloudWatch::Dashboard")
                || one.at(&["Properties", "Tracing"]).and_then(Node::text) == Some("Active")
        })
    };
    scrape.or_else(|| pipeline(root)).or_else(traced).or_else(board)
}

/// A pipeline of a collector that receives something and brings it elsewhere than to its own log.
fn pipeline(config: &Node) -> Option<&Node> {
    let all = config.at(&["service", "pipelines"])?;
    let is_one = |pipeline: &Node| {
        let of = |key: &str| pipeline.get(key).map(Node::texts).unwrap_or_default();
        let goes = of("exporters").iter().any(|name| {
            !["debug", "logging", "nop"].contains(&name.split('/').next().unwrap_or(name))
        });
        goes && !of("receivers").is_empty()
    };
    all.entries().iter().map(|entry| &entry.value).find(|pipeline| is_one(pipeline))
}
