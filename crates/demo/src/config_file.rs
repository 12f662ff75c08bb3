//! The `lockgate.yaml` of the demo: the file that a user with this agent could have written.

use std::collections::BTreeMap;
use std::path::Path;

use crate::versions::{FIRST, LARGE, RELEASED, SMALL, VersionSpec};

/// The agent's name.
pub(crate) const AGENT: &str = "harbour";
/// The tool's name.
pub(crate) const TOOL: &str = "documents";

/// What the versions may do with their tool.
pub(crate) const POLICY: &str = r"# Written by `lockgate demo`.
tools:
  documents:
    actions:
      search: {arguments: {query: text}}
      read: {arguments: {paths: paths}}
rules:
  - {id: searching, tool: documents, action: search, effect: allow}
  - id: reading
    tool: documents
    action: read
    effect: allow
    when: {paths.has_parent: {is: false}, paths.any_absolute: {is: false}}
  - id: documents-only
    tool: documents
    action: read
    effect: deny
    when: {any: [{paths.has_parent: {known: true, is: true}}, {paths.any_absolute: {known: true, is: true}}]}
    risk: ASI02
    message: Only the documents can be read.
    security_event: true    # a candidate that tries it is cut off and taken back
";

/// The part of the file that says where the tool is, and what it is shown.
pub(crate) fn tools(address: &str, key_file: &Path) -> String {
    let key = key_file.display();
    format!(
        r#"
tools:
  - name: {TOOL}
    protocol: http
    url: http://{address}
    credential: {{ value: "file:{key}" }}
    operations:
      - {{ name: search, call: POST /search }}
      - {{ name: read, call: POST /read }}
"#
    )
}
/// Lengths of the first stage with users, of the next two, and of the last; and the candidate's share in the first.
const STAGES_S: [u32; 3] = [12, 8, 4];
/// Latency that the plan's gate asks for, milliseconds.
pub(crate) const P95_MS_MAX: u32 = 200;
const FIRST_STAGE_PERCENT: u32 = 10;
/// The rise of latency that takes a version back. Unoptimised, all of Lockgate and its agents scatter more.
const P95_RISE_PERCENT: u32 = if cfg!(debug_assertions) { 40 } else { 20 };

/// How much longer stages with users are where few come, so that they see as many.
fn stretch(rate: u32) -> u32 {
    (100 / rate.max(1)).clamp(1, 4)
}

/// Samples that verdicts wait for, from how many requests the first stage sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Samples {
    requests: u32,
    relative: u32,
    votes: u32,
}

impl Samples {
    fn at(rate: u32) -> Self {
        let requests = rate * FIRST_STAGE_PERCENT * STAGES_S[0] * stretch(rate) / 100;
        Self { requests, relative: requests * 5 / 8, votes: requests / 6 }
    }
}

/// Writes the file for versions at `endpoints` (base URL by version name) under `rate` requests a
/// second.
pub(crate) fn text(endpoints: &BTreeMap<String, String>, rate: u32) -> String {
    let samples = Samples::at(rate);
    let versions: String = std::iter::once(&FIRST)
        .chain(&RELEASED)
        .map(|spec| version(spec, endpoints.get(spec.name).map_or("", String::as_str)))
        .collect();
    let Samples { requests, relative, votes } = samples;
    let [first_s, later_s, last_s] = STAGES_S.map(|seconds| seconds * stretch(rate));
    format!(
        r#"# Written by `lockgate demo`. A plan of days, in seconds.
listen:
  ingress: 127.0.0.1:0   # free ports; the server writes them to addresses.json
  egress: 127.0.0.1:0
  api: 127.0.0.1:0

agents:
  - name: {AGENT}
    match:
      - path: /v1
    sticky:
      header: x-user     # a user stays with a version, and counts once in its error rate
    protocol: openai
    signals: [feedback, cost]
    latency: total       # streamed and plain answers are judged together
    health:
      path: /healthz
      interval: 1s
      timeout: 900ms
      unhealthy_after: 2 # two checks fit into the first stage
      healthy_after: 1
    plan: seconds
    versions:            # the first becomes stable at once, the others wait for a release
{versions}
plans:
  - name: seconds
    # {rate} requests/s: the first stage with users gives the candidate about {requests} requests, and
    # 4 of 10 answers draw a vote. Gates wait for fewer samples than the defaults (901 for
    # "< 0.5%"), which this plan would have to run much longer to see. Triggers need none: their
    # tests bound how often they are wrong, whatever is seen.
    stages:
      - weight: 0        # test environment: healthy or no further
        duration: 2s
      - weight: {FIRST_STAGE_PERCENT}
        duration: {first_s}s
      - weight: 25
        duration: {later_s}s
      - weight: 50
        duration: {later_s}s
      - weight: 100
        duration: {last_s}s
    gates:
      error_rate: {{ bound: "< 0.5%", min_samples: {relative} }}
      p95_ms: {{ bound: "< {P95_MS_MAX}", min_samples: {relative} }}
      nps: {{ bound: "> 50", min_samples: {votes} }}
      security_events: "= 0"
    triggers:
      error_rate: {{ bound: "> 5%", action: stop, alert: high }}
      p95_ms: {{ bound: "> baseline + {P95_RISE_PERCENT}%", action: switch, alert: medium }}
      cost_usd: {{ bound: "> baseline + 30%", min_samples: {relative}, action: stop, alert: medium }}
      satisfied_share: {{ bound: "< 80%", action: switch, alert: high }}
      negative_share: {{ bound: "> 5%", action: switch, alert: high }}
      security_events: {{ bound: "> 0", action: stop_immediately, alert: highest }}
    tick: 500ms
    drain: 2s            # running conversations may finish after a switch
    progress_deadline: 3m
    rollback_window: none # who comes back in a later round goes through the stages again

prices:                  # US dollars per million tokens of the models that the versions call
  - {{ model: {SMALL}, input_usd_per_mtok: 0.2, output_usd_per_mtok: 0.8 }}
  - {{ model: {LARGE}, input_usd_per_mtok: 0.5, output_usd_per_mtok: 2.0 }}
"#
    )
}

fn version(spec: &VersionSpec, endpoint: &str) -> String {
    format!(
        "      - name: {}\n        endpoint: {endpoint}\n        test_endpoint: {endpoint}\n        model: {}\n        side_effects: none\n",
        spec.name, spec.model
    )
}

#[cfg(test)]
mod tests {
    use lockgate_model::config;
    use lockgate_policy::{Asked, Bundle, Verdict};
    use serde_json::json;

    use super::*;

    #[test]
    fn the_file_is_valid_and_nothing_in_it_needs_a_warning() {
        let specs = || std::iter::once(&FIRST).chain(&RELEASED).zip(9_001..);
        let endpoints =
            specs().map(|(spec, port)| (spec.name.to_owned(), format!("http://127.0.0.1:{port}")));
        for rate in [50, 100, 200, 1_000] {
            let text = text(&endpoints.clone().collect(), rate)
                + &tools("127.0.0.1:9000", Path::new("/keys/tools"));
            let config = config::read("lockgate.yaml", &text).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(config.agents[0].versions.len(), specs().count());
            let plan = config.plan(&config.agents[0].plan).expect("the agent's plan");
            assert_eq!(plan.rollback_window_ms, None, "rounds are alike");
            assert!(!config.warnings.to_string().contains("unhealthy"), "{}", config.warnings);
        }
    }

    #[test]
    fn no_list_with_another_path_in_it_is_read() {
        let bundle =
            Bundle::load(&[("policy.yaml", POLICY)]).unwrap_or_else(|errors| panic!("{errors}"));
        let none: [&str; 0] = [];
        for (paths, verdict, is_event) in [
            (json!(none), Verdict::Allow, false),
            (json!(["locks.md#a", "pets.md"]), Verdict::Allow, false),
            (json!(["/etc/passwd"]), Verdict::Deny, true),
            (json!(["locks.md#a", "/etc/passwd"]), Verdict::Deny, true),
            (json!(["locks.md", "../keys/tools"]), Verdict::Deny, true),
            (json!(["locks.md", "~/.ssh/id_rsa"]), Verdict::Deny, false),
        ] {
            let arguments = json!({ "paths": paths });
            let request =
                json!({ "agent": AGENT, "tool": TOOL, "action": "read", "arguments": arguments });
            let asked: Asked = serde_json::from_value(request).expect("a request");
            let circumstances = asked.circumstances();
            let decision = bundle.decide(&asked.request(&circumstances));
            assert_eq!(
                (decision.verdict, decision.security_event),
                (verdict, is_event),
                "{arguments}"
            );
        }
    }
}
