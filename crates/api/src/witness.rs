//! A witness over HTTP, <https://c2sp.org/tlog-witness>: a process of its own, without the REST API around it.
//!
//! Not here: what is cosigned and what is remembered; the audit room decides that. There are no tokens: a checkpoint is
//! worth what its log's signature is worth.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{StatusCode, header};
use lockgate_audit::{AddCheckpoint, Refused, Witness};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::clock::wall_ms;
use crate::connections::Connections;
use crate::server::{StartError, secured, serve};

/// Connections open at once; one address may hold half of them.
const CONNECTIONS_MAX: usize = 256;
/// From the head of a request to the head of its answer, its body included.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Checkpoints looked at once. A body that is still being read takes no place.
const LOOKED_AT_MAX: usize = 16;

const TEXT: &str = "text/plain; charset=utf-8";
/// The type of a size, by the protocol.
const SIZE: &str = "text/x.tlog.size";

/// A witness that listens.
pub struct WitnessServer {
    local: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl WitnessServer {
    /// Starts to listen and answer.
    pub async fn start(listen: SocketAddr, witness: Witness) -> Result<Self, StartError> {
        let failed = |source| StartError::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let (stop, stopping) = watch::channel(false);
        let connections = Connections::new(CONNECTIONS_MAX);
        let serving = tokio::spawn(serve(listener, connections, router(witness), stopping));
        Ok(Self { local, stop, serving })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Stops to listen, and lets requests under way finish, for a while.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "the witness did not go down in order");
        }
    }
}

#[derive(Clone)]
struct Answering {
    witness: Arc<Witness>,
    places: Arc<Semaphore>,
}

fn router(witness: Witness) -> Router {
    let places = Arc::new(Semaphore::new(LOOKED_AT_MAX));
    Router::new()
        .route("/add-checkpoint", post(add_checkpoint))
        .route("/{origin_hash}/checkpoint", get(checkpoint))
        .layer(DefaultBodyLimit::max(AddCheckpoint::MAX_BYTES))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn(secured))
        .with_state(Answering { witness: Arc::new(witness), places })
}

async fn in_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await {
        Ok(response) => response,
        Err(_) => answer(StatusCode::REQUEST_TIMEOUT, TEXT, "the request took too long\n"),
    }
}

async fn add_checkpoint(State(answering): State<Answering>, body: Bytes) -> Response {
    let Answering { witness, places } = answering;
    let Ok(place) = places.acquire_owned().await else {
        return answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the witness is going down\n");
    };
    let now_s = u64::try_from(wall_ms() / 1_000).unwrap_or(0);
    // Once begun it is finished, whoever still waits for it.
    let looked = tokio::task::spawn_blocking(move || {
        let _place = place;
        witness.add_checkpoint(&body, now_s)
    });
    match looked.await {
        Ok(Ok(lines)) => answer(StatusCode::OK, TEXT, lines),
        Ok(Err(refused)) => refusal(&refused),
        Err(error) => {
            tracing::error!(%error, "a checkpoint could not be looked at");
            answer(StatusCode::INTERNAL_SERVER_ERROR, TEXT, "something went wrong here\n")
        }
    }
}

/// Tells the log by the protocol's status, and people as far as it concerns them: anyone can send anything.
fn refusal(refused: &Refused) -> Response {
    let status = match refused {
        Refused::Conflict { size } => {
            return answer(StatusCode::CONFLICT, SIZE, format!("{size}\n"));
        }
        Refused::Malformed(_) => StatusCode::BAD_REQUEST,
        Refused::UnknownLog => StatusCode::NOT_FOUND,
        Refused::NotSigned(_) => {
            tracing::debug!(%refused, "not cosigned");
            StatusCode::FORBIDDEN
        }
        Refused::Inconsistent { why, fork: Some(fork) } => {
            let [cosigned, presented] = &**fork;
            tracing::error!(
                why,
                cosigned,
                presented,
                "a log has two histories: both notes have its signature, keep them as proof"
            );
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Refused::Inconsistent { why, fork: None } => {
            tracing::warn!(why, "a signed checkpoint does not go on from the one before");
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Refused::Unable(why) => {
            tracing::error!(why, "nothing can be cosigned");
            StatusCode::SERVICE_UNAVAILABLE
        }
    };
    answer(status, TEXT, format!("{refused}\n"))
}

async fn checkpoint(
    State(answering): State<Answering>,
    Path(origin_hash): Path<String>,
) -> Response {
    match answering.witness.checkpoint(&origin_hash) {
        Some(note) => answer(StatusCode::OK, TEXT, note),
        None => answer(StatusCode::NOT_FOUND, TEXT, "nothing was cosigned of such a log\n"),
    }
}

fn answer(status: StatusCode, kind: &'static str, body: impl IntoResponse) -> Response {
    (status, [(header::CONTENT_TYPE, kind)], body).into_response()
}
