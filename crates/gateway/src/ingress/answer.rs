//! The body of an answer: our own few bytes, or the version's, passed on as it comes and watched.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use lockgate_model::interaction::ErrorClass;
use tokio::time::{Instant, Sleep};

use crate::ingress::worker::Lease;
use crate::observe::record::{End, Record};

/// Why an answer was broken off. The client sees a connection that closes before the answer's end,
/// never an answer that looks whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AnswerError {
    #[error("the version's answer broke off")]
    Upstream(#[source] hyper::Error),
    #[error("the version fell silent")]
    Silent,
    #[error("the version was cut off")]
    Cut,
}

/// A body.
pub(crate) enum AnswerBody {
    /// Ours.
    Own(Option<Bytes>),
    /// The version's.
    Passing(Box<Passing>),
}

impl AnswerBody {
    /// Of our own bytes.
    pub(crate) fn own(bytes: Bytes) -> Self {
        Self::Own((!bytes.is_empty()).then_some(bytes))
    }

    /// Of a version's. Server-sent events may be silent for as long as their connection lives.
    pub(crate) fn passing(
        inner: Incoming,
        mut record: Record,
        lease: Lease,
        idle: Option<Duration>,
    ) -> Self {
        if inner.is_end_stream() {
            record.finish(End::Complete);
            lease.release();
            return Self::Own(None);
        }
        let passing =
            Passing { inner, record, lease: Some(lease), idle, sleep: None, asked: Instant::now() };
        Self::Passing(Box::new(passing))
    }
}

/// A version's body under way.
pub(crate) struct Passing {
    inner: Incoming,
    record: Record,
    lease: Option<Lease>,
    idle: Option<Duration>,
    /// Armed at the first silence only: most answers never need it.
    sleep: Option<Pin<Box<Sleep>>>,
    /// When it was asked for what has not come: a version is not silent while nobody listens.
    asked: Instant,
}

impl Passing {
    fn complete(&mut self) {
        self.record.finish(End::Complete);
        if let Some(lease) = self.lease.take() {
            lease.release();
        }
    }

    fn fail(&mut self, class: ErrorClass, error: AnswerError) -> AnswerError {
        self.record.finish(End::Failed(class));
        self.lease = None;
        error
    }

    fn is_cut(&self) -> bool {
        self.lease.as_ref().is_some_and(Lease::is_cut)
    }

    fn broke(&mut self, error: hyper::Error) -> AnswerError {
        if self.is_cut() {
            return self.fail(ErrorClass::GatewayRefused, AnswerError::Cut);
        }
        let class = class_of(&error);
        self.fail(class, AnswerError::Upstream(error))
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<AnswerError> {
        let Some(idle) = self.idle else { return Poll::Pending };
        let deadline = self.asked + idle;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        loop {
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if sleep.deadline() >= deadline {
                return Poll::Ready(self.fail(ErrorClass::Timeout, AnswerError::Silent));
            }
            sleep.as_mut().reset(deadline);
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        if let Some(asked) = self.record.asked() {
            self.asked = asked.into();
        }
        match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(_))) if self.record.is_stopped() => {
                let error = self.fail(ErrorClass::GatewayRefused, AnswerError::Cut);
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(data) = frame.data_ref() {
                    self.record.saw(data);
                }
                if self.inner.is_end_stream() {
                    self.complete();
                } else {
                    self.record.handed_over();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(self.broke(error)))),
            // A connection that we ended looks to its body like an orderly end.
            Poll::Ready(None) if self.is_cut() => {
                let error = self.fail(ErrorClass::GatewayRefused, AnswerError::Cut);
                Poll::Ready(Some(Err(error)))
            }
            Poll::Ready(None) => {
                self.complete();
                Poll::Ready(None)
            }
            Poll::Pending => self.poll_silence(cx).map(|error| Some(Err(error))),
        }
    }
}

/// What broke an answer off: bytes that are no chunks, or an end that came too early.
fn class_of(error: &hyper::Error) -> ErrorClass {
    let io = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    let garbled = io.is_some_and(|io| {
        matches!(io.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
    });
    if garbled || error.is_parse() { ErrorClass::Protocol } else { ErrorClass::StreamError }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        match self.get_mut() {
            Self::Own(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Passing(passing) => passing.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(bytes) => bytes.is_none(),
            Self::Passing(passing) => passing.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            Self::Passing(passing) => passing.inner.size_hint(),
        }
    }
}
