//! `kubectl diff`. It asks the cluster what applying would change, changes nothing, and compares with the program `diff`.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lockgate_readiness::drift::Ran;
use lockgate_readiness::drift::kubernetes::{is_remote, kustomization_parts};

use crate::bounded;
use crate::program::{Environment, Run};

/// Variables that it gets when they are set, besides what every program gets.
pub const VARIABLES: [&str; 1] = ["KUBECONFIG"];

const OUTPUT_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Files that make a directory a kustomization.
const KUSTOMIZATIONS: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// What is asked of it.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Where it is.
    pub program: &'a Path,
    /// Manifests, those in directories below too, or a kustomization.
    pub directory: &'a Path,
    /// Its configuration, when it is not the usual one.
    pub kubeconfig: Option<&'a Path>,
    /// Which cluster of it.
    pub context: Option<&'a str>,
    /// Set when nobody waits for it any more.
    pub stop: &'a AtomicBool,
    /// What it gets of our environment.
    pub environment: &'a Environment,
    /// Longest time.
    pub time_max: Duration,
}

/// Kustomizations that are looked into, and the longest.
const FOLLOWED_MAX: usize = 500;
const BYTES_MAX: u64 = 1024 * 1024;

/// Compares. A kustomization that names what would be fetched is refused.
pub fn diff(asked: &Asked<'_>) -> Ran {
    if let Some(why) = fetches(asked.directory) {
        return Ran::not_started(why);
    }
    let mut arguments: Vec<OsString> = vec!["diff".into()];
    if let Some(file) = asked.kubeconfig {
        let mut flag = OsString::from("--kubeconfig=");
        flag.push(file);
        arguments.push(flag);
    }
    arguments.extend(asked.context.map(|context| format!("--context={context}").into()));
    if KUSTOMIZATIONS.iter().any(|name| asked.directory.join(name).is_file()) {
        arguments.extend(["--kustomize=.".into()]);
    } else {
        arguments.extend(["--recursive".into(), "--filename=.".into()]);
    }
    Run {
        program: asked.program,
        arguments,
        directory: asked.directory,
        environment: asked.environment,
        until: Instant::now() + asked.time_max,
        time_max: asked.time_max,
        stop: asked.stop,
        output_bytes_max: OUTPUT_BYTES_MAX,
    }
    .go()
}

/// Why a kustomization is not built: it, or one that it is made of, is not all there.
fn fetches(directory: &Path) -> Option<String> {
    let mut waiting = vec![directory.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(directory) = waiting.pop() {
        let directory = fs::canonicalize(&directory).unwrap_or(directory);
        if !seen.insert(directory.clone()) {
            continue;
        }
        if seen.len() > FOLLOWED_MAX {
            return Some(format!("it is made of more than {FOLLOWED_MAX} kustomizations"));
        }
        let there = KUSTOMIZATIONS.iter().map(|name| directory.join(name));
        let Some(file) = there.into_iter().find(|file| file.is_file()) else { continue };
        let text = bounded::text(&file, BYTES_MAX);
        let Some(parts) = text.as_deref().and_then(kustomization_parts) else {
            return Some("a kustomization that it is made of cannot be read".to_owned());
        };
        if let Some(remote) = parts.iter().find(|part| is_remote(part)) {
            return Some(format!(
                "a kustomization names `{remote}`, and nothing is fetched: put it into the repository"
            ));
        }
        waiting.extend(parts.iter().map(|part| directory.join(part)).filter(|path| path.is_dir()));
    }
    None
}
