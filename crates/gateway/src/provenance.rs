//! What agents have read and done, by the user's interaction that it belongs to: what came in here is known by its id and
//! its trace for as long as it lasts, and a while after.
//!
//! What cannot be linked to one interaction carries everything that the version's live ones have read, and what was read
//! by calls that could not be linked. That much is on disk, so that a restart makes nobody clean.

mod asked;

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
use crate::protocol::tool_calls::ToolCall;
use asked::{AskedCalls, Keys};

pub(crate) use asked::Call;

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
    labels_full: bool,
    actions_full: bool,
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
    /// What those that are known have read, all together.
    read: HashMap<Of, Read>,
    carried: Carried,
}

/// What the sessions of a version have read: how many of them have each label, so that nobody has to ask them all.
#[derive(Debug, Default)]
struct Read {
    labels: BTreeMap<String, usize>,
    /// Sessions of which not all labels are known.
    full: usize,
}

impl Read {
    fn add(&mut self, labels: impl IntoIterator<Item = String>, full: bool) {
        for label in labels {
            *self.labels.entry(label).or_default() += 1;
        }
        self.full += usize::from(full);
    }

    fn remove(&mut self, seen: &Seen) {
        for label in &seen.labels {
            if let Some(count) = self.labels.get_mut(label) {
                *count = count.saturating_sub(1);
            }
        }
        self.labels.retain(|_, count| *count > 0);
        self.full = self.full.saturating_sub(usize::from(seen.labels_full));
    }
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
    /// What models asked for.
    asked: Mutex<AskedCalls>,
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
        let (asked, writing) = (Mutex::default(), tokio::sync::Mutex::default());
        Ok(Self { path, known, asked, writing })
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
        if let Some(before) = known.sessions.insert(id, Arc::new(session)) {
            known.unmark(&before);
        }
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

    /// Which interaction a call belongs to. The agent's word is taken for interactions of its own version alone; for whom
    /// it acts says more than its word.
    pub(crate) fn find(&self, identity: &Identity, linked: &Linked) -> Belongs {
        let known = lock(&self.known);
        let of = |whose: &Identity, id: &InteractionId| {
            let session = known.sessions.get(id)?;
            session.is_of(whose).then(|| Arc::clone(session))
        };
        if let Some(acting) = &identity.acting {
            let first = acting.givers.first();
            let session = first.and_then(|first| of(first, &acting.interaction?));
            let how = if session.is_some() { acting.link } else { Link::None };
            return Belongs { how, session };
        }
        let own = |id: &InteractionId| of(identity, id);
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

    /// The same of a call of a tool. One that says nothing about it belongs to the session in which a model asked for exactly
    /// this, when that is one of the agent's own version and the only one.
    pub(crate) fn find_call(
        &self,
        identity: &Identity,
        linked: &Linked,
        call: &Call<'_>,
    ) -> Belongs {
        // What is said and does not hold is not made up for by a guess, and nor is what the first giver did not say.
        if !linked.is_silent || identity.acting.is_some() {
            return self.find(identity, linked);
        }
        let session = self.inferred(identity, call);
        let how = if session.is_some() { Link::Inferred } else { Link::None };
        Belongs { how, session }
    }

    fn inferred(&self, identity: &Identity, call: &Call<'_>) -> Option<Arc<Session>> {
        let of = (identity.agent.clone(), identity.version.clone());
        if !lock(&self.asked).knows(&of) {
            return None;
        }
        let keys = Keys::of(call)?;
        let id = lock(&self.asked).session(&of, &keys, Instant::now())?;
        lock(&self.known).sessions.get(&id).filter(|session| session.is_of(identity)).cloned()
    }

    /// A model asks a version to do something, in answer to a call of this session. To be told before the answer is passed
    /// on.
    pub(crate) fn asks_for(
        &self,
        identity: &Identity,
        interaction: Option<InteractionId>,
        calls: &[ToolCall],
    ) {
        let of = (identity.agent.clone(), identity.version.clone());
        // What is asked for another agent's session is no session of its own.
        let interaction = interaction.filter(|_| identity.acting.is_none());
        lock(&self.asked).add(of, interaction, calls, Instant::now());
    }

    /// What is known of a call's session.
    pub(crate) fn facts(&self, identity: &Identity, belongs: &Belongs) -> SessionFacts {
        let depth = identity.givers().len() as u64;
        if let Some(session) = &belongs.session {
            // It is the first giver's. What whoever acts for it has read elsewhere it may still know.
            let others = identity.parties().take(identity.givers().len());
            let others = others.filter(|other| !session.is_of(other));
            let elsewhere = lock(&self.known).labels(others);
            let seen = lock(&session.seen);
            let own = (!seen.labels_full).then(|| seen.labels.clone());
            let both =
                |(own, elsewhere): (BTreeSet<_>, _)| own.union(&elsewhere).cloned().collect();
            let actions = |set: &BTreeSet<String>| (!seen.actions_full).then(|| set.clone());
            return SessionFacts {
                link: belongs.how,
                labels: own.zip(elsewhere).map(both),
                done: actions(&seen.done),
                tried: actions(&seen.tried),
                delegation_depth: Some(depth),
            };
        }
        // What other sessions did allows nothing here.
        SessionFacts {
            link: Link::None,
            labels: lock(&self.known).labels(identity.parties()),
            done: None,
            tried: None,
            delegation_depth: Some(depth).filter(|depth| *depth > 0),
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
            lock(&self.known).mark(session, labels);
            lock(&session.seen).add(action, |seen| &mut seen.tried);
        }
        if labels.is_empty() {
            return Ok(());
        }
        let mut changed = false;
        for party in identity.parties() {
            let of = (party.agent.clone(), party.version.clone());
            changed |= lock(&self.known).carried.add(&of, labels, clock::wall_ms());
        }
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

    /// Whether it is one of this version.
    fn is_of(&self, identity: &Identity) -> bool {
        self.of.0 == identity.agent && self.of.1 == identity.version
    }

    /// Its id.
    pub(crate) fn id(&self) -> InteractionId {
        self.id
    }
}

impl Seen {
    /// Those of them that are new.
    fn add_labels(&mut self, labels: &[String]) -> Vec<String> {
        let mut new = Vec::new();
        for label in labels {
            if self.labels.contains(label) {
                continue;
            }
            if self.labels.len() >= LABELS_MAX {
                self.labels_full = true;
                break;
            }
            self.labels.insert(label.clone());
            new.push(label.clone());
        }
        new
    }

    fn add(&mut self, action: &str, to: impl Fn(&mut Self) -> &mut BTreeSet<String>) {
        if to(self).contains(action) {
            return;
        }
        if to(self).len() >= ACTIONS_MAX {
            self.actions_full = true;
            return;
        }
        to(self).insert(action.to_owned());
    }
}

impl Known {
    /// What versions have read in all of their sessions and in none; `None` when not all of that is known.
    fn labels<'a>(&self, whose: impl Iterator<Item = &'a Identity>) -> Option<BTreeSet<String>> {
        let mut labels = BTreeSet::new();
        for one in whose {
            let of = (one.agent.clone(), one.version.clone());
            labels.extend(self.carried.of(&of, clock::wall_ms()).cloned());
            let Some(read) = self.read.get(&of) else { continue };
            if read.full > 0 {
                return None;
            }
            labels.extend(read.labels.keys().cloned());
        }
        Some(labels)
    }

    /// A session has read something. One that is not known any more is in no count; what it reads is carried.
    fn mark(&mut self, session: &Arc<Session>, labels: &[String]) {
        if labels.is_empty() {
            return;
        }
        let mut seen = lock(&session.seen);
        let was_full = seen.labels_full;
        let new = seen.add_labels(labels);
        let is_known = self.sessions.get(&session.id).is_some_and(|one| Arc::ptr_eq(one, session));
        if is_known {
            let read = self.read.entry(session.of.clone()).or_default();
            read.add(new, seen.labels_full && !was_full);
        }
    }

    /// A session is not known any more.
    fn unmark(&mut self, session: &Session) {
        if let Some(read) = self.read.get_mut(&session.of) {
            read.remove(&lock(&session.seen));
        }
    }

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
            self.unmark(&session);
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
mod tests;
