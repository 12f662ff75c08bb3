//! A snapshot made ready for the hot path: hosts and paths to look up, endpoints parsed, handles
//! to counters resolved. Immutable; replaced whole.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderValue, Uri};
use lockgate_model::agent::{Agent, Limits, Match, Protocol, StickyKey};
use lockgate_model::ids::{AgentName, Epoch, RolloutId, VersionName};
use lockgate_model::measure::Measure;
use lockgate_model::plan::HardLimit;
use lockgate_model::ports::Secrets;
use lockgate_model::probe::Probes;
use lockgate_model::snapshot::{Egress, Member, Mode, Route, Snapshot};
use lockgate_model::version::{Manifest, SideEffects};

use crate::egress::known::Known;
use crate::fuse::Latches;
use crate::live::{AgentLive, Registry, VersionLive};
use crate::quarantine::Quarantines;
use crate::split;

/// Why a snapshot cannot be applied; the current one stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ApplyError {
    /// A URL that cannot be connected to.
    #[error("agent {agent}, version {version}: `{endpoint}` is not an http or https URL")]
    Endpoint { agent: AgentName, version: VersionName, endpoint: String },
    /// The split names a version that the agent does not have.
    #[error("agent {agent}: the split names version {version}, which is not defined")]
    UnknownVersion { agent: AgentName, version: VersionName },
    /// A share above the whole.
    #[error("agent {agent}: a share of {weight_bp} basis points is above the whole")]
    Weight { agent: AgentName, weight_bp: u32 },
}

/// Where a version's requests go.
#[derive(Debug)]
pub(crate) struct Endpoint {
    /// Scheme and authority, for the connector.
    pub(crate) connect: Uri,
    /// The `Host` header of requests to it.
    pub(crate) host: HeaderValue,
    /// Path that comes before the request's own, without a trailing slash.
    pub(crate) prefix: String,
}

impl Endpoint {
    /// From a base URL.
    pub(crate) fn parse(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str().filter(|scheme| matches!(*scheme, "http" | "https"))?;
        let authority = uri.authority()?;
        let host = authority.as_str().rsplit('@').next()?;
        Some(Self {
            connect: format!("{scheme}://{host}/").parse().ok()?,
            host: HeaderValue::from_str(host).ok()?,
            prefix: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

/// A version under one split: what a request is assigned to and counted for.
#[derive(Debug)]
pub(crate) struct Target {
    /// Unique in this process.
    pub(crate) id: u64,
    pub(crate) agent: AgentName,
    pub(crate) version: VersionName,
    pub(crate) rollout: Option<RolloutId>,
    pub(crate) epoch: Epoch,
    /// The version's name as a header.
    pub(crate) header: HeaderValue,
    pub(crate) endpoint: Endpoint,
    pub(crate) live: Arc<VersionLive>,
    /// Charged errors in a row at which the fuse latches; `None` for stable.
    pub(crate) errors_in_a_row_max: Option<u32>,
}

/// A version beside the stable one.
#[derive(Debug)]
pub(crate) struct Beside {
    pub(crate) target: Arc<Target>,
    pub(crate) weight_bp: u32,
    pub(crate) mode: Mode,
}

/// Who gets which requests of an agent.
#[derive(Debug)]
pub(crate) struct Shares {
    pub(crate) rollout: Option<RolloutId>,
    pub(crate) stable: Arc<Target>,
    pub(crate) candidate: Option<Beside>,
    pub(crate) retiring: Option<Beside>,
    /// The candidate in the test environment.
    pub(crate) testing: Option<Arc<Testing>>,
}

/// A candidate that users do not meet yet.
#[derive(Debug)]
pub(crate) struct Testing {
    /// Its test endpoint, or its only one.
    pub(crate) target: Arc<Target>,
    /// Share of users' requests that it gets copies of; 0 for one that may have side effects.
    mirror_bp: u32,
    /// Whether latency there says something of production: not in an environment of its own.
    pub(crate) latency_counts: bool,
}

impl Testing {
    /// Whether it gets a copy of this user's requests. Users are drawn apart from who will meet the
    /// candidate later.
    pub(crate) fn wants(&self, sticky: Option<&str>, random: u32) -> bool {
        let hash = || match (sticky, self.target.rollout) {
            (Some(sticky), Some(rollout)) => {
                split::hash(&format!("mirror {}", split::key_text(rollout, sticky)))
            }
            _ => random,
        };
        self.mirror_bp > 0
            && !self.target.live.is_closed()
            && split::is_candidate(hash(), self.mirror_bp)
    }
}

/// One agent.
#[derive(Debug)]
pub(crate) struct AgentRoute {
    pub(crate) name: AgentName,
    pub(crate) sticky: Option<StickyKey>,
    pub(crate) protocol: Protocol,
    pub(crate) limits: Limits,
    pub(crate) shares: Option<Shares>,
    probes: Option<Probes>,
    /// What its versions may report.
    pub(crate) measures: Vec<Measure>,
    pub(crate) live: Arc<AgentLive>,
}

impl AgentRoute {
    /// The candidate that is being tested.
    pub(crate) fn testing(&self) -> Option<&Arc<Testing>> {
        self.shares.as_ref()?.testing.as_ref()
    }

    /// The same, and what it is asked.
    pub(crate) fn probed(&self) -> Option<(&Arc<Testing>, &Probes)> {
        let testing = self.testing()?;
        self.probes.as_ref().map(|probes| (testing, probes))
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.limits.connect_timeout_ms)
    }
    pub(crate) fn first_byte_timeout(&self) -> Duration {
        Duration::from_millis(self.limits.first_byte_timeout_ms)
    }
    pub(crate) fn idle_timeout(&self) -> Duration {
        Duration::from_millis(self.limits.idle_timeout_ms)
    }
}

#[derive(Debug)]
struct Entry {
    path: String,
    strip: bool,
    agent: Arc<AgentRoute>,
}

/// The whole picture.
#[derive(Debug)]
pub(crate) struct Table {
    /// What it was made from.
    pub(crate) snapshot: Arc<Snapshot>,
    /// One per agent.
    pub(crate) agents: Vec<Arc<AgentRoute>>,
    /// By host in lower case; each longest path first.
    hosts: HashMap<String, Vec<Entry>>,
    any_host: Vec<Entry>,
    /// For agents' own calls.
    pub(crate) known: Known,
    /// What is stopped by order.
    pub(crate) quarantined: Quarantines,
}

/// What a request was matched to.
#[derive(Debug)]
pub(crate) struct Matched {
    pub(crate) agent: Arc<AgentRoute>,
    /// Bytes of the path to remove before forwarding.
    pub(crate) strip_len: usize,
}

impl Table {
    /// Of a snapshot without agents.
    pub(crate) fn empty() -> Self {
        let snapshot = Snapshot {
            revision: lockgate_model::ids::Revision::default(),
            at_wall_ms: 0,
            routes: Vec::new(),
            acknowledged_fuses: Vec::new(),
            candidate_stale_max_ms: 0,
            egress: Egress::default(),
            revoked: Vec::new(),
            identity_keys: Vec::new(),
            pins: Vec::new(),
            quarantined: Vec::new(),
        };
        Self {
            snapshot: Arc::new(snapshot),
            agents: Vec::new(),
            hosts: HashMap::new(),
            any_host: Vec::new(),
            known: Known::default(),
            quarantined: Quarantines::default(),
        }
    }

    /// From a snapshot; changes nothing that a request under way could see.
    pub(crate) fn compile(
        snapshot: Snapshot,
        registry: &Registry,
        latches: &Latches,
        secrets: &dyn Secrets,
    ) -> Result<Self, ApplyError> {
        let known = Known::compile(&snapshot, secrets);
        let quarantined = Quarantines::compile(&snapshot.quarantined);
        let snapshot = Arc::new(snapshot);
        let mut table = Self { snapshot, known, quarantined, ..Self::empty() };
        for route in &table.snapshot.routes {
            let agent = Arc::new(compile_route(route, registry, latches)?);
            for rule in &route.agent.matches {
                let entry = Entry {
                    path: rule.path.clone().unwrap_or_default().trim_end_matches('/').to_owned(),
                    strip: rule.strip_path,
                    agent: Arc::clone(&agent),
                };
                entries(&mut table.hosts, &mut table.any_host, rule).push(entry);
            }
            table.agents.push(agent);
        }
        for entries in table.hosts.values_mut().chain([&mut table.any_host]) {
            entries.sort_by_key(|entry| std::cmp::Reverse(entry.path.len()));
        }
        Ok(table)
    }

    /// The agent of a request, by the most specific match: host before none, longer path first.
    /// `host` is without port and in lower case.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<Matched> {
        let named = self.hosts.get(host).map_or(&[][..], Vec::as_slice);
        named.iter().chain(&self.any_host).find(|entry| covers(&entry.path, path)).map(|entry| {
            let strip_len = if entry.strip { entry.path.len() } else { 0 };
            Matched { agent: Arc::clone(&entry.agent), strip_len }
        })
    }
}

fn entries<'a>(
    hosts: &'a mut HashMap<String, Vec<Entry>>,
    any_host: &'a mut Vec<Entry>,
    rule: &Match,
) -> &'a mut Vec<Entry> {
    match &rule.host {
        Some(host) => hosts.entry(host.to_ascii_lowercase()).or_default(),
        None => any_host,
    }
}

/// Whether `prefix` (without trailing slash) is made of whole leading segments of `path`.
fn covers(prefix: &str, path: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/') || prefix.is_empty())
}

fn compile_route(
    route: &Route,
    registry: &Registry,
    latches: &Latches,
) -> Result<AgentRoute, ApplyError> {
    let agent = &route.agent;
    let compiler = Compiler { route, registry, latches };
    let shares = match &route.split {
        None => None,
        Some(split) => Some(Shares {
            rollout: split.rollout,
            stable: compiler.target(&split.stable, None, Place::Production)?,
            candidate: compiler.beside(split.candidate.as_ref())?,
            retiring: compiler.beside(split.retiring.as_ref())?,
            testing: compiler.testing(split.candidate.as_ref())?,
        }),
    };
    Ok(AgentRoute {
        name: agent.name.clone(),
        sticky: agent.sticky.clone(),
        protocol: agent.protocol,
        limits: agent.limits.clone(),
        shares,
        probes: probes(route),
        measures: agent.measures.clone(),
        live: registry.agent(&agent.name),
    })
}

/// What a candidate is asked. Not what the file has meanwhile, while its release is still judged by
/// another set: runs of the one would count for the other.
fn probes(route: &Route) -> Option<Probes> {
    let candidate = route.split.as_ref()?.candidate.as_ref()?;
    let asked = candidate.test.as_ref()?.probes.as_ref();
    let probes = route.agent.probes.as_ref()?;
    let is_asked = asked.is_none_or(|asked| probes.digest.as_ref() == Some(asked));
    is_asked.then(|| probes.clone())
}

/// Which endpoint of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Production,
    Test,
}

struct Compiler<'a> {
    route: &'a Route,
    registry: &'a Registry,
    latches: &'a Latches,
}

impl Compiler<'_> {
    fn agent(&self) -> &Agent {
        &self.route.agent
    }

    fn beside(&self, member: Option<&Member>) -> Result<Option<Beside>, ApplyError> {
        let Some(member) = member else { return Ok(None) };
        if member.weight_bp > lockgate_model::plan::WHOLE_BP {
            let agent = self.agent().name.clone();
            return Err(ApplyError::Weight { agent, weight_bp: member.weight_bp });
        }
        let limit = self.route.hard_limits.iter().map(|limit| match limit {
            HardLimit::ConsecutiveErrors(errors) => *errors,
        });
        Ok(Some(Beside {
            target: self.target(&member.version, limit.min(), Place::Production)?,
            weight_bp: member.weight_bp,
            mode: member.mode,
        }))
    }

    /// A candidate as the test environment has it.
    fn testing(&self, member: Option<&Member>) -> Result<Option<Arc<Testing>>, ApplyError> {
        let tested = member.and_then(|member| Some((member, member.test.as_ref()?)));
        let Some((member, test)) = tested else { return Ok(None) };
        let manifest = self.manifest(&member.version)?;
        let harmless = manifest.side_effects == SideEffects::None;
        Ok(Some(Arc::new(Testing {
            target: self.target(&member.version, None, Place::Test)?,
            mirror_bp: if harmless { test.mirror_bp } else { 0 },
            latency_counts: manifest.test_endpoint.is_none(),
        })))
    }

    fn manifest(&self, version: &VersionName) -> Result<&Manifest, ApplyError> {
        self.agent().version(version).ok_or_else(|| ApplyError::UnknownVersion {
            agent: self.agent().name.clone(),
            version: version.clone(),
        })
    }

    fn target(
        &self,
        version: &VersionName,
        errors_in_a_row_max: Option<u32>,
        place: Place,
    ) -> Result<Arc<Target>, ApplyError> {
        static LAST_ID: AtomicU64 = AtomicU64::new(0);
        let agent = &self.agent().name;
        let manifest = self.manifest(version)?;
        let url = match (place, &manifest.test_endpoint) {
            (Place::Test, Some(url)) => url,
            _ => &manifest.endpoint,
        };
        let endpoint = Endpoint::parse(url).ok_or_else(|| ApplyError::Endpoint {
            agent: agent.clone(),
            version: version.clone(),
            endpoint: url.clone(),
        })?;
        let latched = || self.latches.holds(agent, version);
        let live = self.registry.version(agent, version, url, latched);
        let split = self.route.split.as_ref();
        Ok(Arc::new(Target {
            id: LAST_ID.fetch_add(1, Ordering::Relaxed) + 1,
            agent: agent.clone(),
            version: version.clone(),
            rollout: split.and_then(|split| split.rollout),
            epoch: split.map(|split| split.epoch).unwrap_or_default(),
            header: HeaderValue::from_str(version.as_str()).expect("names are visible ASCII"),
            endpoint,
            live,
            errors_in_a_row_max,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_covers_whole_segments_only() {
        for (prefix, path, expected) in [
            ("", "/x", true),
            ("", "*", true),
            ("/a", "/a", true),
            ("/a", "/a/b", true),
            ("/a", "/ab", false),
            ("/a/b", "/a", false),
        ] {
            assert_eq!(covers(prefix, path), expected, "{prefix} {path}");
        }
    }

    #[test]
    fn endpoints_are_http_urls_with_a_host() {
        let endpoint = Endpoint::parse("http://127.0.0.1:9000/base/").unwrap();
        assert_eq!(endpoint.connect.to_string(), "http://127.0.0.1:9000/");
        assert_eq!(
            (endpoint.host.to_str().unwrap(), endpoint.prefix.as_str()),
            ("127.0.0.1:9000", "/base")
        );
        for bad in ["", "/x", "ftp://a/", "a:80", "unix:/x", "http://"] {
            assert!(Endpoint::parse(bad).is_none(), "{bad}");
        }
    }
}
