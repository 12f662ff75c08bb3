//! Bodies of requests, of which few are large and all have to be held: small ones always have room, and what large ones
//! hold together has a limit, taken as their bytes come.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How large a body may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) bytes_max: usize,
    /// Up to there it takes no room.
    pub(super) small_bytes_max: usize,
}

/// How long a body may take to arrive.
const BODY_WAIT_MAX: Duration = Duration::from_secs(30);

/// A whole body, and the room that it takes as long as this is kept.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// Reads one; `large` counts kilobytes. Else the status that says why not: 413 too large, 408 too slow, 503 no room, 400 it
/// broke off.
pub(super) async fn read<B>(
    body: B,
    sizes: Sizes,
    large: &Arc<Semaphore>,
) -> Result<Held, StatusCode>
where
    B: Body<Data = Bytes> + Unpin,
{
    let read = tokio::time::timeout(BODY_WAIT_MAX, collect(body, sizes, large)).await;
    read.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))
}

async fn collect<B>(mut body: B, sizes: Sizes, large: &Arc<Semaphore>) -> Result<Held, StatusCode>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut bytes = BytesMut::new();
    let mut room: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
        let Ok(part) = frame.into_data() else { continue };
        let len = bytes.len() + part.len();
        if len > sizes.bytes_max {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        if len > sizes.small_bytes_max {
            let has = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            take(&mut room, large, len.div_ceil(1024).saturating_sub(has))?;
        }
        bytes.extend_from_slice(&part);
    }
    Ok(Held { bytes: bytes.freeze(), room })
}

/// Takes so many kilobytes more.
fn take(
    room: &mut Option<OwnedSemaphorePermit>,
    large: &Arc<Semaphore>,
    kib: usize,
) -> Result<(), StatusCode> {
    let kib = u32::try_from(kib).unwrap_or(u32::MAX);
    let more = Arc::clone(large).try_acquire_many_owned(kib);
    let more = more.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    match room {
        Some(room) => room.merge(more),
        None => *room = Some(more),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http_body::Frame;
    use http_body_util::{Full, StreamBody};

    use super::*;

    const SIZES: Sizes = Sizes { bytes_max: 32 * 1024 * 1024, small_bytes_max: 1024 * 1024 };

    async fn kib_of(kib: usize, large: &Arc<Semaphore>) -> Result<Held, StatusCode> {
        let body = Full::new(Bytes::from(vec![b' '; kib * 1024]));
        read(body, SIZES, large).await
    }

    #[tokio::test]
    async fn large_bodies_share_what_there_is_and_small_ones_need_none() {
        let large = Arc::new(Semaphore::new(5_000));
        let first = kib_of(3_000, &large).await.unwrap();
        assert_eq!((first.bytes.len(), large.available_permits()), (3_000 * 1024, 2_000));
        assert_eq!(kib_of(3_000, &large).await.err(), Some(StatusCode::SERVICE_UNAVAILABLE));
        assert_eq!(large.available_permits(), 2_000, "what is refused holds nothing");
        let small = kib_of(1_024, &large).await.unwrap();
        assert!(small.room.is_none());
        drop(first);
        assert!(kib_of(3_000, &large).await.is_ok());
        assert_eq!(large.available_permits(), 5_000);
        let all = Arc::new(Semaphore::new(64 * 1024));
        assert_eq!(kib_of(32 * 1024 + 1, &all).await.err(), Some(StatusCode::PAYLOAD_TOO_LARGE));
        assert!(kib_of(32 * 1024, &all).await.is_ok());
    }

    #[tokio::test]
    async fn room_is_taken_as_bytes_come() {
        let large = Arc::new(Semaphore::new(5_000));
        let (sender, parts) = tokio::sync::mpsc::channel::<Bytes>(4);
        let frames = futures_util::stream::unfold(parts, |mut parts| async move {
            let part = parts.recv().await?;
            Some((Ok::<_, Infallible>(Frame::data(part)), parts))
        });
        let body = StreamBody::new(Box::pin(frames));
        let reading = tokio::spawn({
            let large = Arc::clone(&large);
            async move { read(body, SIZES, &large).await }
        });
        for _ in 0..2 {
            sender.send(vec![0; 1024 * 1024].into()).await.unwrap();
        }
        while large.available_permits() == 5_000 {
            tokio::task::yield_now().await;
        }
        assert_eq!(large.available_permits(), 5_000 - 2_048);
        drop(sender);
        let held = reading.await.unwrap().unwrap();
        assert_eq!(held.bytes.len(), 2 * 1024 * 1024);
    }
}
