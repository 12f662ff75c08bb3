//! What a candidate gets in the test environment, where users are not: probes, and copies of
//! users' requests.
//!
//! All of it happens beside users' traffic. A copy is made of what passes anyway, in bounded room;
//! sending it, waiting for its answer and reading it are work of another thread, as are probes;
//! judging an answer, which may take its time, has a thread of its own. Whatever the candidate does,
//! hang, crash or flood, is seen there and nowhere else.

pub(crate) mod client;
pub(crate) mod copy;
pub(crate) mod mirror;
pub(crate) mod pair;
pub(crate) mod probe;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::connect::Connector;
use crate::core::Core;

/// Starts the thread; it ends with `stop`.
pub(crate) fn start(
    core: Arc<Core>,
    copies: mpsc::Receiver<copy::Copied>,
    connector: Connector,
    stop: CancellationToken,
) -> io::Result<JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let run = async move {
        let mirror = mirror::run(Arc::clone(&core), copies, connector.clone());
        let both = async { tokio::join!(mirror, probe::run(core, connector)) };
        stop.run_until_cancelled(both).await;
    };
    thread::Builder::new().name("gateway-aside".to_owned()).spawn(move || runtime.block_on(run))
}
