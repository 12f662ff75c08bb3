//! Sends an agent's probes to the candidate that is being tested, one after the other at their
//! pace, and judges the answers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::Full;
use lockgate_model::ids::{AgentName, Epoch, RolloutId};
use lockgate_model::interaction::ErrorClass;
use lockgate_model::probe::{ANSWER_BYTES_MAX, Probe, ProbeAnswer};
use lockgate_telemetry::arm::Probed;
use tokio::sync::Semaphore;

use crate::aside::client::{Asker, Budget, Client, Heard, ask, at};
use crate::clock;
use crate::connect::Connector;
use crate::core::Core;
use crate::ingress::headers;
use crate::observe::record::Arrival;
use crate::table::{AgentRoute, Testing};

/// Time between two looks at what is due.
const TICK: Duration = Duration::from_millis(10);
/// Probes of one agent whose answers are awaited. A candidate that hangs gets no more.
const IN_FLIGHT_MAX: usize = 8;

/// How far the probes of one agent are.
struct Pace {
    /// Of which candidate: another release begins with the first probe.
    of: (Option<RolloutId>, Epoch),
    next: usize,
    due: Instant,
    places: Arc<Semaphore>,
    budget: Arc<Budget>,
}

/// Sends probes for ever.
pub(crate) async fn run(core: Arc<Core>, connector: Connector) {
    let client = Client::new(connector);
    let bench = Bench::default();
    let mut paces: HashMap<AgentName, Pace> = HashMap::new();
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let table = core.table.load_full();
        let tested = |agent: &&Arc<AgentRoute>| agent.probed().is_some();
        paces.retain(|name, _| table.agents.iter().any(|agent| agent.name == *name));
        for agent in table.agents.iter().filter(tested) {
            let Some((testing, probes)) = agent.probed() else { continue };
            let now = Instant::now();
            let of = (testing.target.rollout, testing.target.epoch);
            let pace = paces.entry(agent.name.clone()).or_insert_with(|| Pace::new(of, now));
            if pace.of != of {
                *pace = Pace::new(of, now);
            }
            if pace.due > now || testing.target.live.is_closed() {
                continue;
            }
            pace.due = now + Duration::from_millis(probes.every_ms);
            let Ok(permit) = Arc::clone(&pace.places).try_acquire_owned() else { continue };
            let index = pace.next % probes.set.len().max(1);
            pace.next = index + 1;
            let (core, client, bench) = (Arc::clone(&core), client.clone(), bench.clone());
            let (agent, testing) = (Arc::clone(agent), Arc::clone(testing));
            let budget = Arc::clone(&pace.budget);
            let Some(probe) = probes.set.get(index).cloned() else { continue };
            tokio::spawn(async move {
                let name = probe.name.clone();
                let result = match send(&core, &client, &budget, &agent, &testing, &probe).await {
                    Ok(answer) => bench.judge(probe, answer).await,
                    Err(why) => Err(why),
                };
                let run = Probed::of(result);
                core.copies.shard.probed(&testing.target, clock::wall_ms(), name, &run);
                drop(permit);
            });
        }
    }
}

impl Pace {
    fn new(of: (Option<RolloutId>, Epoch), due: Instant) -> Self {
        let (places, budget) = (Arc::new(Semaphore::new(IN_FLIGHT_MAX)), Arc::default());
        Self { of, next: 0, due, places, budget }
    }
}

/// Where answers are judged, one at a time: how long that takes is the candidate's to choose.
#[derive(Clone)]
struct Bench(Arc<Semaphore>);

impl Default for Bench {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(1)))
    }
}

impl Bench {
    async fn judge(&self, probe: Probe, answer: Answer) -> Result<(), String> {
        let seat = Arc::clone(&self.0).acquire_owned().await.expect("it is never closed");
        let judged = tokio::task::spawn_blocking(move || {
            let Answer { status, body, total_ms, cost_nanousd } = answer;
            let judged = probe.judge(&ProbeAnswer { status, body: &body, total_ms, cost_nanousd });
            drop(seat);
            judged
        });
        judged.await.unwrap_or_else(|_| Err("the answer could not be judged".into()))
    }
}

/// A whole answer.
struct Answer {
    status: u16,
    body: Vec<u8>,
    total_ms: u64,
    cost_nanousd: Option<u64>,
}

/// Gets the answer, or why there is none.
async fn send(
    core: &Core,
    client: &Client,
    budget: &Budget,
    agent: &AgentRoute,
    testing: &Testing,
    probe: &Probe,
) -> Result<Answer, String> {
    let Some(request) = request(testing, probe) else {
        return Err("it makes no request that can be sent".into());
    };
    let path = probe.request.path.as_str();
    let (prices, answer_bytes_max) = (&*core.prices, ANSWER_BYTES_MAX);
    let asker = Asker { client, budget, agent, prices, answer_bytes_max };
    let mut body: Vec<u8> = Vec::new();
    let heard = ask(&asker, path, request, |data| body.extend_from_slice(data)).await;
    if heard.too_long {
        return Err(format!("the answer is larger than {ANSWER_BYTES_MAX} bytes"));
    }
    let Some(status) = heard.status.filter(|_| heard.is_whole()) else {
        return Err(why(&heard).into());
    };
    Ok(Answer {
        status,
        body,
        total_ms: heard.completion.total_us.unwrap_or(u64::MAX) / 1_000,
        cost_nanousd: heard.completion.cost_nanousd,
    })
}

fn why(heard: &Heard) -> &'static str {
    match heard.completion.error {
        Some(ErrorClass::Timeout) => "no answer in time",
        Some(ErrorClass::Reset) => "it could not be reached",
        _ => "the answer broke off",
    }
}

fn request(testing: &Testing, probe: &Probe) -> Option<Request<Full<Bytes>>> {
    let target = &testing.target;
    let sent = &probe.request;
    let uri = at(&target.endpoint, &format!("{}{}", target.endpoint.prefix, sent.path))?;
    let body = Full::new(Bytes::from(sent.body.clone().unwrap_or_default()));
    let mut request = Request::new(body);
    *request.method_mut() = sent.method.parse().ok()?;
    *request.uri_mut() = uri;
    let fields = request.headers_mut();
    fields.insert(header::USER_AGENT, HeaderValue::from_static("lockgate-probe"));
    for (name, value) in &sent.headers {
        fields.insert(name.parse::<HeaderName>().ok()?, value.parse().ok()?);
    }
    fields.insert(header::HOST, target.endpoint.host.clone());
    fields.insert(headers::INTERACTION, headers::id_value(Arrival::now().id));
    fields.insert(headers::VERSION, target.header.clone());
    fields.insert(headers::ENVIRONMENT, headers::TEST);
    headers::stamp_trace(fields);
    Some(request)
}
