//! Plants the bugs of `mutants/list.txt` one at a time and sees whether a simulated world finds each.
//!
//! `cargo run -p lockgate-simulate --example mutants -- [SEEDS] [NAME]`, from the repository's root.
//!
//! The checkout is left alone: bugs are planted in a copy beside the build directory, where only
//! what they touch is built again. Without a bug every seed must hold. Ends with 1 when a bug
//! survives or cannot be planted.
#![expect(clippy::print_stdout, reason = "an example prints")]
#![expect(clippy::disallowed_methods, reason = "it copies code and builds it")]

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

#[path = "../mutants/mod.rs"]
mod list;

use list::Mutant;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let seeds = arguments.next().unwrap_or_else(|| "2000".into());
    let wanted = arguments.next().unwrap_or_default();
    match check(&seeds, &wanted) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(failed) => {
            println!("{failed} bugs survived or could not be planted");
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// How many bugs nobody found.
fn check(seeds: &str, wanted: &str) -> Result<usize, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let copy =
        Copy { source: target.join("mutants/source"), target: target.join("mutants/target") };
    copy.make(&root).map_err(|error| format!("the code cannot be copied: {error}"))?;
    let clean = copy.run(seeds)?;
    if !clean.status.success() {
        return Err(format!("without a bug something breaks: {}", said(&clean)));
    }
    println!("without a bug: {}", said(&clean));
    let mut failed = 0;
    for mutant in list::all().iter().filter(|mutant| mutant.name.contains(wanted)) {
        let verdict = copy.with(mutant, || copy.run(seeds));
        let words = match verdict {
            Ok(output) if output.status.success() => Err("SURVIVED".to_owned()),
            Ok(output) => {
                caught(&said(&output)).ok_or_else(|| format!("CRASHED: {}", said(&output)))
            }
            Err(why) => Err(format!("NOT PLANTED: {why}")),
        };
        failed += usize::from(words.is_err());
        println!("{}: {}", mutant.name, words.unwrap_or_else(|words| words));
    }
    Ok(failed)
}

/// `after N seeds, seed S: INVARIANT: what was seen`.
fn caught(said: &str) -> Option<String> {
    let mut parts = said.splitn(3, '\t');
    let (tried, seed, broken) = (parts.next()?, parts.next()?, parts.next()?);
    let broken: String = broken.chars().take(120).collect();
    Some(format!("caught after {tried} seeds, by {seed}: {broken}"))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A copy of the workspace, and where it is built.
struct Copy {
    source: PathBuf,
    target: PathBuf,
}

impl Copy {
    fn make(&self, root: &Path) -> io::Result<()> {
        fs::create_dir_all(&self.source)?;
        for file in ["Cargo.toml", "Cargo.lock", "rust-toolchain.toml"] {
            fs::copy(root.join(file), self.source.join(file))?;
        }
        copy_changed(&root.join("crates"), &self.source.join("crates"))
    }

    /// Does something while the bug is planted.
    fn with<T>(
        &self,
        mutant: &Mutant,
        what: impl FnOnce() -> Result<T, String>,
    ) -> Result<T, String> {
        let planted = mutant.planted(&self.source)?;
        let path = self.source.join(&mutant.file);
        let failed = |error: io::Error| format!("{}: {error}", mutant.file);
        let healthy = fs::read(&path).map_err(failed)?;
        fs::write(&path, planted).map_err(failed)?;
        let done = what();
        fs::write(&path, healthy).map_err(failed)?;
        done
    }

    /// Tries seeds on the code as it is in the copy; `Err` when it does not compile.
    fn run(&self, seeds: &str) -> Result<Output, String> {
        let cargo = || {
            let mut cargo = Command::new("cargo");
            cargo.current_dir(&self.source).env("CARGO_TARGET_DIR", &self.target);
            cargo.env("CARGO_INCREMENTAL", "0").env("RUST_BACKTRACE", "0");
            cargo
        };
        let of = ["--locked", "--quiet", "-p", "lockgate-simulate"];
        let built = cargo().arg("build").args(of).args(["--example", "seeds"]).output();
        let built = built.map_err(|error| format!("cargo: {error}"))?;
        if !built.status.success() {
            let words = String::from_utf8_lossy(&built.stderr);
            let error = words.lines().find(|line| line.starts_with("error"));
            return Err(error.unwrap_or("it does not compile").to_owned());
        }
        let ran = Command::new(self.target.join("debug/examples/seeds")).arg(seeds).output();
        ran.map_err(|error| format!("seeds: {error}"))
    }
}

/// Files that differ, so that nothing is built again that need not be; those that are gone go.
fn copy_changed(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(to)? {
        let path = entry?.path();
        let gone = path.file_name().is_some_and(|name| !from.join(name).exists());
        if gone && path.is_dir() {
            fs::remove_dir_all(path)?;
        } else if gone {
            fs::remove_file(path)?;
        }
    }
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_changed(&entry.path(), &to)?;
            continue;
        }
        let text = fs::read(entry.path())?;
        if fs::read(&to).ok().as_ref() != Some(&text) {
            fs::write(to, text)?;
        }
    }
    Ok(())
}
