//! Somebody else writes to the store.

use std::sync::atomic::Ordering;

use sqlx::Connection as _;

use super::{ENOUGH, number};
use crate::support::scene::{Scene, causes, scene_with};

/// What somebody with the file and a database tool could do.
fn write(scene: &Scene, what: &'static str) {
    let path = scene.server.data_dir().join("state.db");
    scene.world.block_on(async {
        let mut other = sqlx::SqliteConnection::connect(&path.display().to_string())
            .await
            .expect("the store can be opened");
        let changed = sqlx::query(what).execute(&mut other).await.expect("it takes this");
        assert_eq!(changed.rows_affected(), 1);
        other.close().await.expect("it closes");
    });
}

#[test]
fn s31_a_share_that_somebody_else_changed_is_corrected_and_reported() {
    let mut scene =
        scene_with(&["v1", "v2"], |text| text.replace("duration: 200ms", "duration: 60s"));
    scene.start("v2");
    scene.until("it gets traffic", |view| number(view, "/candidate_arm/requests") > 0);
    write(&scene, "UPDATE split SET body = json_set(body, '$.candidate.weight_bp', 8000)");
    scene.server.until("it is reported", |server| {
        let history = server.json(&["rollout", "history", "--agent", "support"]);
        history.as_array().expect("a list").iter().any(|step| causes(step).contains("read-back"))
            && history.to_string().contains("read-back differs")
    });
    scene.until("it is corrected", |view| view["phase"] == "running" && view["applied"] == true);
    assert_eq!(scene.view()["weight_bp"], 1_000);
    let [v1, v2] = ["v1", "v2"].map(|name| scene.version(name).behaviour.clone());
    let counts = || [&v1, &v2].map(|version| version.answered.load(Ordering::Relaxed));
    let before = counts();
    scene.serve(2 * ENOUGH);
    let after = counts();
    assert!(after[1] - before[1] < after[0] - before[0], "{before:?} → {after:?}");
}

#[test]
fn s12_numbers_that_cannot_be_read_take_a_release_back_and_users_see_none_of_it() {
    let mut scene = scene_with(&["v1", "v2"], |text| {
        text.replace("duration: 200ms", "duration: 60s")
            .replace("    drain: 1s\n", "    drain: 1s\n    source_errors_max: 3\n")
    });
    scene.start("v2");
    scene.until("it gets traffic", |view| number(view, "/candidate_arm/requests") > 0);
    write(
        &scene,
        "INSERT INTO evidence (rollout, epoch, version, arm)
         SELECT id, 999, 'v2', '{' FROM rollout WHERE is_open = 1",
    );
    scene.server.until("it is taken back", |server| {
        server.json(&["rollout", "list", "--agent", "support"])[0]["phase"] == "rolled_back"
    });
    let history = scene.history();
    let told = history.iter().map(causes).find(|causes| causes.contains("source of the numbers"));
    assert!(told.is_some_and(|told| told.contains("4 times in a row")), "{history:?}");
    assert_eq!(scene.stable(), "v1");
    scene.serve(ENOUGH);
    assert_eq!(scene.traffic.counts.bad.load(Ordering::Relaxed), 0);
}
