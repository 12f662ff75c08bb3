//! Bodies of requests, of which few are large and all have to be held: small ones always have room, and what large ones
//! hold together has a limit, taken as their bytes come.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::StatusCode;
use http_body::Body;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::failure::Failure;

/// The largest request; pictures and documents are in it.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What takes no room.
const SMALL_BYTES_MAX: usize = 1024 * 1024;
/// How long a body may take to arrive.
const BODY_WAIT_MAX: Duration = Duration::from_secs(30);

/// A whole body, and the room that it takes as long as this is kept.
pub(super) struct Held {
    pub(super) bytes: Bytes,
    pub(super) room: Option<OwnedSemaphorePermit>,
}

/// Reads one. `large` counts kilobytes.
pub(super) async fn read<B>(body: B, large: &Arc<Semaphore>) -> Result<Held, Failure>
where
    B: Body<Data = Bytes> + Unpin,
{
    match tokio::time::timeout(BODY_WAIT_MAX, collect(body, large)).await {
        Ok(read) => read,
        Err(_) => Err(Failure::new(
            StatusCode::REQUEST_TIMEOUT,
            &format!("The request did not arrive within {} s.", BODY_WAIT_MAX.as_secs()),
        )),
    }
}

async fn collect<B>(mut body: B, large: &Arc<Semaphore>) -> Result<Held, Failure>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut bytes = BytesMut::new();
    let mut room: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| {
            Failure::new(StatusCode::BAD_REQUEST, "The request broke off before its end.")
        })?;
        let Ok(part) = frame.into_data() else { continue };
        let len = bytes.len() + part.len();
        if len > BODY_BYTES_MAX {
            let why = format!("A request has at most {BODY_BYTES_MAX} bytes.");
            return Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, &why));
        }
        if len > SMALL_BYTES_MAX {
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
) -> Result<(), Failure> {
    let full = |_| {
        let why = "Too many large requests are under way; try again in a moment.";
        Failure::new(StatusCode::SERVICE_UNAVAILABLE, why)
    };
    let kib = u32::try_from(kib).unwrap_or(u32::MAX);
    let more = Arc::clone(large).try_acquire_many_owned(kib).map_err(full)?;
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

    async fn kib_of(kib: usize, large: &Arc<Semaphore>) -> Result<Held, StatusCode> {
        let body = Full::new(Bytes::from(vec![b' '; kib * 1024]));
        read(body, large).await.map_err(|failure| failure.status())
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
            async move { read(body, &large).await.map_err(|failure| failure.status()) }
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
