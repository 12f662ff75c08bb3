//! Where appends wait for the committer.
//!
//! Nobody wakes the committer for less than it said it wants: with many producers, waking it for each record and them for
//! each answer costs ten times what a record does.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use uuid::Uuid;

use crate::error::AuditError;
use crate::record::Step;

/// Appends that may wait.
const ROOM: usize = 4096;

/// A record on its way into the log.
pub(crate) struct Append {
    pub(crate) body: Vec<u8>,
    pub(crate) step: Step,
    pub(crate) session: Uuid,
    pub(crate) counter: Arc<AtomicU64>,
    pub(crate) placed: oneshot::Sender<Result<u64, AuditError>>,
}

/// See the module.
#[derive(Default)]
pub(crate) struct Inbox {
    state: Mutex<State>,
    /// There is as much as the committer wants, or it is closed.
    ready: Condvar,
    /// There is room again, for threads and for tasks.
    room: Condvar,
    room_for_tasks: Notify,
}

#[derive(Default)]
struct State {
    appends: Vec<Append>,
    /// As many appends wake the committer; `None` when it is busy and looks anyway.
    wanted: Option<usize>,
    closed: bool,
}

/// The log takes nothing any more.
#[derive(Debug)]
pub(crate) struct Closed;

enum Pushed {
    Taken,
    NoRoom(Append),
}

impl std::fmt::Debug for Inbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inbox").finish_non_exhaustive()
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands an append in; waits while there is no room.
    pub(crate) async fn push(&self, mut append: Append) -> Result<(), Closed> {
        loop {
            // Before looking for room, so that room which is made in between is heard of.
            let room = self.room_for_tasks.notified();
            match Self::add(&mut self.lock(), &self.ready, append)? {
                Pushed::Taken => return Ok(()),
                Pushed::NoRoom(back) => append = back,
            }
            room.await;
        }
    }

    /// As [`Inbox::push`], for threads.
    pub(crate) fn push_blocking(&self, mut append: Append) -> Result<(), Closed> {
        let mut state = self.lock();
        loop {
            match Self::add(&mut state, &self.ready, append)? {
                Pushed::Taken => return Ok(()),
                Pushed::NoRoom(back) => append = back,
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn add(state: &mut State, ready: &Condvar, append: Append) -> Result<Pushed, Closed> {
        if state.closed {
            return Err(Closed);
        }
        if state.appends.len() >= ROOM {
            return Ok(Pushed::NoRoom(append));
        }
        state.appends.push(append);
        if state.wanted.is_some_and(|wanted| state.appends.len() >= wanted) {
            state.wanted = None;
            ready.notify_one();
        }
        Ok(Pushed::Taken)
    }

    /// How many wait now.
    pub(crate) fn len(&self) -> usize {
        self.lock().appends.len()
    }

    /// Takes what waits: once there are so many, or after this time whatever there is, at least one. `taken` must be
    /// empty, and stays so when the log was closed.
    pub(crate) fn take(&self, wanted: usize, patience: Duration, taken: &mut Vec<Append>) {
        let mut state = self.lock();
        if wanted > 1 && state.appends.len() < wanted {
            state.wanted = Some(wanted.min(ROOM));
            let too_few = |state: &mut State| state.wanted.is_some() && !state.closed;
            state = self
                .ready
                .wait_timeout_while(state, patience, too_few)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        while state.appends.is_empty() && !state.closed {
            state.wanted = Some(1);
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.wanted = None;
        let was_full = state.appends.len() >= ROOM;
        std::mem::swap(&mut state.appends, taken);
        drop(state);
        if was_full {
            self.room.notify_all();
            self.room_for_tasks.notify_waiters();
        }
    }

    /// Takes no more. What waits can still be taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.ready.notify_all();
        self.room.notify_all();
        self.room_for_tasks.notify_waiters();
    }
}
