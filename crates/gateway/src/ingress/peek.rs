//! A look at the start of a request body for the ids in it; the same bytes go on.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use crate::ingress::problem::Problem;
use crate::protocol::PEEK_BYTES_MAX;

/// What was read.
pub(crate) struct Peeked {
    pub(crate) frames: VecDeque<Bytes>,
    /// `None` when the whole body was read.
    pub(crate) rest: Option<Incoming>,
    /// Its start in one piece: all of it when it is no longer than the limit.
    pub(crate) start: Bytes,
}

/// Reads until the body's end or [`PEEK_BYTES_MAX`]. Trailers end it as well; they are dropped, as
/// they are for every request whose version did not ask for them.
pub(crate) async fn peek(mut body: Incoming, idle: Duration) -> Result<Peeked, Problem> {
    let mut frames = VecDeque::new();
    let mut size = 0;
    while !body.is_end_stream() {
        let frame =
            tokio::time::timeout(idle, body.frame()).await.map_err(|_| Problem::UPLOAD_STALLED)?;
        let Some(frame) = frame else { break };
        let Ok(bytes) = frame.map_err(|_| Problem::CLIENT_GONE)?.into_data() else { break };
        size += bytes.len();
        frames.push_back(bytes);
        if size > PEEK_BYTES_MAX {
            let start = joined(&frames, size);
            return Ok(Peeked { frames, rest: Some(body), start });
        }
    }
    let start = joined(&frames, size);
    Ok(Peeked { frames, rest: None, start })
}

fn joined(frames: &VecDeque<Bytes>, size: usize) -> Bytes {
    let mut start = match frames.len() {
        0 => Bytes::new(),
        1 => frames[0].clone(),
        _ => frames
            .iter()
            .fold(Vec::with_capacity(size), |mut sum, part| {
                sum.extend_from_slice(part);
                sum
            })
            .into(),
    };
    start.truncate(PEEK_BYTES_MAX);
    start
}
