//! Every formula worked out by hand, once with numbers and once where there can be none.

use lockgate_model::interaction::{Interaction, Outcome};
use lockgate_value::gather::{Deployment, End, Gathered, Milestones};
use lockgate_value::judge::State;
use serde_json::{Value, json};

use crate::given::{
    DAY, HOUR, MARCH, agent, deployment, event as told_event, interaction, march, reported,
    security, take, tell, value,
};

pub(crate) fn outcomes(gathered: &mut Gathered, resolved: usize, escalated: usize, unknown: usize) {
    let of = |outcome: Option<Outcome>, count| std::iter::repeat_n(outcome, count);
    let all = of(Some(Outcome::Resolved), resolved)
        .chain(of(Some(Outcome::Escalated), escalated))
        .chain(of(None, unknown));
    for outcome in all {
        take(
            gathered,
            &Interaction { outcome, cost_nanousd: Some(250_000_000), ..interaction(MARCH + HOUR) },
        );
    }
}

pub(crate) fn baseline(measure: &str, amount: f64, unit: &str) -> Value {
    json!({"kind": "baseline", "agent": null, "measure": measure, "value": amount, "unit": unit, "as_of": "2026-01-01"})
}

/// 28 days: 4 weeks. 30 of 40 resolved, 10 escalated, each at 0.25 USD.
fn usual() -> Gathered {
    let mut gathered = march(28);
    outcomes(&mut gathered, 30, 10, 0);
    for (at, end) in [End::Promoted, End::Promoted, End::Promoted, End::Aborted, End::Superseded]
        .into_iter()
        .enumerate()
    {
        gathered.deployment(deployment(&format!("d{at}"), end));
    }
    let at = |hours: i64| MARCH + hours * HOUR;
    tell(
        &mut gathered,
        [
            &baseline("minutes_per_task", 20.0, "minutes"),
            &baseline("minutes_with_agent", 4.0, "minutes"),
            &baseline("labour_cost_per_hour", 60.0, "USD"),
            &baseline("error_rate_by_hand", 10.0, "percent"),
            &baseline("cost_per_error", 5.0, "USD"),
            &baseline("yearly_cost", 20_000.0, "USD"),
            &baseline("nps", 20.0, "points"),
            &json!({"kind": "headcount", "agent": null, "employees": 50, "knowledge_workers": 20, "seats": 2}),
            &json!({"kind": "survey", "score": 10}),
            &json!({"kind": "survey", "score": 9}),
            &json!({"kind": "survey", "score": 8}),
            &json!({"kind": "survey", "score": 3}),
            &json!({"kind": "conversion", "arm": "agent", "visitors": 100, "converted": 12}),
            &json!({"kind": "conversion", "arm": "control", "visitors": 200, "converted": 20}),
            &json!({"kind": "incident", "detected_wall_ms": at(1), "recovered_wall_ms": at(2)}),
            &json!({"kind": "incident", "detected_wall_ms": at(1), "recovered_wall_ms": at(1) + 600_000}),
            &json!({"kind": "incident", "detected_wall_ms": at(1), "recovered_wall_ms": at(1) + 1_200_000}),
            &json!({"kind": "error_introduced", "count": 2}),
            &json!({"kind": "use_case", "name": "refunds", "stage": "production"}),
            &json!({"kind": "use_case", "name": "returns", "stage": "production"}),
            &json!({"kind": "use_case", "name": "orders", "stage": "test"}),
            &json!({"kind": "system", "agent": null, "name": "desk", "stage": "test"}),
            &json!({"kind": "system", "agent": null, "name": "old", "stage": "retired"}),
            &json!({"kind": "replacement_check", "interaction": "0190b6c4-7e1d-7000-8000-000000000001", "verified": true}),
            &json!({"kind": "replacement_check", "interaction": "0190b6c4-7e1d-7000-8000-000000000002", "verified": false}),
            &json!({"kind": "external_cost", "billed_cost": 56, "billing_currency": "USD", "service_name": "Search",
                "charge_period_start_wall_ms": MARCH - 28 * DAY, "charge_period_end_wall_ms": MARCH + 28 * DAY}),
        ],
    );
    let firsts = Milestones {
        first_test_wall_ms: Some(MARCH - 10 * DAY),
        first_value_wall_ms: None,
        in_production: true,
    };
    gathered.milestones(&agent("support"), firsts);
    gathered
}

#[test]
fn every_formula_worked_out_by_hand() {
    let report = reported(&usual());
    for (id, by_hand, how) in [
        (
            "deployment_success",
            75.0,
            "3 promoted of 4 that ended; the superseded one counts nowhere",
        ),
        ("production_share", 50.0, "support of support and desk; the retired one is none"),
        (
            "time_to_value",
            10.0 + 1.0 / 24.0,
            "from ten days before to the hour of the first resolved one",
        ),
        ("use_cases_production", 2.0, "refunds and returns"),
        ("use_cases_test", 1.0, "orders"),
        ("use_case_ratio", 2.0, "2 / 1"),
        ("deployment_frequency", 0.75, "3 / 4 weeks"),
        ("change_failure_rate", 25.0, "1 of 4"),
        ("interactions", 40.0, "30 + 10"),
        ("replacement_rate", 75.0, "30 of 40"),
        ("verified_share", 50.0, "1 of 2"),
        ("verified_replacement", 37.5, "75 × 0.5"),
        ("mttr_mean", 30.0, "(60 + 10 + 20) / 3"),
        ("mttr_median", 20.0, "10, 20, 60"),
        ("error_rate", 5.0, "2 of 40, both found later"),
        ("security_events", 0.0, "none"),
        ("hours_saved", 1.0, "30 × 16 min = 8 h, / 4 weeks / 2 seats"),
        ("conversion_uplift_points", 2.0, "12 % − 10 %"),
        ("conversion_uplift_relative", 20.0, "12 / 10 − 1"),
        ("nps", 25.0, "(2 − 1) / 4"),
        ("nps_change", 5.0, "25 − 20"),
        ("labour_saving", 6_257.142_857_142_86, "8 h × 60 × 365 / 28"),
        ("errors_avoided", 130.357_142_857_143, "(4 − 2) × 5 × 365 / 28"),
        ("saving_gross", 6_387.5, "490 × 365 / 28"),
        ("agent_cost", 38.0, "40 × 0.25 + half of 56"),
        ("agent_cost_yearly", 495.357_142_857_143, "38 × 365 / 28"),
        ("saving_net", 5_892.142_857_142_86, "452 × 365 / 28"),
        ("cost_saving_gross", 31.937_5, "6387.5 of 20000"),
        ("cost_saving", 29.460_714_285_714_3, "5892.14 of 20000"),
        ("cost_per_resolved", 1.266_666_666_666_67, "38 / 30"),
    ] {
        let found = value(&report, id).unwrap_or_else(|| panic!("{id} is missing"));
        assert!(
            (found - by_hand).abs() < 1e-9 * by_hand.abs().max(1.0),
            "{id}: {found} for {by_hand}: {how}"
        );
    }
    // 0.30 × 75 + 0.25 × 75 + 0.20 × 1 + 0.15 × 29.4607… + 0.10 × 25
    assert_eq!(report.score.raw, Some(48.369_107_142_9));
    // 22.5 + 18.75 + 0.20 × 18.75 + 0.15 × 100 + 0.10 × 62.5
    assert_eq!(report.score.normalised, Some(66.25));
    let states: Vec<State> = report.success.iter().map(|one| one.state).collect();
    assert_eq!(states, [State::NotMet, State::Met, State::NotMet, State::Met, State::NotMet]);
    let signals: Vec<State> = report.failure.iter().map(|one| one.state).collect();
    assert_eq!(signals, [State::NotMet, State::NotMet, State::Met, State::NotMet]);
}

#[test]
fn nothing_is_never_zero_and_says_how_to_record_it() {
    let report = reported(&march(28));
    for measured in &report.measures {
        let missing = measured.missing.as_ref().unwrap_or_else(|| panic!("{:?}", measured.id));
        assert_eq!(measured.value, None);
        assert!(!missing.why.is_empty() && !missing.how.is_empty(), "{:?}", measured.id);
    }
    assert_eq!(
        (report.score.raw, report.score.normalised, report.score.missing.len()),
        (None, None, 5)
    );
    assert!(report.success.iter().chain(&report.failure).all(|one| one.state == State::Unknown));
    assert!(report.forecast.missing.is_some());
}

#[test]
fn outcomes_that_nobody_said_make_a_range_and_decide_nothing() {
    let mut gathered = march(7);
    outcomes(&mut gathered, 6, 1, 3);
    let report = reported(&gathered);
    let rate = report.measures.iter().find(|one| one.id.spec().id == "replacement_rate").unwrap();
    let range = rate.range.unwrap();
    assert_eq!((rate.value, range.low, range.high), (Some(60.0), Some(60.0), Some(90.0)));
    assert_eq!(report.success[1].state, State::Unknown);
    assert_eq!(report.failure[1].state, State::NotMet);
}

#[test]
fn a_cost_that_is_not_known_in_full_makes_no_saving_certain() {
    let mut gathered = usual();
    take(&mut gathered, &Interaction { outcome: Some(Outcome::Resolved), ..interaction(MARCH) });
    let report = reported(&gathered);
    let saving = report.measures.iter().find(|one| one.id.spec().id == "cost_saving").unwrap();
    assert!(saving.range.unwrap().low.is_none() && saving.value.unwrap() > 15.0);
    assert_eq!(report.success[3].state, State::Unknown);
    assert!(
        saving.notes.iter().any(|note| note.contains("1 of 41 interactions is unknown")),
        "{:?}",
        saving.notes
    );
}

#[test]
fn money_in_another_currency_is_named_and_not_converted() {
    let mut gathered = march(7);
    outcomes(&mut gathered, 1, 0, 0);
    let charge = |cost: i32| {
        json!({"kind": "external_cost", "billed_cost": cost, "billing_currency": "EUR", "service_name": "s",
        "charge_period_start_wall_ms": MARCH, "charge_period_end_wall_ms": MARCH + DAY})
    };
    tell(&mut gathered, [&charge(7), &baseline("yearly_cost", 5.0, "EUR")]);
    let report = reported(&gathered);
    let cost = report.measures.iter().find(|one| one.id.spec().id == "agent_cost").unwrap();
    assert_eq!((cost.value, cost.range.unwrap().high), (Some(0.25), None));
    assert!(cost.notes.iter().any(|note| note.contains("7 EUR")), "{:?}", cost.notes);
    let saving = report.measures.iter().find(|one| one.id.spec().id == "cost_saving").unwrap();
    assert!(saving.missing.as_ref().unwrap().why.contains("yearly_cost is in EUR"));
}

#[test]
fn more_users_than_employees_are_no_adoption() {
    let mut gathered = march(7);
    for user in 0..3 {
        take(&mut gathered, &Interaction { user: Some(user), ..interaction(MARCH) });
    }
    let headcount =
        |employees: u64| json!({"kind": "headcount", "agent": null, "employees": employees});
    let adoption = |employees| {
        let mut gathered = gathered.clone();
        tell(&mut gathered, [&headcount(employees)]);
        value(&reported(&gathered), "adoption")
    };
    assert_eq!((adoption(2), adoption(3), adoption(12)), (None, Some(100.0), Some(25.0)));
}

#[test]
fn a_sketch_that_sees_some_more_than_all_sees_all() {
    let mut gathered = march(7);
    for user in 0..2_000 {
        take(&mut gathered, &Interaction { user: Some(user), ..interaction(MARCH) });
    }
    let users = value(&reported(&gathered), "users").unwrap();
    let adoption = |employees: f64| {
        let mut gathered = gathered.clone();
        let employees: u64 = employees.to_string().parse().unwrap();
        tell(&mut gathered, [&json!({"kind": "headcount", "agent": null, "employees": employees})]);
        value(&reported(&gathered), "adoption")
    };
    assert_eq!(adoption((users / 1.03).ceil()), Some(100.0));
    assert_eq!(adoption((users / 1.10).ceil()), None);
}

#[test]
fn users_of_two_agents_may_be_the_same() {
    let mut gathered = march(7);
    for (name, users) in [("support", 3), ("sales", 2)] {
        for user in 0..users {
            take(
                &mut gathered,
                &Interaction { agent: agent(name), user: Some(user), ..interaction(MARCH) },
            );
        }
    }
    tell(&mut gathered, [&json!({"kind": "headcount", "agent": null, "employees": 10})]);
    let report = reported(&gathered);
    let adoption = report.measures.iter().find(|one| one.id.spec().id == "adoption").unwrap();
    assert_eq!((adoption.value, adoption.range.unwrap().high), (Some(30.0), Some(50.0)));
}

#[test]
fn failures_recover_once_and_what_lasts_is_named() {
    let mut gathered = march(7);
    let failed = |id: &str, minutes: Option<i64>| Deployment {
        detected_wall_ms: Some(MARCH + DAY),
        recovered_wall_ms: minutes.map(|minutes| MARCH + DAY + minutes * 60_000),
        ..deployment(id, End::RolledBack)
    };
    let id = "0190b6c4-7e1d-7000-8000-000000000009";
    gathered.deployment(failed(id, Some(2)));
    gathered.deployment(failed("lasts", None));
    gathered.deployment(Deployment { version: None, ..failed("other", Some(4)) });
    // The incident tells of the first release, whose own times then count for nothing.
    tell(
        &mut gathered,
        [
            &json!({"kind": "incident", "release": id, "detected_wall_ms": MARCH + DAY, "recovered_wall_ms": MARCH + DAY + 600_000}),
        ],
    );
    let report = reported(&gathered);
    assert_eq!(value(&report, "mttr_mean"), Some(7.0));
    assert_eq!(value(&report, "failed_deployment_recovery"), Some(7.0));
    let mttr = report.measures.iter().find(|one| one.id.spec().id == "mttr_mean").unwrap();
    assert!(mttr.notes[0].contains("1 last still"), "{:?}", mttr.notes);
}

#[test]
fn what_is_said_of_a_release_adds_to_it_and_counts_it_once() {
    let mut gathered = march(7);
    let id = "0190b6c4-7e1d-7000-8000-000000000009";
    gathered.deployment(deployment(id, End::Promoted));
    let said = json!({"kind": "deployment", "release": id, "outcome": "failed", "finished_wall_ms": MARCH + DAY, "committed_wall_ms": MARCH});
    tell(&mut gathered, [&said]);
    let report = reported(&gathered);
    assert_eq!(value(&report, "deployment_success"), Some(100.0));
    assert_eq!(value(&report, "lead_time"), Some(24.0));
}

#[test]
fn value_before_any_test_is_no_time_to_value() {
    let mut gathered = march(7);
    let firsts = |test: i64, value: i64| Milestones {
        first_test_wall_ms: Some(MARCH + test * DAY),
        first_value_wall_ms: Some(MARCH + value * DAY),
        in_production: false,
    };
    gathered.milestones(&agent("early"), firsts(3, 1));
    assert_eq!(value(&reported(&gathered), "time_to_value"), None);
    gathered.milestones(&agent("same"), firsts(2, 2));
    gathered.milestones(&agent("four"), firsts(0, 4));
    gathered.milestones(&agent("later"), firsts(0, 40));
    let report = reported(&gathered);
    assert_eq!(value(&report, "time_to_value"), Some(2.0));
    assert_eq!(value(&report, "production_share"), Some(0.0));
}

#[test]
fn a_security_event_raises_the_signal() {
    let mut gathered = march(7);
    gathered.security(&security(1, MARCH));
    gathered.security(&security(1, MARCH));
    gathered.security(&security(2, MARCH + 7 * DAY));
    let report = reported(&gathered);
    assert_eq!(value(&report, "security_events"), Some(1.0));
    assert_eq!(report.failure[3].state, State::Met);
}

#[test]
fn votes_that_are_all_alike_and_their_change_have_a_width() {
    let mut gathered = march(7);
    let survey = json!({"kind": "survey", "score": 10});
    let mut told = vec![baseline("nps", 100.0, "points")];
    told.extend(std::iter::repeat_n(survey, 10));
    tell(&mut gathered, &told);
    let report = reported(&gathered);
    let ends = |id: &str| {
        let measured = report.measures.iter().find(|one| one.id.spec().id == id).unwrap();
        let ends = measured.interval.clone().unwrap_or_else(|| panic!("{id}: {measured:?}"));
        (measured.value.unwrap(), ends.low, ends.high.unwrap())
    };
    // 10.75 / 13 and 0.75 / 13: 76.92 ± 1.96 × √((0.8846 − 0.5917) / 13).
    let near = |found: f64, by_hand: f64| (found - by_hand).abs() < 1e-6;
    let (nps, low, high) = ends("nps");
    assert!(near(nps, 100.0) && near(low, 47.503_551_312_7) && near(high, 100.0), "{low} {high}");
    let (change, low, high) = ends("nps_change");
    assert!(near(change, 0.0) && near(low, -52.496_448_687_3) && near(high, 0.0), "{low} {high}");
}

/// What is told of a release of Lockgate's own adds times to it, and makes none of what does not count.
#[test]
fn what_is_told_of_an_own_release_adds_times_and_no_release() {
    let id = "0192f0c1-2d3e-7000-8000-0000000000aa";
    let said = |key: &str, committed: i64| {
        let what = json!({
            "kind": "deployment", "release": id, "outcome": "failed",
            "finished_wall_ms": MARCH + 20 * DAY, "committed_wall_ms": MARCH + committed * DAY,
            "at_wall_ms": MARCH + (30 - committed) * DAY,
        });
        told_event(key, &what)
    };
    // An agent's first version is no release, whatever is said of it.
    let mut first = march(30);
    first.event(&said("a", 1));
    assert_eq!(value(&reported(&first), "deployment_success"), None);
    // How it ended stands, and of two reports the later one.
    let mut own = march(30);
    own.deployment(Deployment {
        finished_wall_ms: MARCH + 3 * DAY,
        id: id.to_owned(),
        agent: "support".parse().unwrap(),
        version: None,
        end: End::Promoted,
        in_production: true,
        started_wall_ms: None,
        committed_wall_ms: None,
        detected_wall_ms: None,
        recovered_wall_ms: None,
    });
    own.event(&said("late", 1));
    own.event(&said("early", 2));
    let report = reported(&own);
    assert_eq!(value(&report, "deployment_success"), Some(100.0));
    assert_eq!(value(&report, "lead_time"), Some(48.0));
}
