//! From a security event to zero traffic, on a real server: `security_event BINARY [N]`, run by
//! `bench/security-event.sh`.
//!
//! A release gives half of steady traffic to the candidate. An event is raised through the API;
//! what counts is when the last request that the candidate got was begun, and when the event was
//! acknowledged. After that the candidate may get nothing until it is released again, N times.
#![expect(clippy::print_stdout, reason = "a program that prints what it measured")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;

const RELEASES_DEFAULT: usize = 1_000;
/// Clients that ask one question after the other.
const LANES: usize = 4;
const BETWEEN_REQUESTS: Duration = Duration::from_millis(2);
/// Requests that a version must have had before something is taken as running.
const RUNNING: u64 = 20;
const PATIENCE: Duration = Duration::from_secs(30);
/// Says when a request was begun, microseconds of [`Seen`]'s clock.
const BEGUN: &str = "x-begun-us";
const CANDIDATE: &str = "candidate";
const STABLE: &str = "stable";

/// What the versions were asked, on one clock.
struct Seen {
    start: Instant,
    candidate: Mutex<Vec<Arrival>>,
    stable: AtomicU64,
    failed: AtomicU64,
    stop: AtomicBool,
}

#[derive(Clone, Copy)]
struct Arrival {
    begun_us: u64,
    arrived_us: u64,
}

impl Seen {
    fn now_us(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// What reached the candidate since the last call.
    fn take(&self) -> Vec<Arrival> {
        std::mem::take(&mut *self.candidate.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn candidate_count(&self) -> u64 {
        self.candidate.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }
}

#[derive(Default)]
struct Results {
    last_begun_ms: Vec<f64>,
    last_arrived_ms: Vec<f64>,
    acknowledged_ms: Vec<f64>,
    after_acknowledgement: usize,
    not_latched: usize,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let binary = args.next().context("usage: security_event BINARY [N]")?;
    let releases = args.next().map_or(Ok(RELEASES_DEFAULT), |n| n.parse()).context("N")?;
    // Fails only when somebody was here first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let seen = Arc::new(Seen {
        start: Instant::now(),
        candidate: Mutex::default(),
        stable: AtomicU64::new(0),
        failed: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    });
    let stable = upstream(Router::new().fallback(serve_stable).with_state(seen.clone())).await?;
    let candidate =
        upstream(Router::new().fallback(serve_candidate).with_state(seen.clone())).await?;
    let server = Server::start(Path::new(&binary), &config(&stable, &candidate)).await?;
    let traffic: Vec<_> = (0..LANES)
        .map(|_| tokio::spawn(ask(server.http.clone(), server.ingress.clone(), seen.clone())))
        .collect();
    until("the stable version answers", || seen.stable.load(Ordering::Relaxed) > RUNNING).await?;

    let mut results = Results::default();
    let began = Instant::now();
    for release in 1..=releases {
        one(&server, &seen, &mut results).await.with_context(|| format!("release {release}"))?;
        if release % 100 == 0 {
            eprint_progress(release, releases);
        }
    }
    let took = began.elapsed();
    seen.stop.store(true, Ordering::Relaxed);
    for lane in traffic {
        lane.await?;
    }
    report(&results, &seen, took);
    ensure!(results.after_acknowledgement == 0, "the candidate got requests after the event");
    ensure!(results.not_latched == 0, "an event was acknowledged without a latch");
    Ok(())
}

/// One release from its start to zero.
async fn one(server: &Server, seen: &Seen, results: &mut Results) -> anyhow::Result<()> {
    let start = json!({"agent": "bench", "version": CANDIDATE, "reason": "a measurement"});
    // between releases it has no share
    results.after_acknowledgement += seen.take().len();
    let started = server.post("rollouts", &start).await?;
    let rollout = started["rollout"].as_str().with_context(|| started.to_string())?.to_owned();
    until("the candidate gets traffic", || seen.candidate_count() >= RUNNING).await?;

    let event = json!({"detail": "a measurement"});
    let path = format!("agents/bench/versions/{CANDIDATE}/security-events");
    let raised_us = seen.now_us();
    let raised = server.post(&path, &event).await?;
    let acknowledged_us = seen.now_us();
    results.not_latched += usize::from(raised["latched"] != true);

    let stable = seen.stable.load(Ordering::Relaxed);
    let goes_on = || seen.stable.load(Ordering::Relaxed) > stable + 2 * RUNNING;
    until("traffic goes on", goes_on).await?;
    server.until_rolled_back(&rollout).await?;
    let arrivals = seen.take();
    let last = |of: fn(&Arrival) -> u64| arrivals.iter().map(of).max().unwrap_or(raised_us);
    let since_ms = |us: u64| us.saturating_sub(raised_us) as f64 / 1e3;
    results.last_begun_ms.push(since_ms(last(|arrival| arrival.begun_us)));
    results.last_arrived_ms.push(since_ms(last(|arrival| arrival.arrived_us)));
    results.acknowledged_ms.push(since_ms(acknowledged_us));
    let late = arrivals.iter().filter(|arrival| arrival.begun_us > acknowledged_us);
    results.after_acknowledgement += late.count();
    Ok(())
}

fn report(results: &Results, seen: &Seen, took: Duration) {
    let n = results.acknowledged_ms.len();
    println!("{n} releases in {} s, {LANES} clients", took.as_secs());
    println!();
    println!("| ms from sending the event until | p50 | p95 | p99 | max |\n|---|---|---|---|---|");
    row("the last request to the candidate was begun", &results.last_begun_ms);
    row("the last request reached the candidate", &results.last_arrived_ms);
    row("the event was acknowledged", &results.acknowledged_ms);
    println!();
    println!(
        "begun after the acknowledgement, answered by the candidate: {}",
        results.after_acknowledgement
    );
    println!("acknowledged without a latch: {}", results.not_latched);
    println!(
        "requests that failed, cut off with the candidate or else: {}",
        seen.failed.load(Ordering::Relaxed)
    );
}

fn row(what: &str, values: &[f64]) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    // the nearest rank: a value that was measured
    let at = |per_mille: usize| {
        let rank = (sorted.len() * per_mille).div_ceil(1_000);
        sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
    };
    let [p50, p95, p99, max] = [500, 950, 990, 1_000].map(at);
    println!("| {what} | {p50:.1} | {p95:.1} | {p99:.1} | {max:.1} |");
}

#[expect(clippy::print_stderr, reason = "a long run shows that it is alive")]
fn eprint_progress(release: usize, releases: usize) {
    eprintln!("{release} of {releases}");
}

/// Waits for something that must come.
async fn until(what: &str, holds: impl Fn() -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    while !holds() {
        ensure!(began.elapsed() < PATIENCE, "{what}: waited in vain");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

async fn upstream(app: Router) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(url)
}

async fn serve_stable(State(seen): State<Arc<Seen>>) -> &'static str {
    seen.stable.fetch_add(1, Ordering::Relaxed);
    "an answer"
}

async fn serve_candidate(
    State(seen): State<Arc<Seen>>,
    headers: HeaderMap,
) -> Result<&'static str, StatusCode> {
    let arrived_us = seen.now_us();
    let begun = headers.get(BEGUN).and_then(|begun| begun.to_str().ok()?.parse().ok());
    let begun_us = begun.ok_or(StatusCode::BAD_REQUEST)?;
    let mut candidate = seen.candidate.lock().unwrap_or_else(PoisonError::into_inner);
    candidate.push(Arrival { begun_us, arrived_us });
    Ok("an answer")
}

/// One client: asks, waits a little, asks again.
async fn ask(http: reqwest::Client, ingress: String, seen: Arc<Seen>) {
    while !seen.stop.load(Ordering::Relaxed) {
        let request = http.post(&ingress).header(BEGUN, seen.now_us()).body("hello");
        let answer = async { request.send().await?.error_for_status()?.bytes().await };
        if answer.await.is_err() {
            seen.failed.fetch_add(1, Ordering::Relaxed);
        }
        tokio::time::sleep(BETWEEN_REQUESTS).await;
    }
}

fn config(stable: &str, candidate: &str) -> String {
    let off = ["error_rate", "p95_ms", "cost_usd", "satisfied_share", "negative_share"]
        .map(|metric| format!("      {metric}: {{off_because: not what is measured}}\n"))
        .concat();
    format!(
        "listen: {{ingress: \"127.0.0.1:0\", egress: \"127.0.0.1:0\", api: \"127.0.0.1:0\"}}
agents:
  - name: bench
    plan: half
    health: off
    versions:
      - {{name: {STABLE}, endpoint: \"{stable}\"}}
      - {{name: {CANDIDATE}, endpoint: \"{candidate}\"}}
plans:
  - name: half
    override: {{by: bench, reason: half of the traffic at once}}
    stages:
      - {{weight: 50, duration: 1h, gates: {{}}}}
      - {{weight: 100}}
    triggers:
{off}"
    )
}

/// `lockgate serve` in a directory of its own.
struct Server {
    child: Child,
    http: reqwest::Client,
    api: String,
    ingress: String,
    token: String,
    _dir: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    async fn start(binary: &Path, config: &str) -> anyhow::Result<Self> {
        let dir = tempfile::tempdir()?;
        let file = dir.path().join("lockgate.yaml");
        let (data, token) = (dir.path().join("data"), dir.path().join("token"));
        std::fs::write(&file, config)?;
        let mut child = Command::new(binary)
            .args(["serve", "--log", "json", "--config"])
            .arg(&file)
            .arg("--data-dir")
            .arg(&data)
            .arg("--token-file")
            .arg(&token)
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("log"))?)
            .spawn()
            .with_context(|| binary.display().to_string())?;
        let addresses = data.join("addresses.json");
        let began = Instant::now();
        while !addresses.exists() {
            if child.try_wait()?.is_some() || began.elapsed() > PATIENCE {
                bail!("it does not serve:\n{}", std::fs::read_to_string(dir.path().join("log"))?);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let addresses: Value = serde_json::from_slice(&std::fs::read(addresses)?)?;
        let url = |which: &str| {
            let address = addresses[which].as_str().context("an address")?;
            anyhow::Ok(format!("http://{address}"))
        };
        Ok(Self {
            child,
            http: reqwest::Client::builder().tls_certs_only([]).timeout(PATIENCE).build()?,
            api: url("api")?,
            ingress: url("ingress")?,
            token: std::fs::read_to_string(token)?.trim().to_owned(),
            _dir: dir,
        })
    }

    async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let url = format!("{}/api/v1/{path}", self.api);
        let answer = self.http.post(url).bearer_auth(&self.token).json(body).send().await?;
        let status = answer.status();
        let said: Value = answer.json().await?;
        ensure!(status.is_success(), "{status}: {said}");
        Ok(said)
    }

    async fn until_rolled_back(&self, rollout: &str) -> anyhow::Result<()> {
        let url = format!("{}/api/v1/rollouts/{rollout}", self.api);
        let began = Instant::now();
        loop {
            let answer = self.http.get(&url).bearer_auth(&self.token).send().await?;
            let view: Value = answer.error_for_status()?.json().await?;
            if view["phase"] == "rolled_back" {
                return Ok(());
            }
            ensure!(began.elapsed() < PATIENCE, "it is not rolled back: {view}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
