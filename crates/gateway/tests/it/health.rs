//! Health as reports carry it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use http::Response;
use lockgate_model::agent::HealthCheck;
use lockgate_model::ids::Epoch;
use lockgate_model::snapshot::{Split, WeightEpoch};

use crate::upstream::{Upstream, full, nowhere};
use crate::world::{ROLLOUT, World, agent, canary, get, route, until, version};

fn check() -> HealthCheck {
    HealthCheck {
        path: "/healthz".into(),
        interval_ms: 20,
        timeout_ms: 1_000,
        unhealthy_after: 2,
        healthy_after: 2,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_are_checked_and_reported() {
    let v1 = Upstream::start(|request| async move {
        let status = if request.uri().path() == "/healthz" { 200 } else { 404 };
        Response::builder().status(status).body(full("")).unwrap()
    })
    .await;
    let v2 = Upstream::start(|_| async { Response::builder().status(500).body(full("")).unwrap() })
        .await;
    let mut agent = agent(&[("v1", v1.at), ("v2", v2.at), ("v3", nowhere().await)]);
    agent.versions[1].test_endpoint = Some(format!("http://{}", v1.at));
    agent.health = Some(check());
    let world = World::start(agent, Split::whole(version("v1"))).await;
    let health = |name: &str| {
        let report = world.fake.report()?;
        let found = report.health.into_iter().find(|health| health.version == version(name))?;
        Some((found.production, found.test))
    };
    until("v1 is healthy", || health("v1") == Some((Some(true), None))).await;
    until("v2 is not, but its test is", || health("v2") == Some((Some(false), Some(true)))).await;
    until("v3 is not", || health("v3") == Some((Some(false), None))).await;
    // An unhealthy stable version still gets its traffic: nothing else exists.
    assert_eq!(world.client().await.send(get("/")).await.version(), "v1");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_checks_traffic_is_the_witness() {
    let at = nowhere().await;
    let world = World::start(agent(&[("v1", at)]), Split::whole(version("v1"))).await;
    let production = || -> Option<Option<bool>> {
        world.fake.report()?.health.first().map(|health| health.production)
    };
    until("there is a report", || production().is_some()).await;
    assert_eq!(production(), Some(None), "nothing was seen yet");
    let mut client = world.client().await;
    for _ in 0..3 {
        assert_eq!(client.send(get("/")).await.status, 502);
    }
    until("it is reported", || production() == Some(Some(false))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_is_checked_anew_under_every_weight() {
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    let v1 = Upstream::start(|_| async { Response::new(full("")) }).await;
    let v2 = Upstream::start(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Response::new(full("")) }
    })
    .await;
    let mut agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    // No check falls due by itself while the test runs.
    agent.health = Some(HealthCheck { interval_ms: 3_600_000, healthy_after: 1, ..check() });
    let world = World::start(agent.clone(), Split::whole(version("v1"))).await;
    let passed_in = || {
        let report = world.fake.report()?;
        let found = report.health.into_iter().find(|health| health.version == version("v2"))?;
        Some((found.production, found.production_passed_in))
    };
    until("v2 is checked", || passed_in() == Some((Some(true), None))).await;
    for epoch in [1, 2] {
        world.publish(vec![route(agent.clone(), canary(epoch, 1_000))], vec![]).await;
        let in_force = WeightEpoch { rollout: ROLLOUT, epoch: Epoch(epoch) };
        until("v2 is checked again", || passed_in() == Some((Some(true), Some(in_force)))).await;
    }
    assert_eq!(asked.load(Ordering::SeqCst), 3);
}
