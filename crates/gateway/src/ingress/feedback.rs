//! `POST /feedback` and `POST /outcome`, reserved on every host: what users and callers say of an
//! answer. Needs the ticket that came with it; durable before it is acknowledged.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use lockgate_model::interaction::{Outcome, Score};
use lockgate_model::ports::PortError;
use lockgate_model::ticket::{Answer, Counted};
use serde::Deserialize;

use crate::clock;
use crate::ingress::answer::AnswerBody;
use crate::ingress::headers;
use crate::ingress::problem::Problem;
use crate::ingress::worker::Worker;
use crate::observe::record::Arrival;
use crate::tickets::TicketError;

const BODY_BYTES_MAX: usize = 4 * 1024;
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);
const PORT_WAIT_MAX: Duration = Duration::from_secs(10);

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Feedback,
    Outcome,
}

impl Kind {
    /// By path.
    pub(crate) fn of(path: &str) -> Option<Self> {
        match path {
            "/feedback" => Some(Self::Feedback),
            "/outcome" => Some(Self::Outcome),
            _ => None,
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said {
    ticket: Option<String>,
    score: Option<i64>,
    nps: Option<u8>,
    outcome: Option<Outcome>,
}

impl Said {
    fn answer(&self, kind: Kind) -> Result<Answer, Problem> {
        match (kind, self.score, self.nps, self.outcome) {
            (Kind::Feedback, Some(sign), None, None) => {
                Score::from_sign(sign).map(Answer::Feedback)
            }
            (Kind::Feedback, None, Some(nps), None) => Score::from_nps(nps).map(Answer::Feedback),
            (Kind::Outcome, None, None, Some(outcome)) => Some(Answer::Outcome(outcome)),
            _ => None,
        }
        .ok_or(unreadable(kind))
    }
}

fn unreadable(kind: Kind) -> Problem {
    match kind {
        Kind::Feedback => Problem::BAD_FEEDBACK,
        Kind::Outcome => Problem::BAD_OUTCOME,
    }
}

/// Answers with 202 and whether it counts, once it is durable.
pub(crate) async fn handle(
    worker: &Arc<Worker>,
    kind: Kind,
    arrival: &Arrival,
    request: Request<Incoming>,
) -> Response<AnswerBody> {
    match accept(worker, kind, request).await {
        Ok(counted) => accepted(counted),
        Err(problem) => problem.answer(arrival.id),
    }
}

async fn accept(
    worker: &Arc<Worker>,
    kind: Kind,
    request: Request<Incoming>,
) -> Result<Counted, Problem> {
    if request.method() != Method::POST {
        return Err(Problem::BAD_METHOD);
    }
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_BYTES_MAX).collect();
    let body = tokio::time::timeout(BODY_WAIT_MAX, body)
        .await
        .map_err(|_| Problem::UPLOAD_STALLED)?
        .map_err(|_| Problem::TOO_LARGE)?
        .to_bytes();
    let said: Said = serde_json::from_slice(&body).map_err(|_| unreadable(kind))?;
    let field = parts.headers.get(headers::TICKET).and_then(|value| value.to_str().ok());
    let text = field.or(said.ticket.as_deref()).ok_or(Problem::NO_TICKET)?;
    let core = &worker.core;
    let now = clock::wall_ms();
    let ticket = core.tickets.verify(text, now).map_err(|error| match error {
        TicketError::Forged => Problem::FORGED_TICKET,
        TicketError::Expired => Problem::EXPIRED_TICKET,
    })?;
    let answer = said.answer(kind)?;
    let heard = Arc::clone(core);
    let recorded = core.main.spawn(async move {
        let (agent, version) = (ticket.agent.clone(), ticket.version.clone());
        let counted = heard.ports.events.answer(ticket, answer, now).await?;
        if let (Counted::Yes, Answer::Feedback(score)) = (counted, answer) {
            heard.observed.voted(agent, version, score);
        }
        Ok::<_, PortError>(counted)
    });
    match tokio::time::timeout(PORT_WAIT_MAX, recorded).await {
        Ok(Ok(Ok(counted))) => Ok(counted),
        _ => Err(Problem::NOT_RECORDED),
    }
}

fn accepted(counted: Counted) -> Response<AnswerBody> {
    let body: &[u8] = match counted {
        Counted::Yes => br#"{"counted":true}"#,
        Counted::Before => br#"{"counted":false}"#,
    };
    let mut answer = Response::new(AnswerBody::own(Bytes::from_static(body)));
    *answer.status_mut() = StatusCode::ACCEPTED;
    let json = HeaderValue::from_static("application/json");
    answer.headers_mut().insert(header::CONTENT_TYPE, json);
    answer
}
