//! A log, and witnesses that answer as a test wants.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use lockgate_anchor::{Asker, WitnessAt};
use lockgate_audit::{
    Durability, Entry, Found, Log, LogKey, LogOptions, Outside, Refused, Witness, WitnessKey,
    WitnessOptions, verify_against,
};
use tokio::net::TcpListener;

pub(crate) struct Made {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) key: LogKey,
}

/// A log of so many records, all of them signed.
pub(crate) fn log_of(records: u64) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let made = Made { dir, key: LogKey::generate("test.example/log").unwrap() };
    Log::create(&LogOptions::new(made.root()), &made.key).unwrap();
    made.append(records, "ada");
    made
}

impl Made {
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    pub(crate) fn append(&self, records: u64, principal: &str) {
        let options =
            LogOptions { durability: Durability::Process, ..LogOptions::new(self.root()) };
        // Not for async code.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let log = Log::open(&options, self.key.clone()).unwrap();
                let session = log.session();
                for n in 0..records {
                    let n = i64::try_from(n).unwrap();
                    session.append_blocking(&Entry::event(n, principal, "act", "thing")).unwrap();
                }
                log.close();
            });
        });
    }

    /// The same log elsewhere.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self { dir: tempfile::tempdir().unwrap(), key: self.key.clone() };
        copied(&self.root(), &copy.root());
        copy
    }

    pub(crate) fn kept(&self) -> usize {
        lockgate_audit::cosigned(&self.root()).len()
    }

    pub(crate) fn asker(&self, served: &Served) -> Asker {
        Asker::new(self.root(), served.at())
    }

    /// What is found with this witness trusted.
    pub(crate) fn verify(&self, served: &Served) -> Found {
        let keys = [self.key.public().clone()];
        let witnesses = vec![served.key.public().clone()];
        let outside = Outside { witnesses, cosignatures_min: 1, ..Outside::default() };
        verify_against(&self.root(), &keys, &outside, &mut |_, _| {}).unwrap()
    }
}

fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copied(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// What a witness does when it is asked.
pub(crate) type Act = Box<dyn Fn(&Witness, &Bytes) -> Option<Response> + Send + Sync>;

/// A witness over HTTP that may do other things than it should.
pub(crate) struct Served {
    pub(crate) key: WitnessKey,
    pub(crate) url: String,
    pub(crate) asked: Arc<AtomicU32>,
    act: Arc<Mutex<Act>>,
    _dir: tempfile::TempDir,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct App {
    witness: Arc<Witness>,
    act: Arc<Mutex<Act>>,
    asked: Arc<AtomicU32>,
}

/// A witness that follows these logs as it should.
pub(crate) async fn witness(logs: &[&Made]) -> Served {
    let dir = tempfile::tempdir().unwrap();
    let key = WitnessKey::generate("witness.example/w1").unwrap();
    let logs = logs.iter().map(|made| made.key.public().clone()).collect();
    let options = WitnessOptions::new(dir.path().join("seen"), key.clone(), logs);
    Witness::create(&options.dir).unwrap();
    let app = App {
        witness: Arc::new(Witness::open(options).unwrap()),
        act: Arc::new(Mutex::new(Box::new(|witness, body| Some(honest(witness, body))))),
        asked: Arc::default(),
    };
    let (act, asked) = (app.act.clone(), app.asked.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new()
        .route("/add-checkpoint", post(answer))
        .route("/{hash}/checkpoint", get(checkpoint))
        .with_state(app);
    let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    Served { key, url, asked, act, _dir: dir, task }
}

impl Served {
    pub(crate) fn at(&self) -> WitnessAt {
        WitnessAt { url: self.url.clone(), key: self.key.public().clone() }
    }

    pub(crate) fn acts(
        &self,
        act: impl Fn(&Witness, &Bytes) -> Option<Response> + Send + Sync + 'static,
    ) {
        *self.act.lock().unwrap() = Box::new(act);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State(app): State<App>, body: Bytes) -> Response {
    app.asked.fetch_add(1, Ordering::SeqCst);
    let act = Arc::clone(&app.act);
    let answered = tokio::task::spawn_blocking(move || act.lock().unwrap()(&app.witness, &body));
    match answered.await.unwrap() {
        Some(answer) => answer,
        // One that never answers.
        None => std::future::pending().await,
    }
}

async fn checkpoint(
    State(app): State<App>,
    axum::extract::Path(hash): axum::extract::Path<String>,
) -> Response {
    match app.witness.checkpoint(&hash) {
        Some(note) => note.into_response(),
        None => status(404, ""),
    }
}

pub(crate) fn honest(witness: &Witness, body: &Bytes) -> Response {
    match witness.add_checkpoint(body, 1_700_000_000) {
        Ok(lines) => lines.into_response(),
        Err(Refused::Conflict { size }) => status(409, &format!("{size}\n")),
        Err(Refused::Malformed(why)) => status(400, &why),
        Err(Refused::UnknownLog) => status(404, "unknown"),
        Err(Refused::NotSigned(why)) => status(403, &why),
        Err(Refused::Inconsistent { why, .. }) => status(422, &why),
        Err(Refused::Unable(why)) => status(503, &why),
    }
}

pub(crate) fn status(status: u16, body: &str) -> Response {
    let status = axum::http::StatusCode::from_u16(status).unwrap();
    (status, body.to_owned()).into_response()
}
