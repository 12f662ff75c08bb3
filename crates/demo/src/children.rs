//! Child processes: started with a log file each, stopped whatever happens.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::error::DemoError;

/// A child may take this long to be ready: a machine under load starts slowly.
pub(crate) const READY_MAX: Duration = Duration::from_mins(1);
/// And this long to stop before it is killed.
const STOP_MAX: Duration = Duration::from_secs(8);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// One process. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `binary` with `arguments`; its output goes to `DIR/NAME.log`. Its standard input
    /// stays open as long as this value lives, which helpers watch.
    pub(crate) fn start(
        binary: &Path,
        name: &str,
        dir: &Path,
        arguments: impl IntoIterator<Item = String>,
    ) -> Result<Self, DemoError> {
        let log = dir.join(format!("{name}.log"));
        let open = || std::fs::File::create(&log).map_err(DemoError::file("write", &log));
        let out = open()?;
        let err = out.try_clone().map_err(DemoError::file("write", &log))?;
        let child = Command::new(binary)
            .args(arguments)
            // A group of its own: Ctrl-C reaches the demo alone, which then stops its children in
            // order.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(out)
            .stderr(err)
            .kill_on_drop(true)
            .spawn()
            .map_err(DemoError::file("start", binary))?;
        Ok(Self { name: name.to_owned(), child, log })
    }

    /// What it was called when it was started.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Waits until `look` finds what shows that the process is ready.
    pub(crate) async fn ready<T, F: Future<Output = Option<T>>>(
        &mut self,
        mut look: impl FnMut() -> F,
    ) -> Result<T, DemoError> {
        let until = Instant::now() + READY_MAX;
        loop {
            if let Some(found) = look().await {
                return Ok(found);
            }
            self.check()?;
            if Instant::now() > until {
                let (name, log) = (self.name.clone(), self.log.clone());
                return Err(DemoError::NotReady { name, seconds: READY_MAX.as_secs(), log });
            }
            sleep(LOOK_EVERY).await;
        }
    }

    /// Waits for the address that the process writes to `file`.
    pub(crate) async fn address(&mut self, file: &Path) -> Result<String, DemoError> {
        self.ready(async || std::fs::read_to_string(file).ok()).await
    }

    /// Fails when the process has ended.
    pub(crate) fn check(&mut self) -> Result<(), DemoError> {
        match self.child.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(_)) | Err(_) => {
                Err(DemoError::ChildEnded { name: self.name.clone(), log: self.log.clone() })
            }
        }
    }

    /// Asks it to stop, waits, and kills it if that does not help.
    pub(crate) async fn stop(mut self) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok());
        if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
            // Fails only when it has ended already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        }
        if timeout(STOP_MAX, self.child.wait()).await.is_err() {
            // Likewise.
            let _ = self.child.kill().await;
        }
    }
}
