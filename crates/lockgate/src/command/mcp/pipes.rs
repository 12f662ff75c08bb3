//! The pipes: lines from the agent to the server and back, each looked at on its way.

use std::ffi::OsString;
use std::io::Write as _;
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lockgate_gateway::stdio::{FromClient, FromServer, Listed, Next, Question, Shim, Told};
use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::TOKEN;
use super::asker::Asker;
use crate::error::{CliError, CliResult, Exit, OrExit as _};
use crate::output;

/// The longest line of an agent's.
const CLIENT_LINE_MAX: usize = 4 * 1024 * 1024;
/// The longest line of a server's.
const SERVER_LINE_MAX: usize = 16 * 1024 * 1024;
/// Lines that wait for a reader.
const LINES_MAX: usize = 64;
/// How long a server may take to end once nobody talks to it, and outcomes to be told.
const ENDING_MAX: Duration = Duration::from_secs(5);

/// What both directions share.
struct Between {
    shim: Mutex<Shim>,
    asker: Asker,
    to_client: mpsc::Sender<Vec<u8>>,
    /// Gone once the client is.
    to_server: Mutex<Option<mpsc::Sender<Vec<u8>>>>,
    /// What goes on beside: decisions and outcomes.
    beside: Mutex<JoinSet<()>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs the server until it or the agent ends.
pub(super) async fn run(asker: Asker, command: &[OsString]) -> CliResult {
    let mut child = start(command)?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(CliError::text(Exit::Failed, "the server has no standard input and output"));
    };
    let (to_client, for_client) = mpsc::channel(LINES_MAX);
    let (to_server, for_server) = mpsc::channel(LINES_MAX);
    let between = Arc::new(Between {
        shim: Mutex::default(),
        asker,
        to_client,
        to_server: Mutex::new(Some(to_server)),
        beside: Mutex::default(),
    });
    let written = standard_output(for_client);
    tokio::spawn(write(stdin, for_server));
    let mut serving = tokio::spawn({
        let between = Arc::clone(&between);
        async move { between.from_server(BufReader::new(stdout)).await }
    });
    let asking = between.from_client(standard_input());
    let left = tokio::select! {
        ended = asking => Some(ended),
        _ = &mut serving => None,
    };
    let mut problem = None;
    if let Some(ended) = left {
        problem = ended.err();
        // The server sees the end of its input, and may still answer what it has.
        drop(lock(&between.to_server).take());
        let _ = tokio::time::timeout(ENDING_MAX, &mut serving).await;
    }
    let by_client = problem.is_none() && !serving.is_finished();
    let told = lock(&between.shim).ended(by_client);
    between.tell(told);
    let status = end(&mut child).await?;
    between.settled().await;
    drop(between);
    let _ = tokio::time::timeout(ENDING_MAX, written).await;
    match problem {
        Some(problem) => Err(CliError::text(Exit::Failed, problem)),
        None if status.is_none_or(|status| status.success()) => Ok(Exit::Done),
        None => {
            let status = status.map(|status| status.to_string()).unwrap_or_default();
            Err(CliError::text(Exit::Failed, format!("the MCP server ended with {status}")))
        }
    }
}

fn start(command: &[OsString]) -> CliResult<Child> {
    let Some((program, args)) = command.split_first() else {
        return Err(CliError::usage("there is no command"));
    };
    Command::new(program)
        .args(args)
        .env_remove(TOKEN)
        .env_remove("LOCKGATE_IDENTITY_FILE")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .or_exit(Exit::Usage, format!("cannot start {}", program.display()))
}

/// Waits for the server, and ends it when it does not end by itself: then there is no status that means anything.
async fn end(child: &mut Child) -> CliResult<Option<std::process::ExitStatus>> {
    if let Ok(status) = tokio::time::timeout(ENDING_MAX, child.wait()).await {
        return status.map(Some).or_exit(Exit::Failed, "cannot wait for the server");
    }
    child.kill().await.or_exit(Exit::Failed, "cannot end the server")?;
    Ok(None)
}

impl Between {
    /// Takes lines of the agent's until there are no more.
    async fn from_client(
        self: &Arc<Self>,
        mut lines: mpsc::Receiver<Result<Vec<u8>, String>>,
    ) -> Result<(), String> {
        while let Some(line) = lines.recv().await {
            let line = line?;
            let looked = lock(&self.shim).from_client(&line);
            match looked {
                FromClient::Drop => {}
                FromClient::Answer(text) => self.answer(text).await,
                FromClient::Ask { id, actions } => self.ask(id.as_ref(), &actions, line).await,
                FromClient::Decide(question) => {
                    let between = Arc::clone(self);
                    // What follows must not wait for it: it may be that it is cancelled.
                    self.beside(async move { between.decide(&question, line).await });
                }
                FromClient::Cancel(told) => {
                    self.pass(line).await;
                    self.tell(told);
                }
            }
        }
        Ok(())
    }

    async fn ask(self: &Arc<Self>, id: Option<&Value>, actions: &[&str], line: Vec<u8>) {
        let permitted = self.asker.permitted(actions).await;
        let all = permitted.map(|permitted| {
            actions.iter().all(|action| permitted.iter().any(|one| one == action))
        });
        let next = lock(&self.shim).permitted(id, all);
        self.go_on(next, line).await;
    }

    async fn decide(self: &Arc<Self>, question: &Question, line: Vec<u8>) {
        let decision = self.asker.decide(question).await;
        let next = lock(&self.shim).decided(question, decision);
        self.go_on(next, line).await;
    }

    async fn go_on(self: &Arc<Self>, next: Next, line: Vec<u8>) {
        match next {
            Next::Pass => self.pass(line).await,
            Next::Answer(text) => self.answer(text).await,
            Next::Drop(told) => self.tell(told),
        }
    }

    /// Takes lines of the server's until there are no more.
    async fn from_server(self: &Arc<Self>, mut lines: impl AsyncBufRead + Unpin) {
        let mut cutter = Cutter::new(SERVER_LINE_MAX);
        loop {
            let line = match next_line(&mut lines, &mut cutter).await {
                Ok(Some(line)) => line,
                Ok(None) => return,
                Err(why) => return output::note(format!("the server: {why}")),
            };
            let looked = lock(&self.shim).from_server(&line);
            match looked {
                FromServer::Drop => {}
                FromServer::Pass(told) => {
                    self.tell(told);
                    let _ = self.to_client.send(line).await;
                }
                FromServer::List(listed) => self.list(listed).await,
            }
        }
    }

    async fn list(&self, listed: Listed) {
        let permitted = self.asker.permitted(&listed.names()).await;
        let text = match permitted {
            Ok(permitted) => listed.cut_down(&permitted),
            Err(why) => listed.refused(&why),
        };
        self.answer(text).await;
    }

    async fn answer(&self, text: String) {
        // Whoever does not read has left, which is seen where lines are read.
        let _ = self.to_client.send(text.into_bytes()).await;
    }

    async fn pass(&self, line: Vec<u8>) {
        let to_server = lock(&self.to_server).clone();
        if let Some(to_server) = to_server {
            let _ = to_server.send(line).await;
        }
    }

    fn tell(self: &Arc<Self>, told: impl IntoIterator<Item = Told>) {
        for told in told {
            let between = Arc::clone(self);
            self.beside(async move { between.asker.tell(&told).await });
        }
    }

    fn beside(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut beside = lock(&self.beside);
        while beside.try_join_next().is_some() {}
        beside.spawn(work);
    }

    /// Waits until outcomes are told.
    async fn settled(&self) {
        let mut beside = std::mem::take(&mut *lock(&self.beside));
        let all = async { while beside.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(ENDING_MAX, all).await;
    }
}

/// Lines of standard input. It is read on a thread of its own, as no read of it can be called off.
fn standard_input() -> mpsc::Receiver<Result<Vec<u8>, String>> {
    let (sender, lines) = mpsc::channel(LINES_MAX);
    std::thread::spawn(move || {
        let mut from = std::io::stdin().lock();
        let mut cutter = Cutter::new(CLIENT_LINE_MAX);
        loop {
            let taken = match std::io::BufRead::fill_buf(&mut from) {
                Ok([]) => return,
                Ok(held) => cutter.take(held),
                Err(error) => Err(format!("cannot read: {error}")),
            };
            let given = match taken {
                Ok((bytes, line)) => {
                    std::io::BufRead::consume(&mut from, bytes);
                    let Some(line) = line else { continue };
                    Ok(line)
                }
                Err(why) => Err(why),
            };
            let broken = given.is_err();
            if sender.blocking_send(given).is_err() || broken {
                return;
            }
        }
    });
    lines
}

/// Writes lines to standard output, on a thread of its own, until there are no more; then the receiver is told.
fn standard_output(mut lines: mpsc::Receiver<Vec<u8>>) -> oneshot::Receiver<()> {
    let (done, written) = oneshot::channel();
    std::thread::spawn(move || {
        let mut to = std::io::stdout().lock();
        while let Some(mut line) = lines.blocking_recv() {
            line.push(b'\n');
            if to.write_all(&line).and_then(|()| to.flush()).is_err() {
                break;
            }
        }
        // Whoever waited may have gone.
        let _ = done.send(());
    });
    written
}

/// The next line of a server's.
async fn next_line(
    from: &mut (impl AsyncBufRead + Unpin),
    cutter: &mut Cutter,
) -> Result<Option<Vec<u8>>, String> {
    loop {
        let held = from.fill_buf().await.map_err(|error| format!("cannot read: {error}"))?;
        if held.is_empty() {
            return Ok(None);
        }
        let (taken, line) = cutter.take(held)?;
        from.consume(taken);
        if line.is_some() {
            return Ok(line);
        }
    }
}

/// Cuts what is read into lines. One without an end is none: whoever wrote it has broken off.
struct Cutter {
    line: Vec<u8>,
    bytes_max: usize,
}

impl Cutter {
    fn new(bytes_max: usize) -> Self {
        Self { line: Vec::new(), bytes_max }
    }

    /// How much of this is taken, and the line that ends in it, if it is not empty.
    fn take(&mut self, held: &[u8]) -> Result<(usize, Option<Vec<u8>>), String> {
        let end = held.iter().position(|byte| *byte == b'\n');
        self.line.extend_from_slice(&held[..end.unwrap_or(held.len())]);
        if self.line.len() > self.bytes_max {
            return Err(format!("a line is longer than {} bytes", self.bytes_max));
        }
        let Some(end) = end else { return Ok((held.len(), None)) };
        let line = std::mem::take(&mut self.line);
        Ok((end + 1, Some(line).filter(|line| !line.trim_ascii().is_empty())))
    }
}

async fn write(mut to: impl AsyncWrite + Unpin, mut lines: mpsc::Receiver<Vec<u8>>) {
    while let Some(mut line) = lines.recv().await {
        line.push(b'\n');
        if to.write_all(&line).await.is_err() || to.flush().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_is_whole_and_not_too_long() {
        let mut from = BufReader::with_capacity(3, &b"one\n\r\n\n two \r\nlast"[..]);
        let mut cutter = Cutter::new(6);
        assert_eq!(next_line(&mut from, &mut cutter).await, Ok(Some(b"one".to_vec())));
        assert_eq!(next_line(&mut from, &mut cutter).await, Ok(Some(b" two \r".to_vec())));
        assert_eq!(
            next_line(&mut from, &mut cutter).await,
            Ok(None),
            "what has no end is not whole"
        );
        let mut from = BufReader::with_capacity(3, &b"longer\n"[..]);
        assert!(next_line(&mut from, &mut Cutter::new(5)).await.is_err());
    }
}
