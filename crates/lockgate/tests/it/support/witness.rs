//! A real witness in a directory of its own.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Ran, lockgate, run};

/// A test that waits longer has hung.
const PATIENCE: Duration = Duration::from_mins(3);

/// `lockgate audit witness`, started, killed and started again on the same directory.
pub(crate) struct Witness {
    dir: tempfile::TempDir,
    log_key: String,
    child: Option<Child>,
    started: u32,
    /// Where it listens, the same after a restart.
    at: String,
}

impl Witness {
    /// One that follows the log with this key.
    pub(crate) fn start(log_key: &str) -> Self {
        let mut witness = Self {
            dir: tempfile::tempdir().expect("a directory for the test"),
            log_key: log_key.to_owned(),
            child: None,
            started: 0,
            at: "127.0.0.1:0".into(),
        };
        witness.again();
        witness
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("witness")
    }

    fn args(&self) -> Vec<String> {
        let dir = self.data_dir().display().to_string();
        let args = ["audit", "witness", "--log", "json", "--listen", &self.at, "--data-dir", &dir];
        let args = args.into_iter().chain(["--log-key", &self.log_key]);
        args.map(str::to_owned).collect()
    }

    /// Starts a process on the directory and waits until it listens.
    pub(crate) fn again(&mut self) {
        self.started += 1;
        let log = File::create(self.log_path()).expect("the directory takes files");
        let child = lockgate().args(self.args()).stdout(Stdio::null()).stderr(log).spawn();
        self.child = Some(child.expect("the binary starts"));
        let started = Instant::now();
        loop {
            let log = self.log();
            let mut events =
                log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            if let Some(at) =
                events.find_map(|event| event["local_addr"].as_str().map(str::to_owned))
            {
                self.at = at;
                return;
            }
            let ended = self.child.as_mut().and_then(|child| child.try_wait().ok()?);
            assert!(ended.is_none() && started.elapsed() < PATIENCE, "it does not start: {log}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A second process on the same directory, to its end.
    pub(crate) fn second(&self) -> Ran {
        let args = self
            .args()
            .into_iter()
            .map(|arg| if arg == self.at { "127.0.0.1:0".into() } else { arg });
        run(&args.collect::<Vec<_>>())
    }

    /// Ends the process as the kernel would on a power cut.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child ends");
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Asks the process to stop and returns its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        let mut child = self.child.take().expect("it runs");
        let status = std::process::Command::new("kill")
            .args(["-s", "TERM", &child.id().to_string()])
            .status();
        assert!(status.expect("kill is there").success());
        child.wait().expect("a child ends").code()
    }

    /// What it has logged since it was started last.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join(format!("log-{}", self.started))
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.at)
    }

    /// Its public key.
    pub(crate) fn key(&self) -> String {
        let dir = self.data_dir().display().to_string();
        let ran = run(&["audit", "witness", "keys", "--data-dir", &dir]);
        assert_eq!(ran.code, 0, "{}", ran.shown());
        ran.stdout.trim().to_owned()
    }

    /// Status and body of an answer; `None` when the process went away.
    pub(crate) fn ask(&self, method: &str, path: &str, body: &[u8]) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(&self.at).ok()?;
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: w\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).ok()?;
        stream.write_all(body).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some((status, body.to_owned()))
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.kill();
    }
}
