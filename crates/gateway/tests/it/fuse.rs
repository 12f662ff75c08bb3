//! The fuse: what was cut off gets nothing any more, at once, and stays cut off.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use lockgate_model::interaction::ErrorClass;
use lockgate_model::plan::HardLimit;
use lockgate_model::security::FuseCause;
use lockgate_model::snapshot::{Mode, Route, Split};

use crate::upstream::{Upstream, full, pieces};
use crate::world::{
    Client, World, agent, canary, get, get_as, member, route, start_gateway, until, version,
};

/// Asks until told to stop, and marks what it asks after the latch has returned. Returns how often
/// it was cut.
async fn hammer(at: SocketAddr, latched: Arc<AtomicBool>, stop: Arc<AtomicBool>) -> usize {
    let mut client = Client::connect(at).await;
    let mut cut = 0;
    while !stop.load(Ordering::SeqCst) {
        let path = if latched.load(Ordering::SeqCst) { "/after" } else { "/before" };
        match client.try_send(get(path)).await {
            Ok(got) => cut += usize::from(got.status == 503),
            Err(_) => client = Client::connect(at).await,
        }
    }
    cut
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_latch_no_request_reaches_the_candidate() {
    for round in 0..10 {
        let (v1, v2) = (Upstream::named("v1").await, Upstream::named("v2").await);
        let world = World::start(agent(&[("v1", v1.at), ("v2", v2.at)]), canary(1, 10_000)).await;
        let (latched, stop) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let at = world.gateway.local_addr();
        let clients: Vec<_> =
            (0..8).map(|_| tokio::spawn(hammer(at, latched.clone(), stop.clone()))).collect();
        until("the candidate is busy", || v2.requests() > 100).await;
        let fuse = world.gateway.fuses().latch(&World::event("v2", 1)).await.unwrap();
        latched.store(true, Ordering::SeqCst);
        assert!(fuse.is_some());
        // What had been written to its sockets before, the candidate may still be reading.
        let stable = v1.requests();
        until("stable takes over", || v1.requests() > stable + 200).await;
        let candidate = v2.requests();
        until("stable goes on", || v1.requests() > stable + 400).await;
        stop.store(true, Ordering::SeqCst);
        for client in clients {
            assert!(client.await.unwrap() <= 1, "a client is cut once at most");
        }
        assert_eq!(v2.requests(), candidate, "round {round}");
        let after = v2.seen.lock().unwrap().iter().any(|parts| parts.uri.path() == "/after");
        assert!(!after, "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_security_event_cuts_what_is_in_flight() {
    let v2 = Upstream::start(|request| async move {
        if request.uri().path() == "/slow" {
            std::future::pending::<()>().await;
        }
        let (sender, body) = pieces();
        tokio::spawn(async move {
            let _ = sender.send(Ok(Bytes::from("data: 1\n\n"))).await;
            sender.closed().await;
        });
        Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
    })
    .await;
    let v1 = Upstream::named("v1").await;
    let world = World::start(agent(&[("v1", v1.at), ("v2", v2.at)]), canary(1, 10_000)).await;
    let mut slow = world.client().await;
    let slow = tokio::spawn(async move { slow.send(get("/slow")).await });
    let mut client = world.client().await;
    let stream = client.open(get("/")).await.unwrap();
    let pin = stream.headers()["lockgate-conversation"].to_str().unwrap().to_owned();
    let mut stream = stream.into_body();
    assert!(stream.frame().await.is_some());
    until("both are there", || v2.requests() == 2).await;

    world.gateway.fuses().latch(&World::event("v2", 1)).await.unwrap().unwrap();

    assert!(stream.collect().await.is_err(), "a cut stream must not look whole");
    assert_eq!(slow.await.unwrap().status, 503);
    let mut client = world.client().await;
    assert_eq!(client.send(crate::world::get_in(&pin)).await.version(), "v1");
    let interactions = world.interactions(3).await;
    let cut = interactions.iter().filter(|one| one.error == Some(ErrorClass::GatewayRefused));
    assert_eq!(cut.count(), 2, "{interactions:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_latch_outlives_restarts_and_yields_to_its_acknowledgement_only() {
    let (v1, v2) = (Upstream::named("v1").await, Upstream::named("v2").await);
    let agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    let world = World::start(agent.clone(), canary(1, 10_000)).await;
    assert_eq!(world.client().await.send(get("/")).await.version(), "v2");
    let fuse = world.gateway.fuses().latch(&World::event("v2", 1)).await.unwrap().unwrap();
    let again = world.gateway.fuses().latch(&World::event("v2", 1)).await.unwrap().unwrap();
    assert_eq!(fuse, again, "idempotent");
    assert_eq!(fuse.rollout, canary(1, 0).rollout);
    until("the report carries it", || world.fake.report().unwrap().fuses == [fuse.clone()]).await;
    // Newer snapshots that do not know of it change nothing.
    world.publish(vec![route(agent.clone(), canary(2, 10_000))], vec![]).await;
    assert_eq!(world.client().await.send(get("/")).await.version(), "v1");

    let World { fake, gateway, dir } = world;
    gateway.shutdown(Duration::from_secs(5)).await;
    let gateway = start_gateway(&fake, &dir, |_| {}).await;
    let world = World { fake, gateway, dir };
    assert_eq!(world.gateway.stats().fuses_latched, 1);
    assert_eq!(world.client().await.send(get("/")).await.version(), "v1");

    world.publish(vec![route(agent, canary(3, 10_000))], vec![fuse.id]).await;
    assert_eq!(world.gateway.stats().fuses_latched, 0);
    assert_eq!(world.client().await.send(get("/")).await.version(), "v2");
}

#[tokio::test(flavor = "multi_thread")]
async fn stable_is_never_cut_off() {
    let v1 = Upstream::named("v1").await;
    let world = World::start(agent(&[("v1", v1.at)]), Split::whole(version("v1"))).await;
    let fuses = world.gateway.fuses();
    assert_eq!(fuses.latch(&World::event("v1", 1)).await.unwrap(), None);
    assert_eq!(fuses.latch(&World::event("unknown", 2)).await.unwrap(), None);
    assert_eq!(world.client().await.send(get("/")).await.version(), "v1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promotion_that_knows_nothing_of_the_latch_does_not_open_the_door() {
    let (v1, v2) = (Upstream::named("v1").await, Upstream::named("v2").await);
    let agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    let world = World::start(agent.clone(), canary(1, 5_000)).await;
    let fuse = world.gateway.fuses().latch(&World::event("v2", 1)).await.unwrap().unwrap();
    let promoted = Split {
        stable: version("v2"),
        candidate: None,
        retiring: Some(member("v1", 0, Mode::Drain { until_wall_ms: i64::MAX })),
        ..canary(2, 0)
    };
    world.publish(vec![route(agent.clone(), promoted.clone())], vec![]).await;
    for _ in 0..20 {
        assert_eq!(world.client().await.send(get("/")).await.version(), "v1");
    }
    world.publish(vec![route(agent, promoted)], vec![fuse.id]).await;
    assert_eq!(world.client().await.send(get("/")).await.version(), "v2");
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_in_a_row_latch_and_control_is_told() {
    let v2 = Upstream::start(|request| async move {
        let status = if request.uri().path() == "/good" { 200 } else { 500 };
        Response::builder().status(status).body(full("")).unwrap()
    })
    .await;
    let v1 = Upstream::named("v1").await;
    let agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    let hard_limits = vec![HardLimit::ConsecutiveErrors(3)];
    let routes = vec![Route { agent, split: Some(canary(1, 10_000)), hard_limits }];
    let world = World::start_with(routes, |_| {}).await;
    let mut client = world.client().await;
    for (path, version) in [("/", "v2"), ("/", "v2"), ("/good", "v2"), ("/", "v2"), ("/", "v2")] {
        assert_eq!(client.send(get(path)).await.version(), version);
    }
    assert_eq!(world.gateway.stats().fuses_latched, 0, "a success in between starts anew");
    assert_eq!(client.send(get("/")).await.status, 500);
    until("control is told", || !world.fake.fuses.lock().unwrap().is_empty()).await;
    let fuse = world.fake.fuses.lock().unwrap()[0].clone();
    assert_eq!(fuse.cause, FuseCause::HardLimit { limit: "3 errors in a row".into() });
    assert_eq!(client.send(get("/")).await.version(), "v1");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_user_alone_cannot_cross_a_hard_limit() {
    let v2 = Upstream::start(|_| async { Response::builder().status(500).body(full("")).unwrap() });
    let (v1, v2) = (Upstream::named("v1").await, v2.await);
    let agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    let hard_limits = vec![HardLimit::ConsecutiveErrors(3)];
    let routes = vec![Route { agent, split: Some(canary(1, 10_000)), hard_limits }];
    let world = World::start_with(routes, |_| {}).await;
    let mut client = world.client().await;
    for user in ["one", "one", "one", "one", "one", "two", "one", "two"] {
        assert_eq!(client.send(get_as(user)).await.version(), "v2");
    }
    assert_eq!(world.gateway.stats().fuses_latched, 0);
    client.send(get_as("three")).await;
    until("control is told", || !world.fake.fuses.lock().unwrap().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_says_cut_ends_what_is_in_flight() {
    let v2 = Upstream::start(|_| async {
        std::future::pending::<()>().await;
        Response::new(full(""))
    })
    .await;
    let v1 = Upstream::named("v1").await;
    let agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    let world = World::start(agent.clone(), canary(1, 10_000)).await;
    let mut slow = world.client().await;
    let slow = tokio::spawn(async move {
        let request = Request::get("/").header("host", "a").body(Full::default()).unwrap();
        slow.send(request).await
    });
    until("it is in flight", || v2.requests() == 1).await;
    let cut = Split { candidate: Some(member("v2", 0, Mode::Cut)), ..canary(2, 0) };
    world.publish(vec![route(agent, cut)], vec![]).await;
    let got = slow.await.unwrap();
    assert_eq!((got.status, got.version()), (503, "v2"));
    assert_eq!(world.client().await.send(get("/")).await.version(), "v1");
}
