//! Who gets which request.

use std::collections::HashMap;

use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use lockgate_gateway::split;
use lockgate_model::agent::{Match, Protocol};
use lockgate_model::ids::{Epoch, RolloutId};
use lockgate_model::snapshot::{Mode, Split};

use uuid::Uuid;

use crate::upstream::{Upstream, full, pieces};
use crate::world::{
    ROLLOUT, World, agent, canary, get, get_as, get_in, member, post, route, start_gateway,
    version, wall_ms,
};

#[tokio::test(flavor = "multi_thread")]
async fn users_are_split_by_key_and_stick() {
    let (v1, v2) = (Upstream::named("v1").await, Upstream::named("v2").await);
    let world = World::start(agent(&[("v1", v1.at), ("v2", v2.at)]), canary(1, 2_500)).await;
    let mut client = world.client().await;
    let mut candidates = 0;
    for user in 0..2_000 {
        let user = format!("user-{user}");
        let hash = split::hash(&split::key_text(ROLLOUT, &user));
        let expected = if split::is_candidate(hash, 2_500) { "v2" } else { "v1" };
        for _ in 0..2 {
            let got = client.send(get_as(&user)).await;
            assert_eq!(
                (got.status, got.version(), got.header("x-name")),
                (200, expected, expected)
            );
        }
        candidates += usize::from(expected == "v2");
    }
    // 500 expected, sigma 19.4
    assert!((423..=577).contains(&candidates), "{candidates}");
    assert_eq!(v2.requests(), 2 * candidates);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_each_conversation_is_drawn_and_then_stays() {
    let (v1, v2) = (Upstream::named("v1").await, Upstream::named("v2").await);
    let world = World::start(agent(&[("v1", v1.at), ("v2", v2.at)]), canary(1, 5_000)).await;
    let mut client = world.client().await;
    let mut firsts = HashMap::new();
    for _ in 0..200 {
        let first = client.send(get("/")).await;
        let pin = first.header("lockgate-conversation").to_owned();
        let second = client.send(get_in(&pin)).await;
        assert_eq!(first.version(), second.version());
        assert_eq!(second.header("lockgate-conversation"), pin);
        *firsts.entry(first.version().to_owned()).or_insert(0) += 1;
    }
    // 100 each expected, sigma 7.1
    assert!(firsts.values().all(|count| (70..=130).contains(count)), "{firsts:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn raising_the_weight_moves_no_conversation() {
    let (v1, v2) = (Upstream::named("v1").await, Upstream::named("v2").await);
    let agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    let world = World::start(agent.clone(), canary(1, 1_000)).await;
    let mut client = world.client().await;
    let mut pins = Vec::new();
    for user in 0..100 {
        let got = client.send(get_as(&format!("u{user}"))).await;
        pins.push((got.version().to_owned(), got.header("lockgate-conversation").to_owned()));
    }
    assert!(pins.iter().any(|(name, _)| name == "v1") && pins.iter().any(|(name, _)| name == "v2"));
    for (epoch, weight) in [(2, 5_000), (3, 10_000), (4, 1)] {
        world.publish(vec![route(agent.clone(), canary(epoch, weight))], vec![]).await;
        for (name, pin) in &pins {
            assert_eq!(client.send(get_in(pin)).await.version(), name, "at {weight}");
        }
    }
    // Without a share there are no conversations of this release: pins of an older one bind nothing.
    world.publish(vec![route(agent.clone(), canary(5, 0))], vec![]).await;
    for (_, pin) in &pins {
        assert_eq!(client.send(get_in(pin)).await.version(), "v1");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn modes_decide_what_a_pinned_conversation_gets() {
    let (v1, v2) = (Upstream::named("v1").await, Upstream::named("v2").await);
    let agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    let world = World::start(agent.clone(), canary(1, 10_000)).await;
    let mut client = world.client().await;
    let pin = client.send(get("/")).await.header("lockgate-conversation").to_owned();
    let after = |epoch, mode| Split {
        candidate: None,
        retiring: Some(member("v2", 0, mode)),
        ..canary(epoch, 0)
    };
    for (epoch, mode, pinned) in [
        (2, Mode::Drain { until_wall_ms: wall_ms() + 60_000 }, "v2"),
        (3, Mode::Drain { until_wall_ms: wall_ms() - 1 }, "v1"),
        (4, Mode::Drain { until_wall_ms: wall_ms() + 60_000 }, "v2"),
        (5, Mode::Stopped, "v1"),
        (6, Mode::Drain { until_wall_ms: wall_ms() + 60_000 }, "v2"),
        (7, Mode::Cut, "v1"),
        (8, Mode::Drain { until_wall_ms: wall_ms() + 60_000 }, "v2"),
    ] {
        world.publish(vec![route(agent.clone(), after(epoch, mode))], vec![]).await;
        assert_eq!(client.send(get_in(&pin)).await.version(), pinned, "{mode:?}");
        assert_eq!(client.send(get("/")).await.version(), "v1", "{mode:?}");
    }
    let gone = Split { epoch: Epoch(9), ..Split::whole(version("v1")) };
    world.publish(vec![route(agent, gone)], vec![]).await;
    assert_eq!(client.send(get_in(&pin)).await.version(), "v1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_to_the_candidate_of_an_earlier_release_binds_nothing() {
    let (v1, v2) = (Upstream::named("v1").await, Upstream::named("v2").await);
    let agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    let world = World::start(agent.clone(), canary(1, 10_000)).await;
    let mut client = world.client().await;
    let pin = client.send(get("/")).await.header("lockgate-conversation").to_owned();
    let again = Split { rollout: Some(RolloutId(Uuid::from_u128(99))), ..canary(2, 1) };
    world.publish(vec![route(agent, again)], vec![]).await;
    for _ in 0..20 {
        let got = client.send(get_in(&pin)).await;
        assert_eq!(got.version(), "v1", "drawn anew, at 0.01 %");
        assert_ne!(got.header("lockgate-conversation"), pin);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_invented_conversation_is_learnt_once_the_version_has_taken_it() {
    let (v1, v2) = (
        Upstream::start(|_| async {
            let mut refused = Response::new(full("no such context"));
            *refused.status_mut() = http::StatusCode::NOT_FOUND;
            refused
        })
        .await,
        Upstream::named("v2").await,
    );
    let mut agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    agent.protocol = Protocol::Mcp;
    let world = World::start(agent.clone(), canary(1, 1)).await;
    let mut client = world.client().await;
    let ask = || {
        let request = Request::post("/mcp").header("host", "a").header("mcp-session-id", "s1");
        request.body(Full::from("{}")).unwrap()
    };
    assert_eq!(client.send(ask()).await.version(), "v1");
    world.publish(vec![route(agent.clone(), canary(2, 10_000))], vec![]).await;
    assert_eq!(client.send(ask()).await.version(), "v2", "v1 had refused it");
    world.publish(vec![route(agent, canary(3, 1))], vec![]).await;
    assert_eq!(client.send(ask()).await.version(), "v2", "v2 took it, and keeps it");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_pin_is_no_pin() {
    let (v1, v2) = (Upstream::named("v1").await, Upstream::named("v2").await);
    let agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    let world = World::start(agent.clone(), canary(1, 10_000)).await;
    let mut client = world.client().await;
    let pin = client.send(get("/")).await.header("lockgate-conversation").to_owned();
    world.publish(vec![route(agent.clone(), canary(2, 1))], vec![]).await;
    assert_eq!(client.send(get_in(&pin)).await.version(), "v2");
    let flipped = if pin.ends_with('A') { "Q" } else { "A" };
    let forged = format!("{}{flipped}", &pin[..pin.len() - 1]);
    for pin in [forged.as_str(), "nonsense", &"x".repeat(5_000)] {
        assert_eq!(client.send(get_in(pin)).await.version(), "v1");
    }
    assert_eq!(world.gateway.stats().forged_pins, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_the_protocol_stays_also_over_a_restart() {
    let (v1, v2) = (
        Upstream::named("v1").await,
        Upstream::start(|_| async {
            http::Response::builder().header("mcp-session-id", "s-1").body(full("{}")).unwrap()
        })
        .await,
    );
    let mut agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    agent.protocol = Protocol::Mcp;
    let world = World::start(agent.clone(), canary(1, 10_000)).await;
    let mut client = world.client().await;
    assert_eq!(client.send(post("/mcp", "{}")).await.version(), "v2");
    world.publish(vec![route(agent, canary(2, 1))], vec![]).await;
    let again = |session: &str| {
        let request = Request::get("/mcp").header("host", "a").header("mcp-session-id", session);
        request.body(Full::default()).unwrap()
    };
    assert_eq!(client.send(again("s-1")).await.version(), "v2");
    assert_eq!(client.send(again("s-2")).await.version(), "v1");
    let World { fake, gateway, dir } = world;
    drop(client);
    gateway.shutdown(std::time::Duration::from_secs(5)).await;
    let gateway = start_gateway(&fake, &dir, |_| {}).await;
    let mut client = crate::world::Client::connect(gateway.local_addr()).await;
    assert_eq!(client.send(again("s-1")).await.version(), "v2");
    assert_eq!(client.send(again("s-2")).await.version(), "v1");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_specific_match_wins() {
    let upstreams =
        [Upstream::named("a").await, Upstream::named("b").await, Upstream::named("c").await];
    let rule = |host: Option<&str>, path: Option<&str>, strip_path| Match {
        host: host.map(Into::into),
        path: path.map(Into::into),
        strip_path,
    };
    let rules = [
        vec![rule(None, None, false)],
        vec![rule(None, Some("/b"), true)],
        vec![rule(Some("C.test"), None, false), rule(None, Some("/b/deep"), false)],
    ];
    let mut routes = Vec::new();
    for ((name, upstream), matches) in ["a", "b", "c"].iter().zip(&upstreams).zip(rules) {
        let mut agent = agent(&[("v1", upstream.at)]);
        agent.name = name.parse().unwrap();
        agent.matches = matches;
        routes.push(route(agent, Split::whole(version("v1"))));
    }
    let world = World::start_with(routes, |_| {}).await;
    let mut client = world.client().await;
    for (host, path, name, sent) in [
        ("x.test", "/", "a", "/"),
        ("x.test", "/bc?q=1", "a", "/bc?q=1"),
        ("x.test", "/b", "b", "/"),
        ("x.test", "/b?q=1", "b", "/?q=1"),
        ("x.test", "/b/x?q=1", "b", "/x?q=1"),
        ("x.test", "/b/deep/x", "c", "/b/deep/x"),
        ("c.TEST:8080", "/b/x", "c", "/b/x"),
    ] {
        let request = Request::get(path).header("host", host).body(Full::default()).unwrap();
        let got = client.send(request).await;
        assert_eq!(got.header("x-name"), name, "{host} {path}");
        let index = ["a", "b", "c"].iter().position(|known| *known == name).unwrap();
        let seen = upstreams[index].seen.lock().unwrap();
        assert_eq!(seen.last().unwrap().uri.to_string(), sent, "{host} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_stripped_and_stamped() {
    let v1 = Upstream::start(|_| async {
        http::Response::builder()
            .header("lockgate-version", "forged")
            .header("lockgate-outcome", "resolved")
            .header("lockgate-cost-usd", "0.5")
            .header("lockgate-anything", "x")
            .header("connection", "x-hop")
            .header("x-hop", "1")
            .header("x-kept", "2")
            .body(full("ok"))
            .unwrap()
    })
    .await;
    let world = World::start(agent(&[("v1", v1.at)]), Split::whole(version("v1"))).await;
    let mut client = world.client().await;
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let request = Request::get("/p?q=1")
        .header("host", "agent.test")
        .header("lockgate-version", "v9")
        .header("lockgate-ticket", "t")
        .header("lockgate-outcome", "resolved")
        .header("connection", "x-hop")
        .header("x-hop", "1")
        .header("x-kept", "2")
        .header("traceparent", format!("00-{trace}-b7ad6b7169203331-01"))
        .body(Full::default())
        .unwrap();
    let got = client.send(request).await;
    assert_eq!((got.version(), got.header("x-kept")), ("v1", "2"));
    for gone in ["lockgate-outcome", "lockgate-cost-usd", "lockgate-anything", "x-hop"] {
        assert!(!got.headers.contains_key(gone), "{gone}");
    }
    for ours in ["lockgate-interaction", "lockgate-conversation", "lockgate-ticket"] {
        assert!(!got.header(ours).is_empty(), "{ours}");
    }
    let seen = v1.seen.lock().unwrap()[0].clone();
    let field = |name: &str| seen.headers.get(name).map_or("", |value| value.to_str().unwrap());
    assert_eq!(seen.uri.to_string(), "/p?q=1");
    assert_eq!(field("lockgate-interaction"), got.header("lockgate-interaction"));
    assert_eq!((field("lockgate-version"), field("x-kept"), field("x-hop")), ("v1", "2", ""));
    assert_eq!((field("lockgate-ticket"), field("lockgate-outcome")), ("", ""));
    assert_eq!((field("x-forwarded-host"), field("x-forwarded-for")), ("agent.test", "127.0.0.1"));
    assert_eq!(field("host"), v1.at.to_string());
    assert!(field("traceparent").starts_with(&format!("00-{trace}-")), "{}", field("traceparent"));
    assert!(!field("traceparent").contains("b7ad6b7169203331"));
    let interaction = world.interactions(1).await.remove(0);
    assert_eq!(interaction.cost_nanousd, Some(500_000_000));
    let table = interaction.price_table.as_ref().map(ToString::to_string);
    assert_eq!(table.as_deref(), Some("lockgate-cost-usd reported"), "its own word");
    assert_eq!(interaction.outcome, Some(lockgate_model::interaction::Outcome::Resolved));
    assert_eq!(interaction.id.to_string(), got.header("lockgate-interaction"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_holds_as_soon_as_the_client_has_it() {
    let gate = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let open = gate.clone();
    let v2 = Upstream::start(move |_| {
        let gate = gate.clone();
        async move {
            let (sender, body) = pieces();
            tokio::spawn(async move {
                let created = "event: response.created\ndata: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"object\":\"response\"}}\n\n";
                let _ = sender.send(Ok(created.into())).await;
                gate.acquire().await.unwrap().forget();
            });
            let sse = http::Response::builder().header("content-type", "text/event-stream");
            sse.body(body).unwrap()
        }
    })
    .await;
    let v1 = Upstream::named("v1").await;
    let mut agent = agent(&[("v1", v1.at), ("v2", v2.at)]);
    agent.protocol = Protocol::Openai;
    let world = World::start(agent.clone(), canary(1, 10_000)).await;
    let ask = |body: &'static str| {
        let mut request = post("/v1/responses", body);
        request.headers_mut().insert("content-type", "application/json".parse().unwrap());
        request
    };
    let mut client = world.client().await;
    let mut first = client.open(ask(r#"{"model":"m","stream":true}"#)).await.unwrap().into_body();
    assert!(first.frame().await.is_some());
    world.publish(vec![route(agent, canary(2, 1))], vec![]).await;
    let mut other = world.client().await;
    let version_of = |answer: http::Response<hyper::body::Incoming>| {
        answer.headers()["lockgate-version"].to_str().unwrap().to_owned()
    };
    let next = other.open(ask(r#"{"model":"m","previous_response_id":"resp_1"}"#)).await.unwrap();
    assert_eq!(version_of(next), "v2");
    let mut stranger = world.client().await;
    let new = stranger.open(ask(r#"{"model":"m","previous_response_id":"resp_9"}"#)).await.unwrap();
    assert_eq!(version_of(new), "v1");
    open.add_permits(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_with_dot_segments_are_refused_before_any_version_is_asked() {
    let v1 = Upstream::named("v1").await;
    let world = World::start(agent(&[("v1", v1.at)]), Split::whole(version("v1"))).await;
    let mut client = world.client().await;
    for path in ["/../x", "/a/..", "/a/%2e%2E/b", "/a/..%2fb", "/a%5c../b", "/./a"] {
        assert_eq!(client.send(get(path)).await.status, 400, "{path}");
    }
    for path in ["/a..b", "/.well-known/agent-card.json", "/a/...", "/%2egit", "/a%20b"] {
        assert_eq!(client.send(get(path)).await.status, 200, "{path}");
    }
}

/// An answer can count what it wants: what no answer can have taken is not believed, and is told apart from silence.
#[tokio::test(flavor = "multi_thread")]
async fn an_interaction_without_a_cost_says_why() {
    use lockgate_model::interaction::Usage;
    use lockgate_model::price::Unpriced;
    let v1 = Upstream::start(|request| async move {
        let (model, input) = match request.uri().query().unwrap_or_default() {
            "absurd" => ("gpt-4o", "1000000000000000"),
            "unknown" => ("house-model", "10"),
            _ => ("gpt-4o", "10"),
        };
        http::Response::builder()
            .header("content-type", "application/json")
            .body(full(format!(
                "{{\"object\":\"chat.completion\",\"model\":\"{model}\",\"choices\":[],\"usage\":{{\"prompt_tokens\":{input},\"completion_tokens\":2,\"completion_tokens_details\":{{\"reasoning_tokens\":0}}}}}}"
            )))
            .unwrap()
    })
    .await;
    let world = World::start(agent(&[("v1", v1.at)]), Split::whole(version("v1"))).await;
    let mut client = world.client().await;
    for query in ["absurd", "unknown", "usual"] {
        let path = format!("/v1/chat/completions?{query}");
        let request =
            Request::get(path).header("host", "agent.test").body(Full::default()).unwrap();
        assert_eq!(client.send(request).await.status, 200);
    }
    let all = world.interactions(3).await;
    let told: Vec<_> = all
        .iter()
        .map(|one| (one.usage.input_tokens, one.cost_nanousd.is_some(), one.unpriced))
        .collect();
    assert_eq!(
        told,
        [
            (None, false, Some(Unpriced::BadTokens)),
            (Some(10), false, Some(Unpriced::NoPrice)),
            (Some(10), true, None),
        ]
    );
    assert_eq!(all[0].usage, Usage::default(), "none of its counts is believed");
}
