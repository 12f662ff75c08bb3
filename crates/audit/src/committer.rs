//! The one writer: collect, write, sync, acknowledge, then hand on to whoever grows the tree. Records that come while a
//! batch is on its way to disk wait together, and are the next one: batches grow with load.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::disk::{Disk, Segment};
use crate::error::AuditError;
use crate::inbox::{Append, Inbox};
use crate::layout;
use crate::log::{Durability, Shared};
use crate::publish::Queue;
use crate::record::{Placed, Step};
use crate::wal::Frame;

/// From this many records in a batch on, the next one is worth waiting for.
const CROWD: usize = 8;
/// The shortest wait that a thread can be woken from in time.
const PATIENCE_MIN: Duration = Duration::from_micros(50);
/// How long a producer takes at most to make its next record, where nothing else is to be done.
const NEXT_RECORD: Duration = Duration::from_micros(2);

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
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) segments: Segments,
    pub(crate) queue: Arc<Queue>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) durability: Durability,
    pub(crate) next_seq: u64,
    pub(crate) open_intents: HashSet<u64>,
    pub(crate) stopped: Option<String>,
}

/// A batch on its way to disk.
struct Batch {
    appends: Vec<Append>,
    frame: Frame,
}

/// What the batch before was like.
#[derive(Default)]
struct Last {
    records: usize,
    bytes: usize,
    time: Duration,
}

impl Last {
    /// How many appends to wait for, and how long, when so many are there already.
    ///
    /// Who was answered last comes again soon. On a slow disk an eighth of its time is well spent on taking most of
    /// them along; on a fast one only half a crowd is waited for, so that not each of them wakes this thread.
    fn wait_for(&self, there: usize) -> (usize, Duration) {
        let patience = self.time / 8;
        if self.records < CROWD {
            (1, Duration::ZERO)
        } else if patience < PATIENCE_MIN {
            let records = u32::try_from(self.records).unwrap_or(u32::MAX);
            (self.records / 2, PATIENCE_MIN.max(NEXT_RECORD * records))
        } else {
            ((self.records + there) * 3 / 4, patience)
        }
    }
}

struct ClosesOnDrop(Arc<Inbox>);

impl Drop for ClosesOnDrop {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Committer {
    pub(crate) fn run(mut self) {
        // Whoever still waits for room is told, also when this thread ends badly.
        let _closes = ClosesOnDrop(self.inbox.clone());
        let (mut taken, mut last) = (Vec::new(), Last::default());
        loop {
            let (wanted, patience) = last.wait_for(self.inbox.len());
            self.inbox.take(wanted, patience, &mut taken);
            if taken.is_empty() {
                break;
            }
            last.records = taken.len();
            let mut appends = taken.drain(..).peekable();
            while appends.peek().is_some() {
                let frame = Frame::with_capacity(last.bytes);
                let mut batch = Batch { appends: Vec::with_capacity(appends.len()), frame };
                while !batch.frame.is_full()
                    && let Some(append) = appends.next()
                {
                    self.take(append, &mut batch);
                }
                if !batch.appends.is_empty() {
                    last.bytes = batch.frame.records().len() + 1024;
                    last.time = self.commit(batch);
                }
            }
        }
        self.queue.close();
    }

    /// Gives an append its place in the batch, or its refusal.
    fn take(&mut self, append: Append, batch: &mut Batch) {
        if let Some(why) = self.stopped.clone() {
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
        let seq = self.next_seq + batch.frame.count();
        let session_n = append.counter.fetch_add(1, Ordering::Relaxed) + 1;
        let placed = Placed { seq, session: append.session, session_n, step: append.step };
        let pushed = batch.frame.push(|out| {
            out.extend_from_slice(&append.body);
            placed.write_tail(out);
        });
        if let Err(error) = pushed {
            append.counter.fetch_sub(1, Ordering::Relaxed);
            let _ = append.placed.send(Err(error));
            return;
        }
        batch.appends.push(append);
    }

    /// Returns how long the disk took.
    fn commit(&mut self, mut batch: Batch) -> Duration {
        let begin = Instant::now();
        if let Err(error) = self.write(&mut batch.frame) {
            self.refuse(batch, &error);
            return Duration::ZERO;
        }
        let time = begin.elapsed();
        let first = self.next_seq;
        self.next_seq += batch.frame.count();
        for (seq, append) in (first..).zip(&batch.appends) {
            if append.step == Step::Intent {
                self.open_intents.insert(seq);
            }
        }
        {
            let mut status = self.shared.status();
            status.size = self.next_seq;
            status.open_intents = self.open_intents.len() as u64;
            status.refused = None;
        }
        for (seq, append) in (first..).zip(batch.appends) {
            // Whoever asked may have gone; the record stands.
            let _ = append.placed.send(Ok(seq));
        }
        self.queue.push(batch.frame);
        time
    }

    fn write(&mut self, frame: &mut Frame) -> Result<(), AuditError> {
        self.queue.wait_for_room()?;
        self.segments.rotate(self.next_seq)?;
        let path = layout::wal(&self.segments.root);
        let bytes = frame.finish(self.next_seq);
        if let Err(error) = self.segments.current.write_all(bytes) {
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
        self.segments.len += bytes.len() as u64;
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

    fn stop(&mut self, why: String) {
        tracing::error!(why, "the audit log has stopped");
        self.shared.status().stopped = Some(why.clone());
        self.stopped = Some(why);
    }
}
