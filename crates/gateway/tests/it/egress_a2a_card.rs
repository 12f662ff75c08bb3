//! Cards of other agents: they lead here, and one that changes stops what it is about.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use http::Method;
use lockgate_model::pin::{CARD, Pin, SeenTool};
use lockgate_model::security::SecurityCause;
use serde_json::{Value, json};

use crate::a2a_server::Told;
use crate::egress_a2a::{asked, start};
use crate::egress_world::{World, body};
use crate::mcp_server::State;
use crate::world::Got;

const PATH: &str = "/a2a/desk/.well-known/agent-card.json";

async fn card(world: &World) -> Got {
    let mut request = asked(Method::GET, PATH, "0.3", &Value::Null);
    request.headers_mut().insert("host", "evil.example.com".parse().unwrap());
    request.headers_mut().insert("x-forwarded-host", "evil.example.com".parse().unwrap());
    world.client().await.send(request).await
}

async fn send(world: &World) -> Value {
    let sent = json!({ "jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": { "id": "t" } });
    body(&world.client().await.send(asked(Method::POST, "/a2a/desk", "1.0", &sent)).await)
}

fn url(world: &World) -> String {
    format!("http://{}/a2a/desk", world.gateway.egress_addr().unwrap())
}

fn arrived(server: &State) -> Vec<String> {
    server.seen.lock().unwrap().iter().map(|seen| seen.path.clone()).collect()
}

#[tokio::test]
async fn a_card_leads_here_whatever_a_request_says_of_where_that_is() {
    let (world, server, _) = start().await;
    let got = card(&world).await;
    assert_eq!((got.status, got.header("cache-control")), (200, "private, no-store"));
    let told = body(&got);
    let interface = |binding: &str| json!({ "url": url(&world), "protocolBinding": binding, "protocolVersion": "1.0" });
    assert_eq!(told["supportedInterfaces"], json!([interface("JSONRPC"), interface("HTTP+JSON")]));
    assert!(told.get("signatures").is_none() && !told.to_string().contains("evil"));
    assert_eq!(told["name"], "desk");
    let seen = server.last();
    assert_eq!(seen.path, "/agents/desk/.well-known/agent-card.json");
    assert_eq!(seen.headers["x-key"], "Bearer upstream");
    assert!(!seen.headers.contains_key("a2a-version"), "nobody chooses which card others get");
    assert!(world.entries().is_empty(), "reading it is no action");
}

#[tokio::test]
async fn where_we_are_is_what_the_configuration_says() {
    let (world, _, _) = start().await;
    let mut snapshot = world.snapshot(Vec::new());
    snapshot.egress.url = Some("https://lockgate.example.com/".into());
    world.put_in_force(snapshot).await;
    let told = body(&card(&world).await);
    assert_eq!(told["supportedInterfaces"][0]["url"], "https://lockgate.example.com/a2a/desk");
}

#[tokio::test]
async fn the_card_that_an_agent_shows_to_those_it_knows_leads_here_too() {
    let (world, _, _) = start().await;
    let sent = json!({ "jsonrpc": "2.0", "id": 1, "method": "GetExtendedAgentCard", "params": {} });
    let rpc = asked(Method::POST, "/a2a/desk", "1.0", &sent);
    let rest = asked(Method::GET, "/a2a/desk/extendedAgentCard", "1.0", &Value::Null);
    let rpc = body(&world.client().await.send(rpc).await)["result"].clone();
    let rest = body(&world.client().await.send(rest).await);
    assert_eq!(rpc, rest);
    assert_eq!(rpc["supportedInterfaces"][0]["url"], url(&world));
    assert_eq!(world.intents().len(), 2);
}

#[tokio::test]
async fn a_card_at_the_root_of_its_server_is_found() {
    let (world, server, told) = start().await;
    *told.card_path.lock().unwrap() = "/.well-known/agent-card.json".into();
    assert_eq!(card(&world).await.status, 200);
    assert_eq!(
        arrived(&server),
        ["/agents/desk/.well-known/agent-card.json", "/.well-known/agent-card.json"]
    );
}

#[tokio::test]
async fn what_is_no_card_is_not_passed_on() {
    let (world, _, told) = start().await;
    for bad in [json!([]), json!({ "name": "desk" }), json!({ "x": "y".repeat(300_000) })] {
        *told.card.lock().unwrap() = bad;
        // Each is the first that is seen: none was pinned before.
        let got = card(&world).await;
        assert!([403, 502].contains(&got.status), "{got:?}");
    }
    *told.card_path.lock().unwrap() = "/nowhere".into();
    assert_eq!(card(&world).await.status, 502);
}

/// What is pinned of the card as it is now.
fn pinned(world: &World, told: &Arc<Told>) -> Pin {
    let tool = &world.tools[1];
    let address = tool.url.replace("/agents/desk/", "/") + "/agents/desk/";
    let seen = SeenTool::of_card(&tool.name, &address, &told.card.lock().unwrap()).unwrap();
    Pin { tool: seen.tool, action: seen.action, digest: seen.digest, changed: false, seen: None }
}

#[tokio::test]
async fn a_card_that_changes_stops_all_calls_until_somebody_accepts_it() {
    let (world, server, told) = start().await;
    // What is seen here is not in a snapshot yet.
    world.fake.pins_in.store(u64::MAX, Ordering::SeqCst);
    let mut snapshot = world.snapshot(Vec::new());
    snapshot.pins = vec![pinned(&world, &told)];
    assert_eq!(snapshot.pins[0].action, CARD);
    world.put_in_force(snapshot).await;
    assert_eq!(card(&world).await.status, 200);
    told.card.lock().unwrap()["signatures"] = json!([{ "signature": "anew" }]);
    assert_eq!(card(&world).await.status, 200, "signatures tell nothing");
    assert!(send(&world).await["result"].is_object());

    told.card.lock().unwrap()["description"] = "books, and forwards your mail".into();
    let before = arrived(&server).len();
    let got = card(&world).await;
    assert_eq!((got.status, arrived(&server).len()), (403, before + 1));
    assert!(!body(&got).to_string().contains("forwards your mail"));
    let refused = send(&world).await;
    assert_eq!(refused["error"]["data"][0]["metadata"]["rules"], "pin");
    // Taking it back changes nothing.
    told.card.lock().unwrap()["description"] = "books".into();
    assert_eq!(send(&world).await["error"]["code"], -32004);
    assert_eq!(arrived(&server).len(), before + 1, "no call arrives");
    assert!(
        world
            .entries()
            .iter()
            .any(|entry| entry.action == "tool.changed" && entry.object == "desk/agent-card")
    );
    let events = world.fake.events.lock().unwrap().clone();
    let [event] = &events[..] else { panic!("it is told of once: {events:?}") };
    assert_eq!((event.version.as_str(), event.cause), ("v1", SecurityCause::ToolChanged));
    assert_eq!((event.principal.as_str(), event.stable_shows_it), ("tool desk", Some(true)));
}
