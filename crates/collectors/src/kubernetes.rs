//! `kubectl diff`. It asks the cluster what applying would change, changes nothing, and compares with the program `diff`.

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lockgate_readiness::drift::Ran;

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

/// Compares.
pub fn diff(asked: &Asked<'_>) -> Ran {
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
