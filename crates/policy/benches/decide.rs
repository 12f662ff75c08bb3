//! How long decisions take, request building included, with 10 to 100,000 rules, how many two threads make, how long a
//! bundle takes to load and a fact to be taken out.
//!
//! `cargo bench -p lockgate-policy --bench decide -- [PART…] [ROUNDS [RULES_MAX]]`, parts being `decisions`, `threads`, `facts`,
//! `activation`; `--profile quick` builds quicker. `profile` decides with 10,000 rules for some seconds, for a profiler.
//! How often a decision asks for memory is counted by the test `allocations`.

use std::fmt::Write as _;
use std::hint::black_box;
use std::thread;
use std::time::{Duration, Instant};

use lockgate_policy::facts::FactType;
use lockgate_policy::{Budget, Bundle, Circumstances, Delegation, Request, Session, Time, Verdict};
use serde_json::{Value, json};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The most rules on one tool.
const ON_A_TOOL: usize = 20;
/// The most rules about every tool.
const GLOBAL: usize = 50;
/// Rules, and rules on a tool.
const SIZES: [(usize, usize); 6] = [
    (10, ON_A_TOOL),
    (100, ON_A_TOOL),
    (1_000, ON_A_TOOL),
    (10_000, ON_A_TOOL),
    (100_000, ON_A_TOOL),
    (1_050, 1_000),
];
/// Decisions of one round, after a tenth more that warm up.
const DECISIONS: usize = 50_000;

/// Policy files with so many rules, none of which denies what is asked for.
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

/// A bundle, and what is asked of it.
struct Asked {
    name: String,
    bundle: Bundle,
    tools: Vec<String>,
    circumstances: Circumstances,
    arguments: Value,
}

impl Asked {
    fn new(rules: usize, on_a_tool: usize) -> Self {
        let files = files(rules, on_a_tool);
        Self {
            name: format!("{rules} rules, {} on a tool", on_a_tool.min(rules)),
            bundle: load(&files),
            tools: (0..files.2).map(|n| format!("t{n}")).collect(),
            circumstances: circumstances(),
            arguments: arguments(),
        }
    }

    /// Decides about one tool after the other, so that with many of them none is in the cache.
    fn decide(&self, n: usize) {
        let decision = black_box(self.bundle.decide(&Request {
            agent: "support",
            version: Some("v2"),
            // A step that has no factor in common with any count of tools here.
            tool: &self.tools[n * 7919 % self.tools.len()],
            action: "send",
            arguments: &self.arguments,
            circumstances: &self.circumstances,
        }));
        assert_eq!(decision.verdict, Verdict::Allow, "{:?}", decision.reason);
    }

    /// Sorted nanoseconds of each decision of a round.
    fn round(&self) -> Vec<u128> {
        let mut nanos = Vec::with_capacity(DECISIONS);
        for n in 0..DECISIONS + DECISIONS / 10 {
            let start = now();
            self.decide(n);
            let took = start.elapsed().as_nanos();
            if n >= DECISIONS / 10 {
                nanos.push(took);
            }
        }
        nanos.sort_unstable();
        nanos
    }
}

#[expect(clippy::disallowed_methods, reason = "time is what is measured")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "figures are what this is for")]
fn say(line: &str) {
    println!("{line}");
}

/// Median, least and most.
fn spread(mut of: Vec<f64>) -> String {
    of.sort_unstable_by(f64::total_cmp);
    let [least, most] = [of.first(), of.last()].map(|value| value.copied().unwrap_or(f64::NAN));
    format!("{:.2} ({least:.2}–{most:.2})", of[of.len() / 2])
}

/// Rounds are interleaved, so that a machine that gets slower does so for all sizes.
fn decisions(rounds: usize, rules_max: usize) {
    let all: Vec<Asked> = SIZES
        .iter()
        .filter(|(rules, _)| *rules <= rules_max)
        .map(|(rules, on_a_tool)| Asked::new(*rules, *on_a_tool))
        .collect();
    let mut seen = vec![[const { Vec::new() }; 4]; all.len()];
    for _ in 0..rounds {
        for (asked, seen) in all.iter().zip(&mut seen) {
            let nanos = asked.round();
            for (per_mille, seen) in [500, 900, 990, 999].into_iter().zip(seen) {
                seen.push(nanos[(nanos.len() - 1) * per_mille / 1000] as f64 / 1000.0);
            }
        }
    }
    say("| microseconds of a decision | p50 | p90 | p99 | p99.9 |\n|---|---|---|---|---|");
    for (asked, seen) in all.iter().zip(seen) {
        let cells = seen.map(spread).join(" | ");
        say(&format!("| {} | {cells} |", asked.name));
    }
}

/// Decisions a second of one thread and of two.
fn threads(rounds: usize, rules_max: usize) {
    const SPAN: Duration = Duration::from_millis(500);
    for (rules, on_a_tool) in [(1_000, ON_A_TOOL), (100_000, ON_A_TOOL)] {
        if rules > rules_max {
            continue;
        }
        let asked = Asked::new(rules, on_a_tool);
        let count = || {
            let start = now();
            let mut n = 0;
            while n % 64 != 0 || n == 0 || start.elapsed() < SPAN {
                asked.decide(n);
                n += 1;
            }
            n as f64 / start.elapsed().as_secs_f64()
        };
        for count_of in [1, 2] {
            let rates = (0..rounds).map(|_| {
                thread::scope(|scope| {
                    let running: Vec<_> = (0..count_of).map(|_| scope.spawn(count)).collect();
                    running.into_iter().filter_map(|one| one.join().ok()).sum()
                })
            });
            let rates = spread(rates.collect());
            say(&format!("{}: {count_of} threads, decisions/s {rates}", asked.name));
        }
    }
}

fn facts(rounds: usize, _: usize) {
    const TIMES: usize = 10_000;
    let cases = [
        (FactType::Text, json!("We have sent it today. It should be with you on Thursday.")),
        (FactType::Path, json!("/srv/projects/lockgate/reports/2026/november.pdf")),
        (FactType::Url, json!("https://api.example.com/v1/orders/10023344?fields=state,total")),
        (FactType::Sql, json!("SELECT id, total FROM orders WHERE customer = 42 LIMIT 10")),
        (FactType::Sql, json!("UPDATE orders SET state = 'sent' WHERE id = 10023344")),
        (FactType::Shell, json!("git log --oneline -n 20 | grep fix")),
        (FactType::Argv, json!(["git", "log", "--oneline", "-n", "20"])),
        (FactType::Email, json!("Jane Doe <jane.doe@example.com>, support@example.org")),
        (FactType::Money, json!("1249.90 EUR")),
        (FactType::Json, json!({"order": {"id": 7, "lines": [{"sku": "a"}, {"sku": "b"}]}})),
    ];
    for (of, argument) in cases {
        let [mut median, mut p99] = [const { Vec::new() }; 2];
        for _ in 0..rounds {
            let mut nanos: Vec<u128> = (0..TIMES)
                .map(|_| {
                    let start = now();
                    black_box(of.extract(black_box(&argument)));
                    start.elapsed().as_nanos()
                })
                .collect();
            nanos.sort_unstable();
            median.push(nanos[TIMES / 2] as f64 / 1000.0);
            p99.push(nanos[TIMES * 99 / 100] as f64 / 1000.0);
        }
        let (median, p99) = (spread(median), spread(p99));
        say(&format!("{}: p50 {median} µs, p99 {p99} µs, of {argument}", of.name()));
    }
}

fn activation(rounds: usize, rules_max: usize) {
    for (rules, on_a_tool) in
        [(1_000, ON_A_TOOL), (10_000, ON_A_TOOL), (10_050, 10_000), (100_000, ON_A_TOOL)]
    {
        if rules > rules_max {
            continue;
        }
        let files = files(rules, on_a_tool);
        let millis = (0..rounds.min(5)).map(|_| {
            let start = now();
            black_box(load(&files));
            start.elapsed().as_secs_f64() * 1000.0
        });
        let millis = spread(millis.collect());
        say(&format!("{rules} rules, {on_a_tool} on a tool: loaded in {millis} ms"));
    }
}

fn profile() {
    let asked = Asked::new(10_000, ON_A_TOOL);
    let start = now();
    let mut n = 0;
    while start.elapsed() < Duration::from_secs(5) {
        asked.decide(n);
        n += 1;
    }
}

fn main() {
    // cargo adds `--bench`
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let mut numbers = words.iter().filter_map(|word| word.parse().ok());
    let rounds = numbers.next().unwrap_or(5);
    let rules_max = numbers.next().unwrap_or(usize::MAX);
    let parts: Vec<&str> =
        words.iter().map(String::as_str).filter(|word| word.parse::<usize>().is_err()).collect();
    let wanted = |part: &str| parts.is_empty() || parts.contains(&part);
    if parts.contains(&"profile") {
        return profile();
    }
    for (part, run) in [
        ("decisions", decisions as fn(usize, usize)),
        ("threads", threads),
        ("facts", facts),
        ("activation", activation),
    ] {
        if wanted(part) {
            run(rounds, rules_max);
        }
    }
}
