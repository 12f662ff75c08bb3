//! Versions of an agent as real servers.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;
type Answer = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// A server that counts.
pub(crate) struct Upstream {
    pub(crate) at: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    pub(crate) requests: Arc<AtomicUsize>,
    /// Heads of all requests.
    pub(crate) seen: Arc<Mutex<Vec<http::request::Parts>>>,
    stop: CancellationToken,
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(crate) fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(|never| match never {}).boxed_unsync()
}

/// A body that is sent piece by piece, and its sender.
pub(crate) fn pieces() -> (mpsc::Sender<io::Result<Bytes>>, Body) {
    let (sender, mut receiver) = mpsc::channel::<io::Result<Bytes>>(1);
    let stream = futures_util::stream::poll_fn(move |cx| {
        receiver.poll_recv(cx).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    });
    (sender, StreamBody::new(stream).boxed_unsync())
}

impl Upstream {
    pub(crate) async fn start<F, R>(answer: F) -> Self
    where
        F: Fn(Request<Incoming>) -> R + Send + Sync + 'static,
        R: Future<Output = Response<Body>> + Send + 'static,
    {
        let answer: Arc<dyn Fn(Request<Incoming>) -> Answer + Send + Sync> =
            Arc::new(move |request| Box::pin(answer(request)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            at: listener.local_addr().unwrap(),
            connections: Arc::default(),
            requests: Arc::default(),
            seen: Arc::default(),
            stop: CancellationToken::new(),
        };
        let (connections, requests) = (upstream.connections.clone(), upstream.requests.clone());
        let (seen, stop) = (upstream.seen.clone(), upstream.stop.clone());
        tokio::spawn(async move {
            while let Some(Ok((stream, _))) = stop.run_until_cancelled(listener.accept()).await {
                connections.fetch_add(1, Ordering::SeqCst);
                let (answer, requests, seen) = (answer.clone(), requests.clone(), seen.clone());
                let service = service_fn(move |request: Request<Incoming>| {
                    requests.fetch_add(1, Ordering::SeqCst);
                    let (parts, body) = request.into_parts();
                    seen.lock().unwrap().push(parts.clone());
                    let answering = answer(Request::from_parts(parts, body));
                    async move { Ok::<_, Infallible>(answering.await) }
                });
                let stop = stop.clone();
                tokio::spawn(async move {
                    let connection =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    let _ = stop.run_until_cancelled(connection).await;
                });
            }
        });
        upstream
    }

    /// Says its name; echoes the request's body.
    pub(crate) async fn named(name: &'static str) -> Self {
        Self::start(move |request| async move {
            let (parts, body) = request.into_parts();
            let Ok(body) = body.collect().await else { return Response::new(full("")) };
            let mut answer = Response::builder().header("x-name", name);
            for name in ["content-type", "content-encoding"] {
                if let Some(value) = parts.headers.get(name) {
                    answer = answer.header(name, value);
                }
            }
            answer.body(full(body.to_bytes())).unwrap()
        })
        .await
    }

    /// Answers every connection's first request with these bytes, then closes.
    pub(crate) async fn raw(bytes: &'static [u8]) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 4_096];
                    let _ = stream.read(&mut buffer).await;
                    let _ = stream.write_all(bytes).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        at
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A port that nothing listens on.
pub(crate) async fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
