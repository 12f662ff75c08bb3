//! A request's whole way: matched, routed, stamped, sent, and the answer's head stamped in turn.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http::header::{self, HeaderValue};
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{Request, Response, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use lockgate_model::ticket::Ticket;
use uuid::Uuid;

use crate::affinity::{self, Affinity, Home};
use crate::aside::client::at;
use crate::aside::copy::Head;
use crate::clock;
use crate::ingress::answer::AnswerBody;
use crate::ingress::exchange::{ExchangeError, Exchanged, exchange};
use crate::ingress::peek::{Peeked, peek};
use crate::ingress::problem::Problem;
use crate::ingress::server::Peer;
use crate::ingress::sticky;
use crate::ingress::upload::Upload;
use crate::ingress::worker::Worker;
use crate::ingress::{feedback, headers, matching};
use crate::observe::answered::Answered;
use crate::observe::record::{Arrival, End, Record};
use crate::pin::Pin;
use crate::protocol::{self, Scanner};
use crate::table::{Matched, Shares, Target, Testing};

/// How often a request is routed anew because its version was closed under it.
const ROUTES_MAX: u32 = 8;

/// Answers one request.
pub(crate) async fn handle(
    worker: Arc<Worker>,
    peer: Arc<Peer>,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    let arrival = Arrival::now();
    if let Some(kind) = feedback::Kind::of(request.uri().path()) {
        return feedback::handle(&worker, kind, &arrival, request).await;
    }
    let (parts, body) = request.into_parts();
    let matched = match find(&worker, &parts) {
        Ok(matched) => matched,
        Err(problem) => {
            worker.core.observed.unmatched.fetch_add(1, Ordering::Relaxed);
            return problem.answer(arrival.id);
        }
    };
    let Matched { agent, strip_len } = matched;
    let in_flight = agent.live.enter(agent.limits.in_flight_max);
    let busy = in_flight.is_none();
    let mut record = Record::new(&worker, agent, in_flight, &arrival);
    let going = Going { worker: &worker, peer: &peer, strip_len };
    let gone =
        if busy { Err(Problem::BUSY) } else { going.forward(&mut record, parts, body).await };
    match gone {
        Ok(back) => back.answer(record),
        Err(problem) => refuse(record, problem),
    }
}

fn find(worker: &Worker, parts: &Parts) -> Result<Matched, Problem> {
    matching::forwardable(parts)?;
    let host = matching::host(parts)?;
    worker.core.table.load().find(&host, parts.uri.path()).ok_or(Problem::NO_AGENT)
}

fn refuse(mut record: Record, problem: Problem) -> Response<AnswerBody> {
    record.finish(End::Failed(problem.class));
    let mut answer = problem.answer(record.id);
    if let Some(target) = record.target() {
        answer.headers_mut().insert(headers::VERSION, target.header.clone());
    }
    answer
}

/// What a request brings along for routing.
struct Known {
    pin: Option<(Pin, HeaderValue)>,
    /// Salted hash of the id that the protocol has for the conversation.
    protocol_id: Option<u64>,
    /// Where the conversation runs.
    home: Option<Home>,
    sticky: Option<String>,
}

/// Who gets a request.
struct Picked {
    target: Arc<Target>,
    /// Whether it has no alternative.
    forced: bool,
    /// The candidate that gets a copy.
    testing: Option<Arc<Testing>>,
}

/// Everything that is needed to make the client's answer.
struct Back {
    exchanged: Exchanged,
    conversation: HeaderValue,
    protocol_id: Option<u64>,
    path: String,
}

struct Going<'a> {
    worker: &'a Arc<Worker>,
    peer: &'a Peer,
    strip_len: usize,
}

impl Going<'_> {
    async fn forward(
        &self,
        record: &mut Record,
        mut parts: Parts,
        body: Incoming,
    ) -> Result<Back, Problem> {
        let agent = Arc::clone(&record.agent);
        let limit = agent.limits.request_body_bytes_max;
        if body.size_hint().lower() > limit {
            return Err(Problem::TOO_LARGE);
        }
        let path = parts.uri.path().get(self.strip_len..).unwrap_or_default().to_owned();
        let (upload, ids) = self.look(record, &parts, &path, body).await?;
        record.sends(upload.watch());
        let known = self.known(record, &parts, ids.conversation.as_deref());
        let request = self.request(&mut parts, upload);
        let (exchanged, target) = self.route(record, &known, request).await?;
        let conversation = self.conversation(record, &known, &target);
        Ok(Back { exchanged, conversation, protocol_id: known.protocol_id, path })
    }

    /// Reads the ids of the conversation, from headers and, where they may be there, from the body.
    async fn look(
        &self,
        record: &mut Record,
        parts: &Parts,
        path: &str,
        body: Incoming,
    ) -> Result<(Upload, protocol::RequestIds), Problem> {
        let agent = Arc::clone(&record.agent);
        let limit = agent.limits.request_body_bytes_max;
        let fields = &parts.headers;
        let empty = body.is_end_stream();
        if empty || !protocol::request_wants_body(agent.protocol, &parts.method, path, fields) {
            let ids = protocol::request_ids(agent.protocol, path, fields, None);
            return Ok((Upload::new([].into(), Some(body), limit), ids));
        }
        let began = Instant::now();
        let Peeked { frames, rest, start } = peek(body, agent.idle_timeout()).await?;
        record.waited_for_client(began.elapsed());
        let size: u64 = frames.iter().map(|frame| frame.len() as u64).sum();
        let left = limit.checked_sub(size).ok_or(Problem::TOO_LARGE)?;
        let ids = protocol::request_ids(agent.protocol, path, fields, Some(&start));
        Ok((Upload::new(frames, rest, left), ids))
    }

    fn known(&self, record: &mut Record, parts: &Parts, protocol_id: Option<&str>) -> Known {
        let core = &self.worker.core;
        let agent = &record.agent;
        let pin = parts.headers.get(headers::CONVERSATION).and_then(|value| {
            let pin =
                value.to_str().ok().and_then(|text| core.pins.verify(text, record.started_wall_ms));
            if pin.is_none() {
                core.forged_pins.fetch_add(1, Ordering::Relaxed);
            }
            pin.filter(|pin| pin.agent == agent.name).map(|pin| (pin, value.clone()))
        });
        let protocol_id =
            protocol_id.map(|id| core.conversation_salt.hash(&agent.name, id.as_bytes()));
        let pinned = pin.as_ref().map(|(pin, _)| pin.home.clone());
        let home = pinned.or_else(|| core.conversations.get(protocol_id?));
        let sticky = agent.sticky.as_ref().and_then(|sticky| sticky::key(sticky, parts));
        record.user = sticky.as_ref().map(|key| core.user_salt.hash(&agent.name, key.as_bytes()));
        Known { pin, protocol_id, home, sticky }
    }

    /// The request as the version gets it; nothing in it decides where we connect.
    fn request(&self, parts: &mut Parts, upload: Upload) -> Request<Upload> {
        let mut request = Request::new(upload);
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = Uri::from(
            parts.uri.path_and_query().cloned().unwrap_or(PathAndQuery::from_static("/")),
        );
        let fields = request.headers_mut();
        *fields = std::mem::take(&mut parts.headers);
        headers::remove_hop_by_hop(fields);
        headers::remove_ours(fields);
        headers::stamp_trace(fields);
        let host = fields.remove(header::HOST);
        let peer = self.peer;
        headers::stamp_forwarded(
            fields,
            peer.ip,
            &peer.value,
            host,
            self.worker.core.trust_forwarded,
        );
        request
    }

    /// Picks a version and sends; picks again when the version is closed before anything was sent.
    async fn route(
        &self,
        record: &mut Record,
        known: &Known,
        mut request: Request<Upload>,
    ) -> Result<(Exchanged, Arc<Target>), Problem> {
        let original = request.uri().clone();
        for _ in 0..ROUTES_MAX {
            let Picked { target, forced, testing } = self.pick(record, known)?;
            record.assign(&target);
            *request.uri_mut() = rebase(&original, self.strip_len, &target.endpoint.prefix)?;
            let fields = request.headers_mut();
            fields.insert(header::HOST, target.endpoint.host.clone());
            fields.insert(headers::INTERACTION, headers::id_value(record.id));
            fields.insert(headers::VERSION, target.header.clone());
            self.begin(record, &target, fields);
            if let Some(testing) = testing {
                self.copy(record, testing, &original, &mut request);
            }
            match exchange(self.worker, &record.agent, &target, forced, request).await {
                Ok(exchanged) => return Ok((exchanged, target)),
                Err(ExchangeError::Failed(problem)) => return Err(problem),
                Err(ExchangeError::Closed(unsent)) => {
                    record.unassign();
                    request = *unsent;
                }
            }
        }
        Err(Problem::CUT)
    }

    /// Calls that the version makes for this request are linked to it, where agents make any.
    fn begin(&self, record: &mut Record, target: &Target, fields: &http::HeaderMap) {
        let core = &self.worker.core;
        if core.table.load().snapshot.egress.tools.is_empty() {
            return;
        }
        let trace = fields.get(headers::TRACEPARENT).and_then(|value| value.to_str().ok());
        let trace = trace.and_then(headers::trace_of).map(|(trace, _)| trace);
        let of = (target.agent.clone(), target.version.clone());
        core.provenance.begin(record.id, of, record.user, trace);
        record.has_session = true;
    }

    /// By the table as it is now, not as it was when the request came in.
    fn pick(&self, record: &Record, known: &Known) -> Result<Picked, Problem> {
        let core = &self.worker.core;
        let table = core.table.load();
        let current = table.agents.iter().find(|agent| agent.name == record.agent.name);
        let route = current.unwrap_or(&record.agent);
        let shares: &Shares = route.shares.as_ref().ok_or(Problem::NO_STABLE)?;
        if record.user.is_some_and(|user| table.quarantined.user(&route.name, user).is_some()) {
            return Err(Problem::USER_QUARANTINED);
        }
        let affinity = Affinity {
            conversation: known.home.as_ref(),
            sticky: known.sticky.as_deref(),
            random: rand::random(),
        };
        let now = core.moment(&table, record.started, record.started_wall_ms);
        let target = affinity::pick(shares, &affinity, now);
        if table.quarantined.version(&target.agent, &target.version).is_some() {
            return Err(Problem::QUARANTINED);
        }
        let forced = Arc::ptr_eq(target, &shares.stable);
        let testing = shares.testing.as_ref().filter(|testing| {
            forced && !now.control_stale && testing.wants(known.sticky.as_deref(), rand::random())
        });
        Ok(Picked { target: Arc::clone(target), forced, testing: testing.map(Arc::clone) })
    }

    /// Has the request copied as it passes. Nothing that goes wrong with a copy concerns the user.
    fn copy(
        &self,
        record: &mut Record,
        testing: Arc<Testing>,
        original: &Uri,
        request: &mut Request<Upload>,
    ) {
        let endpoint = &testing.target.endpoint;
        let place = rebase(original, self.strip_len, &endpoint.prefix).ok();
        let uri = place.and_then(|place| at(endpoint, place.path_and_query()?.as_str()));
        let Some(uri) = uri else { return };
        let path = original.path().get(self.strip_len..).unwrap_or_default().to_owned();
        let (method, headers) = (request.method().clone(), request.headers().clone());
        let head = Head { testing, method, uri, path, headers };
        let draft = self.worker.core.copies.draft(head, Arc::clone(&record.agent), record.user);
        record.copied(draft.pair());
        request.body_mut().copy_to(draft);
    }

    /// The pin for the client: its own as long as it still says the truth.
    fn conversation(&self, record: &mut Record, known: &Known, target: &Target) -> HeaderValue {
        let core = &self.worker.core;
        let id = known
            .pin
            .as_ref()
            .map_or_else(|| Uuid::from_bytes(rand::random()), |(pin, _)| pin.conversation);
        let hash = || core.conversation_salt.hash(&record.agent.name, id.as_bytes());
        record.conversation = Some(known.protocol_id.unwrap_or_else(hash));
        match &known.pin {
            Some((pin, value)) if pin.home == Home::of(target) => value.clone(),
            _ => {
                let text = core.pins.sign(&Pin {
                    agent: target.agent.clone(),
                    home: Home::of(target),
                    epoch: target.epoch,
                    conversation: id,
                    issued_wall_ms: clock::wall_ms(),
                });
                HeaderValue::from_str(&text).expect("base64url is visible ASCII")
            }
        }
    }
}

/// The target's prefix and what is left of the request's path, with its query.
fn rebase(uri: &Uri, strip_len: usize, prefix: &str) -> Result<Uri, Problem> {
    if has_dot_segment(uri.path()) {
        return Err(Problem::BAD_PATH);
    }
    if strip_len == 0 && prefix.is_empty() {
        return Ok(uri.clone());
    }
    let rest = uri.path_and_query().map_or("/", PathAndQuery::as_str).get(strip_len..);
    let rest = rest.unwrap_or_default();
    let slash = if rest.starts_with('/') { "" } else { "/" };
    let path: PathAndQuery =
        format!("{prefix}{slash}{rest}").parse().map_err(|_| Problem::BAD_HOST)?;
    Ok(Uri::from(path))
}

/// Whether a server that normalises the path would leave the place that we route to. Encoded
/// dots and slashes count, as some servers decode before they normalise.
fn has_dot_segment(path: &str) -> bool {
    if !path.contains(['.', '%']) {
        return false;
    }
    let plain = path.to_ascii_lowercase();
    let plain = plain.replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    plain.split(['/', '\\']).any(|segment| matches!(segment, "." | ".."))
}

impl Back {
    fn answer(self, mut record: Record) -> Response<AnswerBody> {
        let Exchanged { response, lease } = self.exchanged;
        let (mut parts, body) = response.into_parts();
        if parts.status.is_informational() {
            return refuse(record, Problem::PROTOCOL);
        }
        let answered = Answered::of(&parts, &record.agent.measures);
        let protocol = record.agent.protocol;
        let scanner = Scanner::new(protocol, &self.path, answered.status, &parts.headers);
        let idle = (!answered.sse).then(|| record.agent.idle_timeout());
        record.answered(answered, scanner);
        headers::remove_hop_by_hop(&mut parts.headers);
        headers::remove_ours(&mut parts.headers);
        if let Some(target) = record.target() {
            // An id that only the client knows is nothing until the version has taken it.
            if let Some(id) = self.protocol_id.filter(|_| parts.status.is_success()) {
                record.worker.core.conversations.learn(id, &Home::of(target));
            }
            parts.headers.insert(headers::VERSION, target.header.clone());
            parts.headers.insert(headers::TICKET, ticket(&record, target));
        }
        parts.headers.insert(headers::INTERACTION, headers::id_value(record.id));
        parts.headers.insert(headers::CONVERSATION, self.conversation);
        parts.version = Version::HTTP_11;
        Response::from_parts(parts, AnswerBody::passing(body, record, lease, idle))
    }
}

fn ticket(record: &Record, target: &Target) -> HeaderValue {
    let core = &record.worker.core;
    let text = core.tickets.sign(&Ticket {
        interaction: record.id,
        agent: target.agent.clone(),
        version: target.version.clone(),
        rollout: target.rollout,
        epoch: target.epoch,
        user: record.user,
        expires_wall_ms: record.started_wall_ms.saturating_add(core.ticket_ttl_ms),
    });
    HeaderValue::from_str(&text).expect("base64url is visible ASCII")
}
