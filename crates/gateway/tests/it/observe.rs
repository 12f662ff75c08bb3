//! What is measured: complete, by epoch, without personal keys, and not lost with a port.

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use http::Response;
use lockgate_model::ids::Epoch;
use lockgate_model::interaction::ErrorClass;
use lockgate_model::measure::{Better, Measure};
use lockgate_model::snapshot::Split;
use lockgate_telemetry::arm::Arm;
use lockgate_telemetry::window::Window;

use crate::upstream::{Upstream, full};
use crate::world::{ROLLOUT, World, agent, canary, get_as, route, until, version};

fn sum(windows: &[Window], wanted: impl Fn(&Window) -> bool) -> Arm {
    windows.iter().filter(|window| wanted(window)).fold(Arm::default(), |mut sum, window| {
        sum.merge(&window.arm);
        sum
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_in_exactly_one_arm_of_its_epoch() {
    let v1 = Upstream::named("v1").await;
    let v2 = Upstream::start(|_| async {
        let answer = Response::builder().status(500).header("lockgate-cost-usd", "0.001");
        answer.body(full("")).unwrap()
    })
    .await;
    let agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    let world = World::start(agent.clone(), canary(1, 5_000)).await;
    // The worst failures: some batches are written, and the answer is lost.
    world.fake.publish_failures.store(2, Ordering::SeqCst);
    let mut expected = [[0_u64; 2]; 2];
    let mut users = [[const { BTreeSet::new() }; 2], [const { BTreeSet::new() }; 2]];
    for epoch in [1, 2] {
        if epoch == 2 {
            world.publish(vec![route(agent.clone(), canary(2, 9_000))], vec![]).await;
        }
        let mut client = world.client().await;
        for n in 0..200 {
            let user = format!("user-{}", n % 50);
            let got = client.send(get_as(&user)).await;
            let arm = usize::from(got.version() == "v2");
            expected[epoch - 1][arm] += 1;
            users[epoch - 1][arm].insert(user);
        }
    }
    let all = || world.fake.windows.lock().unwrap().clone();
    until("all windows arrive", || sum(&all(), |_| true).completed == 400).await;
    let windows = all();
    for (index, epoch) in [Epoch(1), Epoch(2)].into_iter().enumerate() {
        for (arm, name) in ["v1", "v2"].iter().enumerate() {
            let wanted = |window: &Window| window.epoch == epoch && window.version == version(name);
            let seen = sum(&windows, wanted);
            let requests = expected[index][arm];
            assert_eq!((seen.assigned, seen.completed), (requests, requests), "{name} {epoch:?}");
            let errors = seen.errors.get(&ErrorClass::Upstream5xx).copied().unwrap_or(0);
            assert_eq!(errors, if arm == 1 { requests } else { 0 });
            assert_eq!(seen.plain.total.count(), requests);
            assert_eq!(seen.cost.known, if arm == 1 { requests } else { 0 });
            assert_eq!(seen.cost.sum_nanousd, u128::from(seen.cost.known) * 1_000_000);
            let keys: BTreeSet<u64> =
                windows.iter().filter(|w| wanted(w)).flat_map(|w| &w.keys).map(|k| k.key).collect();
            assert_eq!(keys.len(), users[index][arm].len());
            let hit = windows.iter().filter(|w| wanted(w)).flat_map(|w| &w.keys).any(|k| k.error);
            assert_eq!(hit, arm == 1);
        }
    }
    assert!(windows.iter().all(|window| window.rollout == Some(ROLLOUT)));
    let seqs: BTreeSet<u64> = windows.iter().map(|window| window.seq).collect();
    assert_eq!(seqs.len(), windows.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_store_is_away() {
    let v1 = Upstream::named("v1").await;
    let world = World::start(agent(&[("v1", v1.at)]), Split::whole(version("v1"))).await;
    world.fake.down.store(true, Ordering::SeqCst);
    let mut client = world.client().await;
    for n in 0..100 {
        assert_eq!(client.send(get_as(&format!("u{n}"))).await.status, 200);
    }
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert!(world.fake.interactions.lock().unwrap().is_empty());
    world.fake.down.store(false, Ordering::SeqCst);
    let interactions = world.interactions(100).await;
    let ids: BTreeSet<_> = interactions.iter().map(|one| one.id).collect();
    assert_eq!(ids.len(), 100);
    assert!(interactions.iter().all(|one| one.user.is_some() && one.conversation.is_some()));
    let all = || world.fake.windows.lock().unwrap().clone();
    until("all windows arrive", || sum(&all(), |_| true).completed == 100).await;
    let stats = world.gateway.stats();
    assert_eq!((stats.windows_dropped, stats.interactions_dropped), (0, 0));
    let counted: u64 = stats.requests.iter().map(|(_, _, _, count)| count).sum();
    assert_eq!(counted, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_version_reports_of_its_answers_is_counted_if_it_is_declared() {
    let v1 = Upstream::start(|_| async {
        let answer = Response::builder().header("lockgate-measure", "steps=12, unheard_of=1");
        answer.body(full("")).unwrap()
    })
    .await;
    let mut agent = agent(&[("v1", v1.at)]);
    let name = "steps".parse().unwrap();
    agent.measures = vec![Measure { name, better: Better::Lower, from: 0.0, to: 50.0 }];
    let world = World::start(agent, Split::whole(version("v1"))).await;
    let mut client = world.client().await;
    for n in 0..20 {
        let answer = client.send(get_as(&format!("u{n}"))).await;
        assert_eq!(answer.status, 200);
        assert!(!answer.headers.contains_key("lockgate-measure"), "it is not for users");
    }
    let all = || sum(&world.fake.windows.lock().unwrap().clone(), |_| true);
    until("all windows arrive", || all().completed == 20).await;
    let measures = all().measures;
    assert_eq!(measures.len(), 1);
    let steps = &measures[&name];
    assert_eq!((steps.count(), steps.unreadable), (20, 0));
    assert!((steps.mean().unwrap() * 50.0 - 12.0).abs() < 1e-9, "{steps:?}");
}
