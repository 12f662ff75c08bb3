//! Sends copies of users' requests to a candidate.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{Request, header};
use http_body_util::Full;
use lockgate_model::ids::AgentName;
use lockgate_model::interaction::ErrorClass;
use lockgate_telemetry::arm::{Completion, Mirrored};
use tokio::sync::{Semaphore, mpsc};

use crate::aside::client::{Asker, Budget, Client, ask};
use crate::aside::copy::{Copied, skipped};
use crate::aside::pair::Half;
use crate::clock;
use crate::connect::Connector;
use crate::core::Core;
use crate::ingress::headers;

/// Copies that wait to be sent.
pub(crate) const WAITING_MAX: usize = 256;
/// Copies of one agent whose answers are awaited: a candidate that hangs takes no place of others.
const IN_FLIGHT_MAX: usize = 64;
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Tells the users of copies from those who are served: the two are different samples.
const COPY_OF_USER: u64 = 0x6d69_7272_6f72_2031;

/// Sends what comes in.
pub(crate) async fn run(
    core: Arc<Core>,
    mut receiver: mpsc::Receiver<Copied>,
    connector: Connector,
) {
    let client = Client::new(connector);
    let mut shares: HashMap<AgentName, Share> = HashMap::new();
    while let Some(copied) = receiver.recv().await {
        let share = shares.entry(copied.agent.name.clone()).or_default();
        let Ok(place) = Arc::clone(&share.places).try_acquire_owned() else {
            skipped(&core.copies.shard, &copied.testing);
            continue;
        };
        let (core, client, budget) = (Arc::clone(&core), client.clone(), share.budget.clone());
        tokio::spawn(async move {
            send(&core, &client, &budget, copied).await;
            drop(place);
        });
    }
}

/// What one agent's copies may take: nothing that another agent's need.
struct Share {
    places: Arc<Semaphore>,
    budget: Arc<Budget>,
}

impl Default for Share {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(IN_FLIGHT_MAX)), budget: Arc::default() }
    }
}

async fn send(core: &Core, client: &Client, budget: &Budget, copied: Copied) {
    let testing = Arc::clone(&copied.testing);
    let target = &testing.target;
    let shard = &core.copies.shard;
    let Some(connecting) = target.live.enter(false) else {
        return skipped(shard, &testing);
    };
    let user = copied.user.map(|user| user ^ COPY_OF_USER);
    let (agent, pair, path) = (copied.agent.clone(), copied.pair.clone(), copied.path.clone());
    let request = request(copied);
    shard.assigned(target, user, clock::wall_ms());
    shard.mirrored(target, clock::wall_ms(), &Mirrored { sent: 1, ..Mirrored::default() });
    let mut half = Half::default();
    let (agent, prices, answer_bytes_max) = (&*agent, &*core.prices, ANSWER_BYTES_MAX);
    let asker = Asker { client, budget, agent, prices, answer_bytes_max };
    let listening = ask(&asker, &path, request, |data| half.saw(data));
    // A version that is cut off gets no further copies; the one under way counts as cut here.
    let heard = connecting.cut.run_until_cancelled(listening).await;
    let mut completion = match &heard {
        Some(heard) => heard.completion.clone(),
        None => Completion { error: Some(ErrorClass::GatewayRefused), ..Completion::default() },
    };
    if !testing.latency_counts {
        (completion.first_byte_us, completion.total_us) = (None, None);
    }
    shard.completed(target, user, clock::wall_ms(), &completion);
    if let Some(heard) = heard
        && let Some(status) = heard.status.filter(|_| heard.is_whole())
    {
        pair.whole(status, half);
    }
}

fn request(copied: Copied) -> Request<Full<Bytes>> {
    let Copied { testing, method, uri, mut headers, mut body, .. } = copied;
    let body = if body.len() == 1 {
        body.remove(0)
    } else {
        body.iter()
            .fold(BytesMut::new(), |mut whole, piece| {
                whole.extend_from_slice(piece);
                whole
            })
            .freeze()
    };
    headers.remove(header::EXPECT);
    headers.insert(header::HOST, testing.target.endpoint.host.clone());
    headers.insert(headers::VERSION, testing.target.header.clone());
    headers.insert(headers::ENVIRONMENT, headers::TEST);
    let mut request = Request::new(Full::new(body));
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    request
}
