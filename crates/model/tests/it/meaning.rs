//! What a file means: defaults, units, and the standard plan.

use lockgate_model::agent::{Agent, HealthCheck, Limits, Match, SignalSource, StickyKey};
use lockgate_model::config::{
    self, AuditSettings, ChannelKind, Config, Misfit, Scenario, SecretRef, misfits,
};
use lockgate_model::drift::SOURCE_DEFAULT;
use lockgate_model::hook::{Confirm, Hook};
use lockgate_model::ids::DriftSource;
use lockgate_model::interaction::ServiceTier;
use lockgate_model::issuer::{IssuerKind, JwksAt, Who};
use lockgate_model::plan::{
    Absent, Action, AlertLevel, Bound, Environment, HardLimit, Metric, OnInsufficient, Plan,
};
use lockgate_model::tool::{Addresses, Models, ToolProtocol};
use lockgate_model::version::Digest;

const SMALLEST: &str = "\
agents:
  - name: a
    versions:
      - { name: v1, endpoint: \"http://127.0.0.1:9001/\" }
";

fn read(text: &str) -> Config {
    config::read("f.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

fn plan<'a>(config: &'a Config, name: &str) -> &'a Plan {
    config.plan(&name.parse().unwrap()).unwrap()
}

#[test]
fn the_smallest_file_gets_the_documented_defaults() {
    let config = read(SMALLEST);
    assert_eq!(config.listen.ingress.to_string(), "0.0.0.0:8080");
    assert_eq!(config.listen.egress.to_string(), "127.0.0.1:8081");
    assert_eq!(config.listen.api.to_string(), "127.0.0.1:8090");
    assert_eq!((config.snapshot_max_age_ms, config.tools.len()), (600_000, 0));
    assert_eq!(config.candidate_stale_max_ms, 600_000);
    assert_eq!(config.feedback.ticket_ttl_ms, 86_400_000);
    assert!(!config.metrics_need_token);
    assert_eq!(config.audit, AuditSettings::default());
    assert_eq!(config.digest, Digest::of(SMALLEST.as_bytes()));
    let agent = &config.agents[0];
    assert_eq!(agent.matches, [Match { host: None, path: None, strip_path: false }]);
    assert_eq!(agent.health, Some(HealthCheck::default()));
    assert_eq!(agent.limits, Limits::default());
    assert_eq!(agent.plan.as_str(), "standard");
    assert_eq!(agent.versions[0].endpoint, "http://127.0.0.1:9001");
    assert_eq!(config.warnings.len(), 1, "{}", config.warnings);
}

#[test]
fn a_tool_is_where_the_file_says() {
    let text = "tools:\n  - { name: files, url: 'http://x/mcp/', credential: { value: env:KEY } }\n  - { name: mail, url: 'https://y', timeout: 5s }\n";
    let config = read(&format!("{text}snapshot_max_age: 1m\n{SMALLEST}"));
    let [files, mail] = &config.tools[..] else { panic!("{:?}", config.tools) };
    assert_eq!((files.url.as_str(), files.timeout_ms), ("http://x/mcp/", 60_000));
    let credential = files.credential.as_ref().unwrap();
    assert_eq!(credential.header, "authorization");
    assert_eq!(credential.value.to_string(), "env:KEY");
    assert_eq!((mail.timeout_ms, &mail.credential), (5_000, &None));
    let egress = config.egress();
    assert_eq!((egress.tools.len(), egress.snapshot_max_age_ms), (2, 60_000));
}

#[test]
fn a_model_api_and_an_http_tool_say_what_of_them_may_be_used() {
    let text = "tools:
  - { name: gpt, protocol: openai, url: 'https://x/v1', models: [gpt-4o, 'o3*'] }
  - { name: claude, protocol: anthropic, url: 'https://y', credential: { value: env:KEY } }
  - name: orders
    protocol: http
    url: https://z/api
    operations:
      - { name: look_up, call: 'GET /orders/{id}', query: [expand] }
      - { name: refund, call: 'POST /orders/{id}/refunds' }
  - { name: desk, protocol: external }
  - { name: peer, protocol: a2a, url: 'https://peer.example.com/agents/peer/' }
";
    let config = read(&format!("{text}{SMALLEST}"));
    let [gpt, claude, orders, desk, peer] = &config.tools[..] else { panic!("{:?}", config.tools) };
    let ToolProtocol::Openai(models) = &gpt.protocol else { panic!("{gpt:?}") };
    assert!(models.hold("o3-mini") && !models.hold("gpt-4"));
    assert_eq!(
        (&claude.protocol, claude.timeout_ms),
        (&ToolProtocol::Anthropic(Models(None)), 600_000)
    );
    assert_eq!(claude.credential.as_ref().unwrap().header, "x-api-key");
    let ToolProtocol::Http(operations) = &orders.protocol else { panic!("{orders:?}") };
    let [look_up, refund] = &operations[..] else { panic!("{operations:?}") };
    assert_eq!(
        (look_up.name.as_str(), &look_up.query[..]),
        ("look_up", &["expand".to_owned()][..])
    );
    assert_eq!(refund.call.to_string(), "POST /orders/{id}/refunds");
    assert_eq!(orders.timeout_ms, 60_000);
    assert_eq!(
        (&desk.protocol, desk.url.as_str(), desk.timeout_ms),
        (&ToolProtocol::External, "", 600_000)
    );
    assert_eq!(
        (&peer.protocol, peer.url.as_str(), peer.timeout_ms),
        (&ToolProtocol::A2a, "https://peer.example.com/agents/peer/", 600_000)
    );
}

#[test]
fn agents_may_reach_calls_at_another_address_than_where_they_are_taken() {
    assert_eq!(read(SMALLEST).egress().url, None);
    let text = format!("listen: {{ egress_url: 'https://lockgate.example.com/' }}\n{SMALLEST}");
    let config = read(&text);
    assert_eq!(config.egress().url.as_deref(), Some("https://lockgate.example.com"));
    let text = format!("listen: {{ egress_url: 'ftp://x' }}\n{SMALLEST}");
    let errors = config::read("f.yaml", &text).unwrap_err().to_string();
    assert!(errors.contains("the URL in `egress_url` is neither http nor https"), "{errors}");
}

#[test]
fn an_issuer_outside_is_what_the_file_says() {
    let text = "issuers:
  - name: corp
    kind: oidc
    issuer: https://idp.example.com/
    audience: lockgate
    refresh: 1m
    map: [{ claims: { sub: a, env: prod }, agent: a, version: v1 }, { claims: { sub: a, env: test }, agent: a, version: v1 }]
  - name: mesh
    kind: spiffe
    trust_domain: example.org
    audience: lockgate
    jwks: file:/run/bundle.json
    map: [{ spiffe_id: spiffe://example.org/sa/a, agent: a, version: v1 }]
  - { name: here, kind: oidc, issuer: 'http://127.0.0.1:1', audience: x, jwks: 'http://localhost:1/keys', map: [{ claims: { sub: a }, agent: a, version: v1 }] }
";
    let config = read(&format!("{text}{SMALLEST}"));
    let [corp, mesh, here] = &config.issuers[..] else { panic!("{:?}", config.issuers) };
    // To the letter: a slash at the end is another issuer.
    let issuer = "https://idp.example.com/".to_owned();
    assert_eq!((&corp.kind, &corp.jwks), (&IssuerKind::Oidc { issuer }, &JwksAt::Discovery));
    assert_eq!((corp.refresh_ms, corp.max_age_ms, corp.map.len()), (60_000, 86_400_000, 2));
    assert_eq!(mesh.jwks, JwksAt::File("/run/bundle.json".into()));
    assert_eq!(mesh.map[0].who, Who::SpiffeId("spiffe://example.org/sa/a".into()));
    assert_eq!(here.jwks, JwksAt::Url("http://localhost:1/keys".into()));
    assert_eq!(config.egress().issuers, config.issuers);
}

#[test]
fn a_copy_of_the_audit_log_goes_to_a_place_without_secrets() {
    for url in ["s3://bucket", "s3://my.bucket/a/b", "gs://b/x", "az://c/x", "file:///mnt/x"] {
        let config = read(&format!("audit: {{ mirror: \"{url}\" }}\n{SMALLEST}"));
        assert_eq!(config.audit.mirror.as_deref(), Some(url));
    }
    for url in ["https://x/y", "s3://key:secret@bucket/x", "s3:///x", "file://x", "s3://b/x?y=1"] {
        let text = format!("audit: {{ mirror: \"{url}\" }}\n{SMALLEST}");
        let errors = config::read("f.yaml", &text).unwrap_err().to_string();
        assert!(errors.contains("f.yaml:1:18: error"), "{url}: {errors}");
    }
}

const WITNESS_1: &str = "witness.example/w1+e75f6532+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
const WITNESS_2: &str = "witness.example/w2+4f363231+BHm1Vi6P5lT5QHixEuipi6eQH4U65pW+1+DjkQutBJZk";

#[test]
fn witnesses_of_the_audit_log_all_vouch_unless_fewer_are_asked_for() {
    let two = format!(
        "witnesses: [{{ url: \"https://w1.example/\", key: \"{WITNESS_1}\" }}, {{ url: \"http://127.0.0.1:8095/x\", key: \"{WITNESS_2}\" }}]"
    );
    for (more, min) in [("", 2), (", cosignatures_min: 1", 1)] {
        let audit = read(&format!("audit: {{ {two}{more} }}\n{SMALLEST}")).audit;
        let [one, other] = &audit.witnesses[..] else { panic!("{audit:?}") };
        assert_eq!(
            (one.name.as_str(), one.url.as_str()),
            ("witness.example/w1", "https://w1.example")
        );
        assert_eq!(
            (other.key.as_str(), other.url.as_str()),
            (WITNESS_2, "http://127.0.0.1:8095/x")
        );
        assert_eq!(audit.cosignatures_min, min);
    }
}

#[test]
fn records_are_kept_for_a_day_at_least() {
    for (text, ms) in [("24h", 86_400_000), ("400d", 34_560_000_000), ("3650d", 315_360_000_000)] {
        let config = read(&format!("audit: {{ retention: {text} }}\n{SMALLEST}"));
        assert_eq!(config.audit.retention_ms, Some(ms));
    }
    for text in ["23h", "0s", "3651d", "forever", "-1d", "400"] {
        let text = format!("audit: {{ retention: {text} }}\n{SMALLEST}");
        let errors = config::read("f.yaml", &text).unwrap_err().to_string();
        assert!(errors.contains("f.yaml:1:"), "{text}: {errors}");
    }
}

#[test]
fn the_standard_plan_is_the_one_that_is_promised() {
    let config = read(SMALLEST);
    let plan = plan(&config, "standard");
    let hour_ms = 3_600_000;
    let stages: Vec<_> = plan
        .stages
        .iter()
        .map(|s| (s.name.as_str(), s.weight_bp, s.duration_ms / hour_ms, s.environment))
        .collect();
    assert_eq!(
        stages,
        [
            ("test", 0, 24, Environment::Test),
            ("10%", 1_000, 4, Environment::Production),
            ("25%", 2_500, 4, Environment::Production),
            ("50%", 5_000, 4, Environment::Production),
            ("100%", 10_000, 0, Environment::Production),
        ]
    );
    let gates = |stage: usize| -> Vec<_> {
        plan.stages[stage].gates.iter().map(|g| (g.metric, g.bound, g.absent)).collect()
    };
    assert_eq!(
        gates(0),
        [
            (Metric::Health, Bound::Equal(1.0), Absent::Refuse),
            (Metric::Probes, Bound::Equal(1.0), Absent::Waive)
        ]
    );
    let production = [
        (Metric::ErrorRate, Bound::Below(0.005), Absent::Refuse),
        (Metric::P95Ms, Bound::Below(200.0), Absent::Refuse),
        (Metric::Nps, Bound::Above(50.0), Absent::Waive),
        (Metric::SecurityEvents, Bound::Equal(0.0), Absent::Refuse),
    ];
    for stage in 1..=3 {
        assert_eq!(gates(stage), production);
        assert_eq!(plan.stages[stage].gates[0].min_samples, 901);
        assert_eq!(plan.stages[stage].extension_max_ms, plan.stages[stage].duration_ms);
    }
    assert_eq!(gates(4), []);
    let triggers: Vec<_> =
        plan.triggers.iter().map(|t| (t.metric, t.bound, t.alert, t.action)).collect();
    assert_eq!(
        triggers,
        [
            (Metric::ErrorRate, Bound::Above(0.05), AlertLevel::High, Action::Stop),
            (Metric::ErrorRate, Bound::AboveBaselineBy(0.0), AlertLevel::High, Action::Stop),
            (Metric::P95Ms, Bound::AboveBaselineBy(0.2), AlertLevel::Medium, Action::Switch),
            (Metric::CostUsd, Bound::AboveBaselineBy(0.3), AlertLevel::Medium, Action::Stop),
            (
                Metric::SecurityEvents,
                Bound::Above(0.0),
                AlertLevel::Highest,
                Action::StopImmediately
            ),
            (Metric::SatisfiedShare, Bound::Below(0.8), AlertLevel::High, Action::Switch),
            (Metric::NegativeShare, Bound::Above(0.05), AlertLevel::High, Action::Switch),
        ]
    );
    assert_eq!((plan.tick_ms, plan.drain_ms), (10_000, 600_000));
    assert_eq!(plan.on_insufficient, OnInsufficient::Rollback);
    assert_eq!(plan.hard_limits, []);
    assert_eq!(plan.progress_deadline_ms, Some(7 * 24 * hour_ms));
}

#[test]
fn triggers_that_are_not_written_stay_armed() {
    let text = format!(
        "{SMALLEST}plans:\n  - name: p\n    triggers:\n      error_rate: {{ bound: \"> 3%\", action: switch }}\n      cost_usd: {{ off_because: no prices }}\n      health: \"= 0\"\n"
    );
    let config = read(&text);
    let armed: Vec<_> = plan(&config, "p").triggers.iter().map(|t| (t.metric, t.action)).collect();
    assert_eq!(
        armed,
        [
            (Metric::ErrorRate, Action::Switch),
            (Metric::ErrorRate, Action::Stop),
            (Metric::P95Ms, Action::Switch),
            (Metric::SecurityEvents, Action::StopImmediately),
            (Metric::SatisfiedShare, Action::Switch),
            (Metric::NegativeShare, Action::Switch),
            (Metric::Health, Action::Stop),
        ]
    );
    let warnings = config.warnings.to_string();
    assert!(warnings.contains("trigger `cost_usd` is off: no prices"), "{warnings}");
}

#[test]
fn a_file_may_say_everything() {
    let text = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/plans.yaml"),
    );
    let config = read(&text.unwrap());
    let support = &config.agents[0];
    assert_eq!(support.sticky, Some(StickyKey::Header("x-user-id".into())));
    assert_eq!(support.signals, [SignalSource::Feedback, SignalSource::Cost]);
    assert_eq!(support.matches[1].path.as_deref(), Some("/support"));
    assert!(support.matches[1].strip_path);
    assert_eq!(config.agents[1].health, None);
    assert_eq!(config.agents[1].channels.len(), 2, "all of them by default");
    assert_eq!(
        config.channels[0].kind,
        ChannelKind::Webhook {
            url: "https://alerts.example.com/lockgate".into(),
            secret: Some(SecretRef::Env("ALERT_KEY".into())),
        }
    );
    assert_eq!(config.prices[0].price.standard.base.cached_input, Some(0.1));
    let careful = plan(&config, "careful");
    assert_eq!(careful.hard_limits, [HardLimit::ConsecutiveErrors(50)]);
    assert_eq!(careful.path, Some(Scenario::Microservices));
    assert_eq!(plan(&config, "quick").path, None, "no path is asked for unless a plan says so");
    assert_eq!(support.versions[1].commit.as_ref().map(String::len), Some(40));
    assert_eq!(careful.stages[1].name, "canary");
    assert_eq!(careful.stages[1].gates.len(), 2, "exactly its own");
    assert_eq!(careful.stages[2].gates.len(), 7, "the plan's");
    assert_eq!(careful.stages[2].gates[1].bound, Bound::Below(2_000.0));
    assert_eq!(careful.stages[5].gates, [], "done on reaching it");
    assert_eq!(careful.progress_deadline_ms, Some(5 * 86_400_000));
    let quick = plan(&config, "quick");
    assert_eq!(quick.few_stages.as_ref().map(|o| o.by.as_str()), Some("platform team"));
    assert_eq!(quick.stages[1].gates.len(), 4, "judged, as it has a duration");
    assert_eq!(quick.windows_ms(), Vec::<u64>::new(), "statistical judges read everything");
    assert_eq!(careful.windows_ms(), [600_000], "the threshold judge looks back");
}

#[test]
fn another_plan_is_checked_before_a_release_follows_it() {
    let text = format!(
        "{SMALLEST}      - {{ name: v2, endpoint: \"http://x\", test_endpoint: \"http://y\" }}\nplans:\n  - name: p\n    gates: {{ cost_usd: \"< 1\" }}\n"
    );
    let config = read(&text);
    let agent = &config.agents[0];
    assert_eq!(misfits(agent, plan(&config, "standard")), []);
    let found = misfits(agent, plan(&config, "p"));
    assert_eq!(found.len(), 3);
    assert_eq!(found[0], Misfit::NoSource { stage: 1, metric: Metric::CostUsd });
}

#[test]
fn a_release_is_held_to_what_it_is_worth() {
    let plans = "plans:\n  - name: p\n    gates: { replacement_rate: \"> 70%\", cost_per_resolved_usd: \"< 0.1\" }\n    triggers: { replacement_rate: \"< 50%\", cost_per_resolved_usd: \"> baseline + 30%\" }\n";
    let config = read(&format!("{SMALLEST}{plans}"));
    let plan = plan(&config, "p");
    let gates: Vec<_> = plan.stages[1].gates.iter().map(|gate| (gate.metric, gate.bound)).collect();
    assert_eq!(
        gates,
        [
            (Metric::ReplacementRate, Bound::Above(0.7)),
            (Metric::CostPerResolvedUsd, Bound::Below(0.1))
        ]
    );
    let of = |metric| plan.triggers.iter().find(|trigger| trigger.metric == metric).unwrap();
    let (rate, cost) = (of(Metric::ReplacementRate), of(Metric::CostPerResolvedUsd));
    assert_eq!((rate.bound, rate.action), (Bound::Below(0.5), Action::Switch));
    assert_eq!((cost.bound, cost.min_samples), (Bound::AboveBaselineBy(0.3), 200));
    // The smallest agent says neither cost nor outcomes: each lack is named until there is none.
    let mut agent = config.agents[0].clone();
    let lacking = |agent: &Agent| {
        misfits(agent, plan)
            .iter()
            .filter(|found| matches!(found, Misfit::NoSource { stage: 1, .. }))
            .count()
    };
    assert_eq!(lacking(&agent), 2);
    agent.signals = vec![SignalSource::Outcome];
    assert_eq!(lacking(&agent), 1);
    agent.signals.push(SignalSource::Cost);
    assert_eq!(lacking(&agent), 0);
}

#[test]
fn weights_are_read_to_two_decimals() {
    let text = format!(
        "{SMALLEST}plans:\n  - name: p\n    stages:\n      - {{ weight: 0.01, duration: 1s }}\n      - {{ weight: 12.34%, duration: 1h30m }}\n      - {{ weight: \"50 %\", duration: 250ms }}\n      - weight: 100\n"
    );
    let config = read(&text);
    let stages: Vec<_> =
        plan(&config, "p").stages.iter().map(|s| (s.weight_bp, s.duration_ms)).collect();
    assert_eq!(stages, [(1, 1_000), (1_234, 5_400_000), (5_000, 250), (10_000, 0)]);
}

#[test]
fn no_gates_on_a_last_stage_without_time_is_what_is_so_anyway() {
    let text = format!(
        "{SMALLEST}plans:\n  - name: p\n    stages:\n      - {{ weight: 1, duration: 1h }}\n      - {{ weight: 2, duration: 1h }}\n      - {{ weight: 3, duration: 1h }}\n      - {{ weight: 100, gates: {{}} }}\n"
    );
    let config = read(&text);
    assert_eq!(plan(&config, "p").stages[3].gates, []);
    assert!(!config.warnings.to_string().contains("100%"), "{}", config.warnings);
}

#[test]
fn what_holds_a_release_up_is_read() {
    let config = read(
        "agents:
  - name: tools
    match: [{ path: /tools }]
    versions: [{ name: v1, endpoint: \"http://x\" }]
  - name: a
    plan: p
    after: [tools]
    versions: [{ name: v1, endpoint: \"http://y\" }]
plans:
  - name: p
    freeze: [fri 16:00 - mon 08:00 Europe/Berlin]
    initial_delay: 2m
    source_errors_max: 3
    rollback_window: 2h
    rollback_gate: { url: \"http://gates/back\", secret: env:KEY }
    drift: { max_age: 12h, of: [infra, cluster] }
    stages:
      - { weight: 0, duration: 1h }
      - { weight: 10, duration: 1h, confirm: { by: person } }
      - { weight: 50, duration: 1h, confirm: { by: webhook, url: \"http://gates/on\" } }
      - { weight: 100 }
",
    );
    assert_eq!(config.agents[1].after, ["tools".parse().unwrap()]);
    let p = plan(&config, "p");
    let windows: Vec<String> = p.freeze.iter().map(ToString::to_string).collect();
    assert_eq!(windows, ["fri 16:00 - mon 08:00 Europe/Berlin"]);
    assert_eq!((p.initial_delay_ms, p.source_errors_max), (120_000, 3));
    assert_eq!(p.rollback_window_ms, Some(7_200_000));
    let gate = p.rollback_gate.as_ref().unwrap();
    assert_eq!(gate.url, "http://gates/back");
    assert_eq!(gate.secret, Some(SecretRef::Env("KEY".into())));
    let gate = p.drift.as_ref().unwrap();
    let of: Vec<&str> = gate.of.iter().map(DriftSource::as_str).collect();
    assert_eq!((gate.max_age_ms, of), (43_200_000, vec!["infra", "cluster"]));
    let confirms: Vec<_> = p.stages.iter().map(|stage| stage.confirm.clone()).collect();
    let hook = Hook { url: "http://gates/on".into(), secret: None };
    assert_eq!(confirms, [None, Some(Confirm::Person), Some(Confirm::Webhook(hook)), None]);
    let standard = plan(&config, "standard");
    assert_eq!((standard.initial_delay_ms, standard.source_errors_max), (0, 30));
    assert_eq!((standard.rollback_window_ms, &standard.rollback_gate), (Some(86_400_000), &None));
    assert_eq!(standard.drift, None);
    assert!(standard.freeze.is_empty() && standard.stages.iter().all(|s| s.confirm.is_none()));
}

#[test]
fn whoever_reports_drift_without_a_name_is_asked_by_default() {
    let config = read(&format!("{SMALLEST}plans:\n  - {{ name: p, drift: {{ max_age: 1h }} }}\n"));
    let gate = plan(&config, "p").drift.clone().unwrap();
    assert_eq!((gate.of[0].as_str(), gate.of.len()), (SOURCE_DEFAULT, 1));
}

#[test]
fn probes_come_from_the_file_that_is_named() {
    let source = |probes: &str| {
        config::Source {
        text: "agents:\n  - name: a\n    probes: { file: sets/p.jsonl, per_second: 4 }\n    plan: p\n    versions: [{ name: v1, endpoint: \"http://x\" }]\nplans:\n  - name: p\n    stages:\n      - { weight: 0, duration: 1s, mirror: 2.5%, gates: { probes: \"= 100%\" } }\n      - { weight: 10, duration: 1h }\n      - { weight: 50, duration: 1h }\n      - weight: 100\n".into(),
        files: [("sets/p.jsonl".to_owned(), probes.to_owned())].into(),
    }
    };
    let line = |name: &str| format!("{{\"name\":\"{name}\",\"request\":{{\"path\":\"/\"}}}}\n");
    let five: String = ["a", "b", "c", "d", "e"].map(line).concat();
    let config = config::read_with("lockgate.yaml", &source(&five)).unwrap();
    let probes = config.agents[0].probes.as_ref().unwrap();
    assert_eq!((probes.every_ms, probes.set.len()), (250, 5));
    assert_eq!(config.agents[0].sources(), [lockgate_model::agent::SignalSource::Probes]);
    let mirrored: Vec<u32> = config.plans[0].stages.iter().map(|stage| stage.mirror_bp).collect();
    assert_eq!(mirrored, [250, 0, 0, 0]);
    let told: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert!(told.iter().any(|told| told.contains("sending 5 probes takes 1s250ms")), "{told:?}");
    let wrong = config::read_with("lockgate.yaml", &source(&format!("{}{{}}\n", line("a"))));
    let wrong = wrong.unwrap_err();
    let first = wrong.iter().next().unwrap();
    assert_eq!((first.file.as_str(), first.line), ("sets/p.jsonl", 2), "{first}");
}

#[test]
fn measures_of_an_agent_and_bounds_on_them() {
    let text = "agents:\n  - name: a\n    measures:\n      - { name: grounded, better: higher }\n      - { name: steps, better: lower, from: 1, to: 50 }\n    plan: p\n    versions: [{ name: v1, endpoint: \"http://x\" }]\nplans:\n  - name: p\n    gates: { security_events: \"= 0\", measures: { steps: \"< 20\", grounded: { bound: \"> 0.8\", min_samples: 50, assurance: proved } } }\n    triggers: { measures: { grounded: \"< baseline - 10%\", steps: { bound: \"> 30\", judge: threshold, action: stop } } }\n";
    let config = config::read("f.yaml", text).unwrap();
    let agent = &config.agents[0];
    let [grounded, steps] = ["grounded", "steps"].map(|name| name.parse().unwrap());
    assert_eq!(agent.measures.len(), 2);
    assert_eq!((agent.measures[0].from, agent.measures[0].to), (0.0, 1.0));
    assert_eq!((agent.measures[1].from, agent.measures[1].to), (1.0, 50.0));
    assert_eq!(
        agent.sources(),
        [grounded, steps].map(lockgate_model::agent::SignalSource::Measure)
    );
    let plan = plan(&config, "p");
    let gates: Vec<(Metric, Bound, u64)> = plan.stages[1]
        .gates
        .iter()
        .map(|gate| (gate.metric, gate.bound, gate.min_samples))
        .collect();
    assert_eq!(
        gates[1..],
        [
            (Metric::Measure(grounded), Bound::Above(0.8), 50),
            (Metric::Measure(steps), Bound::Below(20.0), 30),
        ]
    );
    let own: Vec<_> = plan
        .triggers
        .iter()
        .filter(|trigger| matches!(trigger.metric, Metric::Measure(_)))
        .map(|trigger| (trigger.bound, trigger.action, trigger.min_samples))
        .collect();
    assert_eq!(
        own,
        [
            (Bound::BelowBaselineBy(0.1), Action::Switch, 200),
            (Bound::Above(30.0), Action::Stop, 300),
        ]
    );
    // A plan is kept as JSON, too.
    let written = serde_json::to_string(plan).unwrap();
    assert_eq!(&serde_json::from_str::<lockgate_model::plan::Plan>(&written).unwrap(), plan);
}

#[test]
fn a_tunnel_is_a_host_and_where_it_may_lead() {
    let text = "tools:
  - { name: pypi, protocol: tunnel, url: https://PyPI.org/ }
  - { name: git, protocol: tunnel, url: 'https://git.internal:8443', addresses: private, timeout: 1m }
";
    let config = read(&format!("{text}{SMALLEST}"));
    let [pypi, git] = &config.tools[..] else { panic!("{:?}", config.tools) };
    assert_eq!(
        (&pypi.protocol, pypi.url.as_str(), pypi.timeout_ms),
        (&ToolProtocol::Tunnel(Addresses::Public), "https://PyPI.org", 600_000)
    );
    assert_eq!(
        (&git.protocol, git.timeout_ms),
        (&ToolProtocol::Tunnel(Addresses::Private), 60_000)
    );
}

/// `rollout start --plan` must not lead around what the agent's own plan asks for.
#[test]
fn what_an_agents_own_plan_asks_before_a_release_holds_for_every_plan() {
    let text = format!(
        "{SMALLEST}    plan: own\nplans:\n  - name: own\n    path: monolith\n    drift: {{ max_age: 2h, of: [infra] }}\n  - name: free\n  - name: strict\n    path: serverless\n    drift: {{ max_age: 1h, of: [cluster] }}\n"
    );
    let config = read(&text);
    let asked = |name: &str| {
        let plan = config.plan_for(&config.agents[0], &name.parse().unwrap()).unwrap();
        let drift = plan.drift.unwrap();
        let of: Vec<String> = drift.of.iter().map(ToString::to_string).collect();
        (plan.name.to_string(), plan.path, drift.max_age_ms / 3_600_000, of.join(" "))
    };
    let of = |name: &str, hours, sources: &str| {
        (name.to_owned(), Some(Scenario::Monolith), hours, sources.to_owned())
    };
    assert_eq!(asked("own"), of("own", 2, "infra"));
    assert_eq!(asked("free"), of("free", 2, "infra"));
    assert_eq!(asked("strict"), of("strict", 1, "cluster infra"));
    assert!(config.plan_for(&config.agents[0], &"none".parse().unwrap()).is_none());
}

const PRICED: &str = "{\"m\": {\"input_cost_per_token\": 1e-06, \"output_cost_per_token\": 2e-06},\n\"p\": {\"mode\": \"image_generation\"}}";

fn with_prices(more: &str, file: &str) -> Result<Config, String> {
    let text = format!("{SMALLEST}{more}");
    let files = [("sets/prices.json".to_owned(), file.to_owned())].into();
    let source = config::Source { text, files };
    config::read_with("f.yaml", &source).map_err(|errors| errors.to_string())
}

#[test]
fn a_file_of_prices_is_read_and_what_it_does_not_price_is_named() {
    let written = "prices_file: { file: sets/prices.json, date: 2026-11-20 }\n";
    let config = with_prices(written, PRICED).unwrap();
    let prices = config.prices_file.as_ref().unwrap();
    assert_eq!((prices.date.as_deref(), prices.list.len()), (Some("2026-11-20"), 1));
    assert_eq!(prices.digest, Digest::of(PRICED.as_bytes()));
    let warnings = config.warnings.to_string();
    assert!(warnings.contains("sets/prices.json:2:6: warning: not priced"), "{warnings}");
    assert!(warnings.contains("models without prices of tokens: `p`"), "{warnings}");
    // Other prices are another configuration, and take effect at the next start.
    let dearer = with_prices(written, &PRICED.replace("1e-06", "3e-06")).unwrap();
    assert_ne!(config.digest, dearer.digest);
    assert_eq!(config::at_next_start(&config, &dearer), ["prices_file"]);
    let paths: Vec<String> =
        config::diff(&config, &dearer).into_iter().map(|change| change.path).collect();
    assert_eq!(paths, ["prices_file.digest"]);
}

#[test]
fn a_wrong_file_of_prices_is_an_error_with_its_place() {
    let written = "prices_file: { file: sets/prices.json }\n";
    for (more, file, says) in [
        (written, "{\"m\": {}\n", "sets/prices.json:2:1: error: this is no file of prices: EOF"),
        (written, "{\"m\": {}}", "sets/prices.json:1:1: error: it prices no model by its tokens"),
        (
            "prices_file: { file: other.json }\n",
            PRICED,
            "f.yaml:5:22: error: there is no file `other.json`",
        ),
        ("prices_file: { date: 2026-11-20 }\n", PRICED, "error: `file` is missing"),
        (
            "prices_file: { file: sets/prices.json, date: 2026-02-30 }\n",
            PRICED,
            "f.yaml:5:46: error: `2026-02-30` is no day",
        ),
        ("prices_file: { file: /etc/passwd }\n", PRICED, "`file` must be a file beside this one"),
    ] {
        let errors = with_prices(more, file).unwrap_err();
        assert!(errors.contains(says), "{says}\n{errors}");
        assert!(!says.starts_with("sets") || errors.contains("hint: "), "{errors}");
    }
    let large = " ".repeat(config::FILE_BYTES_MAX + 1);
    let errors = with_prices(written, &large).unwrap_err();
    assert!(errors.contains("is larger than 8388608 bytes"), "{errors}");
}

#[test]
fn own_prices_may_tell_tiers_and_lengths_apart() {
    let text = format!(
        "{SMALLEST}prices:\n- model: m\n  input_usd_per_mtok: 1\n  output_usd_per_mtok: 4\n  cached_input_usd_per_mtok: 0.1\n  \
         above:\n  - {{ input_tokens: 200000, input_usd_per_mtok: 2 }}\n  batch: {{ input_usd_per_mtok: 0.5, output_usd_per_mtok: 2 }}\n"
    );
    let price = &read(&text).prices[0].price;
    let long = price.standard.rates(200_001).unwrap();
    assert_eq!((long.input, long.output, long.cached_input), (2.0, 4.0, Some(0.1)));
    let batch = price.ladder(Some(ServiceTier::Batch)).unwrap();
    assert_eq!(
        batch.rates(200_000).map(|rates| (rates.input, rates.cached_input)),
        Some((0.5, None))
    );
    assert_eq!(batch.rates(200_001), None);
    let twice = text.replace(
        "input_usd_per_mtok: 2 }",
        "input_usd_per_mtok: 2 }\n  - { input_tokens: 200000 }",
    );
    let errors = config::read("f.yaml", &twice).unwrap_err().to_string();
    assert!(errors.contains("`input_tokens` 200000 is there twice"), "{errors}");
}
