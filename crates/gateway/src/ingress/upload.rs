//! A request's body on its way to the version.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::aside::copy::Draft;

/// Why a body did not arrive whole.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error("the body is larger than allowed")]
    TooLarge,
    #[error("the client did not send the whole body")]
    ClientGone(#[source] hyper::Error),
}

/// Where an upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UploadState {
    /// The version is to take what was read.
    Sending,
    /// The client is to send more.
    WaitingForClient,
    /// All was read.
    Done,
    /// The client sent too much.
    TooLarge,
    /// The client left.
    ClientGone,
}

/// Seen from outside the connection that sends the body.
#[derive(Debug)]
pub(crate) struct UploadWatch {
    origin: Instant,
    state: AtomicU8,
    progress_us: AtomicU64,
    /// Time for which the client was waited for, without the wait that is under way.
    waited_us: AtomicU64,
    /// When that one began; [`NOT_WAITING`] when there is none.
    waiting_since_us: AtomicU64,
}

const NOT_WAITING: u64 = u64::MAX;

impl UploadWatch {
    fn new() -> Self {
        let state = AtomicU8::new(UploadState::Sending as u8);
        Self {
            origin: Instant::now(),
            state,
            progress_us: AtomicU64::new(0),
            waited_us: AtomicU64::new(0),
            waiting_since_us: AtomicU64::new(NOT_WAITING),
        }
    }

    fn now_us(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    fn set(&self, state: UploadState) {
        self.state.store(state as u8, Ordering::Relaxed);
        let now = self.now_us();
        let waiting_since = self.waiting_since_us.load(Ordering::Relaxed);
        match (state == UploadState::WaitingForClient, waiting_since == NOT_WAITING) {
            (true, true) => self.waiting_since_us.store(now, Ordering::Relaxed),
            (true, false) => {}
            (false, was_not) => {
                if !was_not {
                    self.waiting_since_us.store(NOT_WAITING, Ordering::Relaxed);
                    let waited = now.saturating_sub(waiting_since);
                    self.waited_us.fetch_add(waited, Ordering::Relaxed);
                }
                self.progress_us.store(now, Ordering::Relaxed);
            }
        }
    }

    /// For how long the client was the one who was waited for.
    pub(crate) fn waited_for_client(&self) -> Duration {
        let open = match self.waiting_since_us.load(Ordering::Relaxed) {
            NOT_WAITING => 0,
            since => self.now_us().saturating_sub(since),
        };
        Duration::from_micros(self.waited_us.load(Ordering::Relaxed).saturating_add(open))
    }

    /// Where it is.
    pub(crate) fn state(&self) -> UploadState {
        match self.state.load(Ordering::Relaxed) {
            0 => UploadState::Sending,
            1 => UploadState::WaitingForClient,
            2 => UploadState::Done,
            3 => UploadState::TooLarge,
            _ => UploadState::ClientGone,
        }
    }

    /// When it last moved.
    pub(crate) fn progressed_at(&self) -> Instant {
        self.origin + Duration::from_micros(self.progress_us.load(Ordering::Relaxed))
    }
}

/// The body: what was peeked at, then the rest.
#[derive(Debug)]
pub(crate) struct Upload {
    peeked: VecDeque<Bytes>,
    rest: Option<Incoming>,
    /// Bytes of the rest that are still allowed.
    left: u64,
    watch: Option<Arc<UploadWatch>>,
    /// A copy that is made of what passes.
    copy: Option<Draft>,
}

impl Upload {
    /// No body.
    pub(crate) fn none() -> Self {
        Self { peeked: VecDeque::new(), rest: None, left: 0, watch: None, copy: None }
    }

    /// A body of which `peeked` was read already; `left` bytes may follow.
    pub(crate) fn new(peeked: VecDeque<Bytes>, rest: Option<Incoming>, left: u64) -> Self {
        let rest = rest.filter(|rest| !rest.is_end_stream());
        let upload = Self { peeked, rest, left, watch: None, copy: None };
        if upload.is_end_stream() { upload } else { upload.watched() }
    }

    fn watched(self) -> Self {
        Self { watch: Some(Arc::new(UploadWatch::new())), ..self }
    }

    /// Makes a copy of what passes from here on.
    pub(crate) fn copy_to(&mut self, copy: Draft) {
        if self.is_end_stream() {
            copy.submit();
        } else {
            self.copy = Some(copy);
        }
    }

    /// Data passes, perhaps the last.
    fn passed(&mut self, data: Option<&Bytes>, ended: bool) {
        if let (Some(copy), Some(data)) = (&mut self.copy, data) {
            copy.saw(data);
        }
        if ended && let Some(copy) = self.copy.take() {
            copy.submit();
        }
        self.set(if ended { UploadState::Done } else { UploadState::Sending });
    }

    /// `None` for requests without a body.
    pub(crate) fn watch(&self) -> Option<Arc<UploadWatch>> {
        self.watch.clone()
    }

    fn set(&self, state: UploadState) {
        if let Some(watch) = &self.watch {
            watch.set(state);
        }
    }

    fn poll_rest(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let Some(rest) = &mut self.rest else { return Poll::Ready(None) };
        let polled = Pin::new(rest).poll_frame(cx);
        if polled.is_pending() {
            self.set(UploadState::WaitingForClient);
        }
        let frame = match ready!(polled) {
            None => None,
            Some(Ok(frame)) => Some(frame),
            Some(Err(error)) => {
                self.set(UploadState::ClientGone);
                return Poll::Ready(Some(Err(UploadError::ClientGone(error))));
            }
        };
        let size = frame.as_ref().and_then(Frame::data_ref).map_or(0, Bytes::len) as u64;
        let Some(left) = self.left.checked_sub(size) else {
            self.set(UploadState::TooLarge);
            return Poll::Ready(Some(Err(UploadError::TooLarge)));
        };
        self.left = left;
        let ended = frame.is_none() || self.rest.as_ref().is_some_and(Body::is_end_stream);
        self.passed(frame.as_ref().and_then(Frame::data_ref), ended);
        Poll::Ready(frame.map(Ok))
    }
}

impl Body for Upload {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = self.get_mut();
        if let Some(bytes) = this.peeked.pop_front() {
            let ended = this.is_end_stream();
            this.passed(Some(&bytes), ended);
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        this.poll_rest(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.peeked.is_empty() && self.rest.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let peeked: u64 = self.peeked.iter().map(|bytes| bytes.len() as u64).sum();
        let rest = self.rest.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint);
        let mut hint = SizeHint::new();
        hint.set_lower(peeked + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(peeked + upper);
        }
        hint
    }
}
