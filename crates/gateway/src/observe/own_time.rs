//! How long a request takes of its version. The time that its client takes, to send the request or to
//! take the answer, is the client's.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ingress::upload::UploadWatch;

/// A version's own time of one request. It stands still while the client is the one who is waited for.
#[derive(Debug)]
pub(crate) struct OwnTime {
    started: Instant,
    /// What was the client's, as far as it is over.
    of_client: Duration,
    /// The request's body on its way.
    upload: Option<Arc<UploadWatch>>,
    /// What the upload has waited for the client that is settled: counted above, or apart from it.
    settled: Duration,
    /// Since when nobody has asked for more of the answer.
    unasked: Option<Instant>,
}

impl OwnTime {
    /// Of a request that came in then.
    pub(crate) fn since(started: Instant) -> Self {
        Self {
            started,
            of_client: Duration::ZERO,
            upload: None,
            settled: Duration::ZERO,
            unasked: None,
        }
    }

    /// Before anything was sent, the client was waited for.
    pub(crate) fn waited_for_client(&mut self, time: Duration) {
        self.of_client += time;
    }

    /// From here on, the body goes to the version as it comes in.
    pub(crate) fn sends(&mut self, upload: Option<Arc<UploadWatch>>) {
        self.upload = upload;
    }

    /// Something of the answer was handed over. Until more is asked for, the client is waited for.
    pub(crate) fn handed_over(&mut self) {
        let waited = self.upload_waited();
        self.of_client += waited.saturating_sub(self.settled);
        self.settled = waited;
        self.unasked = Some(Instant::now());
    }

    /// More of the answer is asked for. When, if that is news.
    pub(crate) fn asked(&mut self) -> Option<Instant> {
        let unasked = self.unasked.take()?;
        let now = Instant::now();
        self.of_client += now.duration_since(unasked);
        self.settled = self.upload_waited();
        Some(now)
    }

    /// The version's time so far.
    pub(crate) fn elapsed(&self) -> Duration {
        let (until, open) = match self.unasked {
            Some(unasked) => (unasked, Duration::ZERO),
            None => (Instant::now(), self.upload_waited().saturating_sub(self.settled)),
        };
        until.duration_since(self.started).saturating_sub(self.of_client + open)
    }

    fn upload_waited(&self) -> Duration {
        self.upload.as_ref().map_or(Duration::ZERO, |upload| upload.waited_for_client())
    }
}
