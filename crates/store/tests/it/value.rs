//! What agents are worth: counts of interactions, events, imports.

use std::collections::HashSet;
use std::sync::Arc;

use lockgate_model::ids::InteractionId;
use lockgate_model::interaction::{ErrorClass, Outcome, Score};
use lockgate_model::ports::{Events as _, Interactions as _};
use lockgate_model::price::PriceTable;
use lockgate_model::ticket::Answer;
use lockgate_rollout::state::Phase;
use lockgate_store::{NewImport, NotImported, NotTaken, Resolution, Store, Taken};
use lockgate_value::catalog::MeasureId;
use lockgate_value::event::{Draft, Event, Key};
use lockgate_value::gather::Gathered;
use lockgate_value::ledger::Ledger;
use lockgate_value::report::{ValueReport, report};
use lockgate_value::rollup::{Bucket, HOUR_MS, Unpriced};
use lockgate_value::window::Window;
use serde_json::json;
use uuid::Uuid;

use crate::world::{Database, T0, agent_a, interaction, rollout, ticket, transition};

const DAY_MS: i64 = 24 * HOUR_MS;

pub(crate) fn survey(key: &str, score: u8, corrects: Option<&str>) -> Event {
    let event = json!({
        "key": key, "at_wall_ms": T0, "agent": "agent-a", "source": "survey", "corrects": corrects,
        "kind": "survey", "score": score,
    });
    Event::from_json(event).unwrap()
}

/// Takes events that say their times.
pub(crate) async fn tell(store: &Store, events: &[Event]) -> Result<Taken, NotTaken> {
    let drafts: Vec<Draft> = events.iter().cloned().map(Draft::from).collect();
    Ok(store.tell_events(&drafts, "ada", T0).await?.taken)
}

async fn hours(store: &Store) -> Vec<(i64, Bucket)> {
    of(store, Resolution::Hour).await
}

async fn of(store: &Store, resolution: Resolution) -> Vec<(i64, Bucket)> {
    let all = store.value_rollups(resolution, None, 0, i64::MAX).await.unwrap();
    all.into_iter().map(|(slot, bucket)| (slot.start_wall_ms, bucket)).collect()
}

pub(crate) async fn reported(store: &Store) -> ValueReport {
    let window = Window::new(T0 - DAY_MS, T0 + DAY_MS, "UTC").unwrap();
    report(&store.value_gathered(window, Some(&agent_a())).await.unwrap())
}

pub(crate) async fn nps(store: &Store) -> Option<f64> {
    reported(store).await.measure(MeasureId::Nps).unwrap().value
}

pub(crate) async fn each_interaction_is_counted_once_by_the_hour_and_by_the_day(db: &Database) {
    let id = || InteractionId(Uuid::now_v7());
    let mut batch = vec![
        interaction(id(), None),
        interaction(id(), Some(ErrorClass::Timeout)),
        interaction(id(), None),
    ];
    batch[0].outcome = Some(Outcome::Resolved);
    batch[0].cost_nanousd = Some(7);
    batch[0].price_table = Some(Arc::new(PriceTable::reported()));
    batch[2].started_wall_ms = T0 + HOUR_MS;
    batch[2].user = Some(5);
    db.append(batch.clone()).await.unwrap();
    batch.push(batch[0].clone());
    db.append(batch).await.unwrap();
    let hours = hours(db).await;
    let hour = T0 - T0.rem_euclid(HOUR_MS);
    assert_eq!(hours.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [hour, hour + HOUR_MS]);
    let first = &hours[0].1;
    assert_eq!((first.interactions(), first.outcomes.resolved, first.outcomes.failed), (2, 1, 1));
    assert_eq!((first.cost.known, first.cost.unknown), (1, 1));
    assert_eq!(first.prices.tables, [("lockgate-cost-usd reported".to_owned(), 1)].into());
    let silent = &first.prices.unpriced[&Unpriced::NoTokens];
    assert_eq!(silent, &[("small".to_owned(), 1)].into());
    let mut whole = first.clone();
    whole.merge(&hours[1].1);
    assert_eq!(of(db, Resolution::Day).await, [(T0 - T0.rem_euclid(DAY_MS), whole)]);
    assert_eq!(hours, self::hours(&db.restart().await).await);
}

pub(crate) async fn what_is_said_late_counts_in_the_hour_of_its_interaction(db: &Database) {
    let rollout = rollout("agent-a");
    let (before, after) = (ticket(&rollout, Some(1)), ticket(&rollout, Some(2)));
    db.answer(before.clone(), Answer::Outcome(Outcome::Escalated), T0).await.unwrap();
    let mut batch = [before.interaction, after.interaction].map(|id| interaction(id, None));
    batch[1].error = Some(ErrorClass::Timeout);
    db.append(batch.to_vec()).await.unwrap();
    for _ in 0..2 {
        let late = T0 + 30 * DAY_MS;
        db.answer(after.clone(), Answer::Outcome(Outcome::Resolved), late).await.unwrap();
        db.answer(after.clone(), Answer::Feedback(Score::Positive), late).await.unwrap();
    }
    let mut all = Bucket::default();
    of(db, Resolution::Day).await.iter().for_each(|(_, day)| all.merge(day));
    let outcomes = all.outcomes;
    assert_eq!(
        (outcomes.escalated, outcomes.resolved, outcomes.failed, outcomes.unknown),
        (1, 1, 0, 0)
    );
    assert_eq!(all.votes.plain.positive, 1);
}

pub(crate) async fn an_event_is_told_once_and_corrected_by_a_new_one(db: &Database) {
    let told = |events: Vec<Event>| async move { tell(db, &events).await };
    let both = vec![survey("a", 10, None), survey("b", 0, None)];
    assert_eq!(told(both.clone()).await.unwrap(), Taken { new: 2, known: 0 });
    assert_eq!(told(both).await.unwrap(), Taken { new: 0, known: 2 });
    assert_eq!(nps(db).await, Some(0.0));
    let twice = told(vec![survey("d", 10, None), survey("d", 10, None)]).await.unwrap();
    assert_eq!(twice, Taken { new: 1, known: 1 });
    told(vec![survey("d2", 0, Some("d"))]).await.unwrap();
    assert_eq!(nps(db).await.map(f64::round), Some(-33.0));
    let differs = told(vec![survey("e", 10, None), survey("e", 9, None)]).await.unwrap_err();
    assert!(matches!(differs, NotTaken::Conflict { index: 1, .. }), "{differs}");
    let other = told(vec![survey("c", 9, None), survey("a", 9, None)]).await.unwrap_err();
    assert!(matches!(other, NotTaken::Conflict { index: 1, .. }), "{other}");
    assert_eq!(nps(db).await.map(f64::round), Some(-33.0), "all or nothing");
    told(vec![survey("d3", 10, Some("d2"))]).await.unwrap();
    told(vec![survey("b2", 10, Some("b"))]).await.unwrap();
    assert_eq!(nps(db).await, Some(100.0));
    for (event, why) in [
        (survey("b3", 1, Some("b")), "corrected by `b2` already"),
        (survey("b", 1, None), "other content"),
    ] {
        let refused = told(vec![event]).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    told(vec![survey("y", 1, Some("x"))]).await.unwrap();
    let circle = told(vec![survey("x", 1, Some("y"))]).await.unwrap_err();
    assert!(circle.to_string().contains("itself"), "{circle}");
    let tried = db.try_events(&[survey("z", 1, None).into()], T0).await.unwrap();
    assert_eq!((tried.taken.new, tried.at_wall_ms), (1, vec![T0]));
    assert_eq!(db.events_told(None, None, 100).await.unwrap().len(), 7, "a try is none");
}

pub(crate) async fn nobody_corrects_what_is_about_another_agent(db: &Database) {
    let of = |agent: Option<&str>, event: Event| Event {
        agent: agent.map(|agent| agent.parse().unwrap()),
        ..event
    };
    let told = |event: Event| async move { tell(db, &[event]).await };
    told(survey("a", 10, None)).await.unwrap();
    for agent in [Some("agent-b"), None] {
        let refused = told(of(agent, survey("x", 0, Some("a")))).await.unwrap_err().to_string();
        assert!(refused.contains("`a` is about another agent"), "{refused}");
    }
    // Nor beforehand.
    told(of(Some("agent-b"), survey("y", 0, Some("z")))).await.unwrap();
    let refused = told(survey("z", 10, None)).await.unwrap_err().to_string();
    assert!(refused.contains("`z` is about another agent"), "{refused}");
    let both = [of(Some("agent-b"), survey("v", 0, Some("w"))), survey("w", 10, None)];
    let refused = tell(db, &both).await.unwrap_err();
    assert!(matches!(refused, NotTaken::Conflict { index: 1, .. }), "{refused}");
    assert_eq!(nps(db).await, Some(100.0));
}

pub(crate) async fn events_are_about_what_is_there(db: &Database) {
    let fence = db.fence().await;
    let over = rollout("agent-a");
    db.create_rollout(fence, &over, Some(&transition("running")), &[], &[]).await.unwrap();
    let mut batch = vec![interaction(InteractionId(Uuid::now_v7()), None)];
    batch.push(interaction(InteractionId(Uuid::now_v7()), None));
    batch[0].outcome = Some(Outcome::Resolved);
    batch[1].outcome = Some(Outcome::Escalated);
    let [resolved, escalated] = [batch[0].id, batch[1].id];
    db.append(batch).await.unwrap();
    let event = |key: &str, agent: &str, what: serde_json::Value| {
        let mut event = json!({ "key": key, "at_wall_ms": T0, "agent": agent, "source": "s" });
        event.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        Event::from_json(event).unwrap()
    };
    let ended = |id: String| json!({ "kind": "deployment", "release": id, "outcome": "succeeded", "finished_wall_ms": T0 });
    let looked =
        |id: String| json!({ "kind": "replacement_check", "interaction": id, "verified": true });
    let nobody = Uuid::now_v7().to_string();
    for (agent, what, says) in [
        ("agent-a", ended(nobody.clone()), Some("release: there is no release")),
        ("agent-b", ended(over.id.to_string()), Some("is one of another agent")),
        ("agent-a", ended(over.id.to_string()), None),
        ("agent-a", looked(nobody), Some("is not known")),
        ("agent-b", looked(resolved.to_string()), Some("is one of another agent")),
        ("agent-a", looked(escalated.to_string()), Some("only resolved ones")),
        ("agent-a", looked(resolved.to_string()), None),
    ] {
        let key = Uuid::now_v7().to_string();
        let ran = tell(db, &[event(&key, agent, what.clone())]).await;
        match (ran, says) {
            (Ok(taken), None) => assert_eq!(taken.new, 1),
            (Err(error), Some(says)) => {
                assert!(matches!(error, NotTaken::Unfit { index: 0, .. }), "{error}");
                assert!(error.to_string().contains(says), "{error}");
            }
            (ran, _) => panic!("{what}: {ran:?}"),
        }
    }
}

/// More minutes than one event can say for a task, over as many tasks as it can say.
pub(crate) async fn the_largest_sums_are_kept_read_and_taken_back(db: &Database) {
    let saved = |key: &str| {
        Event::from_json(json!({
            "key": key, "at_wall_ms": T0, "agent": "agent-a", "source": "s", "kind": "time_saved",
            "minutes": 525_600, "tasks": 1_000_000_000_000_u64,
        }))
        .unwrap()
    };
    for key in ["a", "b"] {
        tell(db, &[saved(key)]).await.unwrap();
        reported(db).await;
    }
    let gone = json!({
        "key": "w", "at_wall_ms": T0, "agent": "agent-a", "source": "s", "kind": "withdrawn",
        "corrects": "a", "reason": "twice",
    });
    tell(db, &[Event::from_json(gone).unwrap(), survey("v", 9, None)]).await.unwrap();
    db.begin_import(&file("large", 2)).await.unwrap();
    db.import_rows("large", 0, &[saved("c")], "ada", T0).await.unwrap();
    assert!(db.discard_import("large", 9).await.unwrap());
    assert_eq!(reported(db).await.measure(MeasureId::Nps).unwrap().n, 1);
}

pub(crate) fn file(id: &str, rows: u64) -> NewImport {
    NewImport {
        id: id.into(),
        name: "f.csv".into(),
        rows,
        by: "ada".into(),
        at_wall_ms: T0,
        open_max: None,
    }
}

pub(crate) async fn an_import_counts_when_it_is_whole_and_goes_on_where_it_stopped(db: &Database) {
    let rows: Vec<Event> = (0..5).map(|n| survey(&format!("k{n}"), 10, None)).collect();
    tell(db, &rows[1..2]).await.unwrap();
    assert_eq!(db.begin_import(&file("one", 5)).await.unwrap().taken, 0);
    let import = async |store: &Store, from: usize, to: usize| {
        store.import_rows("one", from as u64, &rows[from..to], "ada", T0).await
    };
    assert_eq!(import(db, 0, 2).await.unwrap().taken, 2);
    assert!(matches!(import(db, 3, 5).await, Err(NotImported::Gap { taken: 2 })));
    let again = db.restart().await;
    assert_eq!(again.events_told(None, None, 9).await.unwrap().len(), 1, "it is not whole");
    assert_eq!(again.begin_import(&file("one", 5)).await.unwrap().taken, 2);
    let other = again.begin_import(&file("one", 6)).await;
    assert!(matches!(other, Err(NotImported::Rows { rows: 5, .. })), "{other:?}");
    let elsewhere = tell(&again, &rows[..1]).await.unwrap_err();
    assert!(matches!(elsewhere, NotTaken::InImport { index: 0, .. }), "{elsewhere}");
    assert_eq!(import(&again, 0, 4).await.unwrap().taken, 4, "what is there is passed over");
    let done = import(&again, 4, 5).await.unwrap();
    assert!(done.is_done && done.known == 1, "{done:?}");
    assert_eq!(import(&again, 0, 5).await.unwrap(), done, "and again");
    assert_eq!(again.events_told(None, None, 9).await.unwrap().len(), 5);
    assert_eq!(reported(&again).await.measure(MeasureId::Nps).unwrap().n, 5);
}

pub(crate) async fn what_an_import_corrects_counts_until_it_is_whole_and_one_given_up_leaves_nothing(
    db: &Database,
) {
    tell(db, &[survey("a", 0, None)]).await.unwrap();
    db.begin_import(&file("two", 2)).await.unwrap();
    let rows = [survey("a2", 10, Some("a")), survey("b", 10, None)];
    db.import_rows("two", 0, &rows[..1], "ada", T0).await.unwrap();
    assert_eq!(nps(db).await, Some(-100.0), "a correction that is not whole corrects nothing");
    while !db.discard_import("two", 1).await.unwrap() {}
    assert_eq!(db.imports(9).await.unwrap(), []);
    db.begin_import(&file("two", 2)).await.unwrap();
    db.import_rows("two", 0, &rows, "ada", T0).await.unwrap();
    assert_eq!(nps(db).await, Some(100.0));
    let whole = db.discard_import("two", 1).await;
    assert!(matches!(whole, Err(NotImported::Unknown(_))), "what counts is not given up");
}

pub(crate) async fn an_import_that_nobody_goes_on_with_is_forgotten(db: &Database) {
    db.begin_import(&file("three", 2)).await.unwrap();
    db.import_rows("three", 0, &[survey("a", 0, None)], "ada", T0).await.unwrap();
    for (days, left) in [(7, 1), (8, 0)] {
        while db.compact(T0 + days * DAY_MS).await.unwrap().more {}
        db.compact(T0 + days * DAY_MS).await.unwrap();
        assert_eq!(db.imports(9).await.unwrap().len(), left, "after {days} days");
    }
    assert_eq!(tell(db, &[survey("a", 5, None)]).await.unwrap().new, 1);
}

/// Numbers that look like chance and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// Events of all kinds that are counted together, and one that is not; some correct another of the same agent and kind, each another one.
fn of_all_kinds(count: u64, numbers: &mut Numbers) -> Vec<Event> {
    let (mut corrected, mut told) = (Vec::new(), Vec::new());
    (0..count)
        .map(|n| {
            let agent = if numbers.below(2) == 0 { "agent-a" } else { "agent-b" };
            let mut event = json!({
                "key": format!("k{n}"), "source": "test", "agent": agent,
                "at_wall_ms": T0 - DAY_MS + i64::try_from(numbers.below(3 * 86_400_000)).unwrap(),
            });
            let what = match numbers.below(6) {
                0 => json!({ "kind": "survey", "score": numbers.below(11) }),
                1 => json!({ "kind": "conversion", "arm": if n % 2 == 0 { "agent" } else { "control" },
                    "visitors": 10 + numbers.below(90), "converted": numbers.below(10) }),
                2 => json!({ "kind": "time_saved", "tasks": 1 + numbers.below(5),
                    "minutes": f64::from(u32::try_from(numbers.below(400)).unwrap()) / 8.0 - 10.0 }),
                3 => json!({ "kind": "error_introduced", "count": 1 + numbers.below(3) }),
                4 => json!({ "kind": "external_cost", "billed_cost": "1.25", "billing_currency": "USD",
                    "charge_period_start_wall_ms": T0, "charge_period_end_wall_ms": T0 + HOUR_MS,
                    "service_name": "s" }),
                _ => json!({ "kind": "survey", "score": 10 }),
            };
            event.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
            let target = numbers.below(n.max(1));
            let kind = event["kind"].clone();
            let like = (agent, kind);
            let is_own = told.get(usize::try_from(target).unwrap()) == Some(&like);
            told.push(like);
            if is_own && numbers.below(2) == 0 && !corrected.contains(&target) {
                corrected.push(target);
                event["corrects"] = json!(format!("k{target}"));
            }
            Event::from_json(event).unwrap()
        })
        .collect()
}

pub(crate) async fn a_report_is_that_of_all_events_that_count_one_by_one(db: &Database) {
    let mut numbers = Numbers(7);
    let mut events = of_all_kinds(400, &mut numbers);
    // Told in no order at all, so that corrections come before and after what they correct.
    for at in (1..events.len()).rev() {
        events.swap(at, usize::try_from(numbers.below(at as u64 + 1)).unwrap());
    }
    let mut counted: Vec<Event> = Vec::new();
    let mut not_whole: HashSet<Key> = HashSet::new();
    for (at, part) in events.chunks(50).enumerate() {
        let id = format!("import {at}");
        // What corrects events of an import that is not whole is refused.
        let (part, unfit): (Vec<Event>, Vec<Event>) = part.iter().cloned().partition(|event| {
            event.corrects.as_ref().is_none_or(|corrected| !not_whole.contains(corrected))
        });
        for event in unfit {
            let refused = tell(db, &[event]).await.unwrap_err();
            assert!(matches!(refused, NotTaken::InImport { .. }), "{refused}");
        }
        let rows = part.len();
        if at % 4 != 3 {
            db.begin_import(&file(&id, rows as u64)).await.unwrap();
        }
        match at % 4 {
            // A whole import, one that is not, one that is given up, and none.
            0 => {
                db.import_rows(&id, 0, &part[..20], "ada", T0).await.unwrap();
                db.import_rows(&id, 20, &part[20..], "ada", T0).await.unwrap();
            }
            1 => {
                let most = &part[..rows - 1];
                db.import_rows(&id, 0, most, "ada", T0).await.unwrap();
                not_whole.extend(most.iter().map(|event| event.key.clone()));
                continue;
            }
            2 => {
                db.import_rows(&id, 0, &part[..rows - 10], "ada", T0).await.unwrap();
                assert!(!db.discard_import(&id, 20).await.unwrap());
                // Begun anew while a part of it is still there.
                db.begin_import(&file(&id, rows as u64)).await.unwrap();
                db.import_rows(&id, 0, &part, "ada", T0).await.unwrap();
            }
            _ => {
                tell(db, &part).await.unwrap();
            }
        }
        counted.extend(part);
    }
    assert!(!not_whole.is_empty() && counted.len() > 250);
    let mut ledger = Ledger::default();
    for event in counted {
        ledger.admit(event).unwrap();
    }
    let odd = T0 - DAY_MS + 1_234_567;
    for (from, to, zone) in [
        (T0 - 2 * DAY_MS, T0 + 3 * DAY_MS, "UTC"),
        (odd, odd + DAY_MS + 77, "Asia/Kathmandu"),
        (odd, odd + 5 * 60_000, "Europe/Berlin"),
        (odd - odd.rem_euclid(900_000), T0 + 450_000, "Australia/Lord_Howe"),
    ] {
        for only in [None, Some(agent_a())] {
            let window = Window::new(from, to, zone).unwrap();
            let mut expected = Gathered::new(window.clone(), only.clone());
            // No gateway was heard of: the events are the last that was taken in.
            expected.taken_in(T0);
            for event in ledger.effective() {
                expected.event(event);
            }
            let seen = db.value_gathered(window, only.as_ref()).await.unwrap();
            let [seen, expected] = [&seen, &expected]
                .map(|gathered| serde_json::to_string_pretty(&report(gathered)).unwrap());
            let differs =
                seen.lines().zip(expected.lines()).find(|(seen, expected)| seen != expected);
            assert_eq!(differs, None, "{from} {to} {zone} {only:?}");
            assert_eq!(seen.len(), expected.len());
        }
    }
}

/// A release that was taken back after users had met it is a failure, noticed and mended at the times of its history.
pub(crate) async fn releases_that_are_over_are_deployments(db: &Database) {
    let fence = db.fence().await;
    let mut over = rollout("agent-a");
    over.phase = Phase::RolledBack;
    over.ended_wall_ms = Some(T0 + 90_000);
    let mut steps = [transition("running"), transition("rolling_back"), transition("rolled_back")];
    steps[1].at_wall_ms = T0 + 30_000;
    steps[1].weight_bp = 1_000;
    db.create_rollout(fence, &over, Some(&steps[1]), &[], &[]).await.unwrap();
    let report = reported(db).await;
    let of = |id| report.measure(id).unwrap();
    assert_eq!(of(MeasureId::DeploymentSuccess).value, Some(0.0));
    assert_eq!(of(MeasureId::FailedDeploymentRecovery).value, Some(1.0), "a minute");
}

/// The version that was stable is the one that a release says, also of releases that are not over or ended before.
pub(crate) async fn versions_are_compared_with_the_stable_one_of_their_time(db: &Database) {
    let fence = db.fence().await;
    let mut hour = 0;
    for (version, stable, phase) in [
        ("v2", "v1", Phase::Promoted),
        ("v3", "v2", Phase::RolledBack),
        ("v4", "v2", Phase::Running),
    ] {
        let mut one = rollout("agent-a");
        (one.candidate, one.stable) = (version.parse().unwrap(), Some(stable.parse().unwrap()));
        one.started_wall_ms = T0 + hour * HOUR_MS;
        one.phase = phase;
        // The first one ended long before the window.
        if version == "v2" {
            one.started_wall_ms = T0 - 9 * DAY_MS;
        }
        one.ended_wall_ms = one.phase.is_end().then_some(one.started_wall_ms + 1_000);
        db.create_rollout(fence, &one, Some(&transition("running")), &[], &[]).await.unwrap();
        let mut asked = interaction(InteractionId(Uuid::now_v7()), None);
        (asked.version, asked.started_wall_ms) = (Some(one.candidate.clone()), T0 + hour * HOUR_MS);
        asked.outcome = Some(Outcome::Resolved);
        db.append(vec![asked]).await.unwrap();
        hour += 2;
    }
    let told = reported(db).await;
    let against = told.versions.iter().map(|one| {
        let against = one.change.as_ref().map(|change| change.against.to_string());
        (one.version.to_string(), against.unwrap_or_default())
    });
    let pairs = [("v2", "v1"), ("v3", "v2"), ("v4", "v2")];
    let expected = pairs.map(|(version, stable)| (version.to_owned(), stable.to_owned()));
    assert_eq!(against.collect::<Vec<_>>(), expected);
}

/// Days count from the first event that counts on, also one that came before the window, to the last one that was over.
pub(crate) async fn days_count_that_were_seen(db: &Database) {
    let at = |key: &str, days: i64, corrects: Option<&str>| {
        let saved = serde_json::from_value(json!({"kind": "time_saved", "minutes": 1})).unwrap();
        Event { at_wall_ms: T0 + days * DAY_MS, what: saved, ..survey(key, 9, corrects) }
    };
    // A survey from long before says nothing of the days since.
    let survey = Event { at_wall_ms: T0 - 25 * DAY_MS, ..survey("s", 9, None) };
    let tell = async |events: &[Event], received: i64| {
        let drafts: Vec<Draft> = events.iter().cloned().map(Draft::from).collect();
        db.tell_events(&drafts, "ada", received).await.unwrap();
    };
    let days = async |from: i64, to: i64| {
        let window = Window::new(T0 + from * DAY_MS, T0 + to * DAY_MS, "UTC").unwrap();
        let days = report(&db.value_gathered(window, Some(&agent_a())).await.unwrap()).days;
        (days.unseen.round(), days.counted.round(), days.not_over.round())
    };
    tell(&[survey, at("a", -20, None), at("b", -10, None)], T0).await;
    assert_eq!(days(-30, 10).await, (10.0, 20.0, 10.0));
    assert_eq!(days(-15, 5).await, (0.0, 15.0, 5.0), "seen before the window");
    // What was withdrawn was never there; one that corrects is counted by itself.
    let mut gone = at("w", 1, Some("a"));
    gone.what = serde_json::from_value(json!({"kind": "withdrawn", "reason": "twice"})).unwrap();
    tell(&[gone, at("b2", -12, Some("b"))], T0 + DAY_MS).await;
    assert_eq!(days(-30, 10).await, (18.0, 13.0, 9.0));
}

/// Where a window is so long that days of UTC are read, the day that is not over still is told apart.
pub(crate) async fn today_does_not_count_in_a_long_window(db: &Database) {
    let mut batch = vec![
        interaction(InteractionId(Uuid::now_v7()), None),
        interaction(InteractionId(Uuid::now_v7()), None),
    ];
    batch[0].started_wall_ms = T0 - 30 * DAY_MS;
    for one in &mut batch {
        one.cost_nanousd = Some(1_000_000_000);
    }
    db.append(batch).await.unwrap();
    db.tell_events(&[Draft::from(survey("a", 9, None))], "ada", T0).await.unwrap();
    // In New York the day of UTC began on the evening before.
    for days in [90, 120] {
        let window = Window::new(T0 - days * DAY_MS, T0 + DAY_MS, "America/New_York").unwrap();
        let told = report(&db.value_gathered(window, Some(&agent_a())).await.unwrap());
        let yearly = told.measure(MeasureId::AgentCostYearly).unwrap();
        assert_eq!(told.measure(MeasureId::AgentCost).unwrap().value, Some(2.0));
        assert_eq!(yearly.numerator, Some(1.0), "{days} days: {yearly:?}");
    }
}
