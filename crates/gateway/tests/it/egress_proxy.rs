//! The forward proxy: tunnels that are declared, to where they may lead, and nothing else.

use std::sync::atomic::Ordering;
use std::time::Duration;

use lockgate_model::identity::{Identity, Issuer as _, Revoked};
use lockgate_model::ids::QuarantineId;
use lockgate_model::ledger::Step;
use lockgate_model::quarantine::{Quarantine, Stopped};
use lockgate_model::tool::Addresses;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::egress_world::{World, identity, signer, token};
use crate::proxy_world::{PUBLIC, Proxied, basic, hello, problem, rest, status, tunnel};

/// A tunnel through which something has passed both ways.
async fn opened(proxied: &Proxied, shown: &str) -> (TcpStream, usize) {
    let (head, mut stream) = proxied.connect_with("pypi.test:443", shown).await;
    assert_eq!(status(&head), 200, "{head}");
    let first = hello("pypi.test");
    stream.write_all(&first).await.unwrap();
    let mut back = vec![0; first.len()];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(back, first);
    (stream, first.len())
}

#[tokio::test]
async fn a_tunnel_is_an_action_that_is_recorded_before_and_after() {
    let proxied = Proxied::start().await;
    let (mut stream, bytes) = opened(&proxied, &basic(&token("v1"))).await;
    let [intent] = &proxied.world.entries()[..] else { panic!("an intent and nothing else yet") };
    assert_eq!((intent.step, intent.object.as_str()), (Step::Intent, "pypi/connect"));
    stream.shutdown().await.unwrap();
    assert_eq!(rest(&mut stream).await, b"bye", "who has ended still hears the other");
    let [outcome] = &proxied.outcomes(1).await[..] else { panic!("one") };
    assert_eq!(
        (&outcome["outcome"], &outcome["forwarded"], &outcome["address"]),
        (&json!("ok"), &json!(true), &json!(PUBLIC))
    );
    assert_eq!((&outcome["bytes_up"], &outcome["bytes_down"]), (&json!(bytes), &json!(bytes + 3)));
    assert_eq!(*proxied.stub.looked_up.lock().unwrap(), ["pypi.test"]);
    assert_eq!(proxied.stub.connected(), [format!("{PUBLIC}:443")]);
    assert_eq!(proxied.world.intents().len(), 1);
}

#[tokio::test]
async fn a_host_is_the_same_in_every_spelling_of_its_name() {
    let proxied = Proxied::start().await;
    for to in ["PyPI.Test:443", "pypi.test.:443"] {
        assert_eq!(proxied.connect(to).await.0, 200, "{to}");
    }
    let (head, _stream) = proxied
        .connect_with("pypi.test:443", &format!("Proxy-Authorization: Bearer {}\r\n", token("v1")))
        .await;
    assert_eq!(status(&head), 200);
}

#[tokio::test]
async fn what_is_not_declared_is_refused_and_recorded() {
    let proxied = Proxied::start().await;
    let own = proxied.world.gateway.egress_addr().unwrap();
    let all = [
        "evil.test:443",
        "pypi.test:80",
        "pypi.test:8443",
        "x.pypi.test:443",
        "pypi.test.evil.test:443",
        "93.184.216.34:443",
        "127.0.0.1:443",
        "127.1:443",
        "2130706433:443",
        "0x7f000001:443",
        "0177.0.0.1:443",
        "[::1]:443",
        "[::ffff:127.0.0.1]:443",
        "[::ffff:10.0.0.5]:443",
        "169.254.169.254:80",
        "localhost:443",
        "10.0.0.5:444",
        "10.0.0.05:443",
        "167772165:443",
        &own.to_string(),
    ];
    for to in all {
        let (status, problem) = proxied.refused(to).await;
        assert_eq!((status, problem["audit_record"].is_u64()), (403, true), "{to}: {problem}");
    }
    let refusals = proxied.refusals();
    assert_eq!(refusals.len(), all.len());
    assert!(refusals.iter().all(|(object, _)| object == "(unknown)/connect"));
    assert!(
        proxied.stub.looked_up.lock().unwrap().is_empty() && proxied.stub.connected().is_empty()
    );
    assert!(proxied.world.intents().is_empty());
}

#[tokio::test]
async fn an_address_that_is_declared_is_one_place() {
    let proxied = Proxied::start().await;
    let (status, mut stream) = proxied.connect("10.0.0.5:443").await;
    assert_eq!(status, 200);
    // To an address no name is said.
    let first = hello("10.0.0.5");
    stream.write_all(&first).await.unwrap();
    let mut back = vec![0; first.len()];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(proxied.stub.connected(), ["10.0.0.5:443"]);
    assert!(proxied.stub.looked_up.lock().unwrap().is_empty());
}

#[tokio::test]
async fn who_is_not_known_is_asked_who_it_is() {
    let proxied = Proxied::start().await;
    let of = |scheme: &str| format!("Proxy-Authorization: {scheme}\r\n");
    let own = token("v1");
    for shown in [
        String::new(),
        format!("Authorization: Bearer {own}\r\n"),
        of("Bearer x"),
        of("Basic x"),
        of("Basic YTpi"),
        format!("{0}{0}", basic(&own)),
    ] {
        let (head, stream) = proxied.connect_with("pypi.test:443", &shown).await;
        assert_eq!(status(&head), 407, "{shown}");
        let lower = head.to_ascii_lowercase();
        assert!(lower.contains("proxy-authenticate: basic realm=\"lockgate-egress\""), "{head}");
        assert!(problem(&head, stream).await["detail"].as_str().unwrap().contains("password"));
    }
    assert!(proxied.world.entries().is_empty() && proxied.stub.connected().is_empty());
}

#[tokio::test]
async fn no_tunnel_leads_around_what_rules_look_at() {
    let proxied = Proxied::start().await;
    let at = proxied.world.tools[0].url.clone();
    let at = at.trim_start_matches("http://").trim_end_matches("/mcp").to_owned();
    let (status, problem) = proxied.refused(&at).await;
    assert_eq!(status, 403);
    assert!(
        problem["reason"].as_str().unwrap().ends_with("it is reached at /mcp/files"),
        "{problem}"
    );
    // Not either when somebody has declared both.
    let mut proxied = proxied;
    proxied.world.tools.push(tunnel("around", &format!("https://{at}"), Addresses::Private));
    proxied.world.publish(Vec::new()).await;
    assert_eq!(proxied.refused(&at).await.0, 403);
    assert_eq!(proxied.refusals().len(), 2);
    assert!(proxied.stub.connected().is_empty());
}

#[tokio::test]
async fn a_policy_decides_who_connects() {
    let proxied = Proxied::start().await;
    let (status, problem) = proxied.refused_with("pypi.test:443", &basic(&token("v9"))).await;
    assert_eq!((status, &problem["title"]), (403, &json!("Refused by Lockgate")));
    proxied.world.fake.unrecorded.store(true, Ordering::SeqCst);
    assert_eq!(proxied.refused("pypi.test:443").await.0, 503, "no intent, no tunnel");
    assert_eq!(proxied.refused("evil.test:443").await.0, 503);
    assert!(proxied.stub.connected().is_empty());
}

#[tokio::test]
async fn a_name_is_looked_up_once_and_exactly_what_was_found_is_connected_to() {
    let proxied = Proxied::start().await;
    proxied.stub.lead(&[&[PUBLIC], &["127.0.0.1"]]);
    assert_eq!(proxied.connect("pypi.test:443").await.0, 200);
    assert_eq!(proxied.stub.looked_up.lock().unwrap().len(), 1);
    assert_eq!(proxied.stub.connected(), [format!("{PUBLIC}:443")]);
    // The name leads elsewhere now.
    let (status, problem) = proxied.refused("pypi.test:443").await;
    assert_eq!((status, problem["title"].as_str()), (403, Some("There is no tunnel")));
    for leads in [
        &[PUBLIC, "10.0.0.1"][..],
        &["10.0.0.1"],
        &["169.254.169.254"],
        &["100.64.0.1"],
        &["::1"],
        &["::ffff:127.0.0.1"],
        &["64:ff9b::a00:1"],
        &["fd00::1"],
        &["fe80::1"],
        &["224.0.0.1"],
        &["0.0.0.0"],
        &["192.0.2.1"],
    ] {
        proxied.stub.lead(&[leads]);
        assert_eq!(proxied.refused("pypi.test:443").await.0, 403, "{leads:?}");
    }
    proxied.stub.lead(&[&[]]);
    assert_eq!(proxied.refused("pypi.test:443").await.0, 502);
    proxied.stub.lead(&[]);
    assert_eq!(proxied.refused("pypi.test:443").await.0, 502);
    assert_eq!(proxied.stub.connected().len(), 1);
    let outcomes = proxied.outcomes(16).await;
    let refused = outcomes.iter().filter(|one| one["outcome"] == "upstream_error").count();
    assert_eq!((refused, proxied.world.intents().len()), (15, 16));
    assert!(outcomes.iter().all(|one| one["forwarded"] == false));
}

#[tokio::test]
async fn a_host_of_ones_own_leads_to_ones_own_addresses_and_not_to_metadata() {
    let proxied = Proxied::start().await;
    for (leads, status) in [
        (&["10.0.0.1"][..], 200),
        (&["127.0.0.1"], 200),
        (&[PUBLIC], 200),
        (&["169.254.169.254"], 403),
        (&["10.0.0.1", "fd00:ec2::254"], 403),
        (&["100.100.100.200"], 403),
        (&["0.0.0.0"], 403),
    ] {
        proxied.stub.lead(&[leads]);
        assert_eq!(proxied.connect("git.internal:8443").await.0, status, "{leads:?}");
    }
}

#[tokio::test]
async fn who_does_not_answer_is_told_apart_from_what_is_refused() {
    let proxied = Proxied::start().await;
    proxied.stub.is_down.store(true, Ordering::SeqCst);
    proxied.stub.lead(&[&[PUBLIC, "93.184.216.35"]]);
    assert_eq!(proxied.refused("pypi.test:443").await.0, 502);
    assert_eq!(proxied.stub.connected().len(), 2, "every address is tried");
    assert_eq!(proxied.outcomes(1).await[0]["outcome"], "upstream_error");
}

#[tokio::test]
async fn nothing_passes_before_tls_has_named_the_host_that_was_asked_for() {
    let proxied = Proxied::start().await;
    let nameless = hello("10.0.0.1");
    let all: [(&[u8], &str); 5] = [
        (&hello("evil.test"), "another host"),
        (&hello("pypi.test.evil.test"), "another host"),
        (&nameless, "names no host"),
        (b"GET / HTTP/1.1\r\nHost: pypi.test\r\n\r\n", "does not begin with TLS"),
        (&[22, 3, 1, 0, 0], "cannot be read"),
    ];
    for (count, (first, why)) in all.into_iter().enumerate() {
        let (status, mut stream) = proxied.connect("pypi.test:443").await;
        assert_eq!(status, 200);
        stream.write_all(first).await.unwrap();
        assert!(rest(&mut stream).await.is_empty(), "{why}");
        let outcome = proxied.outcomes(count + 1).await.pop().unwrap();
        assert_eq!((&outcome["outcome"], &outcome["forwarded"]), (&json!("cut"), &json!(false)));
        assert!(outcome["why"].as_str().unwrap().contains(why), "{outcome}");
    }
    assert_eq!((proxied.connections(), proxied.got()), (5, 0), "not one byte");
    // Whoever says nothing and leaves has changed its mind.
    drop(proxied.connect("pypi.test:443").await);
    assert_eq!(proxied.outcomes(6).await[5]["outcome"], "cancelled");
}

#[tokio::test]
async fn a_hello_that_comes_in_pieces_passes_whole() {
    let proxied = Proxied::start().await;
    let (_, mut stream) = proxied.connect("pypi.test:443").await;
    let first = hello("pypi.test");
    for part in first.chunks(50) {
        stream.write_all(part).await.unwrap();
        stream.flush().await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let mut back = vec![0; first.len()];
    stream.read_exact(&mut back).await.unwrap();
    assert_eq!(back, first);
}

/// Whose token it is, and the token.
fn issued() -> (Identity, String) {
    let identity = identity("v1");
    let token = signer().issue(&identity).unwrap();
    (identity, token)
}

#[tokio::test]
async fn an_open_tunnel_is_cut_when_its_token_is_revoked() {
    let proxied = Proxied::start().await;
    let (identity, own) = issued();
    let (mut stream, _) = opened(&proxied, &basic(&own)).await;
    let (mut other, _) = opened(&proxied, &basic(&token("v2"))).await;
    proxied.world.publish(vec![Revoked::Token { id: identity.id }]).await;
    assert!(rest(&mut stream).await.is_empty());
    assert_eq!(proxied.outcomes(1).await[0]["outcome"], "cut");
    other.write_all(b"more").await.unwrap();
    let mut back = [0; 4];
    other.read_exact(&mut back).await.unwrap();
    assert_eq!(proxied.refused_with("pypi.test:443", &basic(&own)).await.0, 407);
}

#[tokio::test]
async fn an_order_cuts_the_tunnels_of_a_tool() {
    let proxied = Proxied::start().await;
    let (mut stream, bytes) = opened(&proxied, &basic(&token("v1"))).await;
    let mut snapshot = proxied.world.snapshot(Vec::new());
    snapshot.quarantined.push(Quarantine {
        id: QuarantineId(uuid::Uuid::from_u128(1)),
        stopped: Stopped::Tool { tool: "pypi".parse().unwrap() },
    });
    proxied.world.put_in_force(snapshot).await;
    assert!(rest(&mut stream).await.is_empty());
    let outcome = proxied.outcomes(1).await.pop().unwrap();
    assert_eq!((&outcome["outcome"], &outcome["bytes_up"]), (&json!("cut"), &json!(bytes)));
    let (status, problem) = proxied.refused("pypi.test:443").await;
    assert_eq!(status, 403);
    assert!(problem["reason"].as_str().unwrap().contains("stopped by order"), "{problem}");
}

#[tokio::test]
async fn a_tunnel_ends_with_its_token_and_with_what_is_known() {
    let proxied = Proxied::start().await;
    let mut short = identity("v1");
    short.expires_wall_s = short.issued_wall_s + 3;
    let (mut stream, _) = opened(&proxied, &basic(&signer().issue(&short).unwrap())).await;
    assert!(rest(&mut stream).await.is_empty(), "it has expired");
    assert_eq!(proxied.outcomes(1).await[0]["why"], "the caller may not go on");
}

#[tokio::test]
async fn a_tunnel_that_is_open_when_the_gateway_stops_is_cut() {
    let proxied = Proxied::start().await;
    let (mut stream, _) = opened(&proxied, &basic(&token("v1"))).await;
    let Proxied { world: World { gateway, fake, .. }, .. } = proxied;
    gateway.shutdown(Duration::from_millis(50)).await;
    assert!(rest(&mut stream).await.is_empty());
    let entries = fake.entries.lock().unwrap().clone();
    let ends: Vec<_> = entries.iter().map(|entry| &entry.detail["outcome"]).collect();
    assert_eq!(ends, [&json!(null), &json!("cut")]);
}

#[tokio::test]
async fn silence_ends_a_tunnel() {
    let mut proxied = Proxied::start().await;
    proxied.world.tools[1].timeout_ms = 200;
    proxied.world.publish(Vec::new()).await;
    let (mut stream, _) = opened(&proxied, &basic(&token("v1"))).await;
    assert!(rest(&mut stream).await.is_empty());
    assert_eq!(proxied.outcomes(1).await[0]["why"], "nothing passed any more");
    // However much passes, it is over some time.
    proxied.world.tools[1].timeout_ms = 60_000;
    proxied.world.tools[1].limits.lasts_max_ms = Some(300);
    proxied.world.publish(Vec::new()).await;
    let (mut stream, _) = opened(&proxied, &basic(&token("v1"))).await;
    assert!(rest(&mut stream).await.is_empty());
    assert_eq!(proxied.outcomes(2).await[1]["why"], "it was open for as long as it may be");
}

#[tokio::test]
async fn a_token_has_so_many_tunnels_at_once() {
    let proxied = Proxied::start().await;
    let shown = basic(&token("v1"));
    let mut open = Vec::new();
    for _ in 0..128 {
        let (head, stream) = proxied.connect_with("pypi.test:443", &shown).await;
        assert_eq!(status(&head), 200);
        open.push(stream);
    }
    assert_eq!(proxied.refused_with("pypi.test:443", &shown).await.0, 429);
    assert_eq!(proxied.world.intents().len(), 128);
    assert_eq!(proxied.connect("pypi.test:443").await.0, 200, "another token has its own");
    drop(open);
    proxied.outcomes(129).await;
    let mut answered = 429;
    while answered == 429 {
        let (head, _) = proxied.connect_with("pypi.test:443", &shown).await;
        answered = status(&head);
    }
    assert_eq!(answered, 200, "a place that is left is another's");
}
