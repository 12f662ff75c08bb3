//! Programs of others, run within bounds: no shell, no standard input, nothing of our environment that was not named, an
//! end to time and output, and no child left behind.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use lockgate_readiness::drift::{Ended, Ran};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

/// How long a program that was interrupted may take to give back what it holds, such as the lock of a state.
const GRACE: Duration = Duration::from_secs(10);

/// How often it is looked whether a program has ended.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long what an ended program wrote may take to arrive.
const DRAIN_MAX: Duration = Duration::from_secs(2);

/// Variables that any program gets when they are set: where programs, the home and certificates are, and which proxy is
/// to be used.
const ALWAYS: [&str; 12] = [
    "HOME",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
];

/// Variables that no program gets, however they are asked for: those that add arguments, and what is ours.
const NEVER: [&str; 6] = [
    "TF_CLI_ARGS",
    "TF_CLI_ARGS_*",
    "TF_REATTACH_PROVIDERS",
    "KUBECTL_EXTERNAL_DIFF",
    "PATH",
    "LOCKGATE_*",
];

/// Shortest value that is looked for in what a program says.
const SECRET_BYTES_MIN: usize = 6;

/// What a program gets of an environment.
#[derive(Debug, Clone)]
pub struct Environment {
    /// Absolute directories only; none when there are none, since an empty `PATH` is the current directory.
    path: Option<OsString>,
    variables: Vec<(OsString, OsString)>,
    /// Values of those that may be secrets.
    secrets: Vec<OsString>,
}

impl Environment {
    /// Takes what every program gets, and the variables of these names: open ones, and those that may be secrets. A name
    /// that ends in `*` is the beginning of names.
    pub fn of(
        all: impl IntoIterator<Item = (OsString, OsString)>,
        open: &[&str],
        secret: &[&str],
    ) -> Self {
        let mut taken = Self { path: None, variables: Vec::new(), secrets: Vec::new() };
        for (name, value) in all {
            if name == "PATH" {
                taken.path = absolute(&value);
                continue;
            }
            let is = |pattern: &str| matches(pattern, &name);
            if NEVER.iter().any(|pattern| is(pattern)) {
                continue;
            }
            if secret.iter().any(|pattern| is(pattern)) {
                taken.secrets.push(value.clone());
            } else if !ALWAYS.iter().chain(open).any(|pattern| is(pattern)) {
                continue;
            }
            taken.variables.push((name, value));
        }
        taken
    }

    /// The same with a variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Whether a variable is set.
    pub fn has(&self, name: &str) -> bool {
        self.variables.iter().any(|(known, _)| known == name)
    }

    /// Values that may be secrets: what a program says is not shown with them.
    pub fn secrets(&self) -> Vec<String> {
        let texts = self.secrets.iter().filter_map(|value| value.to_str());
        texts.filter(|text| text.len() >= SECRET_BYTES_MIN).map(str::to_owned).collect()
    }

    /// Where a program is: at its path, or in one of the absolute directories of `PATH`. Never in the checkout by chance.
    pub fn find(&self, program: &Path) -> Option<PathBuf> {
        if program.components().count() > 1 {
            return std::path::absolute(program).ok().filter(|path| path.is_file());
        }
        let path = self.path.as_ref()?;
        let directories = std::env::split_paths(path);
        directories.map(|directory| directory.join(program)).find(|path| path.is_file())
    }
}

/// The absolute directories of a `PATH`, if there are any.
fn absolute(path: &OsStr) -> Option<OsString> {
    let kept = std::env::split_paths(path).filter(|directory| directory.is_absolute());
    std::env::join_paths(kept).ok().filter(|path| !path.is_empty())
}

fn matches(pattern: &str, name: &OsStr) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.as_bytes().starts_with(start.as_bytes()),
        None => name == pattern,
    }
}

/// One run of a program.
#[derive(Debug)]
pub struct Run<'a> {
    /// Where it is.
    pub program: &'a Path,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The directory that it runs in.
    pub directory: &'a Path,
    /// What it gets of our environment.
    pub environment: &'a Environment,
    /// When it is ended.
    pub until: Instant,
    /// How long that is, for what is told.
    pub time_max: Duration,
    /// Set when nobody waits for it any more: then it is ended as if its time were over.
    pub stop: &'a AtomicBool,
    /// Bytes of each of its outputs that are read; what is more is taken and thrown away.
    pub output_bytes_max: usize,
}

impl Run<'_> {
    /// Runs it to its end, or to the end of its time.
    pub fn go(&self) -> Ran {
        let timed_out = Ended::TimedOut(self.time_max.as_secs());
        if Instant::now() >= self.until || self.stop.load(Ordering::Relaxed) {
            return Ran { ended: timed_out, ..Ran::not_started("") };
        }
        let started = Command::new(self.program)
            .args(&self.arguments)
            .current_dir(self.directory)
            .env_clear()
            .envs(self.environment.variables.iter().map(|(name, value)| (name, value)))
            .envs(self.environment.path.iter().map(|path| ("PATH", path)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // A group of its own, so that its children can be ended with it.
            .process_group(0)
            .spawn();
        let mut child = match started {
            Ok(child) => child,
            Err(error) => return Ran::not_started(error.to_string()),
        };
        let stdout = child.stdout.take().map(|pipe| reader(pipe, self.output_bytes_max));
        let stderr = child.stderr.take().map(|pipe| reader(pipe, self.output_bytes_max));
        let ended = self.end(&mut child, timed_out);
        let until = Instant::now() + DRAIN_MAX;
        let [(stdout, more_out), (stderr, more_err)] =
            [stdout, stderr].map(|read| taken(read, until));
        Ran {
            ended: ended.unwrap_or_else(|error| {
                Ended::NotStarted(format!("it cannot be waited for: {error}"))
            }),
            stdout,
            stderr,
            cut: more_out || more_err,
        }
    }

    /// Waits for a program, and ends it when its time is over, and what it left behind.
    fn end(&self, child: &mut Child, timed_out: Ended) -> io::Result<Ended> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let pid = pid.ok_or_else(|| io::Error::other("its id is none"))?;
        let in_time = waits(pid, self.until, self.stop)?;
        if !in_time {
            // Fails only when all have ended.
            let _ = kill_process_group(pid, Signal::INT);
            waits(pid, Instant::now() + GRACE, &AtomicBool::new(false))?;
        }
        // Before its id is given back: the group is still its own.
        let _ = kill_process_group(pid, Signal::KILL);
        let status = child.wait()?;
        Ok(match status.code() {
            _ if !in_time => timed_out,
            Some(code) => Ended::Exited(code),
            None => Ended::Killed,
        })
    }
}

/// Whether a program ended until then, or until it is stopped. Its id is kept.
fn waits(pid: Pid, until: Instant, stop: &AtomicBool) -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    loop {
        match waitid(WaitId::Pid(pid), options) {
            Ok(Some(_)) => return Ok(true),
            Ok(None) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        if Instant::now() >= until || stop.load(Ordering::Relaxed) {
            return Ok(false);
        }
        thread::sleep(LOOK_EVERY);
    }
}

/// Reads an output to its end on a thread of its own. What is beyond the limit is taken, so that the program goes on,
/// and thrown away.
fn reader(mut pipe: impl Read + Send + 'static, bytes_max: usize) -> Receiver<Piece> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        let mut left = bytes_max;
        while let Ok(n @ 1..) = pipe.read(&mut buffer) {
            let kept = n.min(left);
            left -= kept;
            let piece = Piece { bytes: buffer[..kept].to_vec(), more: kept < n };
            if (kept > 0 || piece.more) && sender.send(piece).is_err() {
                break;
            }
        }
    });
    receiver
}

struct Piece {
    bytes: Vec<u8>,
    /// Something after it was thrown away.
    more: bool,
}

/// What arrived, and whether there was more.
fn taken(pieces: Option<Receiver<Piece>>, until: Instant) -> (String, bool) {
    let (mut bytes, mut more) = (Vec::new(), false);
    let Some(pieces) = pieces else { return (String::new(), true) };
    loop {
        let left = until.saturating_duration_since(Instant::now());
        match pieces.recv_timeout(left) {
            Ok(piece) => {
                bytes.extend_from_slice(&piece.bytes);
                more |= piece.more;
            }
            Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => break,
            // Somebody who left the group still holds it: what is missing is not known.
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                more = true;
                break;
            }
        }
    }
    (String::from_utf8_lossy(&bytes).into_owned(), more)
}
