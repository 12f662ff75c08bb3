//! Following control: new snapshots under load, none at all, bad ones, and the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Response;
use lockgate_model::snapshot::{Mode, Split};
use tokio::sync::Semaphore;

use crate::upstream::{Upstream, full};
use crate::world::{
    Client, Fake, World, agent, canary, get, member, post, route, start_gateway, until, version,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changing_the_split_under_load_drops_no_request() {
    let (v1, v2) = (Upstream::named("v1").await, Upstream::named("v2").await);
    let agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    let world = World::start(agent.clone(), canary(1, 5_000)).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = Vec::new();
    for _ in 0..6 {
        let (at, stop) = (world.gateway.local_addr(), stop.clone());
        clients.push(tokio::spawn(async move {
            let mut client = Client::connect(at).await;
            let mut count = 0;
            while !stop.load(Ordering::SeqCst) {
                let got = client.try_send(post("/", "body")).await.expect("not dropped");
                assert_eq!((got.status, &got.body[..]), (200, &b"body"[..]));
                count += 1;
            }
            count
        }));
    }
    for epoch in 2..80 {
        let split = match epoch % 4 {
            0 => canary(epoch, 10_000),
            1 => Split { candidate: Some(member("v2", 0, Mode::Stopped)), ..canary(epoch, 0) },
            2 => canary(epoch, 3_000),
            _ => Split { epoch: canary(epoch, 0).epoch, ..Split::whole(version("v1")) },
        };
        world.publish(vec![route(agent.clone(), split)], vec![]).await;
    }
    stop.store(true, Ordering::SeqCst);
    let mut sum = 0;
    for client in clients {
        sum += client.await.unwrap();
    }
    assert!(sum > 0);
    let interactions = world.interactions(sum).await;
    assert_eq!(interactions.len(), sum);
    assert!(interactions.iter().all(|one| one.error.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_serves_its_last_snapshot_when_no_port_answers() {
    let (v1, v2) = (Upstream::named("v1").await, Upstream::named("v2").await);
    let world = World::start(agent(&[("v1", v1.at), ("v2", v2.at)]), canary(1, 10_000)).await;
    let pin = world.client().await.send(get("/")).await.header("lockgate-conversation").to_owned();
    let World { gateway, dir, .. } = world;
    gateway.shutdown(Duration::from_secs(5)).await;

    let nobody = Fake::new();
    nobody.down.store(true, Ordering::SeqCst);
    let gateway = start_gateway(&nobody, &dir, |_| {}).await;
    let mut client = Client::connect(gateway.local_addr()).await;
    assert_eq!(client.send(get("/")).await.version(), "v2");
    assert_eq!(client.send(crate::world::get_in(&pin)).await.version(), "v2");
    // Nothing that could not be recorded is acknowledged.
    let refused = client.send(post("/feedback", r#"{"score":1,"ticket":"x"}"#)).await;
    assert_eq!(refused.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_control_the_candidate_gets_nothing_after_a_while() {
    let (v1, v2) = (Upstream::named("v1").await, Upstream::named("v2").await);
    let world = World::start(agent(&[("v1", v1.at), ("v2", v2.at)]), canary(1, 10_000)).await;
    let mut client = world.client().await;
    let pin = client.send(get("/")).await.header("lockgate-conversation").to_owned();
    let mut snapshot = world
        .fake
        .snapshot(vec![route(agent(&[("v1", v1.at), ("v2", v2.at)]), canary(2, 10_000))], vec![]);
    snapshot.candidate_stale_max_ms = 4_000;
    world.fake.send(snapshot);
    until("it is applied", || world.gateway.stats().applied.0 == 2).await;
    assert_eq!(client.send(get("/")).await.version(), "v2");
    // The store answers, but control says nothing.
    world.fake.alive.store(false, Ordering::SeqCst);
    until("control is stale", || world.gateway.stats().control_age_ms > 4_000).await;
    assert_eq!(client.send(get("/")).await.version(), "v1");
    assert_eq!(client.send(crate::world::get_in(&pin)).await.version(), "v1");
    world.fake.alive.store(true, Ordering::SeqCst);
    until("control is back", || world.gateway.stats().control_age_ms < 4_000).await;
    assert_eq!(client.send(get("/")).await.version(), "v2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_cannot_be_applied_changes_nothing() {
    let v1 = Upstream::named("v1").await;
    let good = agent(&[("v1", v1.at)]);
    let world = World::start(good.clone(), Split::whole(version("v1"))).await;
    let mut bad = good.clone();
    bad.versions[0].endpoint = "nonsense".into();
    let bad_split = Split::whole(version("v9"));
    for routes in [
        vec![route(bad, Split::whole(version("v1")))],
        vec![route(good.clone(), bad_split)],
        vec![route(
            good.clone(),
            Split { candidate: Some(member("v1", 10_001, Mode::Open)), ..canary(1, 0) },
        )],
    ] {
        let before = world.fake.reports.lock().unwrap().len();
        world.fake.send(world.fake.snapshot(routes, vec![]));
        until("it was offered", || world.fake.reports.lock().unwrap().len() > before + 1).await;
        assert_eq!(world.gateway.stats().applied.0, 1);
        assert_eq!(world.client().await.send(get("/")).await.status, 200);
    }
    world.publish(vec![route(good, Split::whole(version("v1")))], vec![]).await;
    assert_eq!(world.client().await.send(get("/")).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn shutting_down_finishes_what_is_under_way() {
    let permits = Arc::new(Semaphore::new(0));
    let gate = permits.clone();
    let v1 = Upstream::start(move |_| {
        let gate = gate.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Response::new(full("done"))
        }
    })
    .await;
    let world = World::start(agent(&[("v1", v1.at)]), Split::whole(version("v1"))).await;
    let (mut client, idle) = (world.client().await, world.client().await);
    let waiting = tokio::spawn(async move { client.send(get("/")).await });
    until("it is in flight", || v1.requests() == 1).await;
    let at = world.gateway.local_addr();
    let World { gateway, fake, dir: _dir } = world;
    let ending = tokio::spawn(gateway.shutdown(Duration::from_secs(20)));
    loop {
        // Refused as soon as nothing listens any more.
        if tokio::net::TcpStream::connect(at).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    permits.add_permits(1);
    let got = waiting.await.unwrap();
    assert_eq!((got.status, &got.body[..]), (200, &b"done"[..]));
    ending.await.unwrap();
    drop(idle);
    assert_eq!(fake.interactions.lock().unwrap().len(), 1);
    let windows = fake.windows.lock().unwrap();
    let sum = |count: fn(&lockgate_telemetry::arm::Arm) -> u64| {
        windows.iter().map(|window| count(&window.arm)).sum::<u64>()
    };
    assert_eq!((sum(|arm| arm.assigned), sum(|arm| arm.completed)), (1, 1));
}
