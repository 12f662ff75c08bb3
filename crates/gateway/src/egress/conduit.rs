//! An answer that passes as it comes, with a limit on its size and on every silence in it. Whoever looks at it meanwhile
//! says in the end what became of the action.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body as _, Frame};
use hyper::body::Incoming;
use lockgate_model::identity::Identity;
use tokio::time::Sleep;
use tokio_util::sync::WaitForCancellationFutureOwned;

use crate::egress::calls::UnderWay;
use crate::egress::listener::Egress;
use crate::egress::outcome::{End, Open, STOPPED, TOO_LONG, silent_until};
use crate::egress::relay::Broken;
use crate::egress::standing;

/// Whoever looks at an answer.
pub(crate) trait Look: Send {
    /// The next part as it came; adds what is passed on.
    fn take(&mut self, part: Bytes, pass: &mut VecDeque<Bytes>) -> Result<(), (End, &'static str)>;

    /// The answer came to its end as HTTP sees it, with what is still to be passed on.
    fn over(self: Box<Self>, open: &mut Open, pass: &mut VecDeque<Bytes>) -> End;

    /// The client left before that. It may have had everything that it wanted.
    fn left(self: Box<Self>, open: &mut Open) -> End;
}

/// Nobody looks at what passes.
pub(crate) struct Unseen(
    /// How the action ended, by the head of the answer.
    pub(crate) End,
);

impl Look for Unseen {
    fn take(&mut self, part: Bytes, pass: &mut VecDeque<Bytes>) -> Result<(), (End, &'static str)> {
        pass.push_back(part);
        Ok(())
    }

    fn over(self: Box<Self>, _: &mut Open, _: &mut VecDeque<Bytes>) -> End {
        self.0
    }

    fn left(self: Box<Self>, _: &mut Open) -> End {
        End::Cancelled
    }
}

/// An answer under way.
pub(crate) struct Conduit {
    inner: Option<Incoming>,
    egress: Arc<Egress>,
    identity: Identity,
    /// Its place among the calls under way.
    _under_way: Arc<UnderWay>,
    /// Ready when the caller or the tool is stopped.
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    look: Option<Box<dyn Look>>,
    open: Option<Open>,
    ready: VecDeque<Bytes>,
    bytes: u64,
    silence_max: Duration,
    silence: Pin<Box<Sleep>>,
}

impl Conduit {
    /// Of a server's body, for somebody who may go on for now.
    pub(crate) fn new(
        inner: Incoming,
        egress: Arc<Egress>,
        (identity, under_way): (Identity, Arc<UnderWay>),
        look: Box<dyn Look>,
        open: Open,
        silence_max: Duration,
    ) -> Self {
        let cut = Box::pin(under_way.cut.clone().cancelled_owned());
        let silence = tokio::time::sleep_until(silent_until(Some(&open), silence_max));
        Self {
            inner: Some(inner),
            egress,
            identity,
            _under_way: under_way,
            cut,
            look: Some(look),
            open: Some(open),
            ready: VecDeque::new(),
            bytes: 0,
            silence_max,
            silence: Box::pin(silence),
        }
    }

    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
            if self.inner.is_some() && self.cut.as_mut().poll(cx).is_ready() {
                return self.broken(End::Cut(STOPPED), STOPPED);
            }
            if self.inner.is_some() && self.open.as_ref().is_some_and(Open::is_over) {
                return self.broken(End::Cut(TOO_LONG), TOO_LONG);
            }
            let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
            match Pin::new(inner).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let until = silent_until(self.open.as_ref(), self.silence_max);
                    self.silence.as_mut().reset(until);
                    if let Ok(part) = frame.into_data()
                        && let Err((end, why)) = self.take(part)
                    {
                        return self.broken(end, why);
                    }
                }
                Poll::Ready(Some(Err(_))) => {
                    return self.broken(End::Cut("the server hung up"), "the server hung up");
                }
                Poll::Ready(None) => self.over(),
                Poll::Pending => {
                    if self.silence.as_mut().poll(cx).is_ready() {
                        if self.open.as_ref().is_some_and(Open::is_over) {
                            return self.broken(End::Cut(TOO_LONG), TOO_LONG);
                        }
                        return self.broken(End::Timeout, "the server fell silent");
                    }
                    return Poll::Pending;
                }
            }
        }
    }

    fn take(&mut self, part: Bytes) -> Result<(), (End, &'static str)> {
        if standing::is_gone(&self.egress, &self.identity) {
            let why = "the caller may not go on";
            return Err((End::Cut(why), why));
        }
        self.bytes = self.bytes.saturating_add(part.len() as u64);
        if self.open.as_ref().is_some_and(|open| !open.has_room(self.bytes)) {
            let why = "it is larger than allowed";
            return Err((End::Cut(why), why));
        }
        match &mut self.look {
            Some(look) => look.take(part, &mut self.ready),
            None => Ok(()),
        }
    }

    fn over(&mut self) {
        self.inner = None;
        if let (Some(look), Some(mut open)) = (self.look.take(), self.open.take()) {
            let end = look.over(&mut open, &mut self.ready);
            open.end(end);
        }
    }

    /// What was about to be passed on is not: a client must see that the answer broke off.
    fn broken(
        &mut self,
        end: End,
        why: &'static str,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        // The server's connection ends with it.
        self.inner = None;
        self.ready.clear();
        if let (Some(look), Some(mut open)) = (self.look.take(), self.open.take()) {
            // It may have been seen already what was used.
            look.left(&mut open);
            open.end(end);
        }
        Poll::Ready(Some(Err(Broken(why))))
    }
}

impl Drop for Conduit {
    fn drop(&mut self) {
        if let (Some(look), Some(mut open)) = (self.look.take(), self.open.take()) {
            let end = look.left(&mut open);
            open.end(end);
        }
    }
}
