//! One request, from routing to the end of its stream. Whatever ends it ends the record: a record
//! that is dropped unfinished was left by its client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lockgate_model::ids::InteractionId;
use lockgate_model::interaction::{ErrorClass, Interaction};
use lockgate_model::price::PriceTable;
use lockgate_telemetry::arm::Completion;

use crate::affinity::Home;
use crate::aside::pair::{Half, Pair};
use crate::clock;
use crate::core::Crossed;
use crate::ingress::upload::UploadWatch;
use crate::ingress::worker::Worker;
use crate::live::InFlight;
use crate::observe::answered::{Answered, class_of, cost};
use crate::observe::own_time::OwnTime;
use crate::protocol::Scanner;
use crate::table::{AgentRoute, Target};

/// How a request ended, as far as the gateway saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The whole answer was passed on.
    Complete,
    /// It failed on the way.
    Failed(ErrorClass),
}

/// A request under way.
pub(crate) struct Record {
    pub(crate) worker: Arc<Worker>,
    pub(crate) agent: Arc<AgentRoute>,
    pub(crate) id: InteractionId,
    pub(crate) started: Instant,
    pub(crate) started_wall_ms: i64,
    /// Salted hash of the sticky key.
    pub(crate) user: Option<u64>,
    /// Salted hash of the conversation's id.
    pub(crate) conversation: Option<u64>,
    /// What latency is counted in.
    time: OwnTime,
    target: Option<Arc<Target>>,
    answered: Option<Answered>,
    first_byte_us: Option<u64>,
    scanner: Option<Scanner>,
    /// The answer to a copy of this request, and what was seen of this answer for comparing.
    pair: Option<(Arc<Pair>, Half)>,
    /// Whether calls of the version are linked to it.
    pub(crate) has_session: bool,
    finished: bool,
    _in_flight: Option<InFlight>,
}

impl Record {
    /// A request of `agent` came in.
    pub(crate) fn new(
        worker: &Arc<Worker>,
        agent: Arc<AgentRoute>,
        in_flight: Option<InFlight>,
        arrival: &Arrival,
    ) -> Self {
        Self {
            worker: Arc::clone(worker),
            agent,
            id: arrival.id,
            started: arrival.at,
            started_wall_ms: arrival.wall_ms,
            user: None,
            conversation: None,
            time: OwnTime::since(arrival.at),
            target: None,
            answered: None,
            first_byte_us: None,
            scanner: None,
            pair: None,
            has_session: false,
            finished: false,
            _in_flight: in_flight,
        }
    }

    /// It was routed.
    pub(crate) fn assign(&mut self, target: &Arc<Target>) {
        self.worker.shard().assigned(target, self.user, clock::wall_ms());
        self.target = Some(Arc::clone(target));
    }

    /// The door closed between routing and connecting: the assignment ends as refused here, and
    /// the request is routed again.
    pub(crate) fn unassign(&mut self) {
        if let Some(target) = self.target.take() {
            let completion =
                Completion { error: Some(ErrorClass::GatewayRefused), ..Completion::default() };
            self.worker.shard().completed(&target, self.user, clock::wall_ms(), &completion);
        }
    }

    /// Whether its user was stopped by order meanwhile.
    pub(crate) fn is_stopped(&self) -> bool {
        let table = self.worker.core.table.load();
        self.user.is_some_and(|user| table.quarantined.user(&self.agent.name, user).is_some())
    }

    /// Where it was routed.
    pub(crate) fn target(&self) -> Option<&Arc<Target>> {
        self.target.as_ref()
    }

    /// The request is copied: its answer will be compared with the copy's.
    pub(crate) fn copied(&mut self, pair: Arc<Pair>) {
        self.pair = Some((pair, Half::default()));
    }

    /// The start of the request's body took so long to come in.
    pub(crate) fn waited_for_client(&mut self, time: Duration) {
        self.time.waited_for_client(time);
    }

    /// The request's body goes to the version from here on.
    pub(crate) fn sends(&mut self, upload: Option<Arc<UploadWatch>>) {
        self.time.sends(upload);
    }

    /// The client has room for more of the answer. When that is news, from when.
    pub(crate) fn asked(&mut self) -> Option<Instant> {
        self.time.asked()
    }

    /// Something of the answer was handed over, and more may be asked for.
    pub(crate) fn handed_over(&mut self) {
        self.time.handed_over();
    }

    /// The head of the answer came.
    pub(crate) fn answered(&mut self, answered: Answered, mut scanner: Scanner) {
        self.time.handed_over();
        self.learn_ids(&scanner.take_ids());
        self.answered = Some(answered);
        self.scanner = Some(scanner);
    }

    /// A piece of the answer's body passed.
    pub(crate) fn saw(&mut self, chunk: &[u8]) {
        if self.first_byte_us.is_none() {
            self.first_byte_us = Some(self.elapsed_us());
        }
        if let Some((_, half)) = &mut self.pair {
            half.saw(chunk);
        }
        let Some(scanner) = &mut self.scanner else { return };
        scanner.push(chunk);
        // Before the chunk is passed on: the client may use an id as soon as it has it.
        let ids = scanner.take_ids();
        self.learn_ids(&ids);
    }

    /// Of the version's own time.
    fn elapsed_us(&self) -> u64 {
        u64::try_from(self.time.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// It ended. Further ends are ignored.
    pub(crate) fn finish(&mut self, end: End) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        if self.has_session {
            self.worker.core.provenance.end(self.id);
        }
        if let (Some((pair, half)), Some(answered), End::Complete) =
            (self.pair.take(), &self.answered, end)
        {
            pair.whole(answered.status, half);
        }
        let scanned = self.scanner.take().map(|scanner| scanner.finish(end == End::Complete));
        let total_us = self.elapsed_us();
        let answered = self.answered.clone().unwrap_or_default();
        // A client that leaves once it has read the format's own end has the whole answer.
        let whole = scanned.as_ref().is_some_and(|scanned| scanned.ended);
        let error = match end {
            End::Failed(ErrorClass::ClientCancel) if whole => class_of(&answered, scanned.as_ref()),
            End::Failed(class) => Some(class),
            End::Complete => class_of(&answered, scanned.as_ref()),
        };
        if let Some(scanned) = &scanned {
            self.learn_ids(&scanned.ids);
        }
        let prices = &self.worker.core.prices;
        let cost = cost(prices, &answered, scanned.as_ref(), self.started_wall_ms);
        let unpriced = cost.as_ref().err().copied();
        let (cost_nanousd, price_table) = cost.ok().map(|cost| (cost.nanousd, cost.table)).unzip();
        let completion = Completion {
            error,
            sse: answered.sse,
            first_byte_us: self.first_byte_us.or(self.answered.as_ref().map(|_| total_us)),
            total_us: Some(total_us),
            usage: scanned.as_ref().map(|scanned| scanned.usage).unwrap_or_default(),
            cost_nanousd,
            outcome: answered.outcome,
            measures: answered.measures,
        };
        if let Some(target) = &self.target {
            self.worker.shard().completed(target, self.user, clock::wall_ms(), &completion);
            self.watch_hard_limit(target, error);
        }
        let model = scanned.and_then(|scanned| scanned.model);
        let interaction = self.interaction(&completion, model, price_table);
        self.worker.shard().ended(Interaction { unpriced, ..interaction });
    }

    fn interaction(
        &self,
        completion: &Completion,
        model: Option<String>,
        price_table: Option<Arc<PriceTable>>,
    ) -> Interaction {
        Interaction {
            id: self.id,
            agent: self.agent.name.clone(),
            version: self.target.as_ref().map(|target| target.version.clone()),
            rollout: self.target.as_ref().and_then(|target| target.rollout),
            epoch: self.target.as_ref().map(|target| target.epoch).unwrap_or_default(),
            user: self.user,
            conversation: self.conversation,
            started_wall_ms: self.started_wall_ms,
            status: self.answered.as_ref().map(|answered| answered.status),
            error: completion.error,
            outcome: completion.outcome,
            first_byte_us: completion.first_byte_us,
            total_us: completion.total_us,
            usage: completion.usage,
            model,
            cost_nanousd: completion.cost_nanousd,
            price_table,
            unpriced: None,
        }
    }

    /// Ids that the answer gave out belong to the version that gave them.
    fn learn_ids(&self, ids: &[String]) {
        let Some(target) = &self.target else { return };
        let core = &self.worker.core;
        for id in ids {
            let hash = core.conversation_salt.hash(&self.agent.name, id.as_bytes());
            core.conversations.learn(hash, &Home::of(target));
        }
    }

    fn watch_hard_limit(&self, target: &Arc<Target>, error: Option<ErrorClass>) {
        let Some(max) = target.errors_in_a_row_max else { return };
        let row = &target.live.row;
        match error {
            Some(class) if class.charged() => {
                let in_a_row = row.error(self.user, max);
                if in_a_row >= max && !target.live.is_closed() {
                    let crossed = Crossed { target: Arc::clone(target), errors: in_a_row };
                    // A full channel means that a latch is already on its way.
                    let _ = self.worker.core.crossed.try_send(crossed);
                }
            }
            None => row.end(),
            Some(_) => {}
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.finish(End::Failed(ErrorClass::ClientCancel));
    }
}

/// When and as what a request came in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    pub(crate) id: InteractionId,
    pub(crate) at: Instant,
    pub(crate) wall_ms: i64,
}

impl Arrival {
    /// Now, with a new `UUIDv7`.
    pub(crate) fn now() -> Self {
        let wall_ms = clock::wall_ms();
        let random: [u8; 10] = rand::random();
        let millis = u64::try_from(wall_ms).unwrap_or(0);
        let id = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        Self { id: InteractionId(id), at: Instant::now(), wall_ms }
    }
}
