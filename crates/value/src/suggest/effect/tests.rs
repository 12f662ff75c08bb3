//! Worked by hand.

use super::*;

fn release(ended: Ended, incident: bool) -> Release {
    Release {
        rollout: RolloutId(uuid::Uuid::nil()),
        version: "v2".parse().unwrap(),
        ended,
        ended_wall_ms: 9_000,
        incident,
        because: None,
        not_replayed: None,
        looked_every_ms: Some(60_000),
        exposed: Some(1_000),
    }
}

/// Taken back by the rule at this time, after this many requests.
fn by_rule(at_wall_ms: i64, exposed: u64) -> Replay {
    let when = When { at_wall_ms, exposed };
    Replay { rule: Some(when.clone()), held: false, any: Some(when) }
}

#[test]
fn bad_releases_are_taken_back_sooner_later_or_not_at_all() {
    let bad = release(Ended::RolledBack, false);
    let mut effect = Effect::default();
    effect.add(&bad, by_rule(500, 50), by_rule(100, 10), 1_000);
    effect.add(&bad, by_rule(500, 50), by_rule(500, 50), 1_000);
    effect.add(&bad, by_rule(500, 50), by_rule(900, 90), 1_000);
    assert_eq!((effect.earlier, effect.later, effect.missed), (1, 1, 0));
    assert_eq!(effect.exposed, [150, 150]);
    effect.add(&bad, by_rule(500, 50), Replay::default(), 1_000);
    assert_eq!((effect.missed, effect.exposed), (1, [200, 1_150]));
    let rules: Vec<Against> = effect.releases.iter().map(|case| case.rule).collect();
    assert_eq!(rules, [Against::Earlier, Against::Same, Against::Later, Against::NoMore]);
    let why = effect.against(true).unwrap();
    assert!(why.contains("1 bad releases would have been let through"), "{why}");
}

#[test]
fn another_rule_that_finds_it_is_enough() {
    let bad = release(Ended::RolledBack, false);
    let mut effect = Effect::default();
    let other = Replay { any: Some(When { at_wall_ms: 500, exposed: 50 }), ..Replay::default() };
    effect.add(&bad, by_rule(500, 50), other, 1_000);
    assert_eq!((effect.missed, effect.later, effect.releases[0].rule), (0, 0, Against::NoMore));
    assert_eq!(effect.against(false), None);
}

#[test]
fn good_releases_that_are_stopped_speak_against_it_and_those_spared_for_it() {
    let good = release(Ended::Promoted, false);
    let mut effect = Effect::default();
    effect.add(&good, Replay::default(), by_rule(100, 10), 1_000);
    effect.add(&good, Replay::default(), Replay { held: true, ..Replay::default() }, 1_000);
    assert_eq!((effect.stopped, effect.spared, effect.exposed), (2, 0, [0, 0]));
    assert!(effect.against(true).unwrap().contains("2 good releases"));
    let mut effect = Effect::default();
    effect.add(&good, by_rule(100, 10), Replay::default(), 1_000);
    assert_eq!((effect.stopped, effect.spared, effect.against(false)), (0, 1, None));
}

#[test]
fn one_that_caused_an_incident_should_have_been_found() {
    let mut effect = Effect::default();
    effect.add(&release(Ended::Promoted, true), Replay::default(), by_rule(100, 10), 1_000);
    assert_eq!((effect.found, effect.stopped, effect.exposed), (1, 0, [1_000, 10]));
    // Nobody knows what a superseded one would have come to.
    effect.add(&release(Ended::Superseded, false), Replay::default(), by_rule(100, 10), 1_000);
    assert_eq!((effect.found, effect.stopped, effect.releases.len()), (1, 0, 2));
}

#[test]
fn what_cannot_be_replayed_speaks_against_a_wider_bound_alone() {
    let effect = Effect { unseen: 1, ..Effect::default() };
    assert_eq!(effect.against(true), None);
    assert!(effect.against(false).unwrap().contains("cannot be replayed"));
}
