//! Probes and copies of requests, to a candidate that users do not meet yet.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use lockgate_gateway::split;
use lockgate_model::agent::Agent;
use lockgate_model::interaction::ErrorClass;
use lockgate_model::probe::{self, Probes};
use lockgate_model::snapshot::{InTest, Split};
use lockgate_model::version::SideEffects;
use lockgate_telemetry::arm::Arm;

use crate::upstream::{Upstream, full, nowhere, pieces};
use crate::world::{ROLLOUT, World, agent, canary, get, get_as, post, route, until, version};

/// Stable `v1` serves; candidate `v2` is tested, and gets copies of so many requests.
fn testing(mirror_bp: u32) -> Split {
    let mut split = canary(1, 0);
    split.candidate.as_mut().unwrap().test = Some(InTest { mirror_bp, probes: None });
    split
}

/// These probes, so often.
fn every(every_ms: u64, text: &str) -> Probes {
    Probes { every_ms, set: probe::read(text).unwrap(), digest: Some(probe::digest(text)) }
}

/// `v2` changes nothing outside itself.
fn harmless(v1: SocketAddr, v2: SocketAddr) -> Agent {
    let mut agent = agent(&[("v1", v1), ("v2", v2)]);
    agent.versions[1].side_effects = SideEffects::None;
    agent
}

impl World {
    /// Everything that was seen of the candidate.
    fn candidate(&self) -> Arm {
        let windows = self.fake.windows.lock().unwrap();
        let of_candidate = windows.iter().filter(|window| window.version == version("v2"));
        of_candidate.fold(Arm::default(), |mut sum, window| {
            sum.merge(&window.arm);
            sum
        })
    }

    async fn served(&self, requests: usize) {
        let mut client = self.client().await;
        for user in 0..requests {
            let got = client.send(get_as(&format!("user-{user}"))).await;
            assert_eq!((got.status, got.version()), (200, "v1"));
        }
    }
}

async fn echo(request: Request<hyper::body::Incoming>) -> Response<crate::upstream::Body> {
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Response::new(full(body))
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_are_whole_and_marked_and_their_answers_are_compared() {
    let v1 = Upstream::start(echo).await;
    let v2 = Upstream::start(echo).await;
    let mut agent = harmless(v1.at, v2.at);
    agent.versions[1].test_endpoint = Some(format!("http://{}/test", v2.at));
    let world = World::start(agent, testing(10_000)).await;
    let mut client = world.client().await;
    let large: Bytes = vec![7_u8; 300_000].into();
    let got = client.send(post("/a?b=c", large.clone())).await;
    assert_eq!((got.body, got.headers["lockgate-version"].to_str().unwrap()), (large, "v1"));
    client.send(get("/x")).await;
    until("both answers were compared", || world.candidate().mirrored.compared == 2).await;
    let arm = world.candidate();
    let mirrored = arm.mirrored;
    assert_eq!((mirrored.sent, mirrored.skipped), (2, 0));
    assert_eq!((mirrored.same_status, mirrored.same_body), (2, 2));
    assert_eq!((arm.assigned, arm.completed, arm.errors_charged()), (2, 2, 0));
    // An environment of its own says nothing of production's latency.
    assert_eq!(arm.plain.total.count(), 0);
    let first = {
        let seen = v2.seen.lock().unwrap();
        seen.iter().find(|head| head.method == "POST").unwrap().clone()
    };
    assert_eq!(first.uri.to_string(), "/test/a?b=c");
    let header = |name: &str| first.headers[name].to_str().unwrap();
    assert_eq!((header("lockgate-environment"), header("lockgate-version")), ("test", "v2"));
    assert_eq!(header("host"), v2.at.to_string());
    let marked = |head: &http::request::Parts| head.headers.contains_key("lockgate-environment");
    assert!(!v1.seen.lock().unwrap().iter().any(marked));
    // Users' interactions are one each: a copy is none.
    assert_eq!(world.interactions(2).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_that_differ_are_counted_and_a_failing_candidate_is_charged() {
    let v1 = Upstream::start(|_| async { Response::new(full("yes")) }).await;
    let v2 = Upstream::start(|request| async move {
        let fails = request.uri().path() == "/fails";
        let status = if fails { 500 } else { 200 };
        Response::builder().status(status).body(full("no")).unwrap()
    })
    .await;
    let world = World::start(harmless(v1.at, v2.at), testing(10_000)).await;
    let mut client = world.client().await;
    assert_eq!(client.send(get("/")).await.status, 200);
    assert_eq!(client.send(get("/fails")).await.status, 200);
    until("both were compared", || world.candidate().mirrored.compared == 2).await;
    let arm = world.candidate();
    assert_eq!((arm.mirrored.same_status, arm.mirrored.same_body), (1, 0));
    assert_eq!(arm.errors[&ErrorClass::Upstream5xx], 1);
    assert_eq!(arm.plain.total.count(), 2, "it has no environment of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenth_of_users_and_always_the_same_ones() {
    let v1 = Upstream::start(echo).await;
    let v2 = Upstream::start(echo).await;
    let world = World::start(harmless(v1.at, v2.at), testing(1_000)).await;
    world.served(1_000).await;
    world.served(1_000).await;
    let chosen = |user: &usize| {
        let text = split::key_text(ROLLOUT, &format!("user-{user}"));
        split::is_candidate(split::hash(&format!("mirror {text}")), 1_000)
    };
    let users = (0..1_000).filter(chosen).count() as u64;
    // 4 σ around 100 of 1,000 users.
    assert!((62..=138).contains(&users), "{users}");
    let copies = || {
        let mirrored = world.candidate().mirrored;
        mirrored.sent + mirrored.skipped
    };
    until("each of them was copied twice", || copies() == 2 * users).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_copied_to_versions_with_side_effects_or_to_those_that_users_meet() {
    let v1 = Upstream::start(echo).await;
    let v2 = Upstream::start(echo).await;
    let both = agent(&[("v1", v1.at), ("v2", v2.at)]);
    let world = World::start(both, testing(10_000)).await;
    world.served(20).await;
    let harmless = harmless(v1.at, v2.at);
    world.publish(vec![route(harmless.clone(), canary(2, 0))], Vec::new()).await;
    world.served(20).await;
    // A candidate that control has cut off takes none either.
    world.publish(vec![route(harmless, testing(10_000))], Vec::new()).await;
    world.gateway.fuses().latch(&World::event("v2", 1)).await.unwrap();
    world.served(20).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(v2.requests(), 0);
}

/// A candidate that hangs, one that is not there, and one that never stops talking: users are
/// served as without it, and what there is no room for is counted.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_the_candidate_does_users_are_served() {
    let v1 = Upstream::start(echo).await;
    let hangs = Upstream::start(|_| async {
        std::future::pending::<()>().await;
        Response::new(full(""))
    })
    .await;
    let floods = flooding().await;
    let limited = |at| {
        let mut agent = harmless(v1.at, at);
        agent.limits.first_byte_timeout_ms = 300;
        agent
    };
    let world = World::start(limited(hangs.at), testing(10_000)).await;
    world.served(400).await;
    let gone = || world.candidate().errors.get(&ErrorClass::Timeout).copied().unwrap_or(0);
    until("copies are given up", || gone() >= 64).await;
    let settled = || {
        let arm = world.candidate();
        arm.mirrored.sent + arm.mirrored.skipped == 400 && arm.completed == arm.mirrored.sent
    };
    until("every request is accounted for", settled).await;
    assert!(world.candidate().mirrored.skipped > 0, "places are bounded");

    world.publish(vec![route(limited(nowhere().await), testing(10_000))], Vec::new()).await;
    world.served(50).await;
    let refused = || world.candidate().errors.get(&ErrorClass::Reset).copied().unwrap_or(0);
    until("it is not there", || refused() >= 50).await;

    world.publish(vec![route(limited(floods.at), testing(10_000))], Vec::new()).await;
    world.served(4).await;
    let flooded = || world.candidate().errors.get(&ErrorClass::StreamError).copied().unwrap_or(0);
    until("floods are left", || flooded() >= 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_to_copy_is_counted_and_goes_through() {
    let v1 = Upstream::start(echo).await;
    let v2 = Upstream::start(echo).await;
    let world = World::start(harmless(v1.at, v2.at), testing(10_000)).await;
    let mut client = world.client().await;
    let large: Bytes = vec![1_u8; 2 * 1024 * 1024].into();
    assert_eq!(client.send(post("/", large.clone())).await.body, large);
    until("it is counted", || world.candidate().mirrored.skipped == 1).await;
    assert_eq!(world.candidate().mirrored.sent, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_sent_in_turn_and_judged() {
    let v1 = Upstream::start(echo).await;
    let v2 = Upstream::start(|request: Request<hyper::body::Incoming>| async move {
        let path = request.uri().path().to_owned();
        if path == "/t/slow" {
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        let cost = if path == "/t/dear" { "0.5" } else { "0.001" };
        Response::builder().header("lockgate-cost-usd", cost).body(full("42")).unwrap()
    })
    .await;
    let mut agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    agent.versions[1].test_endpoint = Some(format!("http://{}/t", v2.at));
    let set = probe::read(
        r#"{"name":"good","request":{"path":"/ok"},"expect":{"contains":["42"]},"latency_ms_max":5000}
{"name":"wrong","request":{"path":"/ok"},"expect":{"contains":["43"]}}
{"name":"slow","request":{"path":"/slow"},"latency_ms_max":50}
{"name":"dear","request":{"path":"/dear","body":{"q":1}},"cost_usd_max":0.01}"#,
    );
    agent.probes = Some(Probes { every_ms: 20, set: set.unwrap(), digest: None });
    // Probes need no promise about side effects: they are the operator's own requests.
    let world = World::start(agent.clone(), testing(1_000)).await;
    let runs = |name: &str| world.candidate().probes.get(name).cloned().unwrap_or_default();
    until("each ran twice", || {
        ["good", "wrong", "slow", "dear"]
            .iter()
            .all(|name| runs(name).passed + runs(name).failed > 1)
    })
    .await;
    assert_eq!((runs("good").failed, runs("good").why), (0, None));
    for (name, why) in
        [("wrong", "contain `43`"), ("slow", "at most 50 ms"), ("dear", "at most $0.01")]
    {
        assert_eq!(runs(name).passed, 0, "{name}");
        assert!(runs(name).why.unwrap().contains(why), "{name}");
    }
    let arm = world.candidate();
    assert_eq!((arm.assigned, arm.completed), (0, 0), "probes are no requests of users");
    {
        let seen = v2.seen.lock().unwrap();
        assert!(seen.iter().all(|head| head.headers["lockgate-environment"] == "test"));
        let dear = seen.iter().find(|head| head.uri.path() == "/t/dear").unwrap();
        assert_eq!(
            (dear.method.as_str(), &dear.headers["content-type"]),
            ("POST", &http::HeaderValue::from_static("application/json"))
        );
    }
    // Once users meet it, it gets no more.
    world.publish(vec![route(agent, canary(2, 1_000))], Vec::new()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let so_far = v2.requests();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(v2.requests(), so_far);
}

/// The expression costs most where the candidate answers with what it almost matches. Were it sought on the
/// runtime that everything else runs on, nothing else would have a turn meanwhile.
#[tokio::test]
async fn an_answer_that_is_hard_to_judge_holds_nobody_up() {
    let v1 = Upstream::start(echo).await;
    // No two stretches alike: every byte makes work of its own.
    let letters = (0..6_000_u32)
        .map(|n| if split::hash(&n.to_string()).is_multiple_of(2) { 'a' } else { 'b' });
    let answer = Bytes::from(letters.collect::<String>());
    let v2 = Upstream::start(move |_| {
        let answer = answer.clone();
        async move { Response::new(full(answer)) }
    })
    .await;
    let mut agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    let line = r#"{"name":"p","request":{"path":"/"},"expect":{"matches":"[ab]*a[ab]{800}c"}}"#;
    agent.probes = Some(every(1, line));
    let world = World::start(agent, testing(0)).await;
    let turns = Arc::new(AtomicU64::new(0));
    let counted = turns.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(Duration::from_millis(1)).await;
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let runs = || world.candidate().probes.get("p").map_or(0, |run| run.failed);
    until("it was judged a few times", || runs() >= 3).await;
    let (turns, runs) = (turns.load(Ordering::Relaxed), runs());
    assert!(turns > 20 * runs, "{turns} turns of others beside {runs} judgements");
}

/// Between an edit of the file and the release that takes it up, the runs of either set would count for
/// the other one.
#[tokio::test(flavor = "multi_thread")]
async fn a_set_of_probes_that_the_release_is_not_judged_by_is_not_sent() {
    let v1 = Upstream::start(echo).await;
    let v2 = Upstream::start(echo).await;
    let [old, new] = ["old", "new"].map(|name| {
        let line = format!("{{\"name\":\"{name}\",\"request\":{{\"path\":\"/{name}\"}}}}");
        every(10, &line)
    });
    let of = |probes: &Probes| {
        let mut agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
        agent.probes = Some(probes.clone());
        agent
    };
    let judged_by = |epoch: u64, probes: &Probes| {
        let mut split = canary(epoch, 0);
        let digest = probes.digest.clone();
        split.candidate.as_mut().unwrap().test = Some(InTest { mirror_bp: 0, probes: digest });
        split
    };
    let world = World::start(of(&old), judged_by(1, &old)).await;
    let sent = |path: &str| v2.seen.lock().unwrap().iter().any(|head| head.uri.path() == path);
    until("the old set is sent", || sent("/old")).await;
    world.publish(vec![route(of(&new), judged_by(1, &old))], Vec::new()).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!sent("/new"));
    world.publish(vec![route(of(&new), judged_by(2, &new))], Vec::new()).await;
    until("the new set is sent", || sent("/new")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_is_not_there_fails_its_probes() {
    let v1 = Upstream::start(echo).await;
    let mut agent = agent(&[("v1", v1.at), ("v2", nowhere().await)]);
    let set = probe::read(r#"{"name":"p","request":{"path":"/"}}"#).unwrap();
    agent.probes = Some(Probes { every_ms: 20, set, digest: None });
    let world = World::start(agent, testing(0)).await;
    until("it failed", || world.candidate().probes.get("p").is_some_and(|run| run.failed > 0))
        .await;
    let why = world.candidate().probes["p"].why.clone();
    assert_eq!(why.as_deref(), Some("it could not be reached"));
}

/// An answer of as many bytes as anyone takes.
async fn flooding() -> Upstream {
    Upstream::start(|_| async {
        let (sender, body) = pieces();
        let piece = Bytes::from(vec![b'x'; 65_536]);
        tokio::spawn(async move { while sender.send(Ok(piece.clone())).await.is_ok() {} });
        Response::new(body)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_floods_fails_its_own_probes_and_not_those_of_another_agent() {
    let v1 = Upstream::start(echo).await;
    let good = Upstream::start(echo).await;
    let floods = flooding().await;
    let mut one = agent(&[("v1", v1.at), ("v2", floods.at)]);
    let set = probe::read(r#"{"name":"floods","request":{"path":"/"}}"#).unwrap();
    one.probes = Some(Probes { every_ms: 1, set, digest: None });
    let mut other = agent(&[("v1", v1.at), ("v2", good.at)]);
    other.name = "billing".parse().unwrap();
    other.matches[0].path = Some("/billing".into());
    let line = r#"{"name":"quick","request":{"path":"/"},"latency_ms_max":500}"#;
    other.probes = Some(every(50, line));
    let world = World::start_with(vec![route(one, testing(0)), route(other, testing(0))], |_| {});
    let world = world.await;
    let of = |name: &str| world.candidate().probes.get(name).cloned().unwrap_or_default();
    until("both ran", || of("floods").failed > 20 && of("quick").passed > 20).await;
    assert_eq!((of("floods").passed, of("quick").failed), (0, 0), "{:?}", of("quick"));
    assert_eq!(of("floods").why.as_deref(), Some("the answer is larger than 1048576 bytes"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_candidate_that_hangs_takes_no_place_of_another_agent() {
    let v1 = Upstream::start(echo).await;
    let good = Upstream::start(echo).await;
    let hangs = Upstream::start(|_| async {
        std::future::pending::<()>().await;
        Response::new(full(""))
    })
    .await;
    let mut other = harmless(v1.at, good.at);
    other.name = "billing".parse().unwrap();
    other.matches[0].path = Some("/billing".into());
    let routes =
        vec![route(harmless(v1.at, hangs.at), testing(10_000)), route(other, testing(10_000))];
    let world = World::start_with(routes, |_| {}).await;
    world.served(80).await;
    until("its places are taken", || world.candidate().mirrored.skipped == 16).await;
    let mut client = world.client().await;
    for _ in 0..10 {
        assert_eq!(client.send(get("/billing")).await.status, 200);
    }
    until("the other's copies are answered", || world.candidate().mirrored.compared == 10).await;
}
