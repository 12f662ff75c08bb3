//! The one writer: collect, write, sync, acknowledge, then grow the tree.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tlog_tiles::{Hash, record_hash};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::disk::{Disk, Segment};
use crate::error::AuditError;
use crate::layout;
use crate::log::{Durability, Shared};
use crate::publish::Head;
use crate::record::{Placed, Step};
use crate::wal;

/// The most records in one batch.
const BATCH: usize = 1024;

pub(crate) enum Message {
    Append(Append),
    Close(oneshot::Sender<()>),
}

pub(crate) struct Append {
    pub(crate) body: String,
    pub(crate) step: Step,
    pub(crate) session: Uuid,
    pub(crate) counter: Arc<AtomicU64>,
    pub(crate) placed: oneshot::Sender<Result<u64, AuditError>>,
}

/// The files of the write-ahead log.
pub(crate) struct Segments {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) root: PathBuf,
    pub(crate) current: Box<dyn Segment>,
    pub(crate) len: u64,
    pub(crate) since: Instant,
    pub(crate) max_bytes: u64,
    pub(crate) max_age: Duration,
}

impl Segments {
    /// Begins a new segment when this one is large or old enough.
    fn rotate(&mut self, next_seq: u64) -> Result<(), AuditError> {
        if self.len == 0 || (self.len < self.max_bytes && self.since.elapsed() < self.max_age) {
            return Ok(());
        }
        let path = layout::segment(&self.root, next_seq);
        self.current = self.disk.open_append(&path).map_err(AuditError::io("begin", &path))?;
        self.len = 0;
        self.since = Instant::now();
        Ok(())
    }
}

pub(crate) struct Committer {
    pub(crate) receiver: mpsc::Receiver<Message>,
    pub(crate) segments: Segments,
    pub(crate) head: Arc<Head>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) durability: Durability,
    pub(crate) next_seq: u64,
    pub(crate) open_intents: HashSet<u64>,
}

/// A batch on its way to disk.
#[derive(Default)]
struct Batch {
    appends: Vec<Append>,
    records: Vec<u8>,
}

impl Committer {
    pub(crate) fn run(mut self) {
        let mut closing = Vec::new();
        while let Some(first) = self.receiver.blocking_recv() {
            let mut batch = Batch::default();
            let mut next = Some(first);
            while let Some(message) = next {
                match message {
                    Message::Append(append) => self.take(append, &mut batch),
                    Message::Close(done) => {
                        self.receiver.close();
                        closing.push(done);
                    }
                }
                let full = batch.appends.len() >= BATCH
                    || batch.records.len() + 2 * crate::RECORD_MAX_BYTES > wal::FRAME_MAX_BYTES;
                next = if full { None } else { self.receiver.try_recv().ok() };
            }
            if !batch.appends.is_empty() {
                self.commit(batch);
            }
        }
        self.head.close();
    }

    /// Gives an append its place in the batch, or its refusal.
    fn take(&mut self, append: Append, batch: &mut Batch) {
        if let Some(why) = self.shared.status().stopped.clone() {
            let _ = append.placed.send(Err(AuditError::Stopped { why }));
            return;
        }
        if let Step::Outcome { of } = append.step
            && !self.open_intents.remove(&of)
        {
            let why = format!("there is no open intent at {of}");
            let _ = append.placed.send(Err(AuditError::Missing(why)));
            return;
        }
        let seq = self.next_seq + batch.appends.len() as u64;
        let session_n = append.counter.fetch_add(1, Ordering::Relaxed) + 1;
        let mut record = append.body.clone().into_bytes();
        record.extend_from_slice(
            Placed { seq, session: append.session, session_n, step: append.step }.tail().as_bytes(),
        );
        if let Err(error) = wal::push_record(&mut batch.records, &record) {
            append.counter.fetch_sub(1, Ordering::Relaxed);
            let _ = append.placed.send(Err(error));
            return;
        }
        batch.appends.push(append);
    }

    fn commit(&mut self, batch: Batch) {
        if let Err(error) = self.write(&batch) {
            self.refuse(batch, &error);
            return;
        }
        let leaves: Vec<(Vec<u8>, Hash)> = wal::split_records(&batch.records)
            .unwrap_or_default()
            .into_iter()
            .map(|range| {
                (batch.records[range.clone()].to_vec(), record_hash(&batch.records[range]))
            })
            .collect();
        let first = self.next_seq;
        self.next_seq += leaves.len() as u64;
        {
            let mut status = self.shared.status();
            status.size = self.next_seq;
            status.refused = None;
        }
        for (seq, append) in (first..).zip(batch.appends) {
            if append.step == Step::Intent {
                self.open_intents.insert(seq);
            }
            // Whoever asked may have gone; the record stands.
            let _ = append.placed.send(Ok(seq));
        }
        self.head.grow(leaves);
    }

    fn write(&mut self, batch: &Batch) -> Result<(), AuditError> {
        self.head.wait_for_room()?;
        self.segments.rotate(self.next_seq)?;
        let path = layout::wal(&self.segments.root);
        let count = u32::try_from(batch.appends.len()).unwrap_or(u32::MAX);
        let frame = wal::frame(self.next_seq, count, &batch.records);
        if let Err(error) = self.segments.current.write_all(&frame) {
            // A full disk may have taken a part. What was not acknowledged is taken back, and the log goes on.
            if let Err(cut) = self.segments.current.set_len(self.segments.len) {
                self.stop(format!(
                    "a frame was written in part ({error}) and could not be cut off: {cut}"
                ));
            }
            return Err(AuditError::io("write to", &path)(error));
        }
        if self.durability == Durability::Power
            && let Err(error) = self.segments.current.sync()
        {
            // After a failed sync nobody knows what is on disk, and a second one may wrongly succeed.
            self.stop(format!("fdatasync failed: {error}"));
            return Err(AuditError::io("sync", &path)(error));
        }
        self.segments.len += frame.len() as u64;
        Ok(())
    }

    fn refuse(&mut self, batch: Batch, error: &AuditError) {
        tracing::error!(%error, records = batch.appends.len(), "audit records are refused");
        self.shared.status().refused = Some(error.to_string());
        for append in batch.appends {
            append.counter.fetch_sub(1, Ordering::Relaxed);
            if let Step::Outcome { of } = append.step {
                self.open_intents.insert(of);
            }
            let _ = append.placed.send(Err(error.clone()));
        }
    }

    fn stop(&self, why: String) {
        tracing::error!(why, "the audit log has stopped");
        self.shared.status().stopped = Some(why);
    }
}
