//! Agents and their plans together: what a plan asks for and an agent does not have.

use std::collections::BTreeMap;

use super::plans::Planned;
use crate::agent::{Agent, SignalSource};
use crate::config::fit::{Misfit, misfits};
use crate::config::place::Path;
use crate::config::report::Report;
use crate::config::schema::list;
use crate::config::units;
use crate::plan::{Absent, Environment, Metric};

pub(super) fn check(report: &mut Report<'_>, agents: &[(Path, Agent)], plans: &[Planned]) {
    for planned in plans {
        let users: Vec<&(Path, Agent)> =
            agents.iter().filter(|(_, agent)| agent.plan == planned.plan.name).collect();
        check_sources(report, planned, &users);
        check_measures(report, planned, &users);
        for (path, agent) in users {
            check_health(report, planned, path, agent);
            warn_of_silence(report, planned, path, agent);
            warn_of_short_looks(report, planned, path, agent);
            warn_of_short_probing(report, planned, path, agent);
        }
    }
}

/// Gates whose signal some agent does not give. The gate is the place, the agents are named.
fn check_sources(report: &mut Report<'_>, planned: &Planned, users: &[&(Path, Agent)]) {
    let mut lacking: BTreeMap<(usize, Metric), Vec<(&Path, &str)>> = BTreeMap::new();
    for (path, agent) in users {
        for misfit in misfits(agent, &planned.plan) {
            if let Misfit::NoSource { stage, metric } = misfit {
                lacking.entry((stage, metric)).or_default().push((path, agent.name.as_str()));
            }
        }
    }
    for ((stage, metric), agents) in lacking {
        let names: Vec<&str> = agents.iter().map(|(_, name)| *name).collect();
        let fallback = agents.first().map(|(path, _)| path.key("plan"));
        let Some(path) = gate_path(planned, stage, metric).or(fallback) else { continue };
        let mut sources = users.iter().map(|(_, agent)| agent.sources());
        let (add, noun) = match sources.find_map(|sources| metric.lacks(&sources)) {
            Some(SignalSource::Cost) => ("`cost` to the agent's `signals`", "cost"),
            Some(SignalSource::Outcome) => ("`outcome` to the agent's `signals`", "outcome"),
            Some(SignalSource::Probes) => ("`probes` to the agent", "probe"),
            Some(SignalSource::Measure(_)) => ("it to the agent's `measures`", "such"),
            _ => ("`feedback` to the agent's `signals`", "feedback"),
        };
        let gives = if names.len() == 1 { "agent" } else { "agents" };
        report.error(
            &path,
            format!(
                "gate `{metric}` has no source: {gives} {} give no {noun} signal",
                list(&names)
            )
            .replace("` give no", if names.len() == 1 { "` gives no" } else { "` give no" }),
            format!("add {add}, or `absent: waive` to the gate"),
        );
    }
}

/// Bounds on measures that make no sense for some agent's.
fn check_measures(report: &mut Report<'_>, planned: &Planned, users: &[&(Path, Agent)]) {
    for (_, agent) in users {
        for misfit in misfits(agent, &planned.plan) {
            let Misfit::SenselessBound { stage, metric, why } = misfit else { continue };
            let path = match stage {
                Some(stage) => gate_path(planned, stage, metric),
                None => Some(planned.path.key("triggers").key("measures").key(metric.as_str())),
            };
            let hint = format!("`{}` declares it in its `measures`", agent.name);
            report.error(&path.unwrap_or_else(|| planned.path.clone()), why, hint);
        }
    }
}

/// Where a gate is written; `None` for one that is built in.
fn gate_path(planned: &Planned, stage: usize, metric: Metric) -> Option<Path> {
    let index = planned.plan.stages[stage].gates.iter().position(|gate| gate.metric == metric)?;
    planned.gates[stage].get(index).cloned()
}

fn check_health(report: &mut Report<'_>, planned: &Planned, path: &Path, agent: &Agent) {
    let plan = &planned.plan;
    for misfit in misfits(agent, plan) {
        match misfit {
            Misfit::NoSource { .. } | Misfit::SenselessBound { .. } => {}
            Misfit::NoHealthChecks { stage } => report.error(
                &path.key("health"),
                format!(
                    "health checks are off, and stage `{}` of plan `{}` asks for health",
                    plan.stages[stage].name, plan.name
                ),
                "switch them on, or use a plan without `health` gates",
            ),
            Misfit::NoTestEndpoint { stage, version } => {
                let later = agent.versions.iter().skip(1);
                let index = later.map(|one| &one.name).position(|name| *name == version);
                let path = path.key("versions").index(index.map_or(0, |index| index + 1));
                report.missing(
                    &path,
                    "test_endpoint",
                    format!(
                        "version `{version}` has no `test_endpoint`, and stage `{}` of plan `{}` checks its health there",
                        plan.stages[stage].name, plan.name
                    ),
                    "add `test_endpoint`, or give the stage `environment: production` to check the production endpoint",
                );
            }
        }
    }
}

/// A stage that asks for health and is over before checks in a row could say "unhealthy".
fn warn_of_short_looks(report: &mut Report<'_>, planned: &Planned, path: &Path, agent: &Agent) {
    let Some(check) = &agent.health else { return };
    let needs_ms = check.interval_ms.saturating_mul(u64::from(check.unhealthy_after));
    for stage in &planned.plan.stages {
        let asks = stage.gates.iter().any(|gate| gate.metric == Metric::Health);
        if !asks || stage.environment != Environment::Test || stage.duration_ms >= needs_ms {
            continue;
        }
        report.warning(
            &path.key("health"),
            format!(
                "stage `{}` of plan `{}` takes {}, and {} checks every {} take {} to find `{}` unhealthy",
                stage.name,
                planned.plan.name,
                units::show_duration(stage.duration_ms),
                check.unhealthy_after,
                units::show_duration(check.interval_ms),
                units::show_duration(needs_ms),
                agent.name,
            ),
            "make the stage longer, or the checks more frequent",
        );
    }
}

/// A test stage that is over before every probe was sent once.
fn warn_of_short_probing(report: &mut Report<'_>, planned: &Planned, path: &Path, agent: &Agent) {
    let Some(probes) = &agent.probes else { return };
    let needs_ms = probes.every_ms.saturating_mul(probes.set.len() as u64);
    for stage in &planned.plan.stages {
        let asks = stage.gates.iter().any(|gate| gate.metric == Metric::Probes);
        if !asks || stage.duration_ms >= needs_ms {
            continue;
        }
        report.warning(
            &path.key("probes"),
            format!(
                "stage `{}` of plan `{}` takes {}, and sending {} probes takes {}",
                stage.name,
                planned.plan.name,
                units::show_duration(stage.duration_ms),
                probes.set.len(),
                units::show_duration(needs_ms),
            ),
            "make the stage longer, or `per_second` higher",
        );
    }
}

/// Waived gates and triggers that can never fire are allowed, but not silent.
fn warn_of_silence(report: &mut Report<'_>, planned: &Planned, path: &Path, agent: &Agent) {
    let plan = &planned.plan;
    let given = agent.sources();
    // An agent without probes has none because it names none: that is no surprise.
    let lacking =
        |metric: &Metric| metric.lacks(&given).is_some_and(|source| source != SignalSource::Probes);
    let gates = plan.stages.iter().flat_map(|stage| &stage.gates);
    let waived = gates.filter(|gate| gate.absent == Absent::Waive).map(|gate| gate.metric);
    let mut waived: Vec<Metric> = waived.filter(lacking).collect();
    waived.sort_unstable();
    waived.dedup();
    let silent: Vec<Metric> =
        plan.triggers.iter().map(|trigger| trigger.metric).filter(lacking).collect();
    let mut sources: Vec<SignalSource> =
        waived.iter().chain(&silent).filter_map(|metric| metric.lacks(&given)).collect();
    sources.sort_unstable();
    sources.dedup();
    if sources.is_empty() {
        return;
    }
    let words: Vec<&str> = sources.iter().map(word).collect();
    let is_own = |source: &&SignalSource| matches!(source, SignalSource::Measure(_));
    let own = sources.iter().filter(is_own).count();
    let list_to_add_to = match own {
        0 => "`signals`",
        all if all == sources.len() => "`measures`",
        _ => "`signals` and `measures`",
    };
    let parts: Vec<String> = [("gate", waived), ("trigger", silent)]
        .into_iter()
        .filter(|(_, metrics)| !metrics.is_empty())
        .map(|(noun, metrics)| {
            let names: Vec<&str> = metrics.iter().map(Metric::as_str).collect();
            format!("{noun}{} {}", if names.len() == 1 { "" } else { "s" }, list(&names))
        })
        .collect();
    let (agent, plan) = (&agent.name, &plan.name);
    report.warning(
        &path.key("signals"),
        format!(
            "agent `{agent}` gives no {} signal: {} of plan `{plan}` cannot be judged",
            words.join(" and no "),
            parts.join(" and ")
        ),
        format!("once it does, add it to the agent's {list_to_add_to} ({})", words.join(", ")),
    );
}

fn word(source: &SignalSource) -> &str {
    match source {
        SignalSource::Feedback => "feedback",
        SignalSource::Cost => "cost",
        SignalSource::Outcome => "outcome",
        SignalSource::Probes => "probe",
        SignalSource::Measure(name) => name.as_str(),
    }
}
