//! What is seen of it in production: libraries that code uses, dashboards that ask, alerts that reach somebody.

use lockgate_readiness::finding::Outcome::{Fail, NotApplicable, Pass, Unknown};

use super::{CONTAINER, Files, assert_check, assert_of, assessed, check, told};

const METRICS: &str = "observability.metrics";
const ALERTS: &str = "observability.alerts";

/// Manifest, its dependency, and a file with a line that uses it and one that only looks like it.
#[test]
fn a_dependency_counts_when_code_uses_it() {
    for (manifest, text, file, uses, looks) in [
        (
            "Cargo.toml",
            "[dependencies]\nopentelemetry-otlp = \"0.3\"\n",
            "src/main.rs",
            "use opentelemetry_otlp::SpanExporter;\n",
            "// use opentelemetry_otlp::SpanExporter;\n",
        ),
        (
            "requirements.txt",
            "opentelemetry-sdk\n",
            "app.py",
            "from opentelemetry import trace\n",
            "x = 1 # from opentelemetry import trace\n",
        ),
        (
            "requirements.txt",
            "prometheus-client\n",
            "app.py",
            "import prometheus_client\n",
            "'''\nimport prometheus_client\n'''\n",
        ),
        (
            "package.json",
            "{\"dependencies\": {\"prom-client\": \"15\"}}\n",
            "index.ts",
            "import client from 'prom-client';\n",
            "// import client from 'prom-client';\n",
        ),
        (
            "package.json",
            "{\"dependencies\": {\"@opentelemetry/sdk-node\": \"1\"}}\n",
            "a.js",
            "const { NodeSDK } = require(\"@opentelemetry/sdk-node\");\n",
            "/* require(\"@opentelemetry/sdk-node\") */\n",
        ),
        (
            "go.mod",
            "require go.opentelemetry.io/otel v1.2.3\n",
            "main.go",
            "import \"go.opentelemetry.io/otel/trace\"\n",
            "// import \"go.opentelemetry.io/otel\"\n",
        ),
        (
            "pom.xml",
            "<project><dependencies><dependency><artifactId>opentelemetry-api</artifactId></dependency></dependencies></project>\n",
            "A.java",
            "import io.opentelemetry.api.OpenTelemetry;\n",
            "// import io.opentelemetry.api.OpenTelemetry;\n",
        ),
        (
            "a.csproj",
            "<PackageReference Include=\"OpenTelemetry.Extensions.Hosting\" />\n",
            "P.cs",
            "builder.Services.AddOpenTelemetry();\n",
            "// AddOpenTelemetry();\n",
        ),
        (
            "Gemfile",
            "gem 'opentelemetry-sdk'\n",
            "app.rb",
            "OpenTelemetry::SDK.configure\n",
            "# OpenTelemetry::SDK.configure\n",
        ),
        (
            "composer.json",
            "{\"require\": {\"open-telemetry/sdk\": \"1\"}}\n",
            "a.php",
            "use OpenTelemetry\\SDK\\Sdk;\n",
            "// use OpenTelemetry\\SDK\\Sdk;\n",
        ),
    ] {
        let line = if manifest == "Cargo.toml" { 2 } else { 1 };
        let place = format!("{manifest}:{line}");
        let found = assessed(&[CONTAINER, (manifest, text), (file, uses)]);
        assert_check(&found, METRICS, Pass, &place);
        assert_eq!(check(&found, METRICS).evidence[1].file, file, "where it is used");
        assert_of(&[(manifest, text), (file, looks)], METRICS, Fail, &place);
        assert_of(&[(manifest, text)], METRICS, Unknown, &place);
    }
    let java = [(
        "pom.xml",
        "<dependency><artifactId>spring-boot-starter-actuator</artifactId></dependency>\n",
    )];
    assert_of(&java, METRICS, Pass, "pom.xml:1");
    let python = ("requirements.txt", "opentelemetry-distro\n");
    let code = ("app.py", "print(1)\n");
    assert_of(&[python, code], METRICS, Fail, "requirements.txt:1");
    let agent = ("Procfile", "web: opentelemetry-instrument python app.py\n");
    assert_of(&[python, code, agent], METRICS, Pass, "requirements.txt:1");
    let node = ("package.json", "{\"dependencies\": {\"langfuse\": \"3\"}}\n");
    let named = ("eslint.js", "export default [{ name: \"langfuse/ignores\" }];\n");
    assert_of(&[node, named], METRICS, Fail, "package.json:1");
}

#[test]
fn logs_and_routes_count_when_code_has_them() {
    let code = ("app.py", "print(1)\n");
    let logs = ("requirements.txt", "structlog\n");
    assert_of(&[logs, code], "observability.logs", Fail, "requirements.txt:1");
    assert_of(
        &[logs, ("a.py", "import structlog\n")],
        "observability.logs",
        Pass,
        "requirements.txt:1",
    );
    assert_of(&[("a.py", "# \"/metrics\"\n")], METRICS, Fail, "");
    assert_of(&[("a.py", "route(\"/metrics\")\n")], METRICS, Pass, "a.py:1");
}

#[test]
fn dashboards_and_collectors_count_when_they_ask_and_bring() {
    let board = |panels: &str| format!("{{\"title\": \"a\",\n\"panels\": [\n{panels}\n]}}\n");
    let asks = "{\"targets\": [{\"refId\": \"A\", \"expr\": \"up\"}]}";
    for (panels, outcome, place) in [
        (asks.to_owned(), Pass, "d/a.json:3"),
        (format!("{{\"type\": \"row\", \"panels\": [\n{asks}]}}"), Pass, "d/a.json:4"),
        (String::new(), Fail, ""),
        ("{\"targets\": []}".to_owned(), Fail, ""),
        ("{\"targets\": [{\"refId\": \"A\", \"expr\": \"\"}]}".to_owned(), Fail, ""),
        ("{\"title\": \"\\\"targets\\\": [1]\"}".to_owned(), Fail, ""),
    ] {
        let text = board(&panels);
        assert_of(&[("d/a.json", &text)], METRICS, outcome, place);
    }
    for (file, text, outcome, place) in [
        ("p.yml", "scrape_configs:\n- static_configs: [{targets: ['a:1']}]\n", Pass, "p.yml:2"),
        ("p.yml", "scrape_configs: []\n", Fail, ""),
        ("p.yml", "scrape_configs:\n- job_name: a\n", Fail, ""),
        ("p.yml", "# scrape_configs:\n", Fail, ""),
        ("m.yaml", "kind: ServiceMonitor\nspec: {endpoints: [{port: m}]}\n", Pass, "m.yaml:2"),
        ("m.yaml", "kind: ServiceMonitor\nspec: {endpoints: []}\n", Fail, ""),
        (
            "o.yaml",
            "exporters: {otlp: }\nservice:\n  pipelines:\n    traces: {receivers: [otlp], exporters: [otlp/a]}\n",
            Pass,
            "o.yaml:4",
        ),
        (
            "o.yaml",
            "exporters: {debug: }\nservice:\n  pipelines:\n    traces: {receivers: [otlp], exporters: [debug]}\n",
            Fail,
            "",
        ),
        ("a.tf", "resource \"aws_cloudwatch_dashboard\" \"a\" {}\n", Pass, "a.tf:1"),
        ("a.tf", "resource \"aws_cloudwatch_dashboard\" \"a\" {\n  count = 0\n}\n", Fail, ""),
        (
            "a.tf",
            "resource \"aws_lambda_function\" \"a\" {\n  tracing_config {\n    mode = \"Active\"\n  }\n}\n",
            Pass,
            "a.tf:3",
        ),
        ("t.yaml", "Globals: {Function: {Tracing: Active}}\nResources: {}\n", Pass, "t.yaml:1"),
        (
            "c.yaml",
            "kind: ConfigMap\nmetadata: {labels: {grafana_dashboard: '1'}}\ndata:\n  a.json: '{\"panels\": [{\"targets\": [{\"expr\": \"up\"}]}]}'\n",
            Pass,
            "c.yaml:2",
        ),
        (
            "c.yaml",
            "kind: ConfigMap\nmetadata: {labels: {grafana_dashboard: '1'}}\ndata:\n  a.json: '{}'\n",
            Fail,
            "",
        ),
    ] {
        assert_of(&[(file, text)], METRICS, outcome, place);
    }
}

const RULE: &str = "groups:\n- rules:\n  - alert: Down\n    expr: up == 0\n";

#[test]
fn rules_ask_for_something_wherever_they_stand() {
    let route = (
        "am.yml",
        "route: {receiver: team}\nreceivers:\n- name: team\n  slack_configs: [{channel: '#oncall', api_url_file: /run/a}]\n",
    );
    let indented =
        |text: &str| text.lines().map(|line| format!("    {line}\n")).collect::<Vec<_>>().concat();
    let inside = format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  a.yml: |\n{}", indented(RULE));
    let values = format!(
        "prometheus:\n  serverFiles:\n    a.yml:\n  {}",
        indented(RULE).replace('\n', "\n  ").trim_end()
    );
    for (text, outcome, line) in [
        (RULE.to_owned(), Pass, 3),
        (inside, Pass, 7),
        (values, Pass, 6),
        (RULE.replace("up == 0", "''"), Fail, 3),
        (RULE.replace("    expr", "    # expr"), Fail, 3),
        (RULE.replace("alert:", "record:"), Fail, 3),
        ("apiVersion: v1\nkind: ConfigMap\ndata:\n  a: 'alert: x'\n".to_owned(), Fail, 3),
    ] {
        let place =
            if outcome == Pass { format!("rules.yml:{line}") } else { "am.yml:3".to_owned() };
        assert_of(&[("rules.yml", &text), route], ALERTS, outcome, &place);
    }
}

#[test]
fn receivers_that_are_empty_or_null_reach_nobody() {
    for (receivers, outcome) in [
        ("- name: 'null'", Fail),
        ("- {name: 'null', slack_configs: []}", Fail),
        ("- {name: 'null', slack_configs: }", Fail),
        ("- {name: 'null', webhook_configs: [{}]}", Fail),
        ("- {name: 'null', webhook_configs: [{url: ''}]}", Fail),
        ("- {name: other, webhook_configs: [{url: 'https://acme.io/a'}]}", Unknown),
        ("- {name: 'null', webhook_configs: [{url: 'https://acme.io/a'}]}", Pass),
        ("- {name: 'null', pagerduty_configs: [{routing_key: '<key>'}]}", Fail),
    ] {
        let config = format!("route: {{receiver: 'null'}}\nreceivers:\n{receivers}\n");
        let found = assessed(&[CONTAINER, ("rules.yml", RULE), ("am.yml", &config)]);
        assert_eq!(check(&found, ALERTS).outcome, outcome, "{}", told(check(&found, ALERTS)));
    }
    let nested = "alertmanager:\n  config:\n    route: {receiver: a, routes: [{receiver: b}]}\n    receivers:\n    - {name: a}\n    - {name: b, email_configs: [{to: ops@acme.io}]}\n";
    assert_of(&[("rules.yml", RULE), ("values.yaml", nested)], ALERTS, Pass, "rules.yml:3");
    let wrong = nested.replace("    receivers:", "other:\n    receivers:");
    assert_of(&[("rules.yml", RULE), ("values.yaml", &wrong)], ALERTS, Unknown, "rules.yml:3");
}

#[test]
fn grafana_is_provisioned_with_alerts_that_reach_somebody() {
    let rules = "groups:\n- rules:\n  - title: Down\n    condition: A\n    data: [{refId: A}]\n";
    let points = "contactPoints:\n- name: team\n  receivers:\n  - {type: email, settings: {addresses: ops@acme.io}}\npolicies:\n- receiver: team\n";
    for (rules, points, outcome) in [
        (rules.to_owned(), points.to_owned(), Pass),
        (rules.to_owned(), points.replace("ops@acme.io", "<example@email.com>"), Fail),
        (rules.to_owned(), points.replace("- receiver: team", "- receiver: other"), Unknown),
        (rules.replace("[{refId: A}]", "[]"), points.to_owned(), Fail),
        (format!("{rules}    isPaused: true\n"), points.to_owned(), Fail),
    ] {
        let found = assessed(&[CONTAINER, ("r.yaml", &rules), ("p.yaml", &points)]);
        let alerts = check(&found, ALERTS);
        assert_eq!(alerts.outcome, outcome, "{}\n{rules}{points}", told(alerts));
    }
}

#[test]
fn alarms_of_clouds_reach_who_is_subscribed() {
    let alarm =
        |more: &str| format!("resource \"aws_cloudwatch_metric_alarm\" \"a\" {{\n  {more}\n}}\n");
    let topic = alarm("alarm_actions = [aws_sns_topic.ops.arn]");
    let subscribed = |topic: &str, endpoint: &str| {
        format!(
            "resource \"aws_sns_topic_subscription\" \"a\" {{\n  topic_arn = aws_sns_topic.{topic}.arn\n  endpoint = {endpoint}\n}}\n"
        )
    };
    for (text, outcome, line) in [
        (alarm("alarm_actions = [var.topic]"), Pass, 2),
        (alarm("alarm_actions = []"), Unknown, 1),
        (alarm("# alarm_actions = [var.topic]"), Unknown, 1),
        (alarm("ok_actions = [var.topic]"), Unknown, 1),
        (alarm("alarm_actions = [var.topic]\n  actions_enabled = false"), Fail, 0),
        (topic.clone(), Unknown, 2),
        (topic.clone() + &subscribed("ops", "\"ops@acme.io\""), Pass, 2),
        (topic.clone() + &subscribed("ops", "var.endpoint"), Pass, 2),
        (topic.clone() + &subscribed("ops", "\"ops@example.com\""), Fail, 6),
        (topic + &subscribed("dev", "\"ops@acme.io\""), Unknown, 2),
        ("resource \"datadog_monitor\" \"a\" {\n  message = <<E\nlook\nE\n}\n".to_owned(), Unknown, 1),
        ("resource \"datadog_monitor\" \"a\" {\n  message = <<E\n@slack-ops\nE\n}\n".to_owned(), Pass, 2),
        ("resource \"google_monitoring_alert_policy\" \"a\" {\n  notification_channels = [google_monitoring_notification_channel.a.id]\n}\n".to_owned(), Pass, 2),
        ("resource \"azurerm_monitor_metric_alert\" \"a\" {\n  action {\n    action_group_id = x.id\n  }\n}\n".to_owned(), Pass, 2),
    ] {
        let place = if line == 0 { String::new() } else { format!("a.tf:{line}") };
        assert_of(&[("a.tf", &text)], ALERTS, outcome, &place);
    }
    let template = |subscription: &str| {
        format!(
            "Resources:\n  A:\n    Type: AWS::CloudWatch::Alarm\n    Properties: {{AlarmActions: [!Ref T]}}\n  T:\n    Type: AWS::SNS::Topic\n    Properties: {{{subscription}}}\n"
        )
    };
    for (subscription, outcome) in [
        ("Subscription: [{Endpoint: ops@acme.io, Protocol: email}]", Pass),
        ("Subscription: [{Endpoint: ops@example.com, Protocol: email}]", Fail),
        ("TopicName: a", Unknown),
    ] {
        let text = template(subscription);
        let found = assessed(&[CONTAINER, ("t.yaml", &text)]);
        assert_eq!(check(&found, ALERTS).outcome, outcome, "{}", told(check(&found, ALERTS)));
    }
}

#[test]
fn owners_and_runbooks_are_named_and_are_there() {
    let rule = |more: &str| format!("{RULE}{more}");
    let owned = |files: Files<'_>, outcome, place: &str| {
        assert_of(files, "observability.owners", outcome, place);
    };
    owned(&[("r.yml", &rule("    labels: {team: platform}\n"))], Pass, "r.yml:5");
    owned(&[("r.yml", &rule("    labels: {team: ''}\n"))], Unknown, "r.yml:3");
    owned(&[("r.yml", &rule("    labels: {team: todo}\n"))], Unknown, "r.yml:3");
    owned(&[("r.yml", &rule("    # labels: {team: platform}\n"))], Unknown, "r.yml:3");
    owned(&[("r.yml", "a: b\n")], NotApplicable, "");
    let catalogue = "kind: Component\nspec:\n  owner: group:platform\n";
    owned(&[("r.yml", RULE), ("catalog-info.yaml", catalogue)], Pass, "catalog-info.yaml:3");
    owned(&[("r.yml", RULE), ("other.yaml", catalogue)], Unknown, "r.yml:3");

    let escalated = |files: Files<'_>, outcome, place: &str| {
        assert_of(files, "observability.escalation", outcome, place);
    };
    let book = rule("    annotations: {runbook_url: ops/down.md}\n");
    escalated(&[("r.yml", &book)], Fail, "r.yml:5");
    escalated(&[("r.yml", &book), ("ops/down.md", "# Down\n")], Pass, "r.yml:5");
    escalated(&[("a/r.yml", &book), ("a/ops/down.md", "# Down\n")], Pass, "a/r.yml:5");
    escalated(
        &[("r.yml", RULE), ("runbooks/a.md", "# Down\n\nLook.\nRestart.\n")],
        Pass,
        "runbooks/a.md:3",
    );
    escalated(&[("r.yml", RULE), ("runbooks/a.md", "# Down\n")], Fail, "r.yml:3");
    let policy =
        |rule: &str| format!("resource \"pagerduty_escalation_policy\" \"a\" {{\n{rule}}}\n");
    escalated(
        &[("r.yml", RULE), ("p.tf", &policy("  rule {\n    target {\n    }\n  }\n"))],
        Pass,
        "p.tf:1",
    );
    escalated(&[("r.yml", RULE), ("p.tf", &policy(""))], Fail, "r.yml:3");
}

#[test]
fn an_image_checks_its_health_unless_it_is_switched_off() {
    let health = |text: &str| {
        check(&assessed(&[("Dockerfile", text)]), "observability.health_checks").outcome
    };
    for (text, outcome) in [
        ("FROM a\nHEALTHCHECK CMD curl http://a/\n", Pass),
        ("FROM a\nhealthcheck --interval=5s CMD none\n", Pass),
        ("FROM a\nHEALTHCHECK NONE\n", Fail),
        ("FROM a\nHEALTHCHECK CMD a\nFROM b\nHEALTHCHECK NONE\n", Fail),
        ("FROM a\n# HEALTHCHECK CMD a\n", Fail),
    ] {
        assert_eq!(health(text), outcome, "{text}");
    }
    let library = assessed(&[("Cargo.toml", "[package]\nname = \"a\"\n"), ("src/lib.rs", "")]);
    assert_eq!(check(&library, "observability.owners").outcome, NotApplicable);
}

/// What only tests need, or only a workspace has at hand, is nothing that the program has.
#[test]
fn a_dependency_of_tests_is_none_of_the_program() {
    let java = ("A.java", "import io.opentelemetry.api.OpenTelemetry;\n");
    let pom = |inside: &str| {
        format!("<project>\n<dependencies>\n{inside}\n</dependencies>\n</project>\n")
    };
    let one = |more: &str| {
        pom(&format!("<dependency><artifactId>opentelemetry-api</artifactId>{more}</dependency>"))
    };
    let spring = "<parent><artifactId>spring-boot-starter-parent</artifactId></parent>\n";
    for (text, outcome) in [
        (one(""), Pass),
        (one("<scope>runtime</scope>"), Pass),
        (one("<scope>test</scope>"), Fail),
        (
            one("")
                .replace("<dependencies>", "<dependencyManagement><dependencies>")
                .replace("</dependencies>", "</dependencies></dependencyManagement>"),
            Fail,
        ),
        (format!("<!-- {} -->", one("")), Fail),
    ] {
        let found = assessed(&[CONTAINER, ("pom.xml", &text), java]);
        assert_eq!(check(&found, METRICS).outcome, outcome, "{text}");
    }
    assert_of(&[("pom.xml", spring)], "observability.logs", Fail, "");
    let gradle =
        |line: &str| check(&assessed(&[CONTAINER, ("build.gradle", line), java]), METRICS).outcome;
    assert_eq!(gradle("implementation 'io.opentelemetry:opentelemetry-api:1'\n"), Pass);
    assert_eq!(
        gradle("integrationTestImplementation 'io.opentelemetry:opentelemetry-api:1'\n"),
        Fail
    );
    let catalog = (
        "gradle/libs.versions.toml",
        "[libraries]\notel-api = { module = \"io.opentelemetry:opentelemetry-api\" }\n",
    );
    for (line, outcome, place) in [
        ("implementation(libs.otel.api)\n", Pass, "gradle/libs.versions.toml:2"),
        ("testImplementation(libs.otel.api)\n", Fail, ""),
        ("implementation(libs.otel.api2)\n", Fail, ""),
    ] {
        assert_of(&[catalog, ("build.gradle.kts", line), java], METRICS, outcome, place);
    }
    let ruby = ("app.rb", "OpenTelemetry::SDK.configure\n");
    for (text, outcome) in [
        ("group :test do\n  gem 'opentelemetry-sdk'\nend\n", Fail),
        ("group :development, :test do\n  if a\n  end\n  gem 'opentelemetry-sdk'\nend\n", Fail),
        ("group :production, :test do\n  gem 'opentelemetry-sdk'\nend\n", Pass),
        ("group :test do\nend\ngem 'opentelemetry-sdk'\n", Pass),
        ("gem 'opentelemetry-sdk', group: :test\n", Fail),
    ] {
        let found = assessed(&[CONTAINER, ("Gemfile", text), ruby]);
        assert_eq!(check(&found, METRICS).outcome, outcome, "{text}");
    }
    let workspace = (
        "Cargo.toml",
        "[workspace]\nmembers = [\"a\"]\n[workspace.dependencies]\nmetrics = \"1\"\n",
    );
    let code = ("a/src/main.rs", "use metrics::counter;\n");
    for (member, outcome, place) in [
        (
            "[package]\nname = \"a\"\n[dependencies]\nmetrics.workspace = true\n",
            Pass,
            "a/Cargo.toml:4",
        ),
        (
            "[package]\nname = \"a\"\n[target.'cfg(unix)'.dependencies]\nmetrics = \"1\"\n",
            Pass,
            "a/Cargo.toml:4",
        ),
        ("[package]\nname = \"a\"\n[dev-dependencies]\nmetrics.workspace = true\n", Fail, ""),
        ("[package]\nname = \"a\"\n", Fail, ""),
    ] {
        assert_of(&[workspace, ("a/Cargo.toml", member), code], METRICS, outcome, place);
    }
}

#[test]
fn an_image_is_checked_in_the_stage_that_runs() {
    let health = |files: Files<'_>| check(&assessed(files), "observability.health_checks").outcome;
    let built = "FROM a AS build\nHEALTHCHECK CMD curl http://a/\n";
    for (text, outcome) in [
        (format!("{built}FROM b\nCOPY --from=build /a /a\n"), Fail),
        (format!("{built}FROM build AS run\nCMD a\n"), Pass),
        (format!("{built}FROM build\nHEALTHCHECK NONE\n"), Fail),
        ("FROM a\nHEALTHCHECK CMD [\"true\"]\n".to_owned(), Fail),
        ("FROM a\nHEALTHCHECK CMD exit 0\n".to_owned(), Fail),
    ] {
        assert_eq!(health(&[("Dockerfile", &text)]), outcome, "{text}");
    }
    let two = format!("{built}FROM b AS debug\n");
    let target = "services:\n  web:\n    build:\n      context: .\n      target: build\n";
    assert_eq!(health(&[("Dockerfile", &two), ("compose.yaml", target)]), Pass);
    assert_eq!(health(&[("Dockerfile", &two)]), Fail);
    assert_eq!(
        health(&[CONTAINER, (".devcontainer/Dockerfile", "FROM a\nHEALTHCHECK CMD a\n")]),
        Fail
    );
}

#[test]
fn what_a_program_asks_for_elsewhere_is_no_health_of_its_own() {
    for (file, text, outcome) in [
        ("a.py", "@app.get(\"/health\")\n", Pass),
        ("a.py", "requests.get(base + \"/health\")\n", Fail),
        ("a.py", "url = base + \"/health\"\n", Fail),
        ("a.ts", "app.get('/health', handler)\n", Pass),
        ("a.ts", "await fetch('/health')\n", Fail),
        ("a.go", "http.HandleFunc(\"/healthz\", ok)\n", Pass),
        ("a.go", "http.Get(\"/healthz\")\n", Fail),
    ] {
        let found = assessed(&[CONTAINER, (file, text)]);
        let health = check(&found, "observability.health_checks");
        assert_eq!(health.outcome, outcome, "{text}{}", told(health));
    }
    // Nor is that of a store beside it.
    let store =
        "services:\n  db:\n    image: postgres:17\n    healthcheck: {test: [CMD, pg_isready]}\n";
    assert_of(&[("compose.yaml", store)], "observability.health_checks", Fail, "");
}

#[test]
fn frameworks_have_their_own_places_for_logs() {
    let logs = |file: &str, text: &str| {
        check(&assessed(&[CONTAINER, (file, text)]), "observability.logs").outcome
    };
    assert_eq!(logs("shop/settings.py", "LOGGING = {\n  \"version\": 1,\n}\n"), Pass);
    assert_eq!(logs("shop/settings.py", "# LOGGING = {\n"), Fail);
    assert_eq!(logs("config/logging.php", "<?php\nreturn ['channels' => []];\n"), Pass);
    assert_eq!(logs("config/app.php", "<?php\nreturn ['channels' => []];\n"), Fail);
}
