//! What a running server knows of the steps.

use jiff::civil::Date;
use jiff::{Span, ToSpan as _};
use lockgate_model::agent::SignalSource;
use lockgate_model::config::Scenario;
use lockgate_model::ids::AgentName;
use lockgate_model::path::{AuditWatch, ReleaseShown, ServerFacts};
use lockgate_model::plan::{Bound, Environment, Gate, Metric, Plan, STAGES_MIN, Stage, WHOLE_BP};

use super::catalog::{Step, steps};
use super::gate::date;
use super::{Finding, Findings};
use crate::finding::Outcome;

const HOUR_MS: u64 = 60 * 60 * 1_000;

/// The canary of the first path: a day in the test environment.
const CANARY_MS: u64 = 24 * HOUR_MS;

/// With a tenth of the traffic.
const CANARY_BP: u32 = 1_000;

/// The steps of traffic without servers, basis points.
const SERVERLESS_BP: [u32; 3] = [1_000, 2_500, 5_000];

const ERROR_RATE_MAX: f64 = 0.005;
const P95_MS_MAX: f64 = 200.0;

/// One in a hundred decisions may be slower than a millisecond: the 99th percentile is below it.
const SLOW_ONE_IN: u64 = 100;

/// What a running server knows of a path.
pub fn server(path: Scenario, facts: &ServerFacts) -> Findings {
    let of = |step: &Step| (step.id.to_owned(), finding(step, facts));
    steps(path).filter(|step| step.sees.server()).map(of).collect()
}

fn finding(step: &Step, facts: &ServerFacts) -> Finding {
    let (_, name) = step.id.split_once('.').unwrap_or(("", step.id));
    match (step.path, name) {
        (_, "agent") => agent(facts),
        (_, "services") => services(facts),
        (_, "governance") => governance(facts),
        (_, "rollback") => rollback(facts),
        (_, "decisions") => decisions(facts),
        (Scenario::Monolith, "canary") => test_canary(facts),
        (Scenario::Microservices, "canary") => watched_canary(facts),
        (_, "rollout") => staged(facts),
        (_, "stages") => serverless_stages(facts),
        (_, "gates") => serverless_gates(facts),
        (_, "watched") => watched(facts),
        (path, _) => review(path, facts),
    }
}

fn agent(facts: &ServerFacts) -> Finding {
    match facts.answers {
        Some(true) => Finding::pass("a version of it answers its health checks")
            .at("gateways", format!("a version of {} is healthy", facts.agent)),
        Some(false) => Finding::unknown("no version of it answers its health checks"),
        None => Finding::unknown("no gateway has found a version of it healthy"),
    }
}

fn services(facts: &ServerFacts) -> Finding {
    if facts.shares_address_with.is_empty() {
        return Finding::pass("no other agent answers at its address")
            .at("configuration", format!("agent {}", facts.agent));
    }
    let others: Vec<&str> = facts.shares_address_with.iter().map(AgentName::as_str).collect();
    Finding::fail(format!("{} and {} answer at one address", facts.agent, others.join(", ")))
}

fn governance(facts: &ServerFacts) -> Finding {
    let Some(policy) = &facts.policy else {
        return Finding::fail("no policy is in force: every call of an agent is denied");
    };
    if policy.rules == 0 {
        return Finding::fail("the policy in force has no rules");
    }
    let audit = match audit(facts) {
        Ok(audit) => audit,
        Err(finding) => return finding,
    };
    Finding::pass(format!("{} rules decide; the audit log is intact", policy.rules))
        .at("policy", policy.digest.clone())
        .at("audit log", verified(audit))
}

/// The audit log, when it takes records and was found intact.
fn audit(facts: &ServerFacts) -> Result<&AuditWatch, Finding> {
    let Some(audit) = &facts.audit else {
        return Err(Finding::unknown("nothing is known of the audit log"));
    };
    if let Some(why) = &audit.refuses {
        return Err(Finding::fail(format!("the audit log takes no records: {why}")));
    }
    match &audit.verified {
        None => Err(Finding::unknown(
            "the audit log is being verified for the first time since the start; ask again",
        )),
        Some(found) => match &found.damage {
            Some(damage) => Err(Finding::fail(format!("the audit log is damaged: {damage}"))),
            None => Ok(audit),
        },
    }
}

fn verified(audit: &AuditWatch) -> String {
    let records = audit.verified.as_ref().map_or(0, |found| found.records);
    format!("{records} records verified, {} open intents", audit.open_intents)
}

fn decisions(facts: &ServerFacts) -> Finding {
    let Some(policy) = &facts.policy else {
        return Finding::fail("no policy is in force, so that nothing is decided");
    };
    let audit = match audit(facts) {
        Ok(audit) => audit,
        Err(finding) if finding.outcome == Outcome::Fail || facts.audit.is_none() => {
            return finding;
        }
        // It is being verified.
        Err(finding) => return Finding::awaited(finding.reason),
    };
    let (all, slow) = (policy.decisions, policy.slow);
    if slow.saturating_mul(SLOW_ONE_IN) > all {
        return Finding::fail(format!("{slow} of {all} decisions took longer than 1 ms"))
            .at("policy", policy.digest.clone());
    }
    if all == 0 {
        return Finding::awaited("no decision was seen since the server started");
    }
    if audit.open_intents > 0 {
        let open = audit.open_intents;
        return Finding::awaited(format!(
            "{all} decisions, {slow} above 1 ms; {open} actions are under way and have no outcome yet"
        ));
    }
    Finding::pass(format!("{all} decisions, {slow} above 1 ms; every intent has its outcome"))
        .at("policy", policy.digest.clone())
        .at("audit log", verified(audit))
}

/// Triggers that must be armed, where the agent gives what they look at.
const TRIGGERS: [Metric; 6] = [
    Metric::ErrorRate,
    Metric::P95Ms,
    Metric::SecurityEvents,
    Metric::CostUsd,
    Metric::SatisfiedShare,
    Metric::NegativeShare,
];

/// What is wrong with the triggers of a plan.
fn unarmed(plan: &Plan, sources: &[SignalSource], asked: &[Metric]) -> Vec<String> {
    let armed = |metric: &Metric| {
        plan.triggers.iter().any(|trigger| trigger.metric == *metric && !trigger.dry_run)
    };
    TRIGGERS
        .iter()
        .filter(|metric| asked.contains(metric) && metric.lacks(sources).is_none())
        .filter(|metric| !armed(metric))
        .map(|metric| format!("no trigger on `{metric}` is armed"))
        .collect()
}

/// What is wrong with the number of a plan's stages.
fn too_few(plan: &Plan) -> Option<String> {
    let stages = plan.stages.len();
    (stages < STAGES_MIN)
        .then(|| format!("it has {stages} stages, and at least {STAGES_MIN} are needed"))
}

/// Stages in which gates are judged on users' traffic.
fn judged(plan: &Plan) -> impl Iterator<Item = &Stage> {
    plan.stages.iter().filter(|stage| stage.weight_bp > 0 && stage.duration_ms > 0)
}

/// Stages with traffic that lack a gate.
fn without_gate(plan: &Plan, metric: Metric, good: impl Fn(&Gate) -> bool) -> Vec<String> {
    let has = |stage: &&Stage| {
        let of = |gate: &&Gate| gate.metric == metric && !gate.dry_run;
        stage.gates.iter().filter(of).any(&good)
    };
    judged(plan)
        .filter(|stage| !has(stage))
        .map(|stage| format!("stage `{}` has no such gate on `{metric}`", stage.name))
        .collect()
}

/// Stages in which nobody looks at a metric: no gate asks for it, and no trigger on it is armed.
fn unwatched(plan: &Plan, metric: Metric) -> Vec<String> {
    let is_it = |other: Metric| match metric {
        // A score of users is watched by what it is made of, too.
        Metric::Nps => {
            matches!(other, Metric::Nps | Metric::SatisfiedShare | Metric::NegativeShare)
        }
        metric => other == metric,
    };
    if plan.triggers.iter().any(|trigger| is_it(trigger.metric) && !trigger.dry_run) {
        return Vec::new();
    }
    let asks = |stage: &&Stage| stage.gates.iter().any(|gate| is_it(gate.metric) && !gate.dry_run);
    judged(plan)
        .filter(|stage| !asks(stage))
        .map(|stage| format!("nothing watches `{metric}` in stage `{}`", stage.name))
        .collect()
}

/// A plan that lacks something, or a release that shows it, or that one is awaited.
fn by_release(
    facts: &ServerFacts,
    wrong: &[String],
    provides: &str,
    shows: impl Fn(&ReleaseShown) -> bool,
) -> Finding {
    let plan = &facts.plan.name;
    if !wrong.is_empty() {
        return Finding::fail(format!("plan `{plan}`: {}", wrong.join("; ")))
            .at("configuration", format!("plan {plan}"));
    }
    match facts.releases.iter().find(|release| shows(release)) {
        Some(release) => {
            Finding::pass(format!("version {} was released so: {provides}", release.version))
                .at(format!("rollout {}", release.rollout), stages_of(release))
        }
        None => Finding::awaited(format!(
            "plan `{plan}` provides for it ({provides}); no release has shown it yet"
        ))
        .at("configuration", format!("plan {plan}")),
    }
}

/// The way of a release, in short.
fn stages_of(release: &ReleaseShown) -> String {
    let stages: Vec<String> = release
        .stages
        .iter()
        .map(|stage| {
            let percent = f64::from(stage.weight_bp) / 100.0;
            let hours = stage.dwell_ms as f64 / HOUR_MS as f64;
            format!("{percent} % for {hours:.1} h")
        })
        .collect();
    format!("{}, then promoted", stages.join(", "))
}

/// Every stage of its plan was left by its own merit.
fn whole(release: &ReleaseShown) -> bool {
    !release.overridden
        && release.planned >= STAGES_MIN
        && release.stages.len() + 1 >= release.planned
}

fn test_canary(facts: &ServerFacts) -> Finding {
    let tests = || facts.plan.stages.iter().filter(|stage| stage.environment == Environment::Test);
    let planned_ms: u64 = tests().map(|stage| stage.duration_ms).fold(0, u64::saturating_add);
    let mut wrong = Vec::new();
    if planned_ms < CANARY_MS {
        let hours = planned_ms as f64 / HOUR_MS as f64;
        wrong.push(format!("{hours:.1} h in the test environment, and 24 h are needed"));
    } else if tests().map(|stage| stage.mirror_bp).max().unwrap_or(0) < CANARY_BP {
        wrong.push("less than 10 % of the traffic is copied in the test environment".to_owned());
    }
    by_release(facts, &wrong, "24 h in the test environment, 10 % copied", |release| {
        let tested = release
            .stages
            .iter()
            .filter(|stage| stage.environment == Environment::Test && stage.mirror_bp >= CANARY_BP);
        !release.overridden
            && tested.map(|stage| stage.dwell_ms).fold(0, u64::saturating_add) >= CANARY_MS
    })
}

fn staged(facts: &ServerFacts) -> Finding {
    let plan = &facts.plan;
    let mut wrong: Vec<String> = too_few(plan).into_iter().collect();
    for metric in [Metric::ErrorRate, Metric::P95Ms] {
        wrong.extend(unwatched(plan, metric));
    }
    by_release(facts, &wrong, "four stages and more, errors and latency watched in each", whole)
}

fn rollback(facts: &ServerFacts) -> Finding {
    let plan = &facts.plan;
    let mut wrong = unarmed(plan, &facts.sources, &TRIGGERS);
    wrong.extend(too_few(plan));
    if !plan.stages.iter().any(|stage| (1..WHOLE_BP).contains(&stage.weight_bp)) {
        wrong.push("no stage gives the candidate a part of the traffic".to_owned());
    }
    if !wrong.is_empty() {
        return Finding::fail(format!("plan `{}`: {}", plan.name, wrong.join("; ")));
    }
    Finding::pass(format!("plan `{}` has a canary, and its triggers are armed", plan.name))
        .at("configuration", format!("plan {}", plan.name))
}

fn watched_canary(facts: &ServerFacts) -> Finding {
    let plan = &facts.plan;
    let mut wrong = Vec::new();
    let mut asked = vec![Metric::ErrorRate, Metric::P95Ms, Metric::SecurityEvents];
    let feedback = facts.sources.contains(&SignalSource::Feedback);
    if feedback {
        asked.push(Metric::Nps);
    }
    for metric in asked {
        wrong.extend(unwatched(plan, metric));
    }
    let provides = if feedback {
        "errors, latency, NPS and security events are watched"
    } else {
        "errors, latency and security events are watched; the agent gives no feedback for an NPS"
    };
    by_release(facts, &wrong, provides, whole)
}

fn serverless_stages(facts: &ServerFacts) -> Finding {
    let plan = &facts.plan;
    let has = |bp: &u32| plan.stages.iter().any(|stage| stage.weight_bp == *bp);
    let wrong: Vec<String> = SERVERLESS_BP
        .iter()
        .filter(|bp| !has(bp))
        .map(|bp| format!("it has no stage of {} %", bp / 100))
        .collect();
    by_release(facts, &wrong, "10, 25, 50 and 100 %", |release| {
        let passed = |bp: &u32| release.stages.iter().any(|stage| stage.weight_bp == *bp);
        !release.overridden && SERVERLESS_BP.iter().all(passed)
    })
}

fn serverless_gates(facts: &ServerFacts) -> Finding {
    let below =
        |most: f64| move |gate: &Gate| matches!(gate.bound, Bound::Below(bound) if bound <= most);
    let mut wrong = without_gate(&facts.plan, Metric::ErrorRate, below(ERROR_RATE_MAX));
    wrong.extend(without_gate(&facts.plan, Metric::P95Ms, below(P95_MS_MAX)));
    if judged(&facts.plan).next().is_none() {
        wrong.push("no stage judges users' traffic".to_owned());
    }
    by_release(facts, &wrong, "error rate below 0.5 %, p95 below 200 ms", |release| {
        // The last one is entered, and ends there.
        let with_users =
            || release.stages.iter().filter(|stage| (1..WHOLE_BP).contains(&stage.weight_bp));
        let passed = |metric: Metric| with_users().all(|stage| stage.passed.contains(&metric));
        whole(release)
            && with_users().next().is_some()
            && passed(Metric::ErrorRate)
            && passed(Metric::P95Ms)
    })
}

fn watched(facts: &ServerFacts) -> Finding {
    let asked = [Metric::ErrorRate, Metric::P95Ms, Metric::CostUsd, Metric::SecurityEvents];
    let wrong = unarmed(&facts.plan, &facts.sources, &asked);
    by_release(facts, &wrong, "triggers are armed all the while", whole)
}

/// When the value is to be looked at, counted from the first promoted release.
fn review(path: Scenario, facts: &ServerFacts) -> Finding {
    let Some(first) = facts.first_promoted_wall_ms.and_then(date) else {
        return Finding::awaited("due after the first release");
    };
    let after = |months: Span| first.checked_add(months).unwrap_or(first);
    let (from, until) = match path {
        Scenario::Microservices => (first, after(12.months())),
        Scenario::Monolith | Scenario::Serverless => (after(6.months()), after(12.months())),
    };
    let today: Option<Date> = date(facts.at_wall_ms);
    let due = if today.is_some_and(|today| today > until) {
        format!("it was due by {until}")
    } else {
        format!("due from {from} to {until}")
    };
    let ended = facts.ended.promoted + facts.ended.taken_back;
    let releases = format!("{} of {ended} finished releases were promoted", facts.ended.promoted);
    let asked = || facts.worth.iter().filter(|one| criteria(path).contains(&&*one.measure));
    let told: Vec<String> = asked().map(|one| format!("{}: {}", one.measure, one.told)).collect();
    let is_due = today.is_some_and(|today| today >= from);
    let finding = if is_due && asked().any(|one| one.met == Some(false)) {
        let short: Vec<String> = asked()
            .filter(|one| one.met == Some(false))
            .map(|one| format!("{}: {}", one.measure, one.told))
            .collect();
        Finding::fail(format!("{due}; {}", short.join("; ")))
    } else if is_due
        && asked().count() == criteria(path).len()
        && asked().all(|one| one.met == Some(true))
    {
        Finding::pass(format!("the year's value meets what success asks for: {}", told.join("; ")))
    } else {
        let told = [vec![due, releases], told].concat();
        Finding::awaited(told.join("; "))
    };
    finding.at("releases", format!("the first was promoted on {first}"))
}

/// What a review asks for, as reports of value call it.
fn criteria(path: Scenario) -> [&'static str; 3] {
    let of_path = match path {
        Scenario::Monolith => "hours_saved",
        // What business gets of it is what it saves, its own cost taken off.
        Scenario::Microservices | Scenario::Serverless => "cost_saving",
    };
    ["deployment_success", "replacement_rate", of_path]
}
