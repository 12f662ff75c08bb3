//! Calls that are under way when the server is killed: nothing was done that is not recorded, and every record says in
//! the end what became of it. Whatever the tool speaks.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream;
use lockgate_audit::Record;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::agent::World;
use crate::support::server::Server;
use crate::support::tools::{self, Calls};

/// How a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Mcp,
    Http,
    /// A model that answers at once.
    Model,
    /// A model that answers bit by bit.
    Stream,
}

/// Lanes that call at the same time.
const LANES: [Way; 10] = [
    Way::Mcp,
    Way::Mcp,
    Way::Mcp,
    Way::Mcp,
    Way::Http,
    Way::Http,
    Way::Model,
    Way::Model,
    Way::Stream,
    Way::Stream,
];

impl Way {
    const ALL: [Self; 4] = [Self::Mcp, Self::Http, Self::Model, Self::Stream];

    /// What records call the action.
    fn object(self) -> &'static str {
        match self {
            Self::Mcp => "desk/echo",
            Self::Http => "orders/look_up",
            Self::Model | Self::Stream => "gpt/chat.completions",
        }
    }

    /// What names of its calls begin with.
    fn name(self) -> &'static str {
        match self {
            Self::Mcp => "mcp",
            Self::Http => "http",
            Self::Model => "model",
            Self::Stream => "stream",
        }
    }

    /// The way and the number of a call with this name.
    fn of(id: &str) -> Option<(Self, u64)> {
        let (name, n) = id.split_once('-')?;
        let way = Self::ALL.into_iter().find(|way| way.name() == name)?;
        Some((way, n.parse().ok()?))
    }

    /// The call of that name.
    fn asks(self, http: &reqwest::Client, egress: &str, id: &str) -> reqwest::RequestBuilder {
        let chat = json!({ "model": id, "max_tokens": 5, "stream": self == Self::Stream,
            "messages": [{ "role": "user", "content": "whose" }] });
        match self {
            Self::Mcp => http
                .post(format!("{egress}/mcp/desk"))
                .json(&json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call",
                    "params": { "name": "echo", "arguments": {} } })),
            Self::Http => http.get(format!("{egress}/http/orders/orders/{id}")),
            Self::Model | Self::Stream => {
                http.post(format!("{egress}/model/gpt/v1/chat/completions")).json(&chat)
            }
        }
    }

    /// Whether that is the whole answer to this call.
    fn is_answer(self, id: &str, text: &str) -> bool {
        if self == Self::Stream {
            return text.contains(id) && text.ends_with("data: [DONE]\n\n");
        }
        let answer: Value = serde_json::from_str(text).unwrap_or_default();
        match self {
            Self::Mcp => answer["id"] == id && answer["result"]["isError"] == false,
            Self::Http => answer["order"] == id,
            Self::Model | Self::Stream => answer["model"] == id,
        }
    }
}

/// A count that `./test --full` makes larger.
fn kills() -> u64 {
    std::env::var("LOCKGATE_EGRESS_KILLS").map_or(8, |text| text.parse().expect("a number"))
}

/// A trace of its own for each call: that is how its records are known.
fn trace(n: u64) -> String {
    format!("{:032x}", n + 1)
}

/// What stands behind the server, and what was done there.
struct Peers {
    mcp: Calls,
    /// Orders that were looked up and models that were asked, by their names.
    other: Calls,
}

impl Peers {
    /// Starts them; gives the configuration with them.
    fn start(world: &World) -> (Self, String) {
        let (url, mcp) = tools::start(world.runtime());
        let other = Calls::default();
        let app = Router::new().fallback(answer).with_state(Arc::clone(&other));
        let listener = world.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let at = format!("http://{}", listener.local_addr().expect("bound"));
        world.spawn(async move { axum::serve(listener, app).await });
        let config = format!(
            "{}\x20 - {{ name: orders, protocol: http, url: '{at}', operations: [{{ name: look_up, call: 'GET /orders/{{id}}' }}] }}\n\
             \x20 - {{ name: gpt, protocol: openai, url: '{at}/v1' }}\n",
            tools::config(&world.agent().url, &url)
        );
        (Self { mcp, other }, config)
    }

    /// Names of all calls that arrived.
    fn made(&self) -> Vec<String> {
        let of = |calls: &Calls| calls.lock().expect("nobody panics with it").clone();
        [of(&self.mcp), of(&self.other)].concat()
    }
}

/// An order, a model's answer, or its parts one after the other: long enough to be killed in.
async fn answer(State(calls): State<Calls>, uri: Uri, body: Bytes) -> Response {
    const PAUSE: Duration = Duration::from_millis(5);
    let order = uri.path().strip_prefix("/orders/");
    let asked: Value = serde_json::from_slice(&body).unwrap_or_default();
    let id = order.or(asked["model"].as_str()).unwrap_or("?").to_owned();
    calls.lock().expect("nobody panics with it").push(id.clone());
    tokio::time::sleep(PAUSE).await;
    if order.is_some() {
        return axum::Json(json!({ "order": id })).into_response();
    }
    let usage = json!({ "prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2 });
    if asked["stream"] != true {
        let message = json!({ "role": "assistant", "content": "Two." });
        let choice = json!({ "index": 0, "finish_reason": "stop", "message": message });
        return axum::Json(json!({ "id": "c-1", "object": "chat.completion", "model": id,
            "choices": [choice], "usage": usage }))
        .into_response();
    }
    let chunk = |why: Option<&str>| {
        json!({ "id": "c-1", "object": "chat.completion.chunk", "model": id,
            "choices": [{ "index": 0, "delta": { "content": "Two." }, "finish_reason": why }] })
    };
    let events = [chunk(None), chunk(Some("stop"))].map(|event| format!("data: {event}\n\n"));
    let parts = events.into_iter().chain(["data: [DONE]\n\n".to_owned()]);
    let parts = stream::unfold(parts, |mut parts| async {
        let part = parts.next()?;
        tokio::time::sleep(PAUSE).await;
        Some((Ok::<_, std::convert::Infallible>(part), parts))
    });
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(parts)).into_response()
}

#[test]
fn no_call_without_its_intent_and_no_intent_without_its_outcome_over_kills() {
    let world = World::new();
    let (peers, config) = Peers::start(&world);
    let mut server = Server::start_governed(&config);
    let args = ["identity", "issue", "support", "v1", "--reason", "a test", "--expires", "1h"];
    let token = server.json(&args)["token"].as_str().expect("a text").to_owned();
    let (next, answered) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    for kill in 0..kills() {
        let stop = Arc::new(AtomicBool::new(false));
        let lanes: Vec<_> = LANES
            .into_iter()
            .map(|way| {
                world.spawn(lane(
                    way,
                    world.http(),
                    [server.egress(), token.clone()],
                    [&next, &answered].map(Arc::clone),
                    Arc::clone(&stop),
                ))
            })
            .collect();
        let enough = peers.made().len() as u64 + 5 + kill * 7 % 40;
        server.until("calls are made", |_| peers.made().len() as u64 >= enough);
        server.kill();
        stop.store(true, Ordering::SeqCst);
        for lane in lanes {
            world.block_on(lane).expect("a lane ends in order");
        }
        server.again();
    }
    assert_eq!(server.stop(), Some(0), "{}", server.log());
    assert!(answered.load(Ordering::SeqCst) > 0);
    let intents = recorded(&server.records());
    let made = peers.made();
    assert_eq!(made.iter().collect::<BTreeSet<_>>().len(), made.len(), "no call twice");
    for id in &made {
        let (way, n) = Way::of(id).expect("a call of this test");
        let object = intents.get(&trace(n)).map(String::as_str);
        assert_eq!(object, Some(way.object()), "{id} was made, and this is recorded of it");
    }
    assert!(made.len() <= intents.len());
    for way in Way::ALL {
        assert!(made.iter().any(|id| Way::of(id).is_some_and(|(of, _)| of == way)), "{way:?}");
    }
}

/// Actions by the trace of their intents, of which each has one outcome.
fn recorded(records: &[Record]) -> BTreeMap<String, String> {
    let of_step =
        |step: &str| records.iter().filter(move |record| record.step == step).collect::<Vec<_>>();
    let (intents, outcomes) = (of_step("intent"), of_step("outcome"));
    let asked: BTreeMap<String, String> = intents
        .iter()
        .map(|intent| (intent.labels["trace"].clone(), intent.object.clone()))
        .collect();
    assert_eq!(asked.len(), intents.len(), "one intent a call");
    let mut ended: BTreeMap<u64, Vec<&Record>> = BTreeMap::new();
    for outcome in &outcomes {
        ended
            .entry(outcome.step_of.expect("an outcome is of an intent"))
            .or_default()
            .push(outcome);
    }
    for intent in &intents {
        let ends = ended.get(&intent.seq).map_or(0, Vec::len);
        assert_eq!(ends, 1, "{} outcomes of {}", ends, intent.seq);
        assert!(ended[&intent.seq][0].seq > intent.seq, "it comes after");
    }
    assert_eq!(outcomes.len(), intents.len());
    for object in Way::ALL.map(Way::object) {
        let of_object: BTreeSet<u64> = intents
            .iter()
            .filter(|intent| intent.object == object)
            .map(|intent| intent.seq)
            .collect();
        let count = |name: &str| {
            let is = |end: &&&Record| {
                of_object.contains(&end.step_of.expect("seen above"))
                    && end.detail["outcome"] == name
            };
            outcomes.iter().filter(is).count()
        };
        assert!(count("unknown") > 0, "{object}: some were under way when the server was killed");
        assert!(count("ok") > 0, "{object}: some came to their end");
    }
    asked
}

/// Calls one after the other until told to stop.
async fn lane(
    way: Way,
    http: reqwest::Client,
    [egress, token]: [String; 2],
    [next, answered]: [Arc<AtomicU64>; 2],
    stop: Arc<AtomicBool>,
) {
    while !stop.load(Ordering::SeqCst) {
        let n = next.fetch_add(1, Ordering::SeqCst);
        let id = format!("{}-{n}", way.name());
        let parent = format!("00-{}-00000000000000aa-01", trace(n));
        let asked = way.asks(&http, &egress, &id).bearer_auth(&token).header("traceparent", parent);
        match asked.send().await {
            Ok(answer) => {
                let Ok(text) = answer.text().await else { continue };
                assert!(way.is_answer(&id, &text), "{id}: {text}");
                answered.fetch_add(1, Ordering::SeqCst);
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(2)).await,
        }
    }
}
