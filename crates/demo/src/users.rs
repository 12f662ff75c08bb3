//! The demo's users: they ask when the trace says so, read the answer, and say what they think.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::StreamExt as _;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::documents::sections;
use crate::questions::{QUESTIONS, Question};
use crate::text::{draw, draw_unit};
use crate::trace::{Arrival, Trace};

/// Distinct users. Many more than a stage sees requests: a version is judged by user, and votes
/// count once per user.
const USERS: u64 = 20_000;
/// Share of answers that are streamed.
const STREAM_SHARE: f64 = 0.15;
/// Share of answers that a user gives feedback on.
const FEEDBACK_SHARE: f64 = 0.4;
/// Share of good answers that still leave a user cold, and of bad ones that leave one calm.
const NEUTRAL_TO_GOOD: f64 = 0.04;
const NEUTRAL_TO_POOR: f64 = 0.3;
/// Answers of the trace that are shorter are made this long, so that they can hold a fact.
const ANSWER_TOKENS_MIN: u64 = 48;
/// Requests under way at once; beyond that users wait.
const IN_FLIGHT_MAX: usize = 1_024;
const PATIENCE: Duration = Duration::from_secs(20);
/// Requests that are remembered with their version: some minutes of traffic.
const REMEMBERED_MAX: usize = 200_000;

/// One request as its user saw it.
#[derive(Debug, Clone)]
struct Seen {
    sent_wall_ms: i64,
    version: Option<String>,
}

/// What users saw.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    requests: AtomicU64,
    errors: AtomicU64,
    votes: AtomicU64,
    votes_refused: AtomicU64,
    seen: Mutex<VecDeque<Seen>>,
}

impl Tally {
    /// Requests that were sent and have ended.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// Of those, answered with another status than 2xx, or broken off.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.load(Ordering::Relaxed)
    }

    /// Votes that were taken, and votes that were not.
    pub(crate) fn votes(&self) -> (u64, u64) {
        (self.votes.load(Ordering::Relaxed), self.votes_refused.load(Ordering::Relaxed))
    }

    /// Requests that `version` answered and that were sent from `from_wall_ms` up to
    /// `until_wall_ms`.
    pub(crate) fn answered_by(&self, version: &str, from_wall_ms: i64, until_wall_ms: i64) -> u64 {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let matching = seen.iter().filter(|seen| {
            seen.version.as_deref() == Some(version)
                && (from_wall_ms..=until_wall_ms).contains(&seen.sent_wall_ms)
        });
        matching.count() as u64
    }

    fn ended(&self, sent_wall_ms: i64, version: Option<String>, good: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        if !good {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() == REMEMBERED_MAX {
            seen.pop_front();
        }
        seen.push_back(Seen { sent_wall_ms, version });
    }
}

/// Everyone who uses an agent.
#[derive(Debug, Clone)]
pub struct Users {
    http: reqwest::Client,
    /// Base URL of the agent.
    agent: String,
    /// Where votes go.
    feedback: String,
    seed: u64,
    in_flight_max: usize,
    tally: Arc<Tally>,
}

/// One request.
struct Ask {
    user: String,
    question: Question,
    stream: bool,
    body: String,
}

/// What came back.
struct Answer {
    version: Option<String>,
    ticket: Option<String>,
    /// `None` when it was no good answer: another status, or broken off.
    text: Option<String>,
}

impl Users {
    /// Users of the agent below `path` of `ingress`, a base URL.
    pub(crate) fn new(http: reqwest::Client, ingress: &str, path: &str, seed: u64) -> Self {
        let (agent, feedback) = (format!("{ingress}{path}"), format!("{ingress}/feedback"));
        let in_flight_max = IN_FLIGHT_MAX;
        Self { http, agent, feedback, seed, in_flight_max, tally: Arc::default() }
    }

    /// The same with another limit on requests under way at once. Beyond it users wait, so that a
    /// machine which cannot keep up with the trace is not buried under it.
    #[must_use]
    pub fn at_most(self, in_flight_max: usize) -> Self {
        Self { in_flight_max, ..self }
    }

    /// What they have seen so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Asks as the trace says until `stop`, then waits for the answers still under way.
    pub async fn ask_all(&self, trace: &Trace, stop: &CancellationToken) {
        let started = Instant::now();
        let room = Arc::new(Semaphore::new(self.in_flight_max));
        let under_way = TaskTracker::new();
        for number in 0_u64.. {
            let (at, arrival) = trace.nth(number);
            let turn = async {
                sleep_until(started + at).await;
                room.clone().acquire_owned().await
            };
            let place = tokio::select! {
                () = stop.cancelled() => break,
                place = turn => place.expect("the semaphore is never closed"),
            };
            let (users, stop) = (self.clone(), stop.clone());
            under_way.spawn(async move {
                users.ask_one(number, arrival, &stop).await;
                drop(place);
            });
        }
        under_way.close();
        under_way.wait().await;
    }

    async fn ask_one(&self, number: u64, arrival: Arrival, stop: &CancellationToken) {
        let ask = self.prepare(number, arrival);
        let sent_wall_ms = wall_ms();
        let answer = timeout(PATIENCE, self.send(&ask)).await.ok().flatten();
        let (version, ticket, text) = answer
            .map_or((None, None, None), |answer| (answer.version, answer.ticket, answer.text));
        self.tally.ended(sent_wall_ms, version, text.is_some());
        let (Some(ticket), Some(text)) = (ticket, text) else { return };
        if stop.is_cancelled() || self.unit("votes", number) >= FEEDBACK_SHARE {
            return;
        }
        self.vote(&ticket, self.opinion(number, &ask, &text)).await;
    }

    fn prepare(&self, number: u64, arrival: Arrival) -> Ask {
        let at = number.to_le_bytes();
        let user = format!("u-{}", draw(self.seed, &[b"user", &at]) % USERS);
        let pick = draw(self.seed, &[b"question", &at]) % QUESTIONS.len() as u64;
        let question = QUESTIONS[usize::try_from(pick).unwrap_or_default()];
        let stream = self.unit("stream", number) < STREAM_SHARE;
        let content = format!("{}\n{}", history(number, arrival.context_tokens), question.text);
        let body = json!({
            "model": "harbour",
            "messages": [{"role": "user", "content": content}],
            "max_completion_tokens": arrival.generated_tokens.max(ANSWER_TOKENS_MIN),
            "stream": stream,
            "user": user,
        });
        Ask { user, question, stream, body: body.to_string() }
    }

    async fn send(&self, ask: &Ask) -> Option<Answer> {
        let request = self
            .http
            .post(format!("{}/v1/chat/completions", self.agent))
            .header("content-type", "application/json")
            .header("x-user", &ask.user)
            .body(ask.body.clone());
        let response = request.send().await.ok()?;
        let header = |name: &str| {
            response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let (version, ticket) = (header("lockgate-version"), header("lockgate-ticket"));
        let good = response.status().is_success();
        let mut bytes = Vec::new();
        let mut chunks = response.bytes_stream();
        let mut whole = true;
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => bytes.extend_from_slice(&chunk),
                Err(_) => whole = false,
            }
        }
        let text = (good && whole).then(|| text_of(&bytes, ask.stream)).flatten();
        Some(Answer { version, ticket, text })
    }

    /// A user who finds the fact is happy; one who does not is not.
    fn opinion(&self, number: u64, ask: &Ask, text: &str) -> i8 {
        let helped = text.contains(ask.question.fact);
        let mood = self.unit("mood", number);
        match helped {
            true if mood < NEUTRAL_TO_GOOD => 0,
            true => 1,
            false if mood < NEUTRAL_TO_POOR => 0,
            false => -1,
        }
    }

    async fn vote(&self, ticket: &str, score: i8) {
        let request = self
            .http
            .post(&self.feedback)
            .header("lockgate-ticket", ticket)
            .json(&json!({"score": score}));
        let taken = timeout(PATIENCE, request.send()).await;
        let taken = matches!(taken, Ok(Ok(response)) if response.status().is_success());
        let counter = if taken { &self.tally.votes } else { &self.tally.votes_refused };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn unit(&self, what: &str, number: u64) -> f64 {
        draw_unit(self.seed, &[what.as_bytes(), &number.to_le_bytes()])
    }
}

/// All words of the documents, in order.
static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let lines = sections().iter().flat_map(|section| &section.lines);
    lines.flat_map(|line| line.split_whitespace()).collect()
});

/// The conversation before the question: as many words as the trace says the model read.
fn history(number: u64, tokens: u64) -> String {
    let start = usize::try_from(number).unwrap_or_default() % WORDS.len();
    let wanted = usize::try_from(tokens).unwrap_or_default();
    WORDS.iter().cycle().skip(start).take(wanted).copied().collect::<Vec<_>>().join(" ")
}

/// The text of an answer; `None` when it is not whole.
fn text_of(bytes: &[u8], stream: bool) -> Option<String> {
    if !stream {
        let answer: Value = serde_json::from_slice(bytes).ok()?;
        return answer["choices"][0]["message"]["content"].as_str().map(str::to_owned);
    }
    let events = std::str::from_utf8(bytes).ok()?;
    let mut text = String::new();
    for line in events.lines().filter_map(|line| line.strip_prefix("data: ")) {
        if line == "[DONE]" {
            return Some(text);
        }
        let frame: Value = serde_json::from_str(line).ok()?;
        text.push_str(frame["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    None
}

/// Milliseconds since the Unix epoch, by the clock that the server on this machine reads too.
pub(crate) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_without_its_end_is_no_answer() {
        let whole = b"data: {\"choices\":[{\"delta\":{\"content\":\"a b\"}}]}\n\ndata: [DONE]\n\n";
        assert_eq!(text_of(whole, true).as_deref(), Some("a b"));
        assert_eq!(text_of(&whole[..whole.len() - 16], true), None);
        assert_eq!(text_of(b"{}", false), None);
    }

    #[test]
    fn requests_of_a_version_are_counted_up_to_a_moment() {
        let tally = Tally::default();
        for (at, version) in [(1, "a"), (2, "b"), (3, "a"), (9, "a")] {
            tally.ended(at, Some(version.to_owned()), at != 3);
        }
        assert_eq!(tally.answered_by("a", 0, 3), 2);
        assert_eq!((tally.requests(), tally.errors()), (4, 1));
    }

    #[test]
    fn histories_have_the_length_of_the_trace() {
        assert_eq!(history(7, 1_154).split_whitespace().count(), 1_154);
        assert_eq!(history(7, 0), "");
    }

    #[test]
    fn a_stage_sees_about_as_many_users_as_requests() {
        let user = |number: u64| draw(1, &[b"user", &number.to_le_bytes()]) % USERS;
        let users: std::collections::BTreeSet<u64> = (0..2_400).map(user).collect();
        assert!(users.len() > 2_200, "{}", users.len());
    }
}
