//! What one command runs: its program, and those that the program is known to run from its arguments.

use super::prefix::{self, Command};
use super::{DEPTH_MAX, Found, Word, builtin, read};
use crate::facts::Decided;

/// Shells that read the same grammar.
const SHELLS: [&str; 6] = ["sh", "bash", "dash", "ash", "ksh", "rbash"];

/// Programs that run others in ways that are not read here.
const RUNNERS: [&str; 67] = [
    "arch",
    "at",
    "batch",
    "bwrap",
    "caffeinate",
    "catchsegv",
    "chroot",
    "chrt",
    "cmd",
    "cmd.exe",
    "cpulimit",
    "crontab",
    "csh",
    "dbus-run-session",
    "dumb-init",
    "elvish",
    "entr",
    "es",
    "expect",
    "fakeroot",
    "firejail",
    "fish",
    "flock",
    "gdb",
    "gosu",
    "i386",
    "linux32",
    "linux64",
    "ltrace",
    "mksh",
    "nsenter",
    "nu",
    "numactl",
    "parallel",
    "perf",
    "pkexec",
    "posh",
    "powershell",
    "powershell.exe",
    "prlimit",
    "proot",
    "proxychains",
    "proxychains4",
    "pwsh",
    "rc",
    "rlwrap",
    "run-parts",
    "runuser",
    "screen",
    "script",
    "setarch",
    "setpriv",
    "softlimit",
    "start-stop-daemon",
    "strace",
    "su",
    "su-exec",
    "systemd-run",
    "taskset",
    "tcsh",
    "tini",
    "tmux",
    "torsocks",
    "unbuffer",
    "unshare",
    "valgrind",
    "watch",
];

/// More shells and runners whose grammar is another.
const OTHER_SHELLS: [&str; 4] = ["xonsh", "yash", "zsh", "x86_64"];

/// What the program that runs a command does to its words.
#[derive(Clone, Copy)]
pub(super) enum Given<'a> {
    /// Nothing.
    Alone,
    /// Adds words at the end (`xargs`).
    More,
    /// Puts others in the place of this text (`find -exec`, `xargs -I`).
    Replaced(&'a str),
}

/// Finds the programs of a command. No words run nothing.
pub(super) fn run(
    found: &mut Found,
    words: &[Word],
    depth: usize,
    given: Given<'_>,
) -> Decided<()> {
    let Some((first, arguments)) = words.split_first() else {
        return if matches!(given, Given::Alone) {
            Ok(())
        } else {
            Err("a command given at run time")
        };
    };
    if depth > DEPTH_MAX {
        return Err("too deep");
    }
    if read::RESERVED.contains(&first.bare()) {
        return Err("a reserved word for a program");
    }
    let name = found.program(first)?;
    if let Given::Replaced(text) = given
        && (text.is_empty() || first.fixed()?.contains(text))
    {
        return Err("a command given at run time");
    }
    builtin::leaves_the_line_alone(name, arguments)?;
    let other = RUNNERS.contains(&name)
        || OTHER_SHELLS.contains(&name)
        || name.starts_with("ld-")
        || name.starts_with("ld.");
    if other {
        return Err("a program that runs others");
    }
    if SHELLS.contains(&name) {
        return shell(found, arguments, depth, given);
    }
    if matches!(name, "find" | "gfind") {
        return find(found, arguments, depth, given);
    }
    match prefix::read(name, arguments)? {
        Command::None => Ok(()),
        Command::Here(rest) => run(found, rest, depth + 1, given),
        Command::Xargs { rest, replaced } => {
            if !matches!(given, Given::Alone) {
                return Err("a command given at run time");
            }
            if rest.is_empty() {
                found.programs.insert("echo".to_owned());
                return Ok(());
            }
            run(found, rest, depth + 1, replaced.map_or(Given::More, Given::Replaced))
        }
    }
}

/// `sh -c TEXT`. Scripts in files and on standard input are not read here.
fn shell(found: &mut Found, arguments: &[Word], depth: usize, given: Given<'_>) -> Decided<()> {
    let [options, text, ..] = arguments else { return Err("a script that is not here") };
    let letters = options.fixed()?.strip_prefix('-').unwrap_or_default();
    if !letters.ends_with('c') || !letters.bytes().all(|letter| b"ceulx".contains(&letter)) {
        return Err("a script that is not here");
    }
    let text = text.fixed()?;
    let given_at_run_time = match given {
        Given::Alone => false,
        Given::More => true,
        Given::Replaced(place) => text.contains(place),
    };
    if given_at_run_time || text.starts_with(['-', '+']) {
        return Err("a script that is not here");
    }
    read::script(text, depth, found)
}

/// `find … -exec COMMAND ;`, and its relatives.
fn find(found: &mut Found, arguments: &[Word], depth: usize, given: Given<'_>) -> Decided<()> {
    if !matches!(given, Given::Alone) || arguments.iter().any(Word::is_expanded) {
        return Err("a command given at run time");
    }
    let mut rest = arguments;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if !matches!(first.fixed()?, "-exec" | "-execdir" | "-ok" | "-okdir") {
            continue;
        }
        let ends = |word: &Word| word.fixed().is_ok_and(|text| text == ";" || text == "+");
        let end = rest.iter().position(ends).ok_or("a command without an end")?;
        run(found, &rest[..end], depth + 1, Given::Replaced("{}"))?;
        rest = &rest[end + 1..];
    }
    Ok(())
}
