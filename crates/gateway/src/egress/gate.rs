//! How much of one tool there is at once, and when its server is left alone: so that a slow or broken one takes no room
//! from others, and agents hear at once what they would wait for in vain.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lockgate_model::ids::ToolName;
use lockgate_model::tool::{Breaker, ToolLimits};

use crate::egress::outcome::End;
use crate::live::lock;

/// The gates of all tools. They outlive changes of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Gates(Mutex<HashMap<ToolName, Arc<Gate>>>);

#[derive(Debug, Default)]
struct Gate {
    under_way: AtomicU32,
    health: Mutex<Health>,
}

/// What is known of a server.
#[derive(Debug, Default, Clone, Copy)]
struct Health {
    /// Failures since it last answered.
    failures: u32,
    /// It is left alone until then.
    until: Option<Instant>,
    /// One action tries whether it is back.
    is_tried: bool,
}

impl Health {
    /// Whether an action may go on, and whether it is the one that tries. Else how long it is left alone yet.
    fn admit(&mut self, now: Instant) -> Result<bool, Duration> {
        match self.until {
            None => Ok(false),
            Some(until) if now < until => Err(until - now),
            Some(_) if self.is_tried => Err(Duration::from_secs(1)),
            Some(_) => {
                self.is_tried = true;
                Ok(true)
            }
        }
    }

    /// What became of an action; `None` when that says nothing about the server.
    fn hear(&mut self, breaker: Breaker, tries: bool, failed: Option<bool>, now: Instant) {
        if tries {
            self.is_tried = false;
        }
        match failed {
            None => {}
            Some(false) => *self = Self::default(),
            Some(true) => {
                self.failures = self.failures.saturating_add(1);
                // Those that were under way when it broke make the pause no longer.
                if tries || (self.until.is_none() && self.failures >= breaker.failures) {
                    self.until = Some(now + Duration::from_millis(breaker.pause_ms));
                }
            }
        }
    }
}

/// Whether an end is the server's failure; `None` when it says nothing about it.
fn failed(end: End) -> Option<bool> {
    match end {
        End::Unreachable | End::Protocol(_) | End::Timeout | End::Status(500..=599) => Some(true),
        End::Cancelled | End::Cut(_) | End::Status(_) => None,
        End::Ok | End::InputRequired | End::ToolError | End::Error(_) => Some(false),
    }
}

/// Why an action does not go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Closed {
    #[error("{0} calls of this tool are under way, and more may not be; try again in a moment")]
    Full(u32),
    #[error("the tool's server failed again and again, and is left alone; try again in {0} s")]
    Broken(u64),
}

impl Gates {
    /// Lets an action in, as long as the pass is kept.
    pub(crate) fn enter(&self, tool: &ToolName, limits: &ToolLimits) -> Result<Pass, Closed> {
        let gate = {
            let mut gates = lock(&self.0);
            // A configuration has few tools, and names that are gone cost little.
            Arc::clone(gates.entry(tool.clone()).or_default())
        };
        let room = |under_way| (under_way < limits.at_once_max).then(|| under_way + 1);
        let entered = gate.under_way.fetch_update(Ordering::SeqCst, Ordering::SeqCst, room);
        entered.map_err(|_| Closed::Full(limits.at_once_max))?;
        let mut pass = Pass { gate, breaker: limits.breaker, tries: false };
        if limits.breaker.is_some() {
            let admitted = lock(&pass.gate.health).admit(Instant::now());
            pass.tries = admitted.map_err(|left| {
                Closed::Broken(u64::try_from(left.as_millis().div_ceil(1_000)).unwrap_or(u64::MAX))
            })?;
        }
        Ok(pass)
    }
}

/// An action's place at a tool.
#[derive(Debug)]
pub(crate) struct Pass {
    gate: Arc<Gate>,
    breaker: Option<Breaker>,
    tries: bool,
}

impl Pass {
    /// The server begins to answer well: it is back, however long the answer takes.
    pub(crate) fn answered(&mut self) {
        if let Some(breaker) = self.breaker {
            lock(&self.gate.health).hear(breaker, self.tries, Some(false), Instant::now());
            self.tries = false;
        }
    }

    /// It ended so.
    pub(crate) fn end(mut self, end: End) {
        self.hear(failed(end));
    }

    fn hear(&mut self, failed: Option<bool>) {
        if let Some(breaker) = self.breaker.take() {
            lock(&self.gate.health).hear(breaker, self.tries, failed, Instant::now());
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.hear(None);
        self.gate.under_way.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BREAKER: Breaker = Breaker { failures: 3, pause_ms: 1_000 };

    #[test]
    fn a_server_that_fails_again_and_again_is_left_alone_and_then_tried_once() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut health = Health::default();
        for _ in 0..2 {
            health.hear(BREAKER, false, Some(true), at(0));
        }
        health.hear(BREAKER, false, None, at(0));
        assert_eq!(health.admit(at(0)), Ok(false), "two are not three");
        health.hear(BREAKER, false, Some(false), at(0));
        for _ in 0..2 {
            health.hear(BREAKER, false, Some(true), at(0));
        }
        assert_eq!(health.admit(at(0)), Ok(false), "an answer in between begins anew");
        health.hear(BREAKER, false, Some(true), at(0));
        assert_eq!(health.admit(at(400)), Err(Duration::from_millis(600)));
        health.hear(BREAKER, false, Some(true), at(900));
        assert_eq!(health.admit(at(1_000)), Ok(true), "late failures make the pause no longer");
        assert!(health.admit(at(1_000)).is_err(), "one tries");
        health.hear(BREAKER, true, Some(true), at(1_100));
        assert_eq!(health.admit(at(2_000)), Err(Duration::from_millis(100)));
        assert_eq!(health.admit(at(2_100)), Ok(true));
        // Whoever tried left.
        health.hear(BREAKER, true, None, at(2_200));
        assert_eq!(health.admit(at(2_200)), Ok(true));
        health.hear(BREAKER, true, Some(false), at(2_300));
        assert_eq!(health.admit(at(2_300)), Ok(false));
    }

    #[test]
    fn whoever_tries_keeps_nobody_waiting_once_the_server_answers() {
        let gates = Gates::default();
        let tool = "one".parse().unwrap();
        let breaker = Some(Breaker { failures: 1, pause_ms: 0 });
        let limits = ToolLimits { breaker, ..ToolLimits::default() };
        gates.enter(&tool, &limits).unwrap().end(End::Timeout);
        let mut tries = gates.enter(&tool, &limits).unwrap();
        assert!(gates.enter(&tool, &limits).is_err(), "one tries");
        tries.answered();
        assert!(gates.enter(&tool, &limits).is_ok());
        drop(tries);
        assert!(gates.enter(&tool, &limits).is_ok());
    }

    #[test]
    fn a_tool_has_its_own_room_and_whoever_leaves_gives_it_back() {
        let gates = Gates::default();
        let (one, other) = ("one".parse().unwrap(), "other".parse().unwrap());
        let breaker = Some(Breaker { failures: 1, pause_ms: 60_000 });
        let limits = ToolLimits { at_once_max: 2, breaker, ..ToolLimits::default() };
        let [first, second] = [gates.enter(&one, &limits), gates.enter(&one, &limits)];
        assert_eq!(gates.enter(&one, &limits).err(), Some(Closed::Full(2)));
        let elsewhere = gates.enter(&other, &limits).unwrap();
        drop(first);
        let third = gates.enter(&one, &limits).unwrap();
        second.unwrap().end(End::Status(429));
        third.end(End::Error(-32_602));
        drop(elsewhere);
        gates.enter(&other, &limits).unwrap().end(End::Status(503));
        assert_eq!(gates.enter(&other, &limits).err(), Some(Closed::Broken(60)));
        assert!(gates.enter(&one, &limits).is_ok(), "another tool's server is another's");
        for _ in 0..5 {
            // What is refused holds no place.
            assert_eq!(gates.enter(&other, &limits).err(), Some(Closed::Broken(60)));
        }
    }
}
