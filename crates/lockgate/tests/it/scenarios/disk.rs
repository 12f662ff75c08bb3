//! The store cannot be written to: its disk is full.

use std::sync::atomic::Ordering;

use super::{ENOUGH, number};
use crate::support::agent::World;
use crate::support::config;
use crate::support::scene::Scene;
use crate::support::server::Server;

/// Far more than the seconds take that gateways wait for control.
const ROUNDS_MAX: u32 = 100;

/// A release in a stage of a minute; gateways give candidates nothing when control is silent for
/// `stale`.
fn scene(stale: &str) -> Scene {
    let world = World::new();
    let (v1, v2) = (world.agent(), world.agent());
    let text = config::with_stages(&[("v1", &v1), ("v2", &v2)], "500ms");
    let text = format!("candidate_stale_max: {stale}\n{text}")
        .replace("    gates:\n", "    hard_limits: {consecutive_errors: 5}\n    gates:\n");
    let text = text.replace("{weight: 10%, duration: 500ms", "{weight: 10%, duration: 60s");
    let mut scene = Scene::on_small_disk(world, vec![("v1", v1), ("v2", v2)], &text);
    scene.start("v2");
    scene.until("it gets traffic", |view| number(view, "/candidate_arm/requests") > 0);
    scene
}

fn begun(scene: &Scene, version: &str) -> u64 {
    scene.version(version).behaviour.begun.load(Ordering::Relaxed)
}

/// Serves users until nothing reaches the candidate any more; how many requests it has had.
fn silent(scene: &mut Scene) -> u64 {
    let mut last = begun(scene, "v2");
    for _ in 0..ROUNDS_MAX {
        scene.serve(ENOUGH);
        let now = begun(scene, "v2");
        if std::mem::replace(&mut last, now) == now {
            return now;
        }
    }
    panic!("the candidate goes on to get its share: {last}");
}

#[test]
fn s03_s45_without_its_store_users_are_served_the_candidate_gets_nothing_and_it_goes_on_after() {
    let mut scene = scene("1s");
    let steps = scene.history().len();
    scene.server.fill_disk(true);
    // Control is not silent for long enough at first.
    let last = silent(&mut scene);
    let told = scene.server.run(&["rollout", "pause", "--reason", "what is this"]);
    assert_ne!(told.code, 0, "what cannot be kept is not acknowledged: {}", told.shown());
    assert_eq!(scene.history().len(), steps, "nothing advances");
    assert_eq!(scene.traffic.counts.bad.load(Ordering::Relaxed), 0, "users see none of it");
    scene.server.fill_disk(false);
    let v2 = scene.version("v2").behaviour.clone();
    scene
        .server
        .until("the candidate has its share again", |_| v2.begun.load(Ordering::Relaxed) > last);
    assert_eq!(scene.server.run(&["rollout", "promote", "--reason", "it is well"]).code, 0);
    assert_eq!(scene.end(), "promoted");
    assert_eq!(scene.traffic.counts.bad.load(Ordering::Relaxed), 0);
}

#[test]
fn s45_a_fuse_latches_without_the_store_and_holds_over_a_restart_until_control_is_back() {
    // Nothing but the fuse keeps the candidate from its share.
    let mut scene = scene("1h");
    scene.server.fill_disk(true);
    scene.version("v2").behaviour.errors_percent.store(100, Ordering::Relaxed);
    let latched = silent(&mut scene);
    assert!(latched > 0);
    scene.kill();
    let ingress = scene.server.again_on_a_full_disk();
    scene.lead_traffic(Some(ingress));
    scene.serve(ENOUGH);
    assert_eq!(begun(&scene, "v2"), latched, "it is latched still");
    scene.server.fill_disk(false);
    scene.server.until("control is back", Server::is_ready);
    assert_eq!(scene.end(), "rolled_back", "control follows when it can");
    let explained = scene.server.run(&["rollout", "explain", "--agent", "support"]);
    assert!(explained.stdout.contains("5 errors in a row"), "{}", explained.shown());
    scene.serve(ENOUGH);
    assert_eq!(begun(&scene, "v2"), latched);
}
