//! What changed between two files.

use lockgate_model::config::{self, Config, diff};

const OLD: &str = "\
agents:
  - name: a
    match: [{ path: /a }]
    versions:
      - { name: v1, endpoint: \"http://x\" }
  - name: b
    match: [{ path: /b }]
    versions:
      - { name: v1, endpoint: \"http://y\" }
";

fn read(text: &str) -> Config {
    config::read("f.yaml", text).unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn layout_comments_and_order_are_no_change() {
    let moved = "\
# the same
agents:
  - { name: b, match: [{ path: /b/ }], versions: [{ name: v1, endpoint: \"http://y\" }] }
  - { name: a, match: [{ path: /a }], versions: [{ name: v1, endpoint: \"http://x\" }] }
";
    assert_eq!(diff(&read(OLD), &read(moved)), []);
}

#[test]
fn each_change_has_its_path() {
    let new = "\
listen: { ingress: 0.0.0.0:80 }
agents:
  - name: a
    match: [{ path: /a }]
    plan: p
    versions:
      - { name: v1, endpoint: \"http://x\" }
      - { name: v2, endpoint: \"http://z\", test_endpoint: \"http://t\" }
plans:
  - name: p
";
    let changes = diff(&read(OLD), &read(new));
    let paths: Vec<(&str, bool, bool)> =
        changes.iter().map(|c| (c.path.as_str(), c.from.is_some(), c.to.is_some())).collect();
    assert_eq!(
        paths,
        [
            ("listen.ingress", true, true),
            ("agents.a.plan", true, true),
            ("agents.a.versions.v2", false, true),
            ("agents.b", true, false),
            ("plans.p", false, true),
        ]
    );
    assert_eq!(changes[0].from, Some("0.0.0.0:8080".into()));
    assert_eq!(changes[0].to, Some("0.0.0.0:80".into()));
}

#[test]
fn one_gate_is_found_by_its_metric() {
    let with = |bound: &str| {
        read(&format!("{OLD}plans:\n  - name: p\n    gates:\n      error_rate: \"{bound}\"\n"))
    };
    let changes = diff(&with("< 1%"), &with("< 2%"));
    let first = &changes[0];
    assert_eq!(first.path, "plans.p.stages.10%.gates.error_rate.bound.below");
    assert_eq!((first.from.as_ref(), first.to.as_ref()), (Some(&0.01.into()), Some(&0.02.into())));
}
