//! Functions on platforms that scale by themselves: AWS Lambda, Google Cloud Run and Modal, as templates describe them.

mod program;
mod terraform;
mod yaml;

use crate::finding::{Evidence, Finding, Outcome};
use crate::tree::{Tree, has_end, is_aside};

/// 1 to 2 GB: whoever counts in thousands and whoever counts in 1,024s are both right.
const MEMORY_BYTES: std::ops::RangeInclusive<u64> = 1_000_000_000..=2 * 1024 * 1024 * 1024;

/// 30 to 60 s.
const TIMEOUT_S: std::ops::RangeInclusive<u64> = 30..=60;

const MIB: u64 = 1024 * 1024;

/// Most functions that are looked at.
const FUNCTIONS_MAX: usize = 500;

/// Functions that a reason names.
const NAMED_MAX: usize = 3;

/// A number as a template has it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Number {
    Is(u64),
    /// It is not there: the platform's own holds, which is another for each.
    NotWritten,
    /// It is something that only a deployment can tell.
    Computed,
}

impl Number {
    fn of(text: Option<&str>, read: impl Fn(&str) -> Option<u64>) -> Self {
        match text {
            None => Self::NotWritten,
            Some(text) => read(text.trim()).map_or(Self::Computed, Self::Is),
        }
    }
}

/// A function.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Function {
    platform: &'static str,
    name: String,
    at: Evidence,
    memory_bytes: Number,
    timeout_s: Number,
}

/// What templates describe.
#[derive(Debug, Default, PartialEq, Eq)]
struct Found {
    functions: Vec<Function>,
    /// What keeps instances that are paid while nobody asks.
    warm: Vec<Evidence>,
    /// What lets one run at a time.
    single: Vec<Evidence>,
    /// Templates that are not read.
    unread: Vec<String>,
}

impl Found {
    fn read(tree: &Tree) -> Self {
        let mut found = Self::default();
        for (path, text) in tree.texts().filter(|(path, _)| !is_aside(path)) {
            if has_end(path, "tf") || has_end(path, "tofu") || path.ends_with(".tf.json") {
                terraform::read(path, text, &mut found);
            } else if ["yml", "yaml", "json"].iter().any(|end| has_end(path, end)) {
                yaml::read(path, text, &mut found);
            } else {
                program::read(path, text, &mut found);
            }
            if found.functions.len() > FUNCTIONS_MAX {
                found.unread.push(format!("more than {FUNCTIONS_MAX} functions"));
                break;
            }
        }
        found
    }

    /// Says that there is nothing to ask this of.
    fn nothing(&self) -> Finding {
        if self.unread.is_empty() {
            Finding::fail("no template of a function on Modal, AWS Lambda or Google Cloud Run")
        } else {
            Finding::unknown(format!("not read: {}", self.unread.join("; ")))
        }
    }
}

/// Whether a platform is chosen.
pub(crate) fn platform(tree: &Tree) -> Finding {
    let found = Found::read(tree);
    let mut platforms: Vec<&str> = found.functions.iter().map(|one| one.platform).collect();
    platforms.sort_unstable();
    platforms.dedup();
    if platforms.is_empty() {
        return found.nothing();
    }
    Finding::pass(platforms.join(", ")).with(found.functions.iter().map(|one| one.at.clone()))
}

/// Whether every function is sized as it should be.
pub(crate) fn sizing(tree: &Tree) -> Finding {
    sized(&Found::read(tree))
}

fn sized(found: &Found) -> Finding {
    if found.functions.is_empty() {
        return found.nothing();
    }
    let (mut wrong, mut open) = (Vec::new(), Vec::new());
    for one in &found.functions {
        let memory = judged(&one.memory_bytes, &MEMORY_BYTES, |bytes| {
            format!("{} MB of memory, which is not 1 to 2 GB", bytes / MIB)
        });
        let timeout = judged(&one.timeout_s, &TIMEOUT_S, |seconds| {
            format!("a timeout of {seconds} s, which is not 30 to 60 s")
        });
        for (what, judged) in [("memory", memory), ("timeout", timeout)] {
            match judged {
                Judged::Good => {}
                Judged::Wrong(why) => wrong.push((one, why)),
                Judged::Open(why) => open.push((one, format!("the {what} is {why}"))),
            }
        }
    }
    let told = |all: &[(&Function, String)]| {
        let mut lines: Vec<String> =
            all.iter().take(NAMED_MAX).map(|(one, why)| format!("`{}`: {why}", one.name)).collect();
        if all.len() > NAMED_MAX {
            lines.push(format!("{} more", all.len() - NAMED_MAX));
        }
        lines.join("; ")
    };
    if !wrong.is_empty() {
        return Finding::fail(told(&wrong)).with(wrong.iter().map(|(one, _)| one.at.clone()));
    }
    if !open.is_empty() {
        return Finding::unknown(told(&open)).with(open.iter().map(|(one, _)| one.at.clone()));
    }
    if !found.unread.is_empty() {
        return found.nothing();
    }
    Finding::pass(format!("{} of {} functions", found.functions.len(), found.functions.len()))
        .with(found.functions.iter().map(|one| one.at.clone()))
}

/// Whether nothing keeps the platform from scaling, or has it paid while nobody asks.
pub(crate) fn scaling(tree: &Tree) -> Finding {
    scaled(&Found::read(tree))
}

fn scaled(found: &Found) -> Finding {
    if found.functions.is_empty() {
        return found.nothing();
    }
    if !found.single.is_empty() {
        return Finding::fail("one instance at most: it cannot scale").with(found.single.clone());
    }
    if !found.warm.is_empty() {
        return Finding::fail("instances are kept, and paid while nobody asks")
            .with(found.warm.clone());
    }
    if !found.unread.is_empty() {
        return found.nothing();
    }
    Finding::pass("the platform scales by itself; nothing is kept or limited to one")
        .with(found.functions.iter().map(|one| one.at.clone()))
}

/// Sizing and scaling together, where there are functions at all.
pub(crate) fn functions(tree: &Tree) -> Finding {
    let found = Found::read(tree);
    if found.functions.is_empty() && found.unread.is_empty() {
        return Finding::new(Outcome::NotApplicable, "no template of a function");
    }
    let (sizing, scaling) = (sized(&found), scaled(&found));
    match (sizing.outcome, scaling.outcome) {
        (Outcome::Pass, _) | (Outcome::Unknown, Outcome::Fail) => scaling,
        _ => sizing,
    }
}

enum Judged {
    Good,
    Wrong(String),
    Open(&'static str),
}

fn judged(
    number: &Number,
    good: &std::ops::RangeInclusive<u64>,
    wrong: impl Fn(u64) -> String,
) -> Judged {
    match number {
        Number::Is(value) if good.contains(value) => Judged::Good,
        Number::Is(value) => Judged::Wrong(wrong(*value)),
        Number::NotWritten => Judged::Open("not written, so that the platform's own holds"),
        Number::Computed => Judged::Open("no plain number"),
    }
}

/// Mebibytes, as Lambda and Modal count memory.
fn mebibytes(text: &str) -> Option<u64> {
    text.parse::<u64>().ok()?.checked_mul(MIB)
}

/// `1Gi`, `1024Mi`, `1G`, `2000M`, as Kubernetes counts memory.
fn quantity(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..end].parse().ok()?;
    let unit = match &text[end..] {
        "Gi" => 1024 * MIB,
        "Mi" => MIB,
        "G" => 1_000_000_000,
        "M" => 1_000_000,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// `60` or `60s`.
fn seconds(text: &str) -> Option<u64> {
    text.strip_suffix('s').unwrap_or(text).parse().ok()
}
