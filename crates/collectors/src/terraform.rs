//! Plans of Terraform and `OpenTofu`. Whoever plans a root module runs what its templates say: its providers, and the
//! programs of its `external` data sources.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use lockgate_readiness::drift::{Ended, Ran};

use crate::program::{Environment, Run};

/// Variables that it gets when they are set, besides what every program gets. Credentials of clouds are asked for by name.
pub const VARIABLES: [&str; 4] =
    ["TF_WORKSPACE", "TF_DATA_DIR", "TF_CLI_CONFIG_FILE", "TF_PLUGIN_CACHE_DIR"];

/// The same, where what they hold may be a secret.
pub const SECRETS: [&str; 2] = ["TF_VAR_*", "TF_TOKEN_*"];

/// What is read of what it writes. A plan of many resources is long.
const OUTPUT_BYTES_MAX: usize = 256 * 1024 * 1024;

/// What is asked of it.
#[derive(Debug)]
pub struct Asked<'a> {
    /// Where it is.
    pub program: &'a Path,
    /// The root module.
    pub directory: &'a Path,
    /// Files with variables.
    pub var_files: &'a [PathBuf],
    /// Fetch providers and modules first, as its lock file has them.
    pub init: bool,
    /// Lock the state, and wait so long for it; `None` not to lock it.
    pub lock_timeout: Option<Duration>,
    /// Set when nobody waits for it any more.
    pub stop: &'a AtomicBool,
    /// What it gets of our environment.
    pub environment: &'a Environment,
    /// Longest time of all of it.
    pub time_max: Duration,
}

/// What it did.
#[derive(Debug)]
pub struct Planned {
    /// How fetching ended, when that was asked for.
    pub init: Option<Ran>,
    /// `plan -detailed-exitcode -json`.
    pub plan: Ran,
    /// `show -json` of its plan, when there is one.
    pub show: Option<Ran>,
}

/// Plans. The plan is kept in a directory of its own that nobody else can read and that goes at the end; the checkout
/// gets nothing but, for the time of the plan, the lock of a state that is a file in it.
pub fn plan(asked: &Asked<'_>) -> Planned {
    let aside = match tempfile::tempdir() {
        Ok(aside) => aside,
        Err(error) => {
            let why = format!("there is no room for its plan: {error}");
            return Planned { init: None, plan: Ran::not_started(why), show: None };
        }
    };
    let mut environment = asked
        .environment
        .clone()
        .with("TF_IN_AUTOMATION", "1")
        .with("TF_INPUT", "0")
        .with("CHECKPOINT_DISABLE", "1");
    if asked.init && !environment.has("TF_DATA_DIR") {
        environment = environment.with("TF_DATA_DIR", aside.path().join("data"));
    }
    let until = Instant::now() + asked.time_max;
    let run = |arguments: Vec<OsString>| {
        Run {
            program: asked.program,
            arguments,
            directory: asked.directory,
            environment: &environment,
            until,
            time_max: asked.time_max,
            stop: asked.stop,
            output_bytes_max: OUTPUT_BYTES_MAX,
        }
        .go()
    };
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let init = asked.init.then(|| {
        run(words(&["init", "-input=false", "-no-color", "-lockfile=readonly", "-upgrade=false"]))
    });
    if let Some(failed) = init.as_ref().filter(|init| init.ended != Ended::Exited(0)) {
        return Planned { plan: failed.clone(), init, show: None };
    }
    let file = aside.path().join("plan");
    let mut arguments =
        words(&["plan", "-input=false", "-no-color", "-json", "-detailed-exitcode"]);
    arguments.extend(match asked.lock_timeout {
        Some(timeout) => words(&["-lock=true", &format!("-lock-timeout={}s", timeout.as_secs())]),
        None => words(&["-lock=false"]),
    });
    arguments.extend(asked.var_files.iter().map(|file| flag("-var-file=", file)));
    arguments.push(flag("-out=", &file));
    let plan = run(arguments);
    let show = matches!(plan.ended, Ended::Exited(0 | 2)).then(|| {
        let mut arguments = words(&["show", "-no-color", "-json"]);
        arguments.push(file.into());
        run(arguments)
    });
    Planned { init, plan, show }
}

fn flag(name: &str, path: &Path) -> OsString {
    let mut flag = OsString::from(name);
    flag.push(path);
    flag
}
