//! Listening, limits on everything, and going down without cutting anyone off.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;

use crate::auth::AskedBy;
use crate::connections::{Connections, Place, Sending};
use crate::console::page::PageError;
use crate::problem::{ApiError, Kind};
use crate::state::App;
use crate::{Deps, Options, console, refusals, routes};

/// Largest body: a configuration is the largest thing that is sent here.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Largest head of a request.
const HEAD_BYTES_MAX: usize = 32 * 1024;
const HEADERS_MAX: usize = 64;
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// From the head of a request to the head of its answer; more than a command may wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
/// People signing in at once, and the time one may take.
const SIGN_INS_MAX: usize = 16;
const SIGN_IN_TIMEOUT: Duration = Duration::from_secs(3);
/// Requests being answered at once.
const IN_FLIGHT_MAX: usize = 256;
/// How long requests under way may take to finish when the server goes down.
const DRAIN: Duration = Duration::from_secs(5);

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {listen}")]
    Listen {
        /// Which.
        listen: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// The running server.
pub struct Api {
    local: SocketAddr,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

impl Api {
    /// Starts to listen and answer.
    pub async fn start(options: Options, deps: Deps) -> Result<Self, StartError> {
        let listen = options.listen;
        let failed = |source| StartError::Listen { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let local = listener.local_addr().map_err(failed)?;
        let (stop, stopping) = watch::channel(false);
        let connections = Connections::new(options.connections_max);
        let app = App::new(options, deps, stopping.clone());
        let refused = tokio::spawn(refusals::run(app.clone()));
        let served = serve(listener, connections, router(app.clone()), stopping);
        let serving = tokio::spawn(async move {
            served.await;
            if let Err(error) = refused.await {
                tracing::error!(%error, "refusals were not told in order");
            }
            refusals::flush(&app).await;
        });
        Ok(Self { local, stop, serving })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// Stops to listen, ends event streams, and lets requests under way finish, for a while.
    pub async fn shutdown(self) {
        self.stop.send_replace(true);
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "the API did not go down in order");
        }
    }
}

fn router(app: App) -> Router {
    let (rest, _) = routes::router().split_for_parts();
    let places = Places {
        known: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
        sign_in: Arc::new(Semaphore::new(SIGN_INS_MAX)),
    };
    rest.merge(console::router())
        .fallback(no_such_path)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(middleware::from_fn_with_state(places, limited))
        .layer(middleware::from_fn(secured))
        .layer(middleware::from_fn_with_state(app.clone(), counted))
        .with_state(app)
}

const OTHER_VERSION: &str = "the server and this command may be of different versions";

async fn no_such_path(request: Request) -> Response {
    let path = request.uri().path();
    if is_for_people(&request) {
        return PageError(ApiError::not_found(format_args!("page `{path}`"))).into_response();
    }
    ApiError::not_found(format_args!("path `{path}`"))
        .hint("`GET /api/v1/openapi.json` lists all paths.")
        .cli_hint(OTHER_VERSION)
        .into_response()
}

async fn no_such_method(request: Request) -> Response {
    let what = format!("`{}` has no method {}.", request.uri().path(), request.method());
    let error = ApiError::new(Kind::MethodNotAllowed, what);
    if is_for_people(&request) {
        return PageError(error).into_response();
    }
    error
        .hint("`GET /api/v1/openapi.json` lists all methods.")
        .cli_hint(OTHER_VERSION)
        .into_response()
}

/// Whether a browser asks, outside the API: it gets a page with a way back.
fn is_for_people(request: &Request) -> bool {
    let path = request.uri().path();
    let of_api = path == "/api" || path.starts_with("/api/");
    let accepts = request.headers().get_all(header::ACCEPT).iter();
    !of_api
        && accepts.filter_map(|value| value.to_str().ok()).any(|value| value.contains("text/html"))
}

/// Places for requests under way. Signing in reads a body before anyone is known, so it has few
/// places of its own and little time: strangers cannot take those of operators.
#[derive(Clone)]
struct Places {
    known: Arc<Semaphore>,
    sign_in: Arc<Semaphore>,
}

/// Bounds how many are answered at once and how long one may take.
async fn limited(State(places): State<Places>, request: Request, next: Next) -> Response {
    let signs_in = request.method() == http::Method::POST && request.uri().path() == "/sign-in";
    let (places, limit) =
        if signs_in { (&places.sign_in, SIGN_IN_TIMEOUT) } else { (&places.known, ANSWER_TIMEOUT) };
    let Ok(_permit) = places.try_acquire() else {
        return ApiError::new(Kind::Unavailable, "Too many requests are under way.")
            .into_response();
    };
    match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(
            Kind::Timeout,
            format!("The request was not answered within {} s.", limit.as_secs()),
        )
        .into_response(),
    }
}

/// Headers that every answer carries.
pub(crate) async fn secured(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name, value| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CACHE_CONTROL, "no-store");
    // not `no-referrer`: browsers would then send `Origin: null` with the console's own forms
    set(header::REFERRER_POLICY, "same-origin");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'");
    response
}

async fn counted(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let method = request.method().clone();
    let asked_by = AskedBy::default();
    request.extensions_mut().insert(asked_by.clone());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let response = next.run(request).await;
    let status = response.status();
    let route = route.as_ref().map(MatchedPath::as_str);
    app.requests.answered(&method, route, status.as_u16());
    if status == StatusCode::FORBIDDEN
        && !method.is_safe()
        && let (Some(who), Some(route)) = (asked_by.name(), route)
    {
        refusals::note_request(&app, who, &method, route).await;
    }
    if status >= StatusCode::INTERNAL_SERVER_ERROR {
        tracing::warn!(%method, route, status = status.as_u16(), "a request failed");
    }
    response
}

/// Answers until told to stop.
pub(crate) async fn serve(
    listener: TcpListener,
    connections: Connections,
    router: Router,
    mut stopping: watch::Receiver<bool>,
) {
    let graceful = GracefulShutdown::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    if let Some(admitted) = connections.admit(peer.ip()) {
                        connect(stream, admitted, &router, &graceful);
                    } else {
                        tracing::debug!(%peer, "no connection is idle that could make room");
                    }
                }
                Err(error) => {
                    // out of file descriptors, mostly: give some time to come back
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            // the only change there is: it goes down
            _ = stopping.changed() => break,
        }
    }
    drop(listener);
    if tokio::time::timeout(DRAIN, graceful.shutdown()).await.is_err() {
        tracing::warn!("requests were still under way when the API went down");
    }
}

fn connect(
    stream: TcpStream,
    (place, left): (Place, oneshot::Receiver<()>),
    router: &Router,
    graceful: &GracefulShutdown,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection keeps Nagle's algorithm");
    }
    let router = TowerToHyperService::new(router.clone());
    let answer = service_fn(move |request| {
        let busy = place.busy();
        let answered = router.call(request);
        async move { Ok::<_, Infallible>(answered.await?.map(|body| Sending::new(body, busy))) }
    });
    // Its time for a head runs from the end of the answer before: that is how long one may idle.
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), answer);
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        tokio::select! {
            ended = pin!(connection) => if let Err(error) = ended {
                tracing::debug!(%error, "a connection ended early");
            },
            _ = left => {}
        }
    });
}
