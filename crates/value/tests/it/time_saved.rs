//! Hours that were reported, and those that are estimated beside them.

use lockgate_value::gather::Gathered;
use lockgate_value::judge::State;
use lockgate_value::report::ValueReport;
use serde_json::{Value, json};

use crate::given::{march, reported, tell, value};
use crate::worked::{baseline, outcomes};

#[test]
fn a_report_of_time_saved_leaves_the_others_estimated() {
    let mut gathered = march(28);
    outcomes(&mut gathered, 30, 10, 0);
    let facts = [
        baseline("minutes_per_task", 20.0, "minutes"),
        baseline("minutes_with_agent", 4.0, "minutes"),
        baseline("labour_cost_per_hour", 60.0, "USD"),
        json!({"kind": "headcount", "agent": null, "seats": 2}),
    ];
    let report = |gathered: &Gathered, told: &[Value]| {
        let mut gathered = gathered.clone();
        tell(&mut gathered, told);
        reported(&gathered)
    };
    let hours = |report: &ValueReport| {
        report.measures.iter().find(|one| one.id.spec().id == "hours_saved").unwrap().clone()
    };
    // One report of 5 tasks, 12 minutes each: 60 min. The other 25 at 16 minutes: 400 min. 460 min in 8 seat weeks.
    let saved = json!({"kind": "time_saved", "minutes": 12, "tasks": 5});
    let one = report(&gathered, &[&facts[..], std::slice::from_ref(&saved)].concat());
    assert_eq!(hours(&one).value, Some(0.958_333_333_333));
    assert_eq!((hours(&one).n, hours(&one).range), (26, None));
    let split = one.time_saved.unwrap();
    assert_eq!((split.reported_hours, split.reports, split.tasks), (1.0, 1, 5));
    assert_eq!((split.estimated_hours, split.estimated_interactions), (6.666_666_666_67, 25));
    assert_eq!(value(&one, "labour_saving"), Some(5_996.428_571_43));
    let notes = hours(&one).notes.join("; ");
    assert!(notes.contains("1 h as reported, of 5 tasks in 1 reports"), "{notes}");
    assert!(
        notes.contains("estimated from 25 resolved interactions that no report covers"),
        "{notes}"
    );
    // More tasks than resolved interactions: nothing is left to estimate, and nothing is taken off.
    let all = report(
        &gathered,
        &[&facts[..], &[json!({"kind": "time_saved", "minutes": 12, "tasks": 50})]].concat(),
    );
    assert_eq!(
        (hours(&all).value, all.time_saved.unwrap().estimated_interactions),
        (Some(1.25), 0)
    );
    // Without baselines, and beside reports that may be of any agent, the others are named and leave the sum open.
    let blind = report(&gathered, &[facts[2].clone(), facts[3].clone(), saved]);
    let any = json!({"kind": "time_saved", "agent": null, "minutes": 12, "tasks": 5});
    let any = report(&gathered, &[&facts[..], &[any]].concat());
    for (report, why) in [(blind, "was not recorded"), (any, "reports that name no agent")] {
        let (hours, split) = (hours(&report), report.time_saved.unwrap());
        assert_eq!((hours.value, split.uncovered_interactions), (Some(0.125), 25), "{hours:?}");
        let range = hours.range.expect("open");
        assert_eq!((range.low, range.high), (None, None));
        let told = hours
            .notes
            .iter()
            .any(|note| note.contains("25 resolved interactions") && note.contains(why));
        assert!(told, "{why}: {hours:?}");
        assert_eq!(report.success[2].state, State::Unknown, "it passes nothing");
    }
}
