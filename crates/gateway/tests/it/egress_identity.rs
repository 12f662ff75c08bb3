//! Who calls: known, or refused before anything else is looked at.

use http_body_util::{BodyExt as _, Full};
use lockgate_gateway::identity::Signer;
use lockgate_model::identity::{Identity, IdentityKey, Issuer as _, Revoked};
use lockgate_model::version::Digest;
use serde_json::json;

use crate::egress_world::{World, body, breaks_off, call, identity, post, request, signer, token};
use crate::world::{Got, wall_ms};

async fn refused(world: &World, token: &str) -> String {
    let got = world.client().await.send(post(token, &call("echo"))).await;
    assert_eq!(got.status, 401, "{token}");
    assert!(world.server.seen.lock().unwrap().is_empty() && world.entries().is_empty());
    got.header("www-authenticate").to_owned()
}

async fn sent(world: &World, token: &str) -> Got {
    world.client().await.send(post(token, &request("ping", &json!({})))).await
}

#[tokio::test]
async fn whoever_is_not_known_is_refused_and_told_how_to_be() {
    let world = World::start().await;
    let now_s = wall_ms() / 1_000;
    let issue = |change: fn(&mut Identity)| {
        let mut identity = identity("v1");
        change(&mut identity);
        signer().issue(&identity).unwrap()
    };
    for (token, why) in [
        ("x".to_owned(), "cannot be read"),
        (Signer::new(&[8; 32]).issue(&identity("v1")).unwrap(), "key is not known"),
        (issue(|one| one.version = "v7".parse().unwrap()), "version is not known"),
        (issue(|one| one.agent = "billing".parse().unwrap()), "version is not known"),
        (issue(|one| one.manifest = Digest::of(b"other")), "another content"),
        (issue(|one| one.expires_wall_s = one.issued_wall_s), "has expired"),
        (issue(|one| one.issued_wall_s += 600), "not valid yet"),
    ] {
        let challenge = refused(&world, &token).await;
        assert!(challenge.starts_with("Bearer realm="), "{challenge}");
        assert!(challenge.contains("error=\"invalid_token\""), "{challenge}");
        assert!(challenge.contains(why), "{challenge} is not {why}");
    }
    assert!(now_s > 0);
    for value in [None, Some("Basic eDp5"), Some("Bearer"), Some("")] {
        let mut request = post("x", &call("echo"));
        request.headers_mut().remove("authorization");
        if let Some(value) = value {
            request.headers_mut().insert("authorization", value.parse().unwrap());
        }
        let got = world.client().await.send(request).await;
        assert_eq!(got.status, 401);
        assert_eq!(got.header("www-authenticate"), "Bearer realm=\"lockgate-egress\"");
    }
    let mut twice = post(&token("v1"), &call("echo"));
    twice.headers_mut().append("authorization", "Bearer x".parse().unwrap());
    assert_eq!(world.client().await.send(twice).await.status, 401);
    // Nobody learns which tools there are.
    let nobody =
        http::Request::post("/mcp/none").header("host", "x").body(Full::default()).unwrap();
    assert_eq!(world.client().await.send(nobody).await.status, 401);
    assert!(world.server.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_revoked_is_dead_at_once_and_after_a_restart() {
    let mut world = World::start().await;
    let (one, other) = (identity("v1"), identity("v1"));
    let [one_token, other_token] = [&one, &other].map(|one| signer().issue(one).unwrap());
    let v2 = token("v2");
    for token in [&one_token, &other_token, &v2] {
        assert_eq!(sent(&world, token).await.status, 200);
    }
    world.publish(vec![Revoked::Token { id: one.id }]).await;
    assert_eq!(sent(&world, &one_token).await.status, 401);
    assert_eq!(sent(&world, &other_token).await.status, 200);
    let before_wall_s = other.issued_wall_s + 1;
    let version = Revoked::Version {
        agent: other.agent.clone(),
        version: other.version.clone(),
        before_wall_s,
    };
    world.publish(vec![version]).await;
    assert_eq!(sent(&world, &other_token).await.status, 401);
    assert_eq!(sent(&world, &v2).await.status, 200, "another version");
    let later = Identity { issued_wall_s: before_wall_s, ..identity("v1") };
    let later = signer().issue(&later).unwrap();
    assert_eq!(sent(&world, &later).await.status, 200, "issued since");
    // Control is away: what is on disk still says so.
    world.fake.down.store(true, std::sync::atomic::Ordering::SeqCst);
    let gateway = crate::egress_world::gateway(&world.fake, &world.dir).await;
    std::mem::replace(&mut world.gateway, gateway).shutdown(std::time::Duration::ZERO).await;
    assert_eq!(sent(&world, &other_token).await.status, 401);
    assert_eq!(sent(&world, &later).await.status, 200);
}

#[tokio::test]
async fn keys_come_and_go_with_the_snapshot() {
    let world = World::patient().await;
    let next = Signer::new(&[8; 32]);
    let with = async |keys: Vec<IdentityKey>| {
        let mut snapshot = world.snapshot(Vec::new());
        snapshot.identity_keys = keys;
        world.put_in_force(snapshot).await;
    };
    let (old, new) = (token("v1"), next.issue(&identity("v1")).unwrap());
    assert_eq!(sent(&world, &new).await.status, 401, "nobody knows it yet");
    with(vec![signer().public(), next.public()]).await;
    assert_eq!((sent(&world, &old).await.status, sent(&world, &new).await.status), (200, 200));
    // What is open under a key ends with it.
    let mut client = world.client().await;
    let mut stream = client.open(post(&old, &call("stream-hangs"))).await.unwrap().into_body();
    stream.frame().await.unwrap().unwrap();
    with(vec![next.public()]).await;
    assert!(breaks_off(stream).await);
    assert_eq!((sent(&world, &old).await.status, sent(&world, &new).await.status), (401, 200));
    let ended = IdentityKey { ends_wall_ms: Some(wall_ms()), ..signer().public() };
    with(vec![ended, next.public()]).await;
    assert_eq!((sent(&world, &old).await.status, sent(&world, &new).await.status), (401, 200));
    with(Vec::new()).await;
    assert_eq!(sent(&world, &new).await.status, 401);
}

#[tokio::test]
async fn a_stream_of_whoever_is_revoked_ends() {
    let world = World::patient().await;
    let one = identity("v1");
    let message = post(&signer().issue(&one).unwrap(), &call("stream-hangs"));
    let mut client = world.client().await;
    let mut body = client.open(message).await.unwrap().into_body();
    body.frame().await.unwrap().unwrap();
    world.publish(vec![Revoked::Token { id: one.id }]).await;
    assert!(breaks_off(body).await);
    let got = world.client().await.send(post(&token("v1"), &call("echo"))).await;
    assert_eq!(body_of(&got)["isError"], false);
}

fn body_of(got: &Got) -> serde_json::Value {
    body(got)["result"].clone()
}

#[tokio::test]
async fn a_page_in_a_browser_does_not_call() {
    let world = World::start().await;
    let mut request = post(&token("v1"), &call("echo"));
    request.headers_mut().insert("origin", "https://evil.example".parse().unwrap());
    assert_eq!(world.client().await.send(request).await.status, 403);
    let elsewhere = http::Request::post("/mcp/other")
        .header("host", "x")
        .header("authorization", format!("Bearer {}", token("v1")))
        .body(Full::default())
        .unwrap();
    assert_eq!(world.client().await.send(elsewhere).await.status, 404);
    assert!(world.server.seen.lock().unwrap().is_empty());
}
