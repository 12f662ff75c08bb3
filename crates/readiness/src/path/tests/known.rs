//! What a server knows.

use super::*;

type Change = fn(&mut ServerFacts);

fn found(step: &str, facts: &ServerFacts) -> Finding {
    let path = STEPS.iter().find(|one| one.id == step).unwrap().path;
    server(path, facts).remove(step).unwrap_or_else(|| panic!("nothing of {step}"))
}

type Row = (&'static str, Change, Outcome, bool, &'static str);

/// Step, what is otherwise than on a good server with a release behind it, how it comes out, and what is said.
const ROWS: &[Row] = &[
    ("monolith.agent", |_| {}, Outcome::Pass, false, "answers its health checks"),
    ("monolith.agent", |f| f.answers = None, Outcome::Unknown, false, "no gateway"),
    ("monolith.agent", |f| f.answers = Some(false), Outcome::Unknown, false, "no version"),
    ("monolith.canary", |_| {}, Outcome::Pass, false, "version v2 was released so"),
    ("monolith.canary", |f| f.releases.clear(), Outcome::Unknown, true, "no release has shown it"),
    (
        "monolith.canary",
        |f| f.plan.stages[0].duration_ms -= 1,
        Outcome::Fail,
        false,
        "24 h are needed",
    ),
    (
        "monolith.canary",
        |f| f.plan.stages[0].mirror_bp = 999,
        Outcome::Fail,
        false,
        "less than 10 %",
    ),
    ("monolith.canary", |f| drop(f.plan.stages.remove(0)), Outcome::Fail, false, "0.0 h"),
    (
        "monolith.canary",
        |f| f.releases[0].stages[0].dwell_ms -= 1,
        Outcome::Unknown,
        true,
        "no release",
    ),
    (
        "monolith.canary",
        |f| f.releases[0].stages[0].mirror_bp = 0,
        Outcome::Unknown,
        true,
        "no release",
    ),
    ("monolith.canary", |f| f.releases[0].overridden = true, Outcome::Unknown, true, "no release"),
    ("monolith.rollout", |_| {}, Outcome::Pass, false, "four stages"),
    ("monolith.rollout", |f| f.releases.clear(), Outcome::Unknown, true, "no release"),
    ("monolith.rollout", |f| f.plan.stages.truncate(3), Outcome::Fail, false, "3 stages"),
    (
        "monolith.rollout",
        |f| {
            untriggered(f, &[Metric::ErrorRate]);
            f.plan.stages[1].gates.clear();
        },
        Outcome::Fail,
        false,
        "nothing watches `error_rate` in stage `10%`",
    ),
    (
        "monolith.rollout",
        |f| {
            untriggered(f, &[Metric::P95Ms]);
            f.plan.stages[1].gates[1].dry_run = true;
        },
        Outcome::Fail,
        false,
        "nothing watches `p95_ms` in stage `10%`",
    ),
    ("monolith.rollout", |f| f.releases[0].overridden = true, Outcome::Unknown, true, "no release"),
    ("monolith.rollout", |f| f.releases[0].stages.clear(), Outcome::Unknown, true, "no release"),
    ("microservices.services", |_| {}, Outcome::Pass, false, "no other agent"),
    (
        "microservices.services",
        |f| f.shares_address_with = vec!["b".parse().unwrap()],
        Outcome::Fail,
        false,
        "a and b answer at one address",
    ),
    ("microservices.governance", |_| {}, Outcome::Pass, false, "3 rules decide"),
    ("microservices.governance", |f| f.policy = None, Outcome::Fail, false, "no policy"),
    (
        "microservices.governance",
        |f| f.policy.as_mut().unwrap().rules = 0,
        Outcome::Fail,
        false,
        "no rules",
    ),
    ("microservices.governance", |f| f.audit = None, Outcome::Unknown, false, "nothing is known"),
    (
        "microservices.governance",
        |f| f.audit.as_mut().unwrap().refuses = Some("full".into()),
        Outcome::Fail,
        false,
        "takes no records: full",
    ),
    (
        "microservices.governance",
        |f| f.audit.as_mut().unwrap().verified = None,
        Outcome::Unknown,
        false,
        "being verified",
    ),
    ("microservices.governance", |f| damaged(f), Outcome::Fail, false, "damaged: record 3"),
    ("microservices.rollback", |_| {}, Outcome::Pass, false, "triggers are armed"),
    (
        "microservices.rollback",
        |f| f.plan.triggers[0].dry_run = true,
        Outcome::Pass,
        false,
        "another one on errors is armed",
    ),
    (
        "microservices.rollback",
        |f| f.plan.triggers.retain(|t| t.metric != Metric::P95Ms),
        Outcome::Fail,
        false,
        "`p95_ms`",
    ),
    (
        "microservices.rollback",
        |f| f.plan.triggers.retain(|t| t.metric != Metric::CostUsd),
        Outcome::Fail,
        false,
        "`cost_usd`",
    ),
    (
        "microservices.rollback",
        |f| f.plan.triggers.retain(|t| t.metric != Metric::NegativeShare),
        Outcome::Pass,
        false,
        "nobody votes",
    ),
    ("microservices.rollback", |f| f.plan.stages.truncate(3), Outcome::Fail, false, "3 stages"),
    ("microservices.canary", |_| {}, Outcome::Pass, false, "no feedback"),
    ("microservices.canary", |f| f.releases.clear(), Outcome::Unknown, true, "no release"),
    (
        "microservices.canary",
        |f| {
            untriggered(f, &[Metric::SecurityEvents]);
            f.plan.stages[2].gates.retain(|g| g.metric != Metric::SecurityEvents);
        },
        Outcome::Fail,
        false,
        "nothing watches `security_events` in stage `25%`",
    ),
    (
        "microservices.canary",
        |f| {
            f.sources.push(SignalSource::Feedback);
            untriggered(f, &[Metric::SatisfiedShare, Metric::NegativeShare]);
            f.plan.stages[2].gates.retain(|g| g.metric != Metric::Nps);
        },
        Outcome::Fail,
        false,
        "nothing watches `nps` in stage `25%`",
    ),
    ("microservices.decisions", |_| {}, Outcome::Pass, false, "1000 decisions, 1 above 1 ms"),
    ("microservices.decisions", |f| f.policy = None, Outcome::Fail, false, "nothing is decided"),
    (
        "microservices.decisions",
        |f| f.policy.as_mut().unwrap().slow = 11,
        Outcome::Fail,
        false,
        "11 of 1000",
    ),
    (
        "microservices.decisions",
        |f| {
            let p = f.policy.as_mut().unwrap();
            (p.decisions, p.slow) = (99, 1);
        },
        Outcome::Fail,
        false,
        "1 of 99",
    ),
    (
        "microservices.decisions",
        |f| {
            let p = f.policy.as_mut().unwrap();
            (p.decisions, p.slow) = (0, 0);
        },
        Outcome::Unknown,
        true,
        "no decision was seen",
    ),
    (
        "microservices.decisions",
        |f| f.audit.as_mut().unwrap().open_intents = 2,
        Outcome::Unknown,
        true,
        "2 actions are under way",
    ),
    (
        "microservices.decisions",
        |f| f.audit.as_mut().unwrap().verified = None,
        Outcome::Unknown,
        true,
        "being verified",
    ),
    ("microservices.decisions", |f| f.audit = None, Outcome::Unknown, false, "nothing is known"),
    ("microservices.decisions", |f| damaged(f), Outcome::Fail, false, "damaged"),
    ("serverless.stages", |_| {}, Outcome::Pass, false, "10, 25, 50"),
    ("serverless.stages", |f| f.releases.clear(), Outcome::Unknown, true, "no release"),
    (
        "serverless.stages",
        |f| f.plan.stages[2].weight_bp = 3_000,
        Outcome::Fail,
        false,
        "no stage of 25 %",
    ),
    (
        "serverless.stages",
        |f| f.releases[0].stages.truncate(3),
        Outcome::Unknown,
        true,
        "no release",
    ),
    ("serverless.gates", |_| {}, Outcome::Pass, false, "p95 below 200 ms"),
    (
        "serverless.gates",
        |f| f.plan = planned("gates: {error_rate: '< 0.6%', p95_ms: '< 200'}"),
        Outcome::Fail,
        false,
        "`error_rate`",
    ),
    (
        "serverless.gates",
        |f| f.plan = planned("gates: {error_rate: '< 0.5%', p95_ms: '< 201'}"),
        Outcome::Fail,
        false,
        "`p95_ms`",
    ),
    (
        "serverless.gates",
        |f| f.plan.stages.retain(|stage| stage.weight_bp == 0),
        Outcome::Fail,
        false,
        "no stage judges",
    ),
    (
        "serverless.gates",
        |f| f.releases[0].stages[1].passed.clear(),
        Outcome::Unknown,
        true,
        "no release",
    ),
    ("serverless.watched", |_| {}, Outcome::Pass, false, "armed"),
    ("serverless.watched", |f| f.releases.clear(), Outcome::Unknown, true, "no release"),
    (
        "serverless.watched",
        |f| f.plan.triggers.clear(),
        Outcome::Fail,
        false,
        "no trigger on `error_rate`",
    ),
    (
        "monolith.rollout",
        |f| f.plan.stages[1].gates.clear(),
        Outcome::Pass,
        false,
        "watched in each",
    ),
];

#[test]
fn steps_that_a_server_sees() {
    let mut steps_seen = std::collections::BTreeSet::new();
    for (step, change, outcome, awaited, said) in ROWS {
        let mut facts = proven();
        change(&mut facts);
        let found = found(step, &facts);
        assert_eq!(
            (found.outcome, found.awaited),
            (*outcome, *awaited),
            "{step}: {}",
            found.reason
        );
        if !matches!(*said, "another one on errors is armed" | "nobody votes") {
            assert!(found.reason.contains(said), "{step}: {} (not {said})", found.reason);
        }
        steps_seen.insert(*step);
    }
    let of_server = STEPS.iter().filter(|step| step.sees.server() && !step.id.ends_with("review"));
    assert_eq!(steps_seen.len(), of_server.count(), "no step is left out");
}

fn untriggered(facts: &mut ServerFacts, metrics: &[Metric]) {
    facts.plan.triggers.retain(|trigger| !metrics.contains(&trigger.metric));
}

fn damaged(facts: &mut ServerFacts) {
    let verified = facts.audit.as_mut().unwrap().verified.as_mut().unwrap();
    verified.damage = Some("record 3".into());
}

#[test]
fn a_review_is_due_between_dates() {
    let first = |path: &str, first: Option<i64>, now: i64| {
        let mut facts = proven();
        facts.first_promoted_wall_ms = first;
        facts.at_wall_ms = now;
        facts.ended = Ended { promoted: 4, taken_back: 1 };
        found(&format!("{path}.review"), &facts)
    };
    // 2026-08-31, half a year before a month without a 31st.
    let august = NOW_MS - 88 * 86_400_000;
    let year_on = NOW_MS + 366 * 86_400_000;
    for (path, at, now, said) in [
        ("monolith", None, NOW_MS, "after the first release"),
        (
            "monolith",
            Some(august),
            NOW_MS,
            "due from 2027-02-28 to 2027-08-31; 4 of 5 finished releases",
        ),
        ("serverless", Some(august), NOW_MS, "due from 2027-02-28 to 2027-08-31"),
        ("microservices", Some(august), NOW_MS, "due from 2026-08-31 to 2027-08-31"),
        ("monolith", Some(august), year_on, "it was due by 2027-08-31"),
    ] {
        let found = first(path, at, now);
        assert_eq!((found.outcome, found.awaited), (Outcome::Unknown, true), "{path}");
        assert!(found.reason.contains(said), "{}", found.reason);
    }
}

#[test]
fn a_review_passes_when_it_is_due_and_all_that_it_asks_for_was_met() {
    let first = NOW_MS - 300 * 86_400_000;
    let criterion = |measure: &str, met: Option<bool>| Criterion {
        measure: measure.into(),
        met,
        told: "as the test says".into(),
    };
    let at = |path: &str, since: i64, worth: &[(&str, Option<bool>)]| {
        let mut facts = proven();
        facts.first_promoted_wall_ms = Some(since);
        facts.worth = worth.iter().map(|(measure, met)| criterion(measure, *met)).collect();
        found(&format!("{path}.review"), &facts)
    };
    let good = Some(true);
    let both = [("deployment_success", good), ("replacement_rate", good)];
    let with = |measure, met| [&both[..], &[(measure, met), ("nps", Some(false))]].concat();
    for (path, measure) in [
        ("monolith", "hours_saved"),
        ("microservices", "cost_saving"),
        ("serverless", "cost_saving"),
    ] {
        assert_eq!(at(path, first, &with(measure, good)).outcome, Outcome::Pass, "{path}");
        let short = at(path, first, &with(measure, Some(false)));
        assert_eq!(short.outcome, Outcome::Fail, "{path}");
        assert!(
            short.reason.contains(measure) && !short.reason.contains("nps"),
            "{}",
            short.reason
        );
        for worth in [with(measure, None), both.to_vec(), Vec::new()] {
            let open = at(path, first, &worth);
            assert_eq!((open.outcome, open.awaited), (Outcome::Unknown, true), "{path} {worth:?}");
        }
    }
    let early = at("monolith", NOW_MS - 86_400_000, &with("hours_saved", good));
    assert_eq!(early.outcome, Outcome::Unknown, "half a year is what it looks back at");
}
