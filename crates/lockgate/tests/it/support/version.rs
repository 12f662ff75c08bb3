//! A version that is a process of its own: it can be killed, and it can be frozen.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::lockgate;

const READY_MAX: Duration = Duration::from_secs(90);

/// The demo's agent. `GET /healthz` is answered with 200, what users ask in tests with 404, which
/// is their own mistake.
pub(crate) struct Version {
    child: Child,
    pub(crate) url: String,
    _dir: tempfile::TempDir,
}

impl Version {
    pub(crate) fn start() -> Self {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let file = dir.path().join("address");
        let child = lockgate()
            .args(["demo-agent", "--tools-url", "http://127.0.0.1:1", "--stop-with-stdin"])
            .arg("--address-file")
            .arg(&file)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts");
        let started = Instant::now();
        let address = loop {
            if let Ok(address) = fs::read_to_string(&file) {
                break address;
            }
            assert!(started.elapsed() < READY_MAX, "the version does not start");
            std::thread::sleep(Duration::from_millis(10));
        };
        Self { child, url: format!("http://{address}"), _dir: dir }
    }

    /// It is gone: connections are refused.
    pub(crate) fn crash(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child ends");
    }

    /// It takes connections and answers nothing.
    pub(crate) fn hang(&self) {
        let pid = self.child.id().to_string();
        let told = Command::new("kill").args(["-s", "STOP", &pid]).status().expect("kill is there");
        assert!(told.success());
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        // It may be gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
