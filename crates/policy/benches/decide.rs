//! How long a decision takes, request building included, with 10 to 100,000 rules, and how long a bundle takes to load.
//! `cargo bench -p lockgate-policy`, or quicker to build: `cargo bench --profile quick …`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::Instant;

use criterion::{Criterion, criterion_group, criterion_main};
use lockgate_policy::{Budget, Bundle, Circumstances, Delegation, Request, Session, Time, Verdict};
use serde_json::{Value, json};

/// The most rules on one tool.
const ON_A_TOOL: usize = 20;
/// The most rules about every tool.
const GLOBAL: usize = 50;

/// Policy files with so many rules, none of which denies what [`asked`] asks for.
fn files(rules: usize, on_a_tool: usize) -> (String, String, usize) {
    let global = GLOBAL.min(rules / 2);
    let tools = (rules - global).div_ceil(on_a_tool);
    let mut declared = "tools:\n".to_owned();
    let mut text = "rules:\n".to_owned();
    for tool in 0..tools {
        let arguments = "{to: text, subject: text, body: {type: text, optional: true}}";
        let _ = writeln!(declared, "  t{tool}: {{actions: {{send: {{arguments: {arguments}}}}}}}");
    }
    for n in 0..rules - global {
        let (tool, of_tool) = (n / on_a_tool, n % on_a_tool);
        let (effect, when) = match of_tool % 5 {
            0 => (
                "allow",
                "{to.value: {in: [a@example.com, b@example.com, c@example.com]}}".to_owned(),
            ),
            1 => ("deny", format!("{{to.value: {{is: blocked-{n}}}}}")),
            2 => (
                "deny",
                format!("{{subject.bytes: {{above: {}}}, to.bytes: {{above: 3}}}}", 1000 + n),
            ),
            3 => (
                "ask",
                "{any: [{body.bytes: {above: 10000}}, {subject.value: {is: urgent}}]}".to_owned(),
            ),
            _ => (
                "deny",
                "{session.labels: {contains: web}, not: {to.value: {is: a@example.com}}}"
                    .to_owned(),
            ),
        };
        let _ = writeln!(
            text,
            "  - {{id: r{n}, tool: t{tool}, action: send, effect: {effect}, when: {when}}}"
        );
    }
    for n in 0..global {
        let when = match n % 3 {
            0 => format!("{{session.labels: {{contains: secret-{n}}}}}"),
            1 => format!("{{delegation.depth: {{above: {}}}}}", 5 + n),
            _ => format!("{{session.link: {{is: odd-{n}}}, budget.left_calls: {{below: 1}}}}"),
        };
        let _ = writeln!(
            text,
            "  - {{id: g{n}, tool: \"*\", action: \"*\", effect: deny, when: {when}}}"
        );
    }
    (declared, text, tools)
}

fn load(files: &(String, String, usize)) -> Bundle {
    let texts = [("tools.yaml", files.0.as_str()), ("rules.yaml", files.1.as_str())];
    Bundle::load(&texts).unwrap_or_else(|errors| panic!("{errors}"))
}

fn circumstances() -> Circumstances {
    let set = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect());
    Circumstances {
        session: Session {
            link: Some("explicit".into()),
            labels: set(&["user", "crm"]),
            done: set(&["crm/read", "mail/read"]),
            tried: set(&["crm/read", "mail/read"]),
        },
        delegation: Delegation { depth: Some(1) },
        budget: Budget {
            left_nanousd: Some(5_000_000_000),
            left_tokens: Some(100_000),
            left_calls: Some(90),
        },
        time: Time { hour_utc: Some(10), weekday_utc: Some("monday".into()) },
    }
}

fn arguments() -> Value {
    json!({
        "to": "a@example.com",
        "subject": "Your order of last week",
        "body": "We have sent it today. It should be with you on Thursday.",
    })
}

/// The median, the 99th and 99.9th percentile of many decisions, in microseconds.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "time is what is measured, and printed"
)]
fn histogram(name: &str, bundle: &Bundle, tools: &[String]) {
    let (circumstances, arguments) = (circumstances(), arguments());
    let mut nanos: Vec<u128> = Vec::with_capacity(200_000);
    for n in 0..220_000_usize {
        let request = Request {
            agent: "support",
            version: Some("v2"),
            // A step that has no factor in common with any count of tools here.
            tool: &tools[n * 7919 % tools.len()],
            action: "send",
            arguments: &arguments,
            circumstances: &circumstances,
        };
        let start = Instant::now();
        let decision = black_box(bundle.decide(&request));
        let took = start.elapsed().as_nanos();
        assert_eq!(decision.verdict, Verdict::Allow, "{:?}", decision.reason);
        // The first tenth warms up.
        if n >= 20_000 {
            nanos.push(took);
        }
    }
    nanos.sort_unstable();
    let at = |per_mille: usize| nanos[(nanos.len() - 1) * per_mille / 1000] as f64 / 1000.0;
    println!(
        "{name}: p50 {:.2} µs, p90 {:.2} µs, p99 {:.2} µs, p99.9 {:.2} µs",
        at(500),
        at(900),
        at(990),
        at(999)
    );
}

#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "time is what is measured, and printed"
)]
fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decision");
    let sizes = [(10, ON_A_TOOL), (1_000, ON_A_TOOL), (100_000, ON_A_TOOL), (1_050, 1_000)];
    for (rules, on_a_tool) in sizes {
        let files = files(rules, on_a_tool);
        let start = Instant::now();
        let bundle = load(&files);
        let name = format!("{rules} rules, {} on a tool", on_a_tool.min(rules));
        println!("{name}: loaded in {:.0} ms", start.elapsed().as_secs_f64() * 1000.0);
        let tools: Vec<String> = (0..files.2).map(|n| format!("t{n}")).collect();
        histogram(&name, &bundle, &tools);
        let (circumstances, arguments) = (circumstances(), arguments());
        let mut n = 0;
        group.bench_function(&name, |bencher| {
            bencher.iter(|| {
                n += 1;
                black_box(bundle.decide(&Request {
                    agent: "support",
                    version: Some("v2"),
                    tool: &tools[n * 7919 % tools.len()],
                    action: "send",
                    arguments: &arguments,
                    circumstances: &circumstances,
                }))
            });
        });
    }
    group.finish();
}

fn activation(criterion: &mut Criterion) {
    let files = files(10_000, ON_A_TOOL);
    let mut group = criterion.benchmark_group("activation");
    group.sample_size(10);
    group.bench_function("10000 rules", |bencher| bencher.iter(|| black_box(load(&files))));
    group.finish();
}

criterion_group!(benches, decisions, activation);
criterion_main!(benches);
