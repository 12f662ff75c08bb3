//! Small agents: one server that stands for a version.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// What a version does, and what it was asked.
#[derive(Debug, Default)]
pub(crate) struct Behaviour {
    /// Of a hundred requests, so many are answered with 500.
    pub(crate) errors_percent: AtomicU32,
    /// How long an answer takes.
    pub(crate) delay_ms: AtomicU64,
    /// What it reports of its answers as `grounded`, percent; nothing at 0.
    pub(crate) grounded_percent: AtomicU32,
    /// Of a hundred answers, so many it says it resolved, and that each cost a cent; at 0 it says nothing.
    pub(crate) resolved_percent: AtomicU32,
    /// Requests that arrived, health checks aside.
    pub(crate) begun: AtomicU64,
    /// Requests answered, health checks aside.
    pub(crate) answered: AtomicU64,
}

/// A version of an agent.
pub(crate) struct Agent {
    pub(crate) behaviour: Arc<Behaviour>,
    pub(crate) url: String,
}

/// Who answered, and what a vote on it needs.
pub(crate) struct Answered {
    pub(crate) version: String,
    pub(crate) ticket: String,
}

/// Runs agents and traffic beside the test.
pub(crate) struct World {
    runtime: Runtime,
    http: reqwest::Client,
}

impl World {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        // Fails only when another test was here first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .tls_certs_only([])
            .timeout(Duration::from_secs(20))
            .build()
            .expect("a client");
        Self { runtime, http }
    }

    /// Starts a version.
    pub(crate) fn agent(&self) -> Agent {
        let behaviour = Arc::new(Behaviour::default());
        let app = Router::new().fallback(answer).with_state(Arc::clone(&behaviour));
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        self.runtime.spawn(async move { axum::serve(listener, app).await });
        Agent { behaviour, url }
    }

    /// Sends requests one after the other, `lanes` at once, until told to stop. `ingress` is asked
    /// for the address each time: a server that was killed comes back on another port.
    pub(crate) fn traffic(
        &self,
        lanes: u32,
        ingress: impl Fn() -> Option<String> + Send + Sync + 'static,
    ) -> Traffic {
        let counts = Arc::new(Counts::default());
        let ingress = Arc::new(ingress);
        for lane in 0..lanes {
            let (http, counts, ingress) =
                (self.http.clone(), Arc::clone(&counts), Arc::clone(&ingress));
            self.runtime.spawn(async move {
                let mut n = 0_u64;
                while counts.stop.load(Ordering::Relaxed) == 0 {
                    n += 1;
                    let Some(url) = ingress() else {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        continue;
                    };
                    let user = format!("user-{lane}-{n}");
                    let sent = http.post(format!("{url}/ask")).header("x-user", user).body("hello");
                    let status = sent.send().await.ok().map(|answer| answer.status());
                    counts.count(status);
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            });
        }
        Traffic { counts }
    }

    /// Conversations that go on until told to stop: each asks again and again, `lanes` of them at once.
    pub(crate) fn conversations(&self, count: usize, lanes: usize, ingress: &str) -> Traffic {
        let counts = Arc::new(Counts::default());
        for _ in 0..lanes {
            let (http, counts) = (self.http.clone(), Arc::clone(&counts));
            let url = format!("{ingress}/ask");
            self.runtime.spawn(async move {
                let mut pins = vec![None; count / lanes];
                while counts.stop.load(Ordering::Relaxed) == 0 {
                    for pin in &mut pins {
                        let mut asked = http.post(&url).body("hello");
                        if let Some(pin) = pin.clone() {
                            asked = asked.header("lockgate-conversation", pin);
                        }
                        let answer = asked.send().await.ok();
                        counts.count(answer.as_ref().map(reqwest::Response::status));
                        let given = answer.and_then(|answer| {
                            answer.headers().get("lockgate-conversation").cloned()
                        });
                        *pin = given.or(pin.take());
                    }
                }
            });
        }
        Traffic { counts }
    }

    /// What runs beside the test.
    pub(crate) fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// What sends requests.
    pub(crate) fn http(&self) -> reqwest::Client {
        self.http.clone()
    }

    /// A message with a bearer token; status and JSON.
    pub(crate) fn post(
        &self,
        url: &str,
        token: &str,
        body: &serde_json::Value,
    ) -> Option<(u16, serde_json::Value)> {
        self.runtime.block_on(async {
            let answer = self.http.post(url).bearer_auth(token).json(body).send().await.ok()?;
            let status = answer.status().as_u16();
            Some((status, answer.json().await.unwrap_or_default()))
        })
    }

    /// One request.
    pub(crate) fn ask(&self, ingress: &str) -> Option<(u16, String)> {
        self.runtime.block_on(async {
            let answer =
                self.http.post(format!("{ingress}/ask")).body("hello").send().await.ok()?;
            let status = answer.status().as_u16();
            Some((status, answer.text().await.ok()?))
        })
    }

    /// One request of a user, with what Lockgate says of the answer.
    pub(crate) fn answer(&self, ingress: &str, user: &str) -> Answered {
        let asked = self.http.post(format!("{ingress}/ask")).header("x-user", user).body("hello");
        let answer = self.block_on(async { asked.send().await }).expect("an answer");
        let header = |name: &str| {
            let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_else(|| panic!("no {name}: {answer:?}")).to_owned()
        };
        Answered { version: header("lockgate-version"), ticket: header("lockgate-ticket") }
    }

    /// What the vote with a ticket is answered with.
    pub(crate) fn vote(
        &self,
        ingress: &str,
        ticket: &str,
        vote: &serde_json::Value,
    ) -> Option<u16> {
        let asked = self.http.post(format!("{ingress}/feedback"));
        let asked = asked.header("lockgate-ticket", ticket).json(vote);
        self.block_on(async { Some(asked.send().await.ok()?.status().as_u16()) })
    }

    /// Something that goes on beside the test.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> tokio::task::JoinHandle<T> {
        self.runtime.spawn(work)
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}

/// What users saw.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    stop: AtomicU32,
    pub(crate) good: AtomicU64,
    pub(crate) bad: AtomicU64,
    pub(crate) cut: AtomicU64,
}

impl Counts {
    fn count(&self, status: Option<StatusCode>) {
        let counter = match status {
            Some(status) if status.is_success() => &self.good,
            Some(_) => &self.bad,
            None => &self.cut,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// Traffic under way; ends when dropped.
pub(crate) struct Traffic {
    pub(crate) counts: Arc<Counts>,
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.counts.stop.store(1, Ordering::Relaxed);
    }
}

async fn answer(State(behaviour): State<Arc<Behaviour>>, method: Method) -> Response {
    if method == Method::GET {
        return "well".into_response();
    }
    behaviour.begun.fetch_add(1, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_millis(behaviour.delay_ms.load(Ordering::Relaxed))).await;
    let n = behaviour.answered.fetch_add(1, Ordering::Relaxed);
    // Spread evenly, so that few requests show the same share as many.
    let errors = u64::from(behaviour.errors_percent.load(Ordering::Relaxed));
    if (n * errors) % 100 + errors >= 100 {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let grounded = f64::from(behaviour.grounded_percent.load(Ordering::Relaxed)) / 100.0;
    let mut answer = "an answer".into_response();
    if grounded > 0.0 {
        let report = format!("grounded={grounded}").parse().expect("visible ASCII");
        answer.headers_mut().insert("lockgate-measure", report);
    }
    let resolved = u64::from(behaviour.resolved_percent.load(Ordering::Relaxed));
    if resolved > 0 {
        let is_resolved = n * 37 % 100 < resolved;
        let outcome = if is_resolved { "resolved" } else { "escalated" };
        answer.headers_mut().insert("lockgate-outcome", HeaderValue::from_static(outcome));
        answer.headers_mut().insert("lockgate-cost-usd", HeaderValue::from_static("0.01"));
    }
    answer
}

/// A thread's result, with its panic as the test's.
pub(crate) fn joined<T>(thread: JoinHandle<T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
