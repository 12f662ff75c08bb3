//! A real server in a directory of its own.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use lockgate_audit::{Reader, Record};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use serde_json::Value;

use crate::support::agent::World;
use crate::support::{Ran, governed, lockgate};

/// A test that waits longer has hung.
const PATIENCE: Duration = Duration::from_mins(3);

/// What fits on a disk that is full: small files, and no write to the database.
const FULL_BYTES: u64 = 4096;

/// `lockgate serve`, started, killed and started again on the same directory.
pub(crate) struct Server {
    dir: tempfile::TempDir,
    child: Option<Child>,
    started: u32,
    /// Whether its disk may become full, see [`Server::fill_disk`].
    small_disk: bool,
    /// Whether it has a policy, see [`governed`].
    governed: bool,
    /// The directory of its policies.
    policies: Option<PathBuf>,
}

impl Server {
    /// A server that serves `config`.
    pub(crate) fn start(config: &str) -> Self {
        let mut server = Self::new(config);
        server.again();
        server
    }

    /// The same with a policy that allows something.
    pub(crate) fn start_governed(config: &str) -> Self {
        let mut server = Self::new(config);
        server.governed = true;
        server.again();
        server
    }

    /// The same with the policies of a directory.
    pub(crate) fn start_with_policies(config: &str, policies: &Path) -> Self {
        let mut server = Self::new(config);
        server.policies = Some(policies.to_owned());
        server.again();
        server
    }

    /// The same on a disk that can be filled.
    pub(crate) fn start_on_small_disk(config: &str) -> Self {
        let mut server = Self::new(config);
        server.small_disk = true;
        server.again();
        server
    }

    fn new(config: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory for the test");
        let (small_disk, governed) = (false, false);
        let server = Self { dir, child: None, started: 0, small_disk, governed, policies: None };
        server.write_config(config);
        server
    }

    /// Replaces the file; nothing reads it yet.
    pub(crate) fn write_config(&self, config: &str) {
        fs::write(self.file(), config).expect("the directory takes files");
    }

    /// Starts a process on the directory and waits until it answers.
    pub(crate) fn again(&mut self) {
        let command = if self.small_disk { self.serve_after("trap '' XFSZ") } else { self.serve() };
        self.spawn(command);
    }

    /// The same on a disk that is full already: only users are answered. Returns where.
    pub(crate) fn again_on_a_full_disk(&mut self) -> String {
        let blocks = FULL_BYTES / 512;
        let command = self.serve_after(&format!("trap '' XFSZ; ulimit -S -f {blocks}"));
        self.begin_with_users_only(command)
    }

    /// Starts a process where only users are answered. Returns where.
    pub(crate) fn again_without_control(&mut self) -> String {
        let command = self.serve();
        self.begin_with_users_only(command)
    }

    fn begin_with_users_only(&mut self, command: Command) -> String {
        self.begin(command);
        let mut ingress = None;
        self.until("the gateway listens", |server| {
            ingress = server.listens();
            ingress.is_some()
        });
        format!("http://{}", ingress.expect("found above"))
    }

    /// Where its gateway listens, by its log.
    fn listens(&self) -> Option<String> {
        let log = self.log();
        let mut events = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        events.find_map(|event| event["local_addr"].as_str().map(str::to_owned))
    }

    /// A process that begins with these words of a shell.
    fn serve_after(&self, words: &str) -> Command {
        let serve = self.serve();
        let mut command = Command::new("sh");
        command.arg("-c").arg(format!("{words}; exec \"$0\" \"$@\""));
        command.arg(serve.get_program()).args(serve.get_args());
        for (name, _) in serve.get_envs() {
            command.env_remove(name);
        }
        command
    }

    fn spawn(&mut self, command: Command) {
        self.begin(command);
        self.until("the server is ready", Self::is_ready);
    }

    fn begin(&mut self, mut command: Command) {
        self.started += 1;
        let log = File::create(self.log_path()).expect("the directory takes files");
        let child = command
            .arg("--token-file")
            .arg(self.token_file())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the binary starts");
        self.child = Some(child);
    }

    /// A process on its file and directory, on free ports; not started.
    pub(crate) fn serve(&self) -> Command {
        let mut command = if self.governed { governed() } else { lockgate() };
        command
            .args(["serve", "--log", "json", "--ingress", "127.0.0.1:0", "--api", "127.0.0.1:0"])
            .args(["--egress", "127.0.0.1:0"])
            .arg("--config")
            .arg(self.file())
            .arg("--data-dir")
            .arg(self.data_dir());
        if let Some(policies) = &self.policies {
            command.arg("--policies").arg(policies);
        }
        command
    }

    /// From now on no file of the process grows beyond a few pages, as on a full disk; or they may
    /// again.
    pub(crate) fn fill_disk(&self, full: bool) {
        let id = i32::try_from(self.pid()).ok().and_then(Pid::from_raw).expect("a process id");
        let limit = Rlimit { current: full.then_some(FULL_BYTES), maximum: None };
        prlimit(Some(id), Resource::Fsize, limit).expect("the limit of a child can be set");
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
        let pid = self.pid().to_string();
        let status = std::process::Command::new("kill").args(["-s", name, &pid]).status();
        assert!(status.expect("kill is there").success());
    }

    fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
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

    /// The same as someone else.
    pub(crate) fn run_as<S: AsRef<OsStr>>(&self, token: &str, args: &[S]) -> Ran {
        let mut command = lockgate();
        command.args(args).arg("--server").arg(self.api()).env("LOCKGATE_TOKEN", token);
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

    /// What its audit log holds, once it has stopped.
    pub(crate) fn records(&self) -> Vec<Record> {
        let log = Reader::open(self.data_dir().join("audit"), Vec::new()).expect("a log");
        (0..log.size()).map(|seq| log.record(seq).expect("it is there")).collect()
    }

    /// Waits until something holds; a test that hangs says for what.
    pub(crate) fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let started = Instant::now();
        while !holds(self) {
            if let Some(status) = self.child.as_mut().and_then(|child| child.try_wait().ok()?) {
                panic!("the server ended with {status}:\n{}", self.log());
            }
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

    pub(crate) fn egress(&self) -> String {
        self.address("egress")
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

    /// Whether control and API are there.
    pub(crate) fn is_ready(&mut self) -> bool {
        self.addresses().is_some()
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
