//! `lockgate plan`

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand};
use lockgate_model::agent::Agent;
use lockgate_model::plan::Assurance;
use lockgate_simulate::forecast::{Decidable, Forecast, GateForecast, StageForecast, forecast};
use lockgate_simulate::release::{Ended, Setting, run};
use lockgate_simulate::traffic::{Conversation, Traffic};
use lockgate_simulate::truth::Truth;
use serde_json::json;

use super::simulate::{
    RUNS_MAX, between, conversation, plan_of, rate, requests, says_outcomes, share,
};
use crate::config_file;
use crate::error::{CliResult, Exit};
use crate::output::{self, Format, UNKNOWN};

/// How far the 95th percentile of a simulated latency lies above its middle.
const P95_BY_MEDIAN: f64 = 2.276;

/// Look at plans.
#[derive(Debug, Subcommand)]
pub(crate) enum Plan {
    /// Say how much traffic a plan needs, and how likely its stages are to end in time
    ///
    /// For every gate: the requests of the candidate that it needs, counted from the start of the
    /// release, and the chance that so many come. For every trigger: how soon it finds a fault
    /// that deserves it. The real judges are asked, about a version as good as its stable one.
    ///
    /// The exit code is 1 when a stage cannot be decided at this rate.
    Check(Check),
}

impl Plan {
    pub(crate) fn run(self, format: Format) -> CliResult {
        let Self::Check(check) = self;
        check.run(format)
    }
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A configuration file with the plan
    #[arg(default_value = config_file::DEFAULT)]
    file: PathBuf,
    /// Which plan of the file; by default the one that its agents use
    #[arg(long, value_name = "NAME")]
    plan: Option<String>,
    /// Requests a second of all users, on average
    #[arg(long, default_value_t = 10.0, value_parser = rate, allow_negative_numbers = true)]
    rate: f64,
    /// Share of errors: of requests, or of users where they stay with their version
    #[arg(long, value_name = "SHARE", default_value = "0.2%", value_parser = share)]
    errors: f64,
    /// 95th percentile of latency, milliseconds
    #[arg(long, value_name = "MS", default_value_t = 137.0, value_parser = milliseconds, allow_negative_numbers = true)]
    p95_ms: f64,
    /// Cost of a request, US dollars
    #[arg(long, value_name = "USD", default_value_t = 0.01, value_parser = dollars, allow_negative_numbers = true)]
    cost: f64,
    /// Share of answers that draw a vote
    #[arg(long, value_name = "SHARE", default_value = "5%", value_parser = share)]
    votes: f64,
    /// Share of the votes that are negative
    #[arg(long, value_name = "SHARE", default_value = "3%", value_parser = share)]
    negative: f64,
    /// Mean of the agent's own measures, between the worst and the best of their ranges
    #[arg(long, value_name = "SHARE", default_value = "90%", value_parser = share)]
    measures: f64,
    /// Share of answers that are resolved without a person, where the agent's signals say outcomes
    #[arg(long, value_name = "SHARE", default_value = "80%", value_parser = share)]
    resolved: f64,
    /// Conversations stay with the version they began with, also where the agent does not ask for it
    #[arg(long)]
    sticky: bool,
    /// Requests of one user or conversation, on average, where they stay with their version
    #[arg(long, value_name = "N", default_value_t = 6.0, value_parser = requests, allow_negative_numbers = true)]
    requests_per_user: f64,
    /// How many releases are simulated to see how stages end, up to 100,000; 0 for none
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(..=RUNS_MAX))]
    runs: u64,
}

impl Check {
    fn run(self, format: Format) -> CliResult {
        let config = config_file::read(&self.file)?.config;
        let (plan, agent) = plan_of(&config, &self.file, self.plan.as_deref())?;
        let conversation = conversation(agent, self.sticky, self.requests_per_user);
        let says_outcomes = says_outcomes(agent);
        let truth = Truth {
            resolved: says_outcomes.then_some(self.resolved),
            ..self.truth(conversation.as_ref())
        };
        let identical = Setting::identical(Arc::new(plan.clone()));
        let setting = Setting {
            sources: agent.map_or(identical.sources, Agent::sources),
            measures: agent.map_or(identical.measures, |agent| agent.measures.clone()),
            latency: agent.map_or(identical.latency, |agent| agent.latency),
            traffic: Traffic { requests_per_s: self.rate, conversation, ..Traffic::default() },
            stable: truth,
            candidate: truth,
            ..identical
        };
        let ended: Vec<Ended> = (1..=self.runs).map(|seed| run(&setting, seed)).collect();
        let forecast = forecast(&setting, &ended);
        match format {
            Format::Json => output::print_json(&json!({
                "plan": plan.name,
                "rate": self.rate,
                "assumed": {
                    "errors": self.errors,
                    "p95_ms": self.p95_ms,
                    "cost_usd": self.cost,
                    "votes": self.votes,
                    "negative": self.negative,
                    "measures": self.measures,
                    "resolved": truth.resolved,
                    "sticky": conversation.is_some(),
                    "requests_per_user": conversation.map(|one| one.requests()),
                },
                "runs": self.runs,
                "verdict": forecast.verdict,
                "stages": forecast.stages,
                "triggers": forecast.triggers,
            }))?,
            Format::Text => {
                let counted = conversation.map_or_else(String::new, |one| self.counted(&one));
                output::print(&text(plan.name.as_str(), self.rate, &counted, &forecast))?;
            }
        }
        let impossible = forecast.verdict == Decidable::Impossible;
        Ok(if impossible { Exit::Failed } else { Exit::Done })
    }

    /// What error rates count.
    fn counted(&self, conversation: &Conversation) -> String {
        let (errors, requests) = (output::percent(Some(self.errors)), conversation.requests());
        format!(", {requests} of each user; error rates count users, {errors} meet an error")
    }

    /// What both versions are like.
    fn truth(&self, conversation: Option<&Conversation>) -> Truth {
        let usual = Truth::default();
        let of_requests = |share| conversation.map_or(share, |one| one.failing_requests(share));
        Truth {
            error_rate: of_requests(self.errors),
            median_ms: self.p95_ms / P95_BY_MEDIAN,
            cost_usd: self.cost,
            vote_share: self.votes,
            negative: self.negative,
            satisfied: (usual.satisfied + usual.negative - self.negative).max(0.0),
            report: self.measures,
            ..usual
        }
    }
}

/// Milliseconds, up to an hour.
fn milliseconds(text: &str) -> Result<f64, String> {
    between(text, 0.1, 3_600_000.0)
}

/// US dollars a request.
fn dollars(text: &str) -> Result<f64, String> {
    between(text, 1e-9, 1_000.0)
}

fn text(plan: &str, rate: f64, counted: &str, forecast: &Forecast) -> String {
    let stages: Vec<Vec<String>> = forecast.stages.iter().map(stage).collect();
    let gates: Vec<Vec<String>> = forecast
        .stages
        .iter()
        .flat_map(|stage| stage.gates.iter().map(|one| gate(&stage.stage, one)))
        .collect();
    let triggers: Vec<Vec<String>> = forecast
        .triggers
        .iter()
        .map(|trigger| {
            let count = |n: Option<u64>| n.map_or_else(|| "never".into(), output::count);
            vec![
                format!("{} {}", trigger.metric, trigger.bound),
                trigger.fault.clone(),
                count(trigger.candidate_requests),
                count(trigger.requests),
                trigger.time_ms.map_or_else(|| UNKNOWN.into(), output::duration),
                match trigger.candidate_requests {
                    Some(_) if !trigger.in_time => "not before its end".into(),
                    _ => String::new(),
                },
            ]
        })
        .collect();
    let mut parts = vec![
        format!("plan {plan} at {rate} requests/s{counted}: {}", forecast.verdict.as_str()),
        output::table(
            &["stage", "weight", "lasts", "at most", "in time", "with extension", "simulated", ""],
            &stages,
        ),
    ];
    if !gates.is_empty() {
        let head =
            ["stage", "gate", "needs", "expected", "with extension", "in time", "with extension"];
        parts.push(output::table(&head, &gates));
    }
    if !triggers.is_empty() {
        let head = ["trigger", "finds", "the candidate's requests", "of all", "after", ""];
        parts.push(output::table(&head, &triggers));
    }
    parts.push(
        "Requests are the candidate's since the start of the release; chances, that enough of \
         them come. Simulated: releases that passed the stage, of those that reached it; in \
         brackets without an extension. Triggers: about, at the weight of the first stage with \
         users; `not before its end` when the whole release brings the candidate fewer."
            .into(),
    );
    parts.join("\n\n")
}

fn stage(forecast: &StageForecast) -> Vec<String> {
    let asked = forecast.gates.iter().filter(|gate| !gate.waived && !gate.dry_run);
    let likely = |which: usize| {
        let least = asked.clone().map(|gate| gate.likely[which]).fold(1.0, f64::min);
        likely(least)
    };
    let simulated = forecast.simulated.filter(|seen| seen.reached > 0);
    vec![
        forecast.stage.clone(),
        output::weight(forecast.weight_bp),
        output::duration(forecast.duration_ms),
        output::duration(forecast.duration_ms.saturating_add(forecast.extension_max_ms)),
        likely(0),
        likely(1),
        simulated.map_or_else(
            || UNKNOWN.into(),
            |seen| format!("{} of {} ({})", seen.passed, seen.reached, seen.in_time),
        ),
        forecast.verdict.as_str().into(),
    ]
}

fn gate(stage: &str, gate: &GateForecast) -> Vec<String> {
    let proved = if gate.assurance == Assurance::Proved { " proved" } else { "" };
    let set_apart = match gate {
        GateForecast { waived: true, .. } => " (waived)",
        GateForecast { dry_run: true, .. } => " (dry run)",
        _ => "",
    };
    vec![
        stage.to_owned(),
        format!("{} {}{proved}{set_apart}", gate.metric, gate.bound),
        gate.needed.map_or_else(|| "never enough".into(), output::count),
        output::count(gate.expected[0]),
        output::count(gate.expected[1]),
        likely(gate.likely[0]),
        likely(gate.likely[1]),
    ]
}

/// A chance in whole percent; never rounded to certainty.
fn likely(p: f64) -> String {
    match p {
        p if p < 0.005 => "< 1 %".into(),
        p if p >= 0.995 => "> 99 %".into(),
        p => format!("{:.0} %", p * 100.0),
    }
}
