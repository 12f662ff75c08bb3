//! Finding and starting what tests need.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What is not ready after this long never will be; generous, as machines that test are busy.
const READY_MAX: Duration = Duration::from_secs(90);

/// The `lockgate` binary beside the tests. It belongs to another crate, so cargo does not build
/// it for this one.
pub(crate) fn lockgate() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("lockgate");
    assert!(path.exists(), "{} is missing: run `cargo build -p lockgate` first", path.display());
    path
}

/// Tests that bring many users wait for one another: together they would be more than two cores
/// serve.
pub(crate) fn crowd() -> MutexGuard<'static, ()> {
    static CROWD: Mutex<()> = Mutex::new(());
    CROWD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The Python that has the real clients.
pub(crate) fn python() -> String {
    std::env::var("LOCKGATE_TEST_PYTHON").expect(
        "LOCKGATE_TEST_PYTHON must name a Python with tests/clients/requirements.txt; ./test sets it",
    )
}

/// A script of `tests/clients`.
pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(name)
}

/// A process that ends with the test.
pub(crate) struct Running(Child);

impl Running {
    /// Starts it; its output goes to `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let out = std::fs::File::create(log).unwrap();
        let err = out.try_clone().unwrap();
        let child = command.stdin(Stdio::piped()).stdout(out).stderr(err).spawn();
        Self(child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}")))
    }

    /// Waits for `look`, and fails with the process's output when it ends before.
    pub(crate) fn ready<T>(&mut self, log: &Path, mut look: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            let ended = self.0.try_wait().unwrap();
            let late = started.elapsed() > READY_MAX;
            if ended.is_some() || late {
                let said = std::fs::read_to_string(log).unwrap_or_default();
                panic!("not ready ({ended:?}, late: {late}):\n{said}");
            }
            std::thread::sleep(Duration::from_millis(30));
        }
    }
}

impl Running {
    /// What a person's Ctrl-C does; waits for the end.
    pub(crate) fn interrupt(&mut self) -> ExitStatus {
        let pid = self.0.id().to_string();
        let told = Command::new("kill").args(["-s", "INT", &pid]).status().unwrap();
        assert!(told.success());
        self.0.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs to the end; standard output. Fails with what was said on standard error.
pub(crate) fn output(command: &mut Command) -> Vec<u8> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let mut err = child.stderr.take().unwrap();
    let said = std::thread::spawn(move || {
        let mut text = String::new();
        let _ = err.read_to_string(&mut text);
        text
    });
    let mut out = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut out).unwrap();
    let status = child.wait().unwrap();
    let said = said.join().unwrap();
    let shown = String::from_utf8_lossy(&out);
    assert!(status.success(), "{command:?}: {status}\n{said}\n{shown}");
    out
}

/// Command lines that still name the demo's directory.
pub(crate) fn left_running(dir: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|process| std::fs::read(process.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(dir))
        .collect()
}

/// Starts a helper that writes its address to `DIR/NAME.address`, and waits for it.
pub(crate) fn helper(dir: &Path, name: &str, command: &mut Command) -> (Running, String) {
    let at = |what: &str| dir.join(format!("{name}.{what}"));
    let log = at("log");
    let mut process = Running::start(command, &log);
    let address = process.ready(&log, || std::fs::read_to_string(at("address")).ok());
    (process, address)
}
