//! Health of every version's endpoints: active checks on a period, and connections that fail or
//! succeed under traffic. Only reported: what follows from it is control's to decide.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, header};
use http_body_util::Empty;
use hyper::client::conn::http1;
use lockgate_model::agent::HealthCheck;
use lockgate_model::ids::{AgentName, VersionName};
use lockgate_model::ports::VersionHealth;
use lockgate_model::snapshot::{Route, Snapshot, WeightEpoch};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_service::Service as _;

use crate::connect::Connector;
use crate::core::Core;
use crate::live::{Registry, lock};
use crate::table::Endpoint;

/// Time between two looks at what is due.
const TICK: Duration = Duration::from_millis(100);
/// Checks under way at once.
const CHECKS_MAX: usize = 32;

/// Which endpoint of which version.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    agent: AgentName,
    version: VersionName,
    test: bool,
    url: String,
}

#[derive(Debug, Default)]
struct Checked {
    due: Option<Instant>,
    failures: u32,
    successes: u32,
    /// `None` until enough checks were made.
    healthy: Option<bool>,
    /// The weight epoch under which the last check began.
    asked_in: Option<WeightEpoch>,
    /// The one under which the last check began that was passed.
    passed_in: Option<WeightEpoch>,
}

/// A check that is due, and the weight epoch that it begins under.
struct Due {
    place: Place,
    check: HealthCheck,
    epoch: Option<WeightEpoch>,
}

impl Checked {
    fn record(&mut self, ok: bool, check: &HealthCheck, epoch: Option<WeightEpoch>) {
        if ok {
            // One that began under an earlier weight and took longer says nothing of this one.
            if epoch == self.asked_in {
                self.passed_in = epoch;
            }
            (self.failures, self.successes) = (0, self.successes.saturating_add(1));
            if self.successes >= check.healthy_after {
                self.healthy = Some(true);
            }
        } else {
            (self.failures, self.successes) = (self.failures.saturating_add(1), 0);
            if self.failures >= check.unhealthy_after {
                self.healthy = Some(false);
            }
        }
    }
}

/// What is known.
#[derive(Debug, Default)]
pub(crate) struct Health(Mutex<HashMap<Place, Checked>>);

impl Health {
    /// For a report.
    pub(crate) fn of(&self, snapshot: &Snapshot, registry: &Registry) -> Vec<VersionHealth> {
        let known = lock(&self.0);
        let said = |place: &Place| {
            known.get(place).map_or((None, None), |checked| (checked.healthy, checked.passed_in))
        };
        snapshot
            .routes
            .iter()
            .flat_map(|route| route.agent.versions.iter().map(move |version| (route, version)))
            .map(|(route, version)| {
                let agent = &route.agent;
                let place = |test: bool, url: &str| Place {
                    agent: agent.name.clone(),
                    version: version.name.clone(),
                    test,
                    url: url.to_owned(),
                };
                let (checked, passed_in) = said(&place(false, &version.endpoint));
                let check = agent.health.clone().unwrap_or_default();
                let seen = passive(registry, &agent.name, &version.name, &check);
                let active = agent.health.is_some();
                let test = version.test_endpoint.as_deref();
                let (test, test_passed_in) =
                    test.map_or((None, None), |url| said(&place(true, url)));
                let production = merge(active, checked, seen);
                // Traffic goes on all the time: what it says, it says of now.
                let seen_in = || epoch_of(route, &version.name).filter(|_| seen == Some(true));
                VersionHealth {
                    agent: agent.name.clone(),
                    version: version.name.clone(),
                    production,
                    test,
                    production_passed_in: if active { passed_in } else { seen_in() },
                    test_passed_in,
                }
            })
            .collect()
    }

    /// The places that are due, with their checks; each is due again an interval later. A candidate
    /// is due at once under every new weight: a stage wants a check of its own.
    fn due(&self, snapshot: &Snapshot, now: Instant) -> Vec<Due> {
        let mut known = lock(&self.0);
        let mut due = Vec::new();
        let mut places = HashMap::new();
        for route in &snapshot.routes {
            let agent = &route.agent;
            let Some(check) = &agent.health else { continue };
            for version in &agent.versions {
                let epoch = epoch_of(route, &version.name);
                let test = version.test_endpoint.as_ref().map(|url| (true, url));
                for (test, url) in [(false, &version.endpoint)].into_iter().chain(test) {
                    let (agent, version) = (agent.name.clone(), version.name.clone());
                    let place = Place { agent, version, test, url: url.clone() };
                    let mut checked = known.remove(&place).unwrap_or_default();
                    let new_weight = epoch.is_some() && checked.asked_in != epoch;
                    if new_weight || checked.due.is_none_or(|due| due <= now) {
                        checked.due = Some(now + Duration::from_millis(check.interval_ms.max(1)));
                        checked.asked_in = epoch;
                        due.push(Due { place: place.clone(), check: check.clone(), epoch });
                    }
                    places.insert(place, checked);
                }
            }
        }
        // What the snapshot no longer names is forgotten.
        *known = places;
        due
    }

    fn record(&self, Due { place, check, epoch }: &Due, ok: bool) {
        if let Some(checked) = lock(&self.0).get_mut(place) {
            checked.record(ok, check, *epoch);
        }
    }
}

fn epoch_of(route: &Route, version: &VersionName) -> Option<WeightEpoch> {
    route.split.as_ref().and_then(|split| split.weight_epoch_of(version))
}

/// Connections refused in a row under traffic make a version unhealthy without waiting for a check.
/// Without active checks, traffic is the only witness.
fn merge(active: bool, checked: Option<bool>, seen: Option<bool>) -> Option<bool> {
    match (active, seen) {
        (_, Some(false)) => Some(false),
        (true, _) => checked,
        (false, seen) => seen,
    }
}

fn passive(
    registry: &Registry,
    agent: &AgentName,
    version: &VersionName,
    check: &HealthCheck,
) -> Option<bool> {
    let lives = registry.of(agent, version);
    let any = |limit: u32, count: fn(&crate::live::VersionLive) -> u32| {
        lives.iter().any(|live| limit > 0 && count(live) >= limit)
    };
    if any(check.unhealthy_after, |live| live.connect_failures.load(Ordering::Relaxed)) {
        return Some(false);
    }
    any(check.healthy_after, |live| live.connect_successes.load(Ordering::Relaxed)).then_some(true)
}

/// Checks what is due, until `stop`.
pub(crate) async fn run(core: Arc<Core>, connector: Connector, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CHECKS_MAX));
    let mut tick = tokio::time::interval(TICK);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        let snapshot = Arc::clone(&core.table.load().snapshot);
        for due in core.health.due(&snapshot, Instant::now()) {
            let Ok(permit) = Arc::clone(&places).acquire_owned().await else { return };
            let (core, connector) = (Arc::clone(&core), connector.clone());
            tokio::spawn(async move {
                let Due { place, check, .. } = &due;
                let limit = Duration::from_millis(check.timeout_ms.max(1));
                let asked = tokio::time::timeout(limit, ask(connector, &place.url, &check.path));
                let ok = asked.await.is_ok_and(|ok| ok.is_some());
                core.health.record(&due, ok);
                if ok && !place.test {
                    for live in core.registry.of(&place.agent, &place.version) {
                        live.connect_failures.store(0, Ordering::Relaxed);
                    }
                }
                drop(permit);
            });
        }
    }
}

/// `Some` when the endpoint answers 2xx or 3xx.
async fn ask(mut connector: Connector, url: &str, path: &str) -> Option<()> {
    let endpoint = Endpoint::parse(url)?;
    let io = connector.call(endpoint.connect.clone()).await.ok()?;
    let (mut sender, connection) = http1::handshake(io).await.ok()?;
    let slash = if path.starts_with('/') { "" } else { "/" };
    let request = Request::get(format!("{}{slash}{path}", endpoint.prefix))
        .header(header::HOST, endpoint.host.clone())
        .header(header::USER_AGENT, "lockgate-health")
        .body(Empty::<Bytes>::new())
        .ok()?;
    let answer = async {
        let answer = sender.send_request(request).await.ok()?;
        (answer.status().is_success() || answer.status().is_redirection()).then_some(())
    };
    // The connection is driven only as long as the answer's head is awaited, then closed.
    tokio::select! {
        biased;
        answer = answer => answer,
        _ = connection => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_needs_enough_checks_in_a_row() {
        let check = HealthCheck { unhealthy_after: 3, healthy_after: 2, ..HealthCheck::default() };
        let mut checked = Checked::default();
        let mut after = |ok: bool| {
            checked.record(ok, &check, None);
            checked.healthy
        };
        assert_eq!([true, false, true, true].map(&mut after), [None, None, None, Some(true)]);
        let seen = [false, false, true, false, false, false].map(&mut after);
        assert_eq!(seen, [Some(true), Some(true), Some(true), Some(true), Some(true), Some(false)]);
        assert_eq!([true, true].map(&mut after), [Some(false), Some(true)]);
    }

    #[test]
    fn refused_connections_outweigh_old_checks() {
        assert_eq!(merge(true, Some(true), Some(false)), Some(false));
        assert_eq!(merge(true, None, Some(true)), None);
        assert_eq!(merge(false, None, Some(true)), Some(true));
        assert_eq!(merge(false, None, None), None);
    }
}
