//! What the operating system may tell the server, and whoever started it.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::error::{CliResult, Exit, OrExit as _};

/// SIGHUP: read the file again.
#[derive(Debug)]
pub(crate) struct Reload(Signal);

/// SIGTERM or SIGINT: stop. So does the end of standard input where that is asked for.
#[derive(Debug)]
pub(crate) struct Stop {
    terminate: Signal,
    interrupt: Signal,
    stdin: Option<oneshot::Receiver<()>>,
}

/// Asks for the signals; those that come early wait. `with_stdin` looks at standard input as well.
pub(crate) fn listen(with_stdin: bool) -> CliResult<(Reload, Stop)> {
    let listen = |kind| signal(kind).or_exit(Exit::Failed, "cannot listen to signals");
    let stop = Stop {
        terminate: listen(SignalKind::terminate())?,
        interrupt: listen(SignalKind::interrupt())?,
        stdin: with_stdin.then(stdin_closed),
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
            () = closed(&mut self.stdin) => {}
        }
    }
}

/// Told once: a standard input that has ended is no second request.
async fn closed(stdin: &mut Option<oneshot::Receiver<()>>) {
    match stdin {
        Some(told) => {
            // Whoever tells cannot fail to but by ending, which says the same.
            let _ = told.await;
            *stdin = None;
        }
        None => std::future::pending().await,
    }
}

fn stdin_closed() -> oneshot::Receiver<()> {
    let (tell, told) = oneshot::channel();
    // Not one of the runtime's threads: those are waited for at the end, and this one may never be done.
    std::thread::spawn(move || {
        // Whatever ends the reading, nobody is there any more; nor is the receiver, if telling fails.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        let _ = tell.send(());
    });
    told
}
