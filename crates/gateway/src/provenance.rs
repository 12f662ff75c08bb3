//! What agents have read and done, by the user's interaction that it belongs to: what came in here is known by its id and
//! its trace for as long as it lasts, and a while after.
//!
//! What cannot be linked to one interaction carries everything that the version's live ones have read, and what was read
//! by calls that could not be linked. That much is on disk, so that a restart makes nobody clean.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lockgate_model::decision::SessionFacts;
use lockgate_model::identity::Identity;
use lockgate_model::ids::{AgentName, InteractionId, VersionName};
use lockgate_model::ledger::Link;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::durable;
use crate::egress::link::Linked;
use crate::live::lock;

/// How long an interaction is known after its answer: agents finish things later.
const LINGER: Duration = Duration::from_mins(10);
const LINGER_MS: i64 = 600_000;
/// Interactions that are known at once. Those that ended go first.
const KNOWN_MAX: usize = 100_000;
/// Labels of one session.
const LABELS_MAX: usize = 64;
/// Different actions of one session.
const ACTIONS_MAX: usize = 256;
/// A label that was carried over is written down anew when it is so much older.
const WRITTEN_EVERY_MS: i64 = 60_000;

/// An agent's version.
type Of = (AgentName, VersionName);

/// One interaction of a user, as it is being answered.
#[derive(Debug)]
pub(crate) struct Session {
    id: InteractionId,
    of: Of,
    pub(crate) user: Option<u64>,
    trace: Option<String>,
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    labels: BTreeSet<String>,
    done: BTreeSet<String>,
    tried: BTreeSet<String>,
    /// More was seen than is kept.
    full: bool,
}

/// A call and the interaction that it belongs to, as far as that is sure.
#[derive(Debug, Clone)]
pub(crate) struct Belongs {
    pub(crate) how: Link,
    pub(crate) session: Option<Arc<Session>>,
}

#[derive(Debug, Default)]
struct Known {
    sessions: HashMap<InteractionId, Arc<Session>>,
    traces: HashMap<String, Vec<InteractionId>>,
    /// Those that ended, oldest first.
    ended: VecDeque<(Instant, InteractionId)>,
    carried: Carried,
}

/// Labels by agent and version, and until when they stay, milliseconds since the Unix epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Carried(BTreeMap<AgentName, BTreeMap<VersionName, BTreeMap<String, i64>>>);

impl Carried {
    fn of(&self, of: &Of, now_ms: i64) -> impl Iterator<Item = &String> {
        let labels = self.0.get(&of.0).and_then(|versions| versions.get(&of.1));
        labels
            .into_iter()
            .flatten()
            .filter(move |(_, until)| **until > now_ms)
            .map(|(name, _)| name)
    }

    /// Adds labels; whether it has to be written down.
    fn add(&mut self, of: &Of, labels: &[String], now_ms: i64) -> bool {
        let mine = self.0.entry(of.0.clone()).or_default().entry(of.1.clone()).or_default();
        mine.retain(|_, until| *until > now_ms);
        let mut changed = false;
        for label in labels {
            let until = mine.entry(label.clone()).or_insert(i64::MIN);
            if *until < now_ms + LINGER_MS - WRITTEN_EVERY_MS {
                *until = now_ms + LINGER_MS;
                changed = true;
            }
        }
        changed
    }
}

/// All that is known.
#[derive(Debug)]
pub(crate) struct Provenance {
    path: PathBuf,
    known: Mutex<Known>,
    /// Held while the file is written.
    writing: tokio::sync::Mutex<()>,
}

impl Provenance {
    /// With what was read before a restart.
    pub(crate) fn open(dir: &Path) -> io::Result<Self> {
        let path = dir.join("labels.json");
        let carried = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Carried::default(),
            Err(error) => return Err(error),
        };
        let known = Mutex::new(Known { carried, ..Known::default() });
        Ok(Self { path, known, writing: tokio::sync::Mutex::default() })
    }

    /// A user's request begins to be answered by a version. The same request on another version is another session.
    pub(crate) fn begin(&self, id: InteractionId, of: Of, user: Option<u64>, trace: Option<&str>) {
        let trace = trace.map(str::to_owned);
        let session = Session { id, of, user, trace: trace.clone(), seen: Mutex::default() };
        let mut known = lock(&self.known);
        known.forget(Instant::now());
        if known.sessions.len() >= KNOWN_MAX {
            // It cannot be linked to then, and counts as unknown.
            return;
        }
        known.sessions.insert(id, Arc::new(session));
        if let Some(trace) = trace {
            let ids = known.traces.entry(trace).or_default();
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }

    /// Its answer ended.
    pub(crate) fn end(&self, id: InteractionId) {
        let mut known = lock(&self.known);
        if known.sessions.contains_key(&id) {
            known.ended.push_back((Instant::now(), id));
        }
    }

    /// Which interaction a call belongs to. The agent's word is taken for interactions of its own version alone.
    pub(crate) fn find(&self, identity: &Identity, linked: &Linked) -> Belongs {
        let known = lock(&self.known);
        let own = |id: &InteractionId| {
            let session = known.sessions.get(id)?;
            let (agent, version) = &session.of;
            (*agent == identity.agent && *version == identity.version).then(|| Arc::clone(session))
        };
        // What was named and is not there is not made up for by a trace.
        if let Some(id) = &linked.interaction {
            let session = own(id);
            let how = if session.is_some() { Link::Explicit } else { Link::None };
            return Belongs { how, session };
        }
        let ids = linked.trace.as_ref().and_then(|trace| known.traces.get(trace));
        let mut found = ids.into_iter().flatten().filter_map(own);
        match (found.next(), found.next()) {
            (Some(session), None) => Belongs { how: Link::Trace, session: Some(session) },
            _ => Belongs { how: Link::None, session: None },
        }
    }

    /// What is known of a call's session.
    pub(crate) fn facts(&self, identity: &Identity, belongs: &Belongs) -> SessionFacts {
        if let Some(session) = &belongs.session {
            let seen = lock(&session.seen);
            let unless_full = |set: &BTreeSet<String>| (!seen.full).then(|| set.clone());
            return SessionFacts {
                link: belongs.how,
                labels: unless_full(&seen.labels),
                done: unless_full(&seen.done),
                tried: unless_full(&seen.tried),
            };
        }
        let of = (identity.agent.clone(), identity.version.clone());
        let known = lock(&self.known);
        let mut labels: BTreeSet<String> =
            known.carried.of(&of, clock::wall_ms()).cloned().collect();
        let mut full = false;
        for session in known.sessions.values().filter(|session| session.of == of) {
            let seen = lock(&session.seen);
            full |= seen.full;
            labels.extend(seen.labels.iter().cloned());
        }
        // What other sessions did allows nothing here.
        SessionFacts {
            link: Link::None,
            labels: (!full).then_some(labels),
            done: None,
            tried: None,
        }
    }

    /// A call is about to be forwarded: what it brings back is in the session from now on. Durable when it returns,
    /// where a restart would forget it.
    pub(crate) async fn tries(
        &self,
        identity: &Identity,
        belongs: &Belongs,
        action: &str,
        labels: &[String],
    ) -> io::Result<()> {
        if let Some(session) = &belongs.session {
            let mut seen = lock(&session.seen);
            seen.add_labels(labels);
            seen.add(action, |seen| &mut seen.tried);
        }
        if labels.is_empty() {
            return Ok(());
        }
        let of = (identity.agent.clone(), identity.version.clone());
        let changed = lock(&self.known).carried.add(&of, labels, clock::wall_ms());
        if !changed {
            return Ok(());
        }
        let _one_at_a_time = self.writing.lock().await;
        let bytes = serde_json::to_vec(&lock(&self.known).carried)?;
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || durable::replace(&path, &bytes));
        written.await.map_err(io::Error::other)?
    }
}

impl Session {
    /// An action was done.
    pub(crate) fn did(&self, action: &str) {
        lock(&self.seen).add(action, |seen| &mut seen.done);
    }

    /// Its id.
    pub(crate) fn id(&self) -> InteractionId {
        self.id
    }
}

impl Seen {
    fn add_labels(&mut self, labels: &[String]) {
        for label in labels {
            if self.labels.len() >= LABELS_MAX && !self.labels.contains(label) {
                self.full = true;
                return;
            }
            self.labels.insert(label.clone());
        }
    }

    fn add(&mut self, action: &str, to: impl Fn(&mut Self) -> &mut BTreeSet<String>) {
        if to(self).contains(action) {
            return;
        }
        if to(self).len() >= ACTIONS_MAX {
            self.full = true;
            return;
        }
        to(self).insert(action.to_owned());
    }
}

impl Known {
    /// Takes those away that ended long ago, a few at a time; more when there are too many.
    fn forget(&mut self, now: Instant) {
        for _ in 0..4 {
            let crowded = self.sessions.len() >= KNOWN_MAX;
            let over = |(at, _): &(Instant, InteractionId)| {
                crowded || now.saturating_duration_since(*at) > LINGER
            };
            if !self.ended.front().is_some_and(over) {
                return;
            }
            let Some((_, id)) = self.ended.pop_front() else { return };
            let Some(session) = self.sessions.remove(&id) else { continue };
            let Some(trace) = &session.trace else { continue };
            if let Some(ids) = self.traces.get_mut(trace) {
                ids.retain(|other| *other != id);
                if ids.is_empty() {
                    self.traces.remove(trace);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use lockgate_model::ids::IdentityId;
    use lockgate_model::version::Digest;
    use uuid::Uuid;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn identity(version: &str) -> Identity {
        Identity {
            id: IdentityId(Uuid::from_u128(1)),
            agent: "a".parse().unwrap(),
            version: version.parse().unwrap(),
            manifest: Digest::of(b"m"),
            issued_wall_s: 0,
            expires_wall_s: 1,
        }
    }

    fn of(version: &str) -> Of {
        ("a".parse().unwrap(), version.parse().unwrap())
    }

    fn id(n: u128) -> InteractionId {
        InteractionId(Uuid::from_u128(n))
    }

    fn linked(interaction: Option<u128>, trace: Option<&str>) -> Linked {
        let (interaction, trace) = (interaction.map(id), trace.map(str::to_owned));
        Linked { how: Link::None, interaction, trace }
    }

    fn labels(facts: &SessionFacts) -> Vec<&str> {
        facts.labels.iter().flatten().map(String::as_str).collect()
    }

    #[tokio::test]
    async fn a_call_carries_what_its_own_session_has_read() {
        let dir = tempfile::tempdir().unwrap();
        let all = Provenance::open(dir.path()).unwrap();
        let v1 = identity("v1");
        all.begin(id(1), of("v1"), Some(7), Some(TRACE));
        all.begin(id(2), of("v1"), None, None);
        let one = all.find(&v1, &linked(Some(1), None));
        let two = all.find(&v1, &linked(Some(2), None));
        assert_eq!((one.how, two.how), (Link::Explicit, Link::Explicit));
        assert_eq!(one.session.as_ref().unwrap().user, Some(7));
        all.tries(&v1, &one, "web/fetch", &["web".into()]).await.unwrap();
        one.session.as_ref().unwrap().did("web/fetch");
        let facts = all.facts(&v1, &one);
        assert_eq!(labels(&facts), ["web"]);
        assert!(facts.done.unwrap().contains("web/fetch"));
        let clean = all.facts(&v1, &two);
        assert_eq!(clean.labels, Some(BTreeSet::new()), "none, which is not the same as unknown");
        assert_eq!(all.find(&v1, &linked(None, Some(TRACE))).how, Link::Trace);

        // Whoever belongs to nobody carries what all have read, and has done nothing.
        for (interaction, trace) in [(None, None), (Some(9), None), (Some(9), Some(TRACE))] {
            let belongs = all.find(&v1, &linked(interaction, trace));
            assert_eq!(belongs.how, Link::None);
            let facts = all.facts(&v1, &belongs);
            assert_eq!((labels(&facts), &facts.done), (vec!["web"], &None));
        }
        let other = identity("v2");
        let strangers = all.find(&other, &linked(Some(1), None));
        assert_eq!(strangers.how, Link::None, "a session of another version");
        assert!(labels(&all.facts(&other, &strangers)).is_empty());
    }

    #[tokio::test]
    async fn a_trace_of_two_is_nobodys() {
        let dir = tempfile::tempdir().unwrap();
        let all = Provenance::open(dir.path()).unwrap();
        all.begin(id(1), of("v1"), None, Some(TRACE));
        all.begin(id(2), of("v2"), None, Some(TRACE));
        let trace = linked(None, Some(TRACE));
        assert_eq!(all.find(&identity("v1"), &trace).how, Link::Trace, "the other is not its own");
        all.begin(id(3), of("v1"), None, Some(TRACE));
        assert_eq!(all.find(&identity("v1"), &trace).how, Link::None);
    }

    #[tokio::test]
    async fn a_restart_makes_nobody_clean() {
        let dir = tempfile::tempdir().unwrap();
        let all = Provenance::open(dir.path()).unwrap();
        let v1 = identity("v1");
        all.begin(id(1), of("v1"), None, None);
        let one = all.find(&v1, &linked(Some(1), None));
        all.tries(&v1, &one, "web/fetch", &["web".into()]).await.unwrap();
        let again = Provenance::open(dir.path()).unwrap();
        let lost = again.find(&v1, &linked(Some(1), None));
        assert_eq!(lost.how, Link::None);
        assert_eq!(labels(&again.facts(&v1, &lost)), ["web"]);
        std::fs::write(dir.path().join("labels.json"), "{").unwrap();
        assert!(Provenance::open(dir.path()).is_err(), "what cannot be read is not nothing");
    }

    #[test]
    fn labels_stay_for_a_while_and_are_written_once_in_a_while() {
        let mut carried = Carried::default();
        let web = ["web".to_owned()];
        assert!(carried.add(&of("v1"), &web, 0));
        assert!(!carried.add(&of("v1"), &web, 1_000));
        assert!(carried.add(&of("v1"), &web, 2 * WRITTEN_EVERY_MS));
        let until = 2 * WRITTEN_EVERY_MS + LINGER_MS;
        assert_eq!(carried.of(&of("v1"), until - 1).count(), 1);
        assert_eq!(carried.of(&of("v1"), until).count(), 0);
        assert_eq!(carried.of(&of("v2"), 0).count(), 0);
    }

    #[test]
    fn what_is_more_than_is_kept_is_unknown_and_what_ended_makes_room() {
        let mut seen = Seen::default();
        for n in 0..=ACTIONS_MAX {
            seen.add(&format!("t/{n}"), |seen| &mut seen.done);
        }
        assert!(seen.full);
        let mut known = Known::default();
        for n in 0..3 {
            let session = Session {
                id: id(n),
                of: of("v1"),
                user: None,
                trace: Some(TRACE.into()),
                seen: Mutex::default(),
            };
            known.sessions.insert(id(n), Arc::new(session));
            known.traces.entry(TRACE.into()).or_default().push(id(n));
        }
        let now = Instant::now();
        known.ended.push_back((now, id(0)));
        known.forget(now + LINGER / 2);
        assert_eq!(known.sessions.len(), 3);
        known.forget(now + LINGER * 2);
        assert_eq!((known.sessions.len(), known.traces[TRACE].len()), (2, 2));
    }
}
