//! Feedback and outcomes: a ticket, durable, once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use lockgate_model::interaction::{Outcome, Score};
use lockgate_model::snapshot::Split;
use lockgate_model::ticket::Answer;
use tokio::sync::Semaphore;

use crate::upstream::{Upstream, pieces};
use crate::world::{ROLLOUT, World, agent, canary, get, get_as, post, route, version};

fn with_ticket(path: &str, ticket: &str, body: &str) -> Request<Full<Bytes>> {
    let mut request = post(path, body.to_owned());
    request.headers_mut().insert("lockgate-ticket", ticket.parse().unwrap());
    request
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_user_says_arrives_with_its_ticket() {
    let (v1, v2) = (Upstream::named("v1").await, Upstream::named("v2").await);
    let world = World::start(agent(&[("v1", v1.at), ("v2", v2.at)]), canary(3, 10_000)).await;
    let mut client = world.client().await;
    let answer = client.send(get_as("ann")).await;
    let ticket = answer.header("lockgate-ticket");
    let got = client.send(with_ticket("/feedback", ticket, r#"{"score":-1}"#)).await;
    assert_eq!((got.status, &got.body[..]), (202, &br#"{"counted":true}"#[..]));
    let got = client.send(with_ticket("/feedback", ticket, r#"{"nps":10}"#)).await;
    assert_eq!((got.status, &got.body[..]), (202, &br#"{"counted":false}"#[..]));
    let body = format!(r#"{{"outcome":"escalated","ticket":"{ticket}"}}"#);
    assert_eq!(client.send(post("/outcome", body)).await.status, 202);
    let answers = world.fake.answers.lock().unwrap().clone();
    let said: Vec<_> = answers.iter().map(|(_, answer)| *answer).collect();
    assert_eq!(
        said,
        [
            Answer::Feedback(Score::Negative),
            Answer::Feedback(Score::Positive),
            Answer::Outcome(Outcome::Escalated),
        ]
    );
    let claims = &answers[0].0;
    assert_eq!(claims.interaction.to_string(), answer.header("lockgate-interaction"));
    assert_eq!((claims.version.as_str(), claims.rollout, claims.epoch.0), ("v2", Some(ROLLOUT), 3));
    assert!(claims.user.is_some());
    assert_eq!(v1.requests() + v2.requests(), 1, "these paths are ours");
}

#[tokio::test(flavor = "multi_thread")]
async fn feedback_is_taken_before_the_answer_has_ended() {
    let permits = Arc::new(Semaphore::new(0));
    let gate = permits.clone();
    let v1 = Upstream::start(move |_| {
        let gate = gate.clone();
        async move {
            let (sender, body) = pieces();
            tokio::spawn(async move {
                let _ = sender.send(Ok(Bytes::from("data: 1\n\n"))).await;
                gate.acquire().await.unwrap().forget();
            });
            Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
        }
    })
    .await;
    let world = World::start(agent(&[("v1", v1.at)]), Split::whole(version("v1"))).await;
    let mut client = world.client().await;
    let answer = client.open(get("/")).await.unwrap();
    let ticket = answer.headers()["lockgate-ticket"].to_str().unwrap().to_owned();
    let mut other = world.client().await;
    let got = other.send(with_ticket("/feedback", &ticket, r#"{"score":1}"#)).await;
    assert_eq!(got.status, 202);
    permits.add_permits(1);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "data: 1\n\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_expired_and_senseless_feedback_is_refused() {
    let v1 = Upstream::named("v1").await;
    let routes = vec![route(agent(&[("v1", v1.at)]), Split::whole(version("v1")))];
    let world =
        World::start_with(routes, |options| options.ticket_ttl = Duration::from_millis(1)).await;
    let mut client = world.client().await;
    let answer = client.send(get("/")).await;
    let expired = answer.header("lockgate-ticket").to_owned();
    let pin = answer.header("lockgate-conversation").to_owned();
    tokio::time::sleep(Duration::from_millis(10)).await;
    for ticket in [expired.as_str(), "forged", &pin, &expired[1..]] {
        for (path, body) in
            [("/feedback", r#"{"score":1}"#), ("/outcome", r#"{"outcome":"failed"}"#)]
        {
            let got = client.send(with_ticket(path, ticket, body)).await;
            assert_eq!((got.status, got.header("content-type")), (403, "application/problem+json"));
        }
    }
    assert_eq!(client.send(post("/feedback", r#"{"score":1}"#)).await.status, 403);
    assert_eq!(client.send(get("/feedback")).await.status, 405);
    assert!(world.fake.answers.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_must_make_sense_and_be_small() {
    let v1 = Upstream::named("v1").await;
    let world = World::start(agent(&[("v1", v1.at)]), Split::whole(version("v1"))).await;
    let mut client = world.client().await;
    let ticket = client.send(get("/")).await.header("lockgate-ticket").to_owned();
    for (path, body) in [
        ("/feedback", ""),
        ("/feedback", "{}"),
        ("/feedback", r#"{"score":2}"#),
        ("/feedback", r#"{"score":0.5}"#),
        ("/feedback", r#"{"score":1,"nps":9}"#),
        ("/feedback", r#"{"nps":11}"#),
        ("/feedback", r#"{"nps":-1}"#),
        ("/feedback", r#"{"outcome":"failed"}"#),
        ("/feedback", r#"{"score":1,"x":1}"#),
        ("/outcome", r#"{"score":1}"#),
        ("/outcome", r#"{"outcome":"fine"}"#),
    ] {
        assert_eq!(client.send(with_ticket(path, &ticket, body)).await.status, 422, "{body}");
    }
    let large = format!(r#"{{"score":1,"ticket":"{}"}}"#, "x".repeat(10_000));
    let mut other = world.client().await;
    assert_eq!(other.send(with_ticket("/feedback", &ticket, &large)).await.status, 413);
    world.fake.down.store(true, Ordering::SeqCst);
    let got = client.send(with_ticket("/feedback", &ticket, r#"{"score":1}"#)).await;
    assert_eq!(got.status, 503, "not durable, not acknowledged");
    world.fake.down.store(false, Ordering::SeqCst);
    assert_eq!(client.send(with_ticket("/feedback", &ticket, r#"{"score":1}"#)).await.status, 202);
}
