//! One client's connection, with limits on everything that it sends and on how long it may stall.

use std::error::Error;
use std::pin::Pin;
use std::time::Duration;

use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::HttpService;
use hyper_util::rt::{TokioIo, TokioTimer};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;
use tracing::debug;

/// Time for a request's headers, and for the next request on a connection that is kept alive.
const HEADER_TIMEOUT: Duration = Duration::from_secs(75);
const HEADERS_MAX: usize = 100;
/// Request line and headers together.
const HEAD_BYTES_MAX: usize = 32 * 1024;
/// The largest piece of a body held at once.
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Probes find clients that died without a word, under silent event streams too.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// Whoever does not take what there is for it would hold its place for ever.
fn patient<IO: AsyncRead + AsyncWrite>(
    stream: IO,
    stall_max: Duration,
) -> Pin<Box<TimeoutStream<IO>>> {
    let mut stream = TimeoutStream::new(stream);
    stream.set_write_timeout(Some(stall_max));
    Box::pin(stream)
}

/// Serves until the client leaves; after `drain` no further request.
pub(crate) async fn serve<S>(
    stream: TcpStream,
    stall_max: Duration,
    drain: CancellationToken,
    service: S,
) where
    S: HttpService<Incoming>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::ResBody: 'static,
    <S::ResBody as Body>::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let _ = stream.set_nodelay(true);
    let keep_alive =
        TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE / 3).with_retries(3);
    let _ = SockRef::from(&stream).set_tcp_keepalive(&keep_alive);
    serve_in(stream, stall_max, drain, service).await;
}

/// The same inside of something that is a connection already.
pub(crate) async fn serve_in<IO, S>(
    stream: IO,
    stall_max: Duration,
    drain: CancellationToken,
    service: S,
) where
    IO: AsyncRead + AsyncWrite + Send + 'static,
    S: HttpService<Incoming>,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::ResBody: 'static,
    <S::ResBody as Body>::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(BUFFER_BYTES_MAX)
        .serve_connection(TokioIo::new(patient(stream, stall_max)), service)
        // Only who asks for what comes after a request gets it.
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = drain.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = ended {
        debug!(%error, "a client's connection ended");
    }
}
