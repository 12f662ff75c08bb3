//! Builtins and variables by which a line changes what its own words mean.

use super::Word;
use super::word::assigned;
use crate::facts::Decided;

/// These run text, or change what names mean.
const UNDECIDED: [&str; 17] = [
    "eval",
    ".",
    "source",
    "alias",
    "unalias",
    "trap",
    "bind",
    "enable",
    "hash",
    "shopt",
    "complete",
    "compgen",
    "fc",
    "let",
    "mapfile",
    "readarray",
    "jobs",
];

/// These set variables that their arguments name.
const SETTERS: [&str; 8] =
    ["export", "declare", "typeset", "readonly", "local", "read", "getopts", "unset"];

/// What `set` may be given; `-k`, for one, makes assignments of arguments.
const PLAIN_SETTINGS: [&str; 10] =
    ["-e", "-u", "-x", "-eu", "-ex", "-eux", "-o", "-euo", "-euxo", "pipefail"];

/// Options of the setters that only say which variables, or how to read.
const PLAIN_OPTIONS: [&str; 6] = ["-x", "-r", "-p", "-g", "-gx", "-rx"];

/// Variables that steer the shell, the loader of programs, or which programs well-known programs start.
pub(super) fn steers(name: &str) -> bool {
    const NAMES: [&str; 23] = [
        "PATH",
        "IFS",
        "ENV",
        "BASH_ENV",
        "SHELL",
        "SHELLOPTS",
        "BASHOPTS",
        "PS0",
        "PS1",
        "PS2",
        "PS4",
        "CDPATH",
        "HOME",
        "PROMPT_COMMAND",
        "EDITOR",
        "VISUAL",
        "PAGER",
        "MANPAGER",
        "BROWSER",
        "LESSOPEN",
        "LESSCLOSE",
        "NODE_OPTIONS",
        "RUBYOPT",
    ];
    const BEGINNINGS: [&str; 9] =
        ["LD_", "DYLD_", "BASH_FUNC_", "GIT_", "PYTHON", "PERL", "SUDO_", "JAVA_", "_JAVA_"];
    NAMES.contains(&name) || BEGINNINGS.iter().any(|beginning| name.starts_with(beginning))
}

/// A builtin that leaves the rest of the line as it reads.
pub(super) fn leaves_the_line_alone(name: &str, arguments: &[Word]) -> Decided<()> {
    if UNDECIDED.contains(&name) {
        return Err("a builtin that decides at run time");
    }
    if name == "set" {
        for argument in arguments {
            if !PLAIN_SETTINGS.contains(&argument.fixed()?) {
                return Err("a setting of the shell");
            }
        }
    }
    if SETTERS.contains(&name) {
        for argument in arguments {
            let text = argument.fixed()?;
            // references to other variables, integers that are arithmetic, functions
            if text.starts_with(['-', '+']) && !PLAIN_OPTIONS.contains(&text) {
                return Err("an option that is not known");
            }
            // subscripts are arithmetic, which can run commands
            if text.contains('[') || steers(assigned(text).unwrap_or(text)) {
                return Err("a variable that steers the shell");
            }
        }
    }
    let variable = |word: &Word| word.fixed().is_ok_and(|text| text.starts_with("-v"));
    if matches!(name, "printf" | "test" | "[") && arguments.iter().any(variable) {
        return Err("a variable named by a word");
    }
    Ok(())
}
