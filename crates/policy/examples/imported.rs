//! Decides by an imported policy, many times: what `bench/policy.sh` sets beside the toolkit that it comes from.
//!
//! `imported POLICY.yaml ACTION TIMES`: asks for ACTION of a tool, with the argument `env` once `prod`, which must be
//! denied, and then TIMES `test`, which must be allowed. Prints the nanoseconds of p50 and p99.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "time is what is measured, and printed"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use lockgate_policy::{Bundle, Circumstances, Importing, Request, ToolName, Verdict, import};
use serde_json::json;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), String> {
    let [file, action, times] = std::env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "usage: imported POLICY.yaml ACTION TIMES".to_owned())?;
    let times: usize = times.parse().map_err(|error| format!("{times}: {error}"))?;
    #[expect(clippy::disallowed_methods, reason = "an example reads its file itself")]
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{file}: {error}"))?;
    let name = ToolName::new("tool").ok_or("a name")?;
    let importing = Importing { tool: name, actions: Vec::new(), arguments: BTreeMap::new() };
    let imported = import(&[(&file, &text)], &importing).map_err(|errors| errors.to_string())?;
    let bundle = Bundle::load(&[("imported.yaml", &imported.yaml)]).map_err(|e| e.to_string())?;
    let circumstances = Circumstances::default();
    let decide = |env: &str| {
        let arguments = json!({ "env": env });
        let request = Request {
            agent: "support",
            version: None,
            tool: "tool",
            action: &action,
            arguments: &arguments,
            circumstances: &circumstances,
        };
        let start = Instant::now();
        let decision = black_box(bundle.decide(black_box(&request)));
        (start.elapsed().as_nanos(), decision.verdict)
    };
    if decide("prod").1 != Verdict::Deny {
        return Err("what is denied came out otherwise".to_owned());
    }
    let mut nanos = Vec::with_capacity(times);
    for n in 0..times + times / 10 {
        let (took, verdict) = decide("test");
        if verdict != Verdict::Allow {
            return Err("what is allowed came out otherwise".to_owned());
        }
        if n >= times / 10 {
            nanos.push(took);
        }
    }
    nanos.sort_unstable();
    let at =
        |percent: usize| nanos.get(times.saturating_sub(1) * percent / 100).copied().unwrap_or(0);
    println!("{} {}", at(50), at(99));
    Ok(())
}
