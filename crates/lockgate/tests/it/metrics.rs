//! What monitoring reads of a whole server, and that the list of it in the documentation is true.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::support::metrics;
use crate::support::scene::scene_with;

/// Names as they are asked for in a query: a counter's ends in `_total`.
fn exposed(text: &str) -> BTreeSet<String> {
    let kinds = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    kinds
        .map(|(name, kind)| match kind {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.to_owned(),
        })
        .collect()
}

/// The first cells of the tables in `docs/api.md` that name a metric.
fn documented() -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
    let text = fs::read_to_string(path).expect("the page is there");
    let rows = text.lines().filter_map(|line| line.strip_prefix("| `lockgate_"));
    rows.map(|row| format!("lockgate_{}", row.split('`').next().unwrap_or_default())).collect()
}

#[test]
fn every_metric_is_documented_and_every_documented_one_is_there() {
    let away = tempfile::tempdir().expect("a directory for the test");
    let mirror = away.path().join("copy");
    let mut scene = scene_with(&["v1", "v2"], |text| {
        let text = text.replace("duration: 200ms", "duration: 1h");
        let text =
            text.replace("    plan: quick\n", "    plan: quick\n    signals: [feedback, cost]\n");
        // Nobody answers there: that is told as well.
        let key = "witness.example/w1+e75f6532+BAOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
        let witness = format!("{{ url: \"http://127.0.0.1:9\", key: \"{key}\" }}");
        format!(
            "audit: {{ mirror: \"file://{}\", witnesses: [{witness}] }}\n{text}",
            mirror.display()
        )
    });
    let ingress = scene.server.ingress();
    for (vote, times) in [(-1, 2), (1, 1)] {
        let asked = scene.world.answer(&ingress, "ann");
        let vote = serde_json::json!({ "score": vote });
        for _ in 0..times {
            assert_eq!(scene.world.vote(&ingress, &asked.ticket, &vote), Some(202));
        }
    }
    scene.start("v2");
    scene.until("v2 gets users", |view| view["candidate_arm"]["requests"].as_u64() > Some(0));
    let line = |text: &str, name: &str| -> Option<f64> {
        let of = |line: &&str| line.starts_with(&format!("{name} "));
        text.lines().find(of)?.rsplit(' ').next()?.parse().ok()
    };
    let of_v1 = "agent=\"support\",version=\"v1\"";
    let latency =
        format!("lockgate_gateway_request_duration_seconds_count{{{of_v1},kind=\"plain\"}}");
    let mut text = String::new();
    scene.server.until("what was measured is told", |server| {
        text = metrics(server);
        let v2 = latency.replace("v1", "v2");
        line(&text, &latency) > Some(0.0) && line(&text, &v2) > Some(0.0)
    });
    for (score, counted) in [("negative", 1.0), ("positive", 1.0)] {
        let name = format!("lockgate_gateway_feedback_total{{{of_v1},score=\"{score}\"}}");
        assert_eq!(line(&text, &name), Some(counted), "a vote counts once: {text}");
    }
    let whole = latency.replace("_count{", "_bucket{le=\"+Inf\",");
    assert_eq!(line(&text, &whole), line(&text, &latency));
    // the versions of this test say nothing of their cost: that is no zero
    let costs =
        |known: &str| format!("lockgate_gateway_cost_requests_total{{{of_v1},cost=\"{known}\"}}");
    assert_eq!(line(&text, &costs("known")), Some(0.0));
    assert!(line(&text, &costs("unknown")) > Some(0.0), "{text}");
    let ended = "lockgate_rollouts_ended_total{agent=\"support\",outcome=\"promoted\"}";
    assert_eq!(line(&text, ended), Some(1.0), "the first version's own");
    let (exposed, documented) = (exposed(&text), documented());
    let missing: Vec<_> = exposed.difference(&documented).collect();
    let invented: Vec<_> = documented.difference(&exposed).collect();
    assert!(missing.is_empty(), "not in docs/api.md: {missing:?}");
    assert!(invented.is_empty(), "only in docs/api.md: {invented:?}");
}
