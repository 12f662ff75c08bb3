//! One request that no user waits for, and what its answer says.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, Uri, uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use lockgate_model::interaction::ErrorClass;
use lockgate_telemetry::arm::Completion;
use lockgate_telemetry::price::Prices;

use crate::clock;
use crate::ingress::worker::Connector;
use crate::live::lock;
use crate::observe::answered::{Answered, class_of, priced};
use crate::protocol::Scanner;
use crate::table::{AgentRoute, Endpoint};

/// Longest time for one answer; one that goes on is left, and is no error.
const WHOLE_MAX: Duration = Duration::from_mins(10);
/// Largest answer that is read; one that goes on is an error of its stream.
const ANSWER_BYTES_MAX: usize = 8 * 1024 * 1024;
/// What is read a second, all answers together: a candidate that floods takes no more time than
/// this from users.
const BYTES_A_SECOND_MAX: usize = 32 * 1024 * 1024;
const IDLE_MAX: usize = 64;
const IDLE_AGE_MAX: Duration = Duration::from_secs(30);

/// Keeps connections of its own: none is shared with users' requests.
#[derive(Clone)]
pub(crate) struct Client {
    http: legacy::Client<Connector, Full<Bytes>>,
    /// When the second began that is counted, and what was read in it.
    read: Arc<Mutex<(Instant, usize)>>,
}

impl Client {
    /// For the runtime that it is made on.
    pub(crate) fn new(connector: Connector) -> Self {
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_AGE_MAX)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        Self { http, read: Arc::new(Mutex::new((Instant::now(), 0))) }
    }

    /// Waits for the next second when this one has had its share.
    async fn read(&self, bytes: usize) {
        let wait = {
            let mut read = lock(&self.read);
            let age = read.0.elapsed();
            if age >= SECOND {
                *read = (Instant::now(), 0);
            }
            read.1 += bytes;
            (read.1 > BYTES_A_SECOND_MAX).then(|| SECOND.saturating_sub(age))
        };
        if let Some(wait) = wait {
            tokio::time::sleep(wait).await;
        }
    }
}

const SECOND: Duration = Duration::from_secs(1);

/// Where `path_and_query` is at an endpoint; `None` when that makes no URL.
pub(crate) fn at(endpoint: &Endpoint, path_and_query: &str) -> Option<Uri> {
    let mut parts = uri::Parts::default();
    parts.scheme = endpoint.connect.scheme().cloned();
    parts.authority = endpoint.connect.authority().cloned();
    parts.path_and_query = Some(path_and_query.parse().ok()?);
    Uri::from_parts(parts).ok()
}

/// What came of it.
pub(crate) struct Heard {
    pub(crate) status: Option<u16>,
    pub(crate) completion: Completion,
}

impl Heard {
    /// Whether the answer came to its end.
    pub(crate) fn is_whole(&self) -> bool {
        let broken = [
            ErrorClass::Timeout,
            ErrorClass::Reset,
            ErrorClass::Protocol,
            ErrorClass::StreamError,
            ErrorClass::ClientCancel,
        ];
        !self.completion.error.is_some_and(|class| broken.contains(&class))
    }
}

/// What is read while an answer comes in.
#[derive(Default)]
struct Hearing {
    answered: Option<Answered>,
    scanner: Option<Scanner>,
    first_byte: Option<Duration>,
}

/// Sends a request of `agent` and reads the answer to its end; `saw` gets every piece of its body.
/// `path` is the request's own, without what the endpoint puts before it.
pub(crate) async fn ask(
    client: &Client,
    agent: &AgentRoute,
    prices: &Prices,
    path: &str,
    request: Request<Full<Bytes>>,
    saw: impl FnMut(&[u8]),
) -> Heard {
    let (started, started_wall_ms) = (Instant::now(), clock::wall_ms());
    let mut hearing = Hearing::default();
    let listening = hearing.listen(client, agent, path, request, started, saw);
    let end = match tokio::time::timeout(WHOLE_MAX, listening).await {
        Ok(end) => end,
        Err(_) => Err(ErrorClass::ClientCancel),
    };
    let total_us = micros(started.elapsed());
    let scanned = hearing.scanner.map(|scanner| scanner.finish(end.is_ok()));
    let status = hearing.answered.as_ref().map(|answered| answered.status);
    let answered = hearing.answered.unwrap_or_default();
    let cost_nanousd =
        answered.cost_nanousd.or_else(|| priced(prices, scanned.as_ref()?, started_wall_ms));
    let completion = Completion {
        error: end.err().or_else(|| class_of(&answered, scanned.as_ref())),
        sse: answered.sse,
        first_byte_us: hearing.first_byte.map(micros).or(status.map(|_| total_us)),
        total_us: Some(total_us),
        usage: scanned.map(|scanned| scanned.usage).unwrap_or_default(),
        cost_nanousd,
        outcome: answered.outcome,
        measures: answered.measures,
    };
    Heard { status, completion }
}

impl Hearing {
    async fn listen(
        &mut self,
        client: &Client,
        agent: &AgentRoute,
        path: &str,
        request: Request<Full<Bytes>>,
        started: Instant,
        mut saw: impl FnMut(&[u8]),
    ) -> Result<(), ErrorClass> {
        let head = tokio::time::timeout(agent.first_byte_timeout(), client.http.request(request));
        let answer: Response<Incoming> =
            head.await.map_err(|_| ErrorClass::Timeout)?.map_err(|_| ErrorClass::Reset)?;
        let (parts, mut body) = answer.into_parts();
        self.answered = Some(Answered::of(&parts, &agent.measures));
        let status = parts.status.as_u16();
        let scanner =
            self.scanner.insert(Scanner::new(agent.protocol, path, status, &parts.headers));
        let mut bytes = 0;
        loop {
            let frame = tokio::time::timeout(agent.idle_timeout(), body.frame());
            let Some(frame) = frame.await.map_err(|_| ErrorClass::Timeout)? else {
                return Ok(());
            };
            let frame = frame.map_err(|_| ErrorClass::StreamError)?;
            let Some(data) = frame.data_ref() else { continue };
            self.first_byte.get_or_insert_with(|| started.elapsed());
            bytes += data.len();
            client.read(data.len()).await;
            if bytes > ANSWER_BYTES_MAX {
                return Err(ErrorClass::StreamError);
            }
            scanner.push(data);
            saw(data);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
