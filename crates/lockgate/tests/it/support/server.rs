//! A real server in a directory of its own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::agent::World;
use crate::support::{Ran, lockgate};

/// A test that waits longer has hung.
const PATIENCE: Duration = Duration::from_mins(3);

/// `lockgate serve`, started, killed and started again on the same directory.
pub(crate) struct Server {
    dir: tempfile::TempDir,
    child: Option<Child>,
    started: u32,
}

impl Server {
    /// A server that serves `config`.
    pub(crate) fn start(config: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let mut server = Self { dir, child: None, started: 0 };
        server.write_config(config);
        server.again();
        server
    }

    /// Replaces the file; nothing reads it yet.
    pub(crate) fn write_config(&self, config: &str) {
        fs::write(self.file(), config).expect("the directory takes files");
    }

    /// Starts a process on the directory and waits until it answers.
    pub(crate) fn again(&mut self) {
        self.started += 1;
        let log = File::create(self.log_path()).expect("the directory takes files");
        let child = self
            .serve()
            .arg("--token-file")
            .arg(self.token_file())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        self.child = Some(child);
        self.until("the server is ready", |server| {
            let child = server.child.as_mut().expect("started above");
            if let Some(status) = child.try_wait().expect("a child") {
                panic!("the server ended with {status}:\n{}", server.log());
            }
            server.addresses().is_some()
        });
    }

    /// A process on its file and directory, on free ports; not started.
    pub(crate) fn serve(&self) -> Command {
        let mut command = lockgate();
        command
            .args(["serve", "--log", "json", "--ingress", "127.0.0.1:0", "--api", "127.0.0.1:0"])
            .arg("--config")
            .arg(self.file())
            .arg("--data-dir")
            .arg(self.data_dir());
        command
    }

    /// Ends the process as the kernel would on a power cut.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("a child can be killed");
            child.wait().expect("a child ends");
            // What the next one must not take for its own.
            let _ = fs::remove_file(self.data_dir().join("addresses.json"));
        }
    }

    /// Sends a signal by name.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.as_ref().expect("it runs").id().to_string();
        let status = std::process::Command::new("kill").args(["-s", name, &pid]).status();
        assert!(status.expect("kill is there").success());
    }

    /// Asks the process to stop and returns its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        let status = self.child.take().expect("it runs").wait().expect("a child ends");
        status.code()
    }

    /// Runs a command against it, as the first admin.
    pub(crate) fn run<S: AsRef<OsStr>>(&self, args: &[S]) -> Ran {
        let mut command = lockgate();
        command
            .args(args)
            .arg("--server")
            .arg(self.api())
            .arg("--token-file")
            .arg(self.token_file());
        command.output().expect("the binary starts").into()
    }

    /// The same, which must succeed, with its JSON.
    pub(crate) fn json<S: AsRef<OsStr>>(&self, args: &[S]) -> Value {
        let mut args: Vec<&OsStr> = args.iter().map(AsRef::as_ref).collect();
        args.extend([OsStr::new("--output"), OsStr::new("json")]);
        let ran = self.run(&args);
        assert_eq!(ran.code, 0, "{}", ran.shown());
        ran.json()
    }

    /// Waits until something holds; a test that hangs says for what.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let started = Instant::now();
        while !holds(self) {
            assert!(started.elapsed() < PATIENCE, "waited in vain: {what}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until the first version is stable and answers.
    pub(crate) fn until_served(&mut self, world: &World) {
        self.until("requests are served", |server| {
            world.ask(&server.ingress()).is_some_and(|(status, _)| status == 200)
        });
    }

    /// What it has logged since it was started last.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    pub(crate) fn ingress(&self) -> String {
        self.address("ingress")
    }

    pub(crate) fn api(&self) -> String {
        self.address("api")
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.dir.path().join("lockgate.yaml")
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub(crate) fn token_file(&self) -> PathBuf {
        self.dir.path().join("token")
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join(format!("log-{}", self.started))
    }

    fn addresses(&self) -> Option<Value> {
        let text = fs::read_to_string(self.data_dir().join("addresses.json")).ok()?;
        Some(serde_json::from_str(&text).expect("written as one step"))
    }

    fn address(&self, which: &str) -> String {
        let addresses = self.addresses().expect("it runs");
        format!("http://{}", addresses[which].as_str().expect("an address"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}
