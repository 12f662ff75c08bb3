//! Corrections of events about value, beside imports that are not whole, and events that say no time.

use lockgate_store::{NotTaken, Store, Taken, Told};
use lockgate_value::catalog::MeasureId;
use lockgate_value::event::{Draft, Event};
use serde_json::{Value, json};

use crate::value::{file, nps, reported, survey, tell};
use crate::world::{Database, T0};

const HOUR_MS: i64 = 3_600_000;

/// Whoever was told "correct `b`" did so, and both `a` and the correction counted.
pub(crate) async fn nothing_corrects_what_is_not_whole_and_the_chain_stays_as_it_was(
    db: &Database,
) {
    tell(db, &[survey("a", 0, None)]).await.unwrap();
    db.begin_import(&file("one", 3)).await.unwrap();
    let rows = [survey("b", 10, Some("a")), survey("x", 0, None), survey("y", 10, Some("x"))];
    db.import_rows("one", 0, &rows[..2], "ada", T0).await.unwrap();
    let one = [survey("c", 5, Some("b"))];
    for (event, says) in [
        (&one[0], "corrects: `b` is in the import one, which is not whole"),
        (&survey("d", 5, Some("a")), "corrects: `a` is corrected by `b` in the import one"),
        (&survey("e", 5, Some("x")), "corrects: `x` is in the import one"),
    ] {
        let refused = tell(db, std::slice::from_ref(event)).await.unwrap_err();
        assert!(matches!(refused, NotTaken::InImport { index: 0, .. }), "{refused}");
        assert!(refused.to_string().starts_with(says), "{refused}");
    }
    // Nor does another import.
    db.begin_import(&file("two", 1)).await.unwrap();
    let refused = db.import_rows("two", 0, &one, "ada", T0).await.unwrap_err().to_string();
    assert!(refused.contains("`b` is in the import one"), "{refused}");
    let votes = async || {
        let report = reported(db).await;
        let nps = report.measure(MeasureId::Nps).unwrap();
        (nps.n, nps.value)
    };
    assert_eq!(votes().await, (1, Some(-100.0)), "a alone, as before");
    while !db.discard_import("one", 1).await.unwrap() {}
    assert_eq!(votes().await, (1, Some(-100.0)), "and after it was given up");
    db.begin_import(&file("one", 3)).await.unwrap();
    db.import_rows("one", 0, &rows, "ada", T0).await.unwrap();
    assert_eq!(votes().await, (2, Some(100.0)), "b and y");
    assert!(db.import_rows("two", 0, &one, "ada", T0).await.unwrap().is_done);
    assert_eq!(votes().await, (2, Some(0.0)), "c and y");
}

/// A chain within one import counts as a whole or not at all.
pub(crate) async fn a_chain_of_corrections_in_an_import_counts_when_it_is_whole(db: &Database) {
    tell(db, &[survey("a", 0, None), survey("b", 5, Some("a"))]).await.unwrap();
    let rows = [survey("c", 0, Some("b")), survey("d", 10, Some("c")), survey("e", 10, None)];
    for last in [false, true] {
        db.begin_import(&file("one", 3)).await.unwrap();
        db.import_rows("one", 0, &rows[..2], "ada", T0).await.unwrap();
        assert_eq!(nps(db).await, Some(-100.0), "b counts");
        if last {
            db.import_rows("one", 2, &rows[2..], "ada", T0).await.unwrap();
            assert_eq!(nps(db).await, Some(100.0), "d and e");
        } else {
            while !db.discard_import("one", 1).await.unwrap() {}
            assert_eq!(nps(db).await, Some(-100.0), "b counts again");
        }
    }
}

fn draft(key: &str, score: u8, more: &Value) -> Draft {
    let mut event = json!({
        "key": key, "agent": "agent-a", "source": "survey", "kind": "survey", "score": score,
    });
    event.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Draft::from_json(event).unwrap()
}

pub(crate) async fn an_event_without_a_time_has_that_of_what_it_corrects_or_is_of_now(
    db: &Database,
) {
    let told = async |drafts: &[Draft], now_ms: i64| db.tell_events(drafts, "ada", now_ms).await;
    let of = |new: u64, at_wall_ms: &[i64]| Told {
        taken: Taken { new, known: at_wall_ms.len() as u64 - new },
        at_wall_ms: at_wall_ms.to_vec(),
    };
    let later = T0 + 40 * 24 * HOUR_MS;
    let a = draft("a", 0, &json!({ "at_wall_ms": T0 - HOUR_MS }));
    let b = draft("b", 0, &json!({ "corrects": "a" }));
    assert_eq!(told(&[a, b.clone()], later).await.unwrap(), of(2, &[T0 - HOUR_MS, T0 - HOUR_MS]));
    let c = draft("c", 10, &json!({ "corrects": "b" }));
    assert_eq!(
        db.try_events(std::slice::from_ref(&c), later).await.unwrap(),
        of(1, &[T0 - HOUR_MS])
    );
    assert_eq!(told(std::slice::from_ref(&c), later).await.unwrap(), of(1, &[T0 - HOUR_MS]));
    assert_eq!(nps(db).await, Some(100.0), "it counts in the window of what it corrects");
    assert_eq!(told(&[b, c], later + 1).await.unwrap(), of(0, &[T0 - HOUR_MS; 2]), "sent again");
    let moved = draft("d", 0, &json!({ "corrects": "c", "at_wall_ms": later }));
    assert_eq!(told(&[moved], later).await.unwrap(), of(1, &[later]));
    assert_eq!(reported(db).await.measure(MeasureId::Nps).unwrap().n, 0, "it moved it");
    let nothing = told(&[draft("e", 0, &json!({ "corrects": "nobody" }))], later).await;
    let nothing = nothing.unwrap_err().to_string();
    assert!(nothing.starts_with("at: `nobody`, which it corrects, is not there"), "{nothing}");
}

pub(crate) async fn an_event_that_is_sent_again_without_a_time_is_the_one_that_is_there(
    db: &Database,
) {
    let told = async |draft: Draft, now_ms: i64| db.tell_events(&[draft], "ada", now_ms).await;
    let none = json!({});
    let first = told(draft("a", 9, &none), T0).await.unwrap();
    assert_eq!((first.taken.new, first.at_wall_ms), (1, vec![T0]));
    let again = told(draft("a", 9, &none), T0 + HOUR_MS).await.unwrap();
    assert_eq!((again.taken.known, again.at_wall_ms), (1, vec![T0]));
    told(draft("a", 9, &json!({ "at_wall_ms": T0 })), T0 + HOUR_MS).await.unwrap();
    let other = told(draft("a", 9, &json!({ "at_wall_ms": T0 + 1 })), T0).await.unwrap_err();
    assert!(other.to_string().starts_with("at: `a` is there as of 20"), "{other}");
    let other = told(draft("a", 8, &none), T0).await.unwrap_err();
    assert!(other.to_string().contains("`a` is there with other content"), "{other}");
    let both = [draft("b", 9, &none), draft("b", 9, &none)];
    assert_eq!(db.tell_events(&both, "ada", T0).await.unwrap().taken, Taken { new: 1, known: 1 });
    let early = Draft::from_json(json!({
        "key": "c", "source": "s", "kind": "baseline", "measure": "nps", "value": 1,
        "unit": "points", "as_of": "2099-01-01",
    }));
    let early = told(early.unwrap(), T0).await.unwrap_err();
    assert!(matches!(early, NotTaken::Unfit { index: 0, .. }), "{early}");
}

pub(crate) async fn events_of_some_agents_fill_a_page_of_their_own(db: &Database) {
    let of = |n: u32, agent: Option<&str>| Event {
        agent: agent.map(|agent| agent.parse().unwrap()),
        ..survey(&format!("k{n}"), 9, None)
    };
    tell(db, &[of(0, Some("agent-a")), of(1, Some("agent-a"))]).await.unwrap();
    for n in 2..9 {
        tell(db, &[of(n, [Some("agent-b"), None][n as usize % 2])]).await.unwrap();
    }
    let keys = async |agents: Option<&[&str]>, before: Option<i64>, limit: u32| {
        let agents: Option<Vec<_>> =
            agents.map(|agents| agents.iter().map(|agent| agent.parse().unwrap()).collect());
        let rows = db.events_told(agents.as_deref(), before, limit).await.unwrap();
        let keys: Vec<String> = rows.iter().map(|row| row.event.key.as_str().to_owned()).collect();
        (keys, rows.last().map(|row| row.id))
    };
    let (first, id) = keys(Some(&["agent-a", "agent-c"]), None, 1).await;
    assert_eq!(first, ["k1"]);
    assert_eq!(keys(Some(&["agent-a"]), id, 1).await.0, ["k0"]);
    assert_eq!(keys(Some(&[]), None, 9).await.0, Vec::<String>::new());
    assert_eq!(keys(None, None, 9).await.0.len(), 9);
}

/// An event that is corrected while a report is made is in it once: a report is of one moment.
pub(crate) async fn a_report_is_of_one_moment(db: &Database) {
    const EVENTS: u64 = 1_000;
    let events: Vec<Event> = (0..EVENTS).map(|n| survey(&format!("k{n}"), 10, None)).collect();
    tell(db, &events).await.unwrap();
    let store = Store::clone(db);
    let corrections = tokio::spawn(async move {
        for n in 0..EVENTS {
            let correction = survey(&format!("c{n}"), 0, Some(&format!("k{n}")));
            tell(&store, &[correction]).await.unwrap();
        }
    });
    while !corrections.is_finished() {
        assert_eq!(reported(db).await.measure(MeasureId::Nps).unwrap().n, EVENTS);
    }
    corrections.await.unwrap();
}
