//! Runs the binary.

pub(crate) mod agent;
pub(crate) mod config;
pub(crate) mod packs;
pub(crate) mod peers;
pub(crate) mod scene;
pub(crate) mod server;
pub(crate) mod tools;
pub(crate) mod version;
pub(crate) mod witness;

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output};

/// What a finished command left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// All of it, for snapshots.
    pub(crate) fn shown(&self) -> String {
        let Self { code, stdout, stderr } = self;
        format!("exit {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", self.shown()))
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().expect("it was not killed"),
            stdout: String::from_utf8(output.stdout).expect("UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }
}

/// What monitoring reads of a server.
pub(crate) fn metrics(server: &server::Server) -> String {
    let at = server.api();
    let mut stream = TcpStream::connect(at.trim_start_matches("http://")).expect("it listens");
    let ask = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).expect("it is taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is text");
    answer
}

/// The binary in an environment of its own.
pub(crate) fn lockgate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
    for name in ["LOCKGATE_SERVER", "LOCKGATE_TOKEN", "LOCKGATE_LOG", "NO_COLOR", "COLUMNS"] {
        command.env_remove(name);
    }
    command
}

/// The server with a policy of a few lines, see `examples/governed.rs`.
pub(crate) fn governed() -> Command {
    let test = std::env::current_exe().expect("a test is a file");
    let beside = test.parent().and_then(Path::parent).expect("tests are in `deps`");
    let path = beside.join("examples/governed");
    assert!(path.exists(), "{} is missing: `cargo build -p lockgate --examples`", path.display());
    let mut command = Command::new(path);
    command.env_remove("LOCKGATE_LOG");
    command
}

/// Runs a command to its end.
pub(crate) fn run<S: AsRef<OsStr>>(args: &[S]) -> Ran {
    lockgate().args(args).output().expect("the binary starts").into()
}

/// Runs a command in a directory.
pub(crate) fn run_in<S: AsRef<OsStr>>(dir: &Path, args: &[S]) -> Ran {
    lockgate().current_dir(dir).args(args).output().expect("the binary starts").into()
}
