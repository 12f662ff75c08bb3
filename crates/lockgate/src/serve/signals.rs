//! What the operating system may tell the server.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::{CliResult, Exit, OrExit as _};

/// SIGHUP: read the file again.
#[derive(Debug)]
pub(crate) struct Reload(Signal);

/// SIGTERM or SIGINT: stop.
#[derive(Debug)]
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

/// Asks for the signals; those that come early wait.
pub(crate) fn listen() -> CliResult<(Reload, Stop)> {
    let listen = |kind| signal(kind).or_exit(Exit::Failed, "cannot listen to signals");
    let stop = Stop {
        terminate: listen(SignalKind::terminate())?,
        interrupt: listen(SignalKind::interrupt())?,
    };
    Ok((Reload(listen(SignalKind::hangup())?), stop))
}

impl Reload {
    pub(crate) async fn told(&mut self) {
        self.0.recv().await;
    }
}

impl Stop {
    pub(crate) async fn told(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
