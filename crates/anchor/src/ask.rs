//! One witness, round by round: the newest checkpoint, with a proof from the one that the witness knows.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lockgate_audit::{
    AddCheckpoint, AuditError, Checkpoint, Reader, add_cosignature, checkpoint_from_note,
    cosignatures, cosigned, keep_cosigned, prove_consistency,
};

use crate::http::{Answer, Http, HttpError};
use crate::{WitnessAt, WitnessStatus};

/// Requests in one round: the witness may know another size than was thought, and once more.
const TRIES: u32 = 3;
/// Characters of a witness's own words that are repeated.
const WORDS_MAX: usize = 200;

/// Why a round did not end well.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stopped {
    /// Something failed; the next round goes on.
    #[error("{0}")]
    Failed(String),
    /// By the witness's word, this log does not go on from what it cosigned.
    #[error("{0}")]
    Refused(String),
}

/// Has one witness cosign a log.
#[derive(Debug)]
pub struct Asker {
    log: PathBuf,
    witness: WitnessAt,
    http: Option<Http>,
    /// What the witness cosigned last, as far as is known here; 0 at first.
    known: u64,
    /// Records under what is kept beside the log.
    kept: Option<u64>,
    /// The note that was cosigned last, by this asker.
    done: Option<Vec<u8>>,
}

impl Asker {
    /// For the log in this directory.
    pub fn new(log: PathBuf, witness: WitnessAt) -> Self {
        let kept = kept(&log, &witness);
        Self { log, witness, http: None, known: kept.unwrap_or(0), kept, done: None }
    }

    /// How it is; troubles are told by [`Asker::round`].
    pub fn status(&self) -> WitnessStatus {
        WitnessStatus {
            name: self.witness.key.name().to_owned(),
            key_id: format!("{:08x}", self.witness.key.id()),
            url: self.witness.url.clone(),
            size: self.kept,
            trouble: None,
            refused: None,
        }
    }

    /// The next round asks even if nothing is new.
    pub fn again(&mut self) {
        self.done = None;
    }

    /// Has the newest checkpoint cosigned; `false` when that one was already. The first round always asks: a log that
    /// was put back to an older state learns so from its witness.
    pub async fn round(&mut self) -> Result<bool, Stopped> {
        let root = self.log.clone();
        let log = blocking(move || read(&root)).await?;
        let log = Arc::new(log);
        if self.done.as_deref() == Some(log.note()) {
            return Ok(false);
        }
        for _ in 0..TRIES {
            let answer = self.ask(&log).await?;
            match answer.status {
                200 => {
                    self.keep(&log, answer.body).await?;
                    return Ok(true);
                }
                409 => self.known = self.told(&log, &answer)?,
                _ => return Err(self.refusal(&answer)),
            }
        }
        Err(Stopped::Failed("it says another size each time that it is asked".into()))
    }

    async fn ask(&mut self, log: &Arc<Reader>) -> Result<Answer, Stopped> {
        let newest = log.checkpoint();
        // What is kept may be newer than a log that was put back: then the witness says what it knows.
        let old_size = self.known.min(newest.size);
        let of = Arc::clone(log);
        let proof =
            blocking(move || prove_consistency(&of, Checkpoint { size: old_size, root: [0; 32] }))
                .await?;
        let request = AddCheckpoint { old_size, proof, note: log.note().to_vec() };
        self.known = old_size;
        let http = match self.http.take() {
            Some(http) => http,
            None => Http::new(&self.witness.url).map_err(failed)?,
        };
        let http = self.http.insert(http);
        http.add_checkpoint(request.to_bytes()).await.map_err(failed)
    }

    /// The size that the witness says it knows.
    fn told(&self, log: &Reader, answer: &Answer) -> Result<u64, Stopped> {
        let text = str::from_utf8(&answer.body).ok().and_then(|text| text.strip_suffix('\n'));
        let size: Option<u64> =
            text.and_then(|text| text.parse().ok().filter(|size: &u64| size.to_string() == text));
        let size = size.ok_or_else(|| {
            Stopped::Failed("it says that it knows another size, and not which".into())
        })?;
        let newest = log.checkpoint().size;
        if size > newest {
            return Err(Stopped::Refused(format!(
                "it has cosigned {size} records of this log, and the log here has {newest}: records were lost here"
            )));
        }
        // Older versions of the protocol answer so when the roots of one size differ.
        if size == self.known && size == newest {
            return Err(Stopped::Refused(format!(
                "it has cosigned other records than the {size} that are here"
            )));
        }
        if self.kept.is_some_and(|kept| size < kept) {
            let (witness, kept) = (self.witness.key.name(), self.kept);
            tracing::warn!(witness, size, kept, "a witness has forgotten what it cosigned before");
        }
        Ok(size)
    }

    fn refusal(&self, answer: &Answer) -> Stopped {
        let words: String = String::from_utf8_lossy(&answer.body)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .take(WORDS_MAX)
            .collect();
        let words = words.trim();
        match answer.status {
            422 => Stopped::Refused(format!(
                "the records here do not go on from the {} that it has cosigned ({words})",
                self.known
            )),
            404 => Stopped::Failed(
                "it does not follow this log; give it the log's public key (`lockgate audit keys`)"
                    .into(),
            ),
            403 => Stopped::Failed(
                "it does not trust the key that the log signs with; after a change of keys give it the new one (`lockgate \
                 audit keys`)"
                    .into(),
            ),
            status => Stopped::Failed(format!("it answered with status {status} ({words})")),
        }
    }

    async fn keep(&mut self, log: &Arc<Reader>, answer: Vec<u8>) -> Result<(), Stopped> {
        let (root, key) = (self.log.clone(), self.witness.key.clone());
        let of = Arc::clone(log);
        blocking(move || {
            let note = add_cosignature(of.note(), &answer, &key)?;
            keep_cosigned(&root, &key, &note)
        })
        .await?;
        self.known = log.checkpoint().size;
        self.kept = Some(self.known);
        self.done = Some(log.note().to_vec());
        Ok(())
    }
}

/// Records under what this witness cosigned of this log, by what is kept beside it.
fn kept(log: &Path, witness: &WitnessAt) -> Option<u64> {
    let own = Reader::open_signed(log, Vec::new()).ok()?;
    let cosigned = cosigned(log).into_iter().find(|kept| {
        let by = cosignatures(&kept.note, std::slice::from_ref(&witness.key));
        by.is_ok_and(|by| !by.is_empty())
    })?;
    Some(checkpoint_from_note(&cosigned.note, own.keys()).ok()?.size)
}

/// The log at its newest checkpoint, which is on disk: what others are told, a power cut must not take back.
fn read(root: &PathBuf) -> Result<Reader, AuditError> {
    let log = Reader::open_signed(root, Vec::new())?;
    File::open(root).and_then(|directory| directory.sync_all()).map_err(|error| {
        AuditError::Io {
            what: "sync",
            path: root.clone(),
            why: error.to_string(),
            kind: error.kind(),
        }
    })?;
    Ok(log)
}

/// Runs what waits for a disk beside what must not wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AuditError> + Send + 'static,
) -> Result<T, Stopped> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|error| Stopped::Failed(error.to_string()))?;
    done.map_err(|error| Stopped::Failed(error.to_string()))
}

fn failed(error: HttpError) -> Stopped {
    Stopped::Failed(error.0)
}
