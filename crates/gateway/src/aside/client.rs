//! One request that no user waits for, and what its answer says.

use std::sync::Mutex;
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
use crate::connect::Connector;
use crate::live::lock;
use crate::observe::answered::{Answered, class_of, cost};
use crate::protocol::Scanner;
use crate::table::{AgentRoute, Endpoint};

/// Longest time for one answer; one that goes on is left, and is no error.
const WHOLE_MAX: Duration = Duration::from_mins(10);
/// What is read a second, all answers of an agent together: a candidate that floods takes no more
/// time than this from users, and none from other agents.
const BYTES_A_SECOND_MAX: usize = 32 * 1024 * 1024;
const SECOND: Duration = Duration::from_secs(1);
const IDLE_MAX: usize = 64;
const IDLE_AGE_MAX: Duration = Duration::from_secs(30);

/// Keeps connections of its own: none is shared with users' requests.
#[derive(Clone)]
pub(crate) struct Client(legacy::Client<Connector, Full<Bytes>>);

impl Client {
    /// For the runtime that it is made on.
    pub(crate) fn new(connector: Connector) -> Self {
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_AGE_MAX)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(connector);
        Self(http)
    }
}

/// What may be read of one agent's answers.
#[derive(Debug)]
pub(crate) struct Budget {
    /// When the second began that is counted, and what was read in it.
    read: Mutex<(Instant, usize)>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { read: Mutex::new((Instant::now(), 0)) }
    }
}

impl Budget {
    /// Waits for the next second when this one has had its share. Says for how long.
    async fn take(&self, bytes: usize) -> Duration {
        let began = Instant::now();
        let wait = {
            let mut read = lock(&self.read);
            let age = read.0.elapsed();
            if age >= SECOND {
                *read = (Instant::now(), 0);
            }
            read.1 += bytes;
            (read.1 > BYTES_A_SECOND_MAX).then(|| SECOND.saturating_sub(age))
        };
        let Some(wait) = wait else { return Duration::ZERO };
        tokio::time::sleep(wait).await;
        began.elapsed()
    }
}

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
    /// Whether it was left because it was longer than is read.
    pub(crate) too_long: bool,
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
    /// Time for which it was not read, as the agent's budget was spent: none of the version's.
    held_up: Duration,
    too_long: bool,
}

/// How requests of one agent are sent.
pub(crate) struct Asker<'a> {
    pub(crate) client: &'a Client,
    pub(crate) budget: &'a Budget,
    pub(crate) agent: &'a AgentRoute,
    pub(crate) prices: &'a Prices,
    /// Largest answer that is read; one that goes on is an error of its stream.
    pub(crate) answer_bytes_max: usize,
}

/// Sends a request and reads the answer to its end; `saw` gets every piece of its body. `path` is
/// the request's own, without what the endpoint puts before it.
pub(crate) async fn ask(
    asker: &Asker<'_>,
    path: &str,
    request: Request<Full<Bytes>>,
    saw: impl FnMut(&[u8]),
) -> Heard {
    let prices = asker.prices;
    let (started, started_wall_ms) = (Instant::now(), clock::wall_ms());
    let mut hearing = Hearing::default();
    let listening = hearing.listen(asker, path, request, started, saw);
    let end = match tokio::time::timeout(WHOLE_MAX, listening).await {
        Ok(end) => end,
        Err(_) => Err(ErrorClass::ClientCancel),
    };
    let total_us = micros(started.elapsed().saturating_sub(hearing.held_up));
    let scanned = hearing.scanner.map(|scanner| scanner.finish(end.is_ok()));
    let too_long = hearing.too_long;
    let status = hearing.answered.as_ref().map(|answered| answered.status);
    let answered = hearing.answered.unwrap_or_default();
    let cost = cost(prices, &answered, scanned.as_ref(), started_wall_ms);
    let completion = Completion {
        error: end.err().or_else(|| class_of(&answered, scanned.as_ref())),
        sse: answered.sse,
        first_byte_us: hearing.first_byte.map(micros).or(status.map(|_| total_us)),
        total_us: Some(total_us),
        usage: scanned.map(|scanned| scanned.usage).unwrap_or_default(),
        cost_nanousd: cost.ok().map(|cost| cost.nanousd),
        outcome: answered.outcome,
        measures: answered.measures,
    };
    Heard { status, too_long, completion }
}

impl Hearing {
    async fn listen(
        &mut self,
        asker: &Asker<'_>,
        path: &str,
        request: Request<Full<Bytes>>,
        started: Instant,
        mut saw: impl FnMut(&[u8]),
    ) -> Result<(), ErrorClass> {
        let Asker { client, budget, agent, answer_bytes_max, .. } = asker;
        let head = tokio::time::timeout(agent.first_byte_timeout(), client.0.request(request));
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
            self.held_up += budget.take(data.len()).await;
            if bytes > *answer_bytes_max {
                self.too_long = true;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_budget_that_is_spent_holds_up_its_own_agent_alone_and_says_for_how_long() {
        let (one, other) = (Budget::default(), Budget::default());
        assert_eq!(one.take(BYTES_A_SECOND_MAX).await, Duration::ZERO);
        assert_eq!(other.take(1).await, Duration::ZERO);
        assert!(one.take(1).await > Duration::ZERO);
        assert_eq!(one.take(1).await, Duration::ZERO, "another second has begun");
    }
}
