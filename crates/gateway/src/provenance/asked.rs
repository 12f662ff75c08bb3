//! Which calls models have asked versions for, and in which session: by it a call is linked that says nothing of its user.
//!
//! Known are answers of models that passed here, in memory, for a while. An answer that belongs to nobody is known as
//! nobody's, so that a call which it asked for is not taken for somebody else's.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use lockgate_model::ids::{InteractionId, ToolName};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::Of;
use crate::protocol::tool_calls::ToolCall;

/// How long after an answer its calls may come: agents do one after the other.
const KNOWN_FOR: Duration = Duration::from_mins(5);
/// Calls of one version that are known at once.
const CALLS_MAX: usize = 65_536;

/// Sessions that asked for the same and are known, the latest ones: of two, none is the only one.
const ASKERS_MAX: usize = 2;

/// A call of an agent's, as a model can have asked for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) tool: &'a ToolName,
    pub(crate) action: &'a str,
    pub(crate) arguments: &'a Value,
}

/// What is asked for, in a fixed size.
type Key = [u8; 32];

/// Who asked for it; `None` for nobody that is known.
#[derive(Debug, PartialEq, Eq)]
struct Asker {
    session: Option<InteractionId>,
    until: Instant,
}

/// What the models of one version asked for.
#[derive(Debug, Default)]
struct Version {
    /// Oldest first.
    by_key: HashMap<Key, Vec<Asker>>,
    /// Oldest first. What is asked for again is in it again.
    order: VecDeque<(Instant, Key)>,
    /// Something was forgotten before its time, so that who is the only one that asked is not known.
    forgot_until: Option<Instant>,
}

/// All that was asked for.
#[derive(Debug, Default)]
pub(super) struct AskedCalls(HashMap<Of, Version>);

/// What a call is looked for by.
pub(super) struct Keys {
    /// Exactly this.
    exact: [Key; 3],
    /// What it could be among others.
    any: [Key; 4],
}

impl Keys {
    /// Frameworks put the name of the server before that of the tool, each in its way. `None` for what no model can ask for.
    pub(super) fn of(call: &Call<'_>) -> Option<Self> {
        let (tool, action) = (folded(call.tool.as_str()), folded(call.action));
        let arguments = canonical(call.arguments.as_object()?)?;
        let names = [action.clone(), format!("{tool}{action}"), format!("mcp{tool}{action}")];
        let [one, two, three] = names.each_ref().map(|name| named(name));
        Some(Self {
            exact: names.map(|name| exact(&name, &arguments)),
            any: [one, two, three, others()],
        })
    }
}

impl AskedCalls {
    /// Whether anything is known of a version. Most calls are not even looked for.
    pub(super) fn knows(&self, of: &Of) -> bool {
        self.0.contains_key(of)
    }

    /// A model's answer asks for it, in this session.
    pub(super) fn add(
        &mut self,
        of: Of,
        session: Option<InteractionId>,
        calls: &[ToolCall],
        now: Instant,
    ) {
        self.0.retain(|_, version| version.is_in_use(now));
        let version = self.0.entry(of).or_default();
        for call in calls {
            version.add(key_of(call), Asker { session, until: now + KNOWN_FOR });
        }
    }

    /// The one session in which a call was asked for. It stays known until its time is over: agents try again.
    pub(super) fn session(&self, of: &Of, keys: &Keys, now: Instant) -> Option<InteractionId> {
        let version = self.0.get(of)?;
        if version.forgot_until.is_some_and(|until| now < until) {
            return None;
        }
        let one = version.askers(&keys.exact, now).next()?.session?;
        let mut all = version.askers(&keys.exact, now).chain(version.askers(&keys.any, now));
        all.all(|asker| asker.session == Some(one)).then_some(one)
    }
}

impl Version {
    fn askers<'a>(&'a self, keys: &'a [Key], now: Instant) -> impl Iterator<Item = &'a Asker> {
        let known = keys.iter().filter_map(|key| self.by_key.get(key)).flatten();
        known.filter(move |asker| now < asker.until)
    }

    fn add(&mut self, key: Key, asker: Asker) {
        self.order.push_back((asker.until, key));
        let askers = self.by_key.entry(key).or_default();
        askers.retain(|one| one.session != asker.session);
        if askers.len() == ASKERS_MAX {
            askers.remove(0);
        }
        askers.push(asker);
        if self.order.len() > CALLS_MAX
            && let Some((until, key)) = self.order.pop_front()
        {
            self.forgot_until = Some(until);
            self.remove(&key, until);
        }
    }

    /// Whether it still says something.
    fn is_in_use(&mut self, now: Instant) -> bool {
        while let Some((until, key)) = self.order.front().copied().filter(|(at, _)| *at <= now) {
            self.order.pop_front();
            self.remove(&key, until);
        }
        !self.order.is_empty()
    }

    /// Takes away those that were not asked for again.
    fn remove(&mut self, key: &Key, until: Instant) {
        if let Some(askers) = self.by_key.get_mut(key) {
            askers.retain(|asker| asker.until > until);
            if askers.is_empty() {
                self.by_key.remove(key);
            }
        }
    }
}

fn key_of(call: &ToolCall) -> Key {
    let ToolCall::Of { name, arguments } = call else { return others() };
    let name = folded(name);
    match arguments.as_ref().and_then(canonical) {
        Some(arguments) => exact(&name, &arguments),
        None => named(&name),
    }
}

/// Providers take letters, digits, `_` and `-` in names, and frameworks write other names so that they fit, each in its
/// way, in another case too.
fn folded(name: &str) -> String {
    let plain = name.chars().filter(char::is_ascii_alphanumeric);
    plain.map(|letter| letter.to_ascii_lowercase()).collect()
}

/// Arguments in one spelling (RFC 8785). Frameworks send null for what a model left out.
fn canonical(arguments: &Map<String, Value>) -> Option<Vec<u8>> {
    let said: HashMap<&String, &Value> =
        arguments.iter().filter(|(_, value)| !value.is_null()).collect();
    serde_json_canonicalizer::to_vec(&said).ok()
}

fn exact(name: &str, arguments: &[u8]) -> Key {
    digest(&[b"exact", name.as_bytes(), arguments])
}

/// A function with any arguments.
fn named(name: &str) -> Key {
    digest(&[b"named", name.as_bytes()])
}

/// Any function.
fn others() -> Key {
    digest(&[b"others"])
}

/// Names have no zero bytes in them.
fn digest(parts: &[&[u8]]) -> Key {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part);
        digest.update([0]);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests;
