//! One request and the head of its answer, over a leased connection: waiting, retrying where that
//! is safe, and putting failures into words.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{HeaderMap, Method, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;

use crate::ingress::problem::Problem;
use crate::ingress::upload::{Upload, UploadState, UploadWatch};
use crate::ingress::worker::{Lease, LeaseError, Worker};
use crate::table::{AgentRoute, Target};

/// What came back.
pub(crate) struct Exchanged {
    pub(crate) response: Response<Incoming>,
    pub(crate) lease: Lease,
}

/// Why nothing came back.
pub(crate) enum ExchangeError {
    /// The version was closed before anything was sent: here is the request again.
    Closed(Box<Request<Upload>>),
    /// It failed.
    Failed(Problem),
}

/// The head of a request without body, kept in case its idle connection turns out to be dead.
struct Spare {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Spare {
    /// Only what may be done twice and can be sent again whole (RFC 9110, section 9.2.2).
    fn of(request: &Request<Upload>) -> Option<Self> {
        let again = request.method().is_idempotent() && request.body().watch().is_none();
        again.then(|| Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        })
    }

    fn request(self) -> Request<Upload> {
        let mut request = Request::new(Upload::none());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}

/// Sends `request` to `target`. Tried twice at most, and the second time only if the version cannot
/// have acted on the first.
pub(crate) async fn exchange(
    worker: &Arc<Worker>,
    agent: &AgentRoute,
    target: &Target,
    forced: bool,
    mut request: Request<Upload>,
) -> Result<Exchanged, ExchangeError> {
    let watch = request.body().watch();
    let mut last = false;
    loop {
        let leased = worker.lease(target, forced, last, agent.connect_timeout()).await;
        let mut lease = match leased {
            Ok(lease) => lease,
            Err(LeaseError::Closed) => return Err(ExchangeError::Closed(Box::new(request))),
            Err(LeaseError::Failed(problem)) if last || problem != Problem::UNREACHABLE => {
                return Err(ExchangeError::Failed(problem));
            }
            Err(LeaseError::Failed(_)) => {
                last = true;
                continue;
            }
        };
        let spare = if lease.reused && !last { Spare::of(&request) } else { None };
        let sent = lease.sender.try_send_request(request);
        let error = match wait(sent, agent, watch.as_deref()).await {
            Ok(Ok(response)) => return Ok(Exchanged { response, lease }),
            Ok(Err(error)) => error,
            Err(problem) => return Err(ExchangeError::Failed(problem)),
        };
        request = match again(&lease, error, spare, watch.as_deref(), last) {
            Ok(request) => request,
            Err(problem) => return Err(ExchangeError::Failed(problem)),
        };
        last = true;
    }
}

/// The request for a second try, or what is wrong.
fn again(
    lease: &Lease,
    mut error: TrySendError<Request<Upload>>,
    spare: Option<Spare>,
    watch: Option<&UploadWatch>,
    last: bool,
) -> Result<Request<Upload>, Problem> {
    let unsent = error.take_message();
    let error = error.into_error();
    let problem = problem_of(lease, &error, watch);
    if last || problem != Problem::RESET {
        return Err(problem);
    }
    // Given back: not a byte of it was written.
    unsent.or_else(|| spare.map(Spare::request)).ok_or(problem)
}

fn problem_of(lease: &Lease, error: &hyper::Error, watch: Option<&UploadWatch>) -> Problem {
    if lease.is_cut() {
        return Problem::CUT;
    }
    match watch.map(UploadWatch::state) {
        Some(UploadState::TooLarge) => return Problem::TOO_LARGE,
        Some(UploadState::ClientGone) => return Problem::CLIENT_GONE,
        // A version that gives up on a body that does not arrive is not to blame.
        Some(UploadState::WaitingForClient) => return Problem::UPLOAD_STALLED,
        _ => {}
    }
    if error.is_parse() { Problem::PROTOCOL } else { Problem::RESET }
}

type Sent = Result<Response<Incoming>, TrySendError<Request<Upload>>>;

/// Waits for the head of the answer. The time for the first byte counts from the last movement of
/// the upload; while the client is the one who keeps us waiting, its idle time counts instead.
async fn wait(
    sent: impl Future<Output = Sent>,
    agent: &AgentRoute,
    watch: Option<&UploadWatch>,
) -> Result<Sent, Problem> {
    let mut sent = std::pin::pin!(sent);
    let started = Instant::now();
    let first_byte = agent.first_byte_timeout();
    let mut sleep = std::pin::pin!(tokio::time::sleep(first_byte));
    loop {
        tokio::select! {
            biased;
            sent = &mut sent => return Ok(sent),
            () = &mut sleep => {}
        }
        let (since, state) = watch
            .map_or((started, UploadState::Done), |watch| (watch.progressed_at(), watch.state()));
        let (limit, problem) = match state {
            UploadState::WaitingForClient => (agent.idle_timeout(), Problem::UPLOAD_STALLED),
            _ => (first_byte, Problem::TIMEOUT),
        };
        let left = limit.saturating_sub(since.elapsed());
        if left.is_zero() {
            return Err(problem);
        }
        // Whose turn it is may change meanwhile, so look again by the shorter of the two limits.
        let again = left.min(first_byte).max(Duration::from_millis(1));
        sleep.as_mut().reset(tokio::time::Instant::now() + again);
    }
}
