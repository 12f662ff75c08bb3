//! Calls under way in sessions: a client may say that it wants an answer no more, and a server may break a stream off
//! and give the answer in the one that goes on after it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lockgate_model::ids::ToolName;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::egress::outcome::{End, Open};
use crate::live::lock;

/// What names a call: its session, which is one caller's, and its id in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    tool: ToolName,
    session: String,
    request: String,
}

impl Key {
    /// Of a request in a session.
    pub(crate) fn new(tool: &ToolName, session: &str, request: &Value) -> Self {
        let (session, request) = (session.to_owned(), request.to_string());
        Self { tool: tool.clone(), session, request }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Running {
    under_way: Mutex<HashMap<Key, CancellationToken>>,
    /// Whose streams ended before their answers.
    broken_off: Mutex<HashMap<Key, Open>>,
}

impl Running {
    /// A call begins. A second one of the same name takes the name over.
    pub(crate) fn enter(self: &Arc<Self>, key: Key) -> Place {
        let cancelled = CancellationToken::new();
        lock(&self.under_way).insert(key.clone(), cancelled.clone());
        Place { running: Arc::clone(self), key, cancelled }
    }

    /// The client wants its answer no more.
    pub(crate) fn cancel(&self, key: &Key) {
        if let Some(cancelled) = lock(&self.under_way).get(key) {
            cancelled.cancel();
        }
    }

    /// The answer to a call comes in another stream: what is to be ended by it.
    pub(crate) fn resumed(&self, key: &Key) -> Option<Open> {
        lock(&self.broken_off).remove(key)
    }

    /// Nothing comes any more.
    pub(crate) fn give_up(&self) {
        let all = std::mem::take(&mut *lock(&self.broken_off));
        all.into_values().for_each(given_up);
    }

    fn give_up_one(&self, key: &Key, record: u64) {
        let mut broken_off = lock(&self.broken_off);
        if broken_off.get(key).is_some_and(|open| open.record == record) {
            broken_off.remove(key).into_iter().for_each(given_up);
        }
    }
}

fn given_up(mut open: Open) {
    open.end(End::Cut("it ended without an answer"));
}

/// A call's place among them.
#[derive(Debug)]
pub(crate) struct Place {
    running: Arc<Running>,
    key: Key,
    /// Cancelled when the client says so.
    pub(crate) cancelled: CancellationToken,
}

impl Place {
    /// The server broke the stream off, and said how to go on: the answer may come within `wait_max`.
    pub(crate) fn broken_off(&self, open: Open, wait_max: Duration) {
        let (running, key, record) = (Arc::clone(&self.running), self.key.clone(), open.record);
        let before = lock(&running.broken_off).insert(key.clone(), open);
        before.into_iter().for_each(given_up);
        tokio::spawn(async move {
            tokio::time::sleep(wait_max).await;
            running.give_up_one(&key, record);
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut running = lock(&self.running.under_way);
        // A token that nobody cancelled and nobody else has is told from another's by being cancelled here.
        self.cancelled.cancel();
        if running.get(&self.key).is_some_and(CancellationToken::is_cancelled) {
            running.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_call_is_cancelled_by_its_own_name_alone() {
        let running = Arc::new(Running::default());
        let tool = "files".parse().unwrap();
        let key = |session: &str, id: Value| Key::new(&tool, session, &id);
        let first = running.enter(key("a", json!(1)));
        for other in [key("b", json!(1)), key("a", json!("1")), key("a", json!(2))] {
            running.cancel(&other);
        }
        assert!(!first.cancelled.is_cancelled());
        let second = running.enter(key("a", json!(1)));
        drop(first);
        running.cancel(&key("a", json!(1)));
        assert!(second.cancelled.is_cancelled());
        drop(second);
        assert!(lock(&running.under_way).is_empty());
    }
}
