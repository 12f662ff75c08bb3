//! What releases changed, against which version.

use lockgate_model::interaction::{ErrorClass, Interaction, Outcome};
use lockgate_value::gather::{Gathered, Release};
use serde_json::json;

use crate::given::{HOUR, MARCH, agent, interaction, march, reported, take, tell};

fn answered(gathered: &mut Gathered, version: &str, hour: i64, resolved: usize, failed: usize) {
    for at in 0..resolved + failed {
        let error = (at >= resolved).then_some(ErrorClass::Timeout);
        let outcome = error.is_none().then_some(Outcome::Resolved);
        let version = Some(version.parse().unwrap());
        let cost_nanousd = Some(1_000_000);
        let one = interaction(MARCH + hour * HOUR);
        take(gathered, &Interaction { version, error, outcome, cost_nanousd, ..one });
    }
}

fn released(
    gathered: &mut Gathered,
    version: &str,
    stable: Option<&str>,
    hour: i64,
    is_promoted: bool,
) {
    let at = MARCH + hour * HOUR;
    let release = Release {
        started_wall_ms: Some(at),
        version: version.parse().unwrap(),
        stable: stable.map(|stable| stable.parse().unwrap()),
        promoted_wall_ms: is_promoted.then_some(at + HOUR),
    };
    gathered.release(&agent("support"), release);
}

#[test]
fn versions_are_told_apart_and_chance_is_not_called_better() {
    let mut gathered = march(7);
    answered(&mut gathered, "v9", 0, 50, 50);
    answered(&mut gathered, "v10", 5, 90, 10);
    answered(&mut gathered, "v2", 9, 91, 9);
    released(&mut gathered, "v9", None, 0, true);
    released(&mut gathered, "v10", Some("v9"), 5, true);
    released(&mut gathered, "v2", Some("v10"), 9, true);
    let report = reported(&gathered);
    let names: Vec<&str> = report.versions.iter().map(|one| one.version.as_str()).collect();
    assert_eq!(names, ["v9", "v10", "v2"]);
    let better = |at: usize| {
        report.versions[at]
            .change
            .as_ref()
            .unwrap()
            .rows
            .iter()
            .map(|row| row.better)
            .collect::<Vec<_>>()
    };
    assert_eq!(better(1), [Some(true), Some(true), None, None]);
    assert_eq!(better(2), [None, None, None, None]);
    assert_eq!(report.versions[1].change.as_ref().unwrap().rows[0].change, Some(40.0));
}

#[test]
fn a_release_is_compared_with_the_version_that_was_stable_when_it_began() {
    let mut gathered = march(7);
    answered(&mut gathered, "v1", 0, 50, 50);
    answered(&mut gathered, "v2", 5, 10, 90);
    answered(&mut gathered, "v3", 9, 90, 10);
    answered(&mut gathered, "v4", 20, 20, 80);
    answered(&mut gathered, "v5", 30, 90, 10);
    released(&mut gathered, "v1", Some("v0"), -30, true);
    // v2 is taken back, so v3 comes instead of v1; v4 never was stable either.
    released(&mut gathered, "v2", Some("v1"), 5, false);
    released(&mut gathered, "v3", Some("v1"), 9, true);
    released(&mut gathered, "v4", Some("v3"), 20, false);
    released(&mut gathered, "v5", Some("v3"), 30, true);
    let report = reported(&gathered);
    let against =
        |at: usize| report.versions[at].change.as_ref().map(|one| one.against.to_string());
    let expected = ["v0", "v1", "v1", "v3", "v3"].map(|name| Some(name.to_owned()));
    assert_eq!([0, 1, 2, 3, 4].map(against), expected);
    let replacement = |at: usize| report.versions[at].change.as_ref().unwrap().rows[0].clone();
    assert_eq!(
        (replacement(0).before, replacement(0).change),
        (None, None),
        "v0 was not seen here"
    );
    assert_eq!((replacement(2).before, replacement(2).change), (Some(50.0), Some(40.0)));
    assert_eq!((replacement(2).better, replacement(4).better), (Some(true), None));
    assert_eq!(replacement(4).change, Some(0.0));
}

#[test]
fn a_version_that_was_released_elsewhere_follows_the_last_one_that_stayed() {
    let mut gathered = march(7);
    answered(&mut gathered, "v1", 0, 50, 50);
    answered(&mut gathered, "v2", 30, 90, 10);
    answered(&mut gathered, "v3", 60, 90, 10);
    let said = |version: &str, hour: i64, outcome: &str| json!({"kind": "deployment", "version": version, "outcome": outcome, "finished_wall_ms": MARCH + hour * HOUR});
    tell(
        &mut gathered,
        [&said("v1", -100, "succeeded"), &said("v2", 31, "failed"), &said("v3", 61, "succeeded")],
    );
    let report = reported(&gathered);
    let against =
        |at: usize| report.versions[at].change.as_ref().map(|one| one.against.to_string());
    assert_eq!([0, 1, 2].map(against), [None, Some("v1".to_owned()), Some("v1".to_owned())]);
}
