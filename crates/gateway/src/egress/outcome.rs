//! What became of an action that was recorded before it was done: exactly one outcome each.

use std::sync::Arc;
use std::time::Duration;

use lockgate_model::ids::InteractionId;
use lockgate_model::ledger::{LedgerEntry, Principal, Step};
use lockgate_model::limit::Place;
use lockgate_model::tool::ToolLimits;
use serde_json::{Map, Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::clock;
use crate::core::Core;
use crate::egress::gate::Pass;
use crate::egress::limit::{Held, Uses};
use crate::provenance::Session;

/// The record's name for an action of an agent.
pub(crate) const ACTION: &str = "action";

/// Why a call was cut off that was stopped under way.
pub(crate) const STOPPED: &str = "the caller or the tool was stopped";

/// Why a call was cut off that goes on and on.
pub(crate) const TOO_LONG: &str = "it lasted longer than it may";

/// How an action ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It was done.
    Ok,
    /// The server wants to know more, and the client asks again.
    InputRequired,
    /// The tool says that it failed.
    ToolError,
    /// The server answered with an error of this code.
    Error(i64),
    /// The server could not be connected to, or hung up before it answered. What it did is not known in the second case.
    Unreachable,
    /// The server answered with this status, or with nothing that is an answer.
    Status(u16),
    /// The server's answer is none.
    Protocol(&'static str),
    /// The server fell silent.
    Timeout,
    /// The client left, or said that it wants no answer.
    Cancelled,
    /// It broke off in the middle.
    Cut(&'static str),
}

impl End {
    /// As it is recorded.
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::InputRequired => "input_required",
            Self::ToolError => "tool_error",
            Self::Error(_) => "error",
            Self::Unreachable | Self::Status(_) | Self::Protocol(_) => "upstream_error",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Cut(_) => "cut",
        }
    }

    /// In words, for the agent; nothing of the server's address.
    pub(crate) fn in_words(self) -> String {
        match self {
            Self::Ok | Self::InputRequired => "it was done".into(),
            Self::ToolError | Self::Error(_) => "the tool's server answered with an error".into(),
            Self::Unreachable => "the tool's server cannot be reached".into(),
            Self::Status(status) => format!("the tool's server answered with status {status}"),
            Self::Protocol(why) => format!("the tool's server gave no valid answer: {why}"),
            Self::Timeout => "the tool's server did not answer in time".into(),
            Self::Cancelled => "the call was cancelled".into(),
            Self::Cut(why) => format!("the answer broke off: {why}"),
        }
    }

    fn detail(self) -> Value {
        match self {
            Self::Error(code) => json!({ "code": code }),
            Self::Status(status) => json!({ "status": status }),
            Self::Protocol(why) | Self::Cut(why) => json!({ "why": why }),
            Self::Unreachable => json!({ "why": "unreachable" }),
            _ => json!({}),
        }
    }
}

/// What every record of an action says.
#[derive(Debug, Clone)]
pub(crate) struct About {
    pub(crate) principal: Principal,
    pub(crate) object: String,
    pub(crate) labels: Vec<(&'static str, String)>,
}

impl About {
    /// An entry of it.
    pub(crate) fn entry(&self, action: &str) -> LedgerEntry {
        let mut entry =
            LedgerEntry::event(clock::wall_ms(), self.principal.clone(), action, &self.object);
        entry.labels.clone_from(&self.labels);
        entry
    }
}

/// An action whose intent is recorded. One that nobody ends has been cancelled: whoever waited for it has left.
#[derive(Debug)]
pub(crate) struct Open {
    /// The intent's place.
    pub(crate) record: u64,
    about: About,
    outcomes: Outcomes,
    began: Instant,
    /// Whether the server may have it.
    pub(crate) forwarded: bool,
    /// Cancelled when the call is cut off: then it is not the client who left.
    cut: CancellationToken,
    /// The session that it belongs to, and what it is called there.
    session: Option<(Arc<Session>, String)>,
    /// What else its outcome says.
    more: Map<String, Value>,
    /// Its place at the tool.
    pass: Option<Pass>,
    limits: ToolLimits,
    /// What is reserved for it.
    held: Held,
    used: Uses,
    ended: bool,
}

impl Open {
    /// Its intent is recorded there.
    pub(crate) fn new(
        record: u64,
        about: About,
        outcomes: Outcomes,
        cut: CancellationToken,
    ) -> Self {
        Self {
            record,
            about,
            outcomes,
            began: Instant::now(),
            forwarded: false,
            cut,
            session: None,
            more: Map::new(),
            pass: None,
            limits: ToolLimits::default(),
            held: Held::default(),
            used: Uses::UNKNOWN,
            ended: false,
        }
    }

    /// The session hears when it is done.
    #[must_use]
    pub(crate) fn in_session(mut self, session: Option<(Arc<Session>, String)>) -> Self {
        self.session = session;
        self
    }

    /// The user's interaction that it belongs to, if that is known.
    pub(crate) fn interaction(&self) -> Option<InteractionId> {
        self.session.as_ref().map(|(session, _)| session.id())
    }

    /// What it holds until it ends.
    #[must_use]
    pub(crate) fn holding(mut self, pass: Pass, held: Held, limits: ToolLimits) -> Self {
        self.pass = Some(pass);
        self.limits = limits;
        self.held = held;
        self
    }

    /// Whether it has lasted as long as it may.
    pub(crate) fn is_over(&self) -> bool {
        self.ends_at().is_some_and(|ends_at| Instant::now() >= ends_at)
    }

    /// When it has lasted as long as it may.
    fn ends_at(&self) -> Option<Instant> {
        self.limits.lasts_max().map(|lasts_max| self.began + lasts_max)
    }

    /// Whether an answer may have so many bytes.
    pub(crate) fn has_room(&self, bytes: u64) -> bool {
        bytes <= self.limits.answer_bytes_max
    }

    /// Its server begins to answer well.
    pub(crate) fn answered(&mut self) {
        if let Some(pass) = &mut self.pass {
            pass.answered();
        }
    }

    /// What it used takes the place of what is reserved. What is not known stays so.
    pub(crate) fn used(&mut self, used: Uses) {
        self.used = used;
    }

    /// Says more in its outcome. Nothing personal: it stands there in the clear.
    pub(crate) fn note(&mut self, name: &str, value: Value) {
        self.more.insert(name.to_owned(), value);
    }

    /// It ended so. Only the first end counts.
    pub(crate) fn end(&mut self, end: End) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        if let Some((session, action)) = self.session.take().filter(|_| end == End::Ok) {
            session.did(&action);
        }
        if let Some(pass) = self.pass.take() {
            pass.end(end);
        }
        let mut entry = self.about.entry(ACTION);
        entry.step = Step::Outcome { of: self.record };
        let took_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        entry.detail = json!({ "outcome": end.as_str(), "took_ms": took_ms });
        let more = [("forwarded", json!(self.forwarded))];
        let about_end = end.detail();
        let about_end = about_end.as_object().into_iter().flatten();
        for (name, value) in
            about_end.map(|(name, value)| (name.as_str(), value.clone())).chain(more)
        {
            entry.detail[name] = value;
        }
        for (name, value) in std::mem::take(&mut self.more) {
            entry.detail[name] = value;
        }
        let used = std::mem::take(&mut self.held).settled(self.used);
        self.outcomes.send(Ended { entry, used });
    }
}

/// Until when a server may say nothing, when it said something just now; of an action, no longer than that may last.
pub(crate) fn silent_until(open: Option<&Open>, silence_max: Duration) -> Instant {
    let until = Instant::now() + silence_max;
    open.and_then(Open::ends_at).map_or(until, |ends_at| until.min(ends_at))
}

impl Drop for Open {
    fn drop(&mut self) {
        let cut = self.cut.is_cancelled();
        self.end(if cut { End::Cut(STOPPED) } else { End::Cancelled });
    }
}

/// What is to be written down of an action that is over.
#[derive(Debug)]
pub(crate) struct Ended {
    entry: LedgerEntry,
    /// What it used, for what was reserved.
    used: Vec<(Place, u64)>,
}

/// The way to whoever records outcomes. There are never more on it than there are calls.
#[derive(Debug, Clone)]
pub(crate) struct Outcomes(mpsc::UnboundedSender<Ended>);

impl Outcomes {
    /// With the other end of it.
    pub(crate) fn new() -> (Self, mpsc::UnboundedReceiver<Ended>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    fn send(&self, ended: Ended) {
        if self.0.send(ended).is_err() {
            error!("an outcome came after the end: its intent is closed at the next start");
        }
    }
}

/// Records outcomes until there is nobody left who could send one, and all are recorded.
pub(crate) async fn record(core: Arc<Core>, mut outcomes: mpsc::UnboundedReceiver<Ended>) {
    let mut writing = JoinSet::new();
    loop {
        tokio::select! {
            ended = outcomes.recv() => {
                let Some(ended) = ended else { break };
                let core = Arc::clone(&core);
                writing.spawn(async move { ended.write(&core).await });
            }
            Some(_) = writing.join_next(), if !writing.is_empty() => {}
        }
    }
    while writing.join_next().await.is_some() {}
}

impl Ended {
    /// Neither is tried again: what failed may be written all the same, and a second time is worse than none.
    async fn write(self, core: &Core) {
        core.tally.note(&self.entry, self.entry.detail["outcome"].as_str().unwrap_or_default());
        if !self.used.is_empty()
            && let Err(error) = core.ports.reservations.settle(&self.used).await
        {
            error!(%error, "what a call used is not counted; what was reserved for it stays so");
        }
        if let Err(error) = core.ports.ledger.record(self.entry).await {
            error!(%error, "an outcome is not recorded; its intent is closed at the next start");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_ends_once_and_one_that_is_dropped_was_cancelled() {
        let (outcomes, mut sent) = Outcomes::new();
        let about = About {
            principal: Principal::Part("agent a/v1".into()),
            object: "files/read".into(),
            labels: vec![("agent", "a".into())],
        };
        let cut = CancellationToken::new();
        let mut open = Open::new(7, about.clone(), outcomes.clone(), cut.clone());
        open.forwarded = true;
        open.note("status", json!(500));
        open.end(End::Error(-5));
        open.end(End::Ok);
        drop(open);
        drop(Open::new(8, about.clone(), outcomes.clone(), cut.clone()));
        let stopped = Open::new(9, about, outcomes, cut.clone());
        cut.cancel();
        drop(stopped);
        let first = sent.try_recv().unwrap().entry;
        assert_eq!(first.step, Step::Outcome { of: 7 });
        assert_eq!(first.detail["outcome"], "error");
        assert_eq!((&first.detail["code"], &first.detail["status"]), (&json!(-5), &json!(500)));
        let second = sent.try_recv().unwrap().entry;
        assert_eq!(second.step, Step::Outcome { of: 8 });
        assert_eq!(second.detail["outcome"], "cancelled");
        assert_eq!(second.detail["forwarded"], false);
        let third = sent.try_recv().unwrap().entry;
        assert_eq!(
            (&third.detail["outcome"], &third.detail["why"]),
            (&json!("cut"), &json!(STOPPED))
        );
        assert!(sent.try_recv().is_err());
    }
}
