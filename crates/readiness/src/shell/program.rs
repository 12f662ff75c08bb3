//! Which shell runs a script, by the words that start it, and what it makes of failures.

use super::{Blocking, Options, UNKNOWN};

/// How a script is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Read {
    As(Options),
    /// No shell runs its commands.
    Not,
    /// What the words do to it is not known; why.
    Unsure(String),
}

const STRICT: Options = Options { errexit: true, pipefail: true };

/// What `-o` may be followed by that leaves the commands what they are.
const SETTINGS: [&str; 10] = [
    "errexit",
    "errtrace",
    "nounset",
    "pipefail",
    "xtrace",
    "posix",
    "igncr",
    "verbose",
    "noglob",
    "allexport",
];

/// Programs that take a script and run none of it as commands.
const OTHERS: [&str; 14] = [
    "true", "false", "cat", "echo", "tee", "test", "python", "python3", "node", "perl", "ruby",
    "php", "Rscript", "deno",
];

/// How the words before a script run it; where it stands may be written as `{0}`.
pub(crate) fn read(line: &str) -> Read {
    let trim = |word| -> &str { str::trim_matches(word, ['"', '\'']) };
    let words: Vec<&str> = line.split_whitespace().map(trim).collect();
    let words = inner(&words);
    let unsure = || {
        let told: String = line.chars().map(|c| if c == UNKNOWN { '…' } else { c }).collect();
        Read::Unsure(format!("what the shell `{told}` makes of the script is not known"))
    };
    let Some((first, rest)) = words.split_first() else { return unsure() };
    let rest = match rest {
        [more @ .., "{0}"] => more,
        all => all,
    };
    let name = first.rsplit(['/', '\\']).next().unwrap_or_default();
    match name.trim_end_matches(".exe") {
        "bash" | "sh" | "zsh" | "dash" | "ash" | "ksh" => options(rest).unwrap_or_else(unsure),
        "pwsh" | "powershell" | "cmd" => Read::As(Options { errexit: false, pipefail: false }),
        // What the actions that bring them write around `bash`.
        "msys2" | "alpine.sh" | "micromamba-shell" if rest.is_empty() => Read::As(STRICT),
        name if OTHERS.contains(&name) => Read::Not,
        _ => unsure(),
    }
}

/// What the words before a script make of failures in it.
pub(crate) fn started(line: &str) -> (Options, Blocking) {
    match read(line) {
        Read::As(options) => (options, Blocking::Yes),
        Read::Not => (STRICT, Blocking::No(format!("`{line}` runs none of its commands"))),
        Read::Unsure(why) => (STRICT, Blocking::Unsure(why)),
    }
}

/// Behind `env`, and behind what opens an environment for a command.
fn inner<'a, 'w>(words: &'a [&'w str]) -> &'a [&'w str] {
    let name = words.first().map_or("", |word| word.rsplit('/').next().unwrap_or_default());
    match name {
        "env" => {
            let skipped = |word: &&str| word.contains('=') || *word == "-S";
            let at = words[1..].iter().take_while(|word| skipped(word)).count();
            &words[1 + at..]
        }
        "nix" | "nix-shell" | "devenv" | "devbox" => {
            let opens = |word: &&str| matches!(*word, "-c" | "--command" | "--run" | "--");
            let at = words.iter().position(opens);
            let at = at.or_else(|| words.iter().position(|word| *word == "shell"));
            at.map_or(&[], |at| &words[at + 1..])
        }
        _ => words,
    }
}

/// The options of a shell of the family of `sh`; `None` where one is not known.
fn options(words: &[&str]) -> Option<Read> {
    let mut options = Options { errexit: false, pipefail: false };
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if matches!(*word, "--noprofile" | "--norc" | "--login" | "--posix") {
            continue;
        }
        if matches!(*word, "--version" | "--help") {
            return Some(Read::Not);
        }
        let letters = word.strip_prefix('-').filter(|letters| !letters.starts_with('-'))?;
        for letter in letters.chars() {
            match letter {
                'e' => options.errexit = true,
                'n' => return Some(Read::Not),
                'o' => match *words.next()? {
                    "noexec" => return Some(Read::Not),
                    setting if !SETTINGS.contains(&setting) => return None,
                    "errexit" => options.errexit = true,
                    "pipefail" => options.pipefail = true,
                    _ => {}
                },
                'u' | 'x' | 'v' | 'l' | 'i' | 'a' | 'f' | 'b' | 'h' | 'p' | 'B' | 'C' | 'E'
                | 'H' | 'P' | 'T' => {}
                _ => return None,
            }
        }
    }
    Some(Read::As(options))
}

/// What a shell of Windows makes of failures: the status of the last program counts, unless the script looks at that
/// of each.
pub(crate) fn of_windows(text: &str) -> (Options, Blocking) {
    let lower = text.to_ascii_lowercase();
    let stops = lower.contains("psnativecommanduseerroractionpreference = $true");
    let looks = ["lastexitcode", "errorlevel"].into_iter().find(|name| lower.contains(name));
    match looks.filter(|_| !stops) {
        Some(name) => {
            let why = format!("the script looks at `{name}` itself");
            (Options { errexit: true, pipefail: false }, Blocking::Unsure(why))
        }
        None => (Options { errexit: stops, pipefail: false }, Blocking::Yes),
    }
}

/// A script of PowerShell or of `cmd` with the slashes and lines of a shell.
pub(crate) fn from_windows(text: &str) -> String {
    text.replace("`\n", " ").replace("^\n", " ").replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shells_run_scripts_as_their_options_say() {
        let read_as = |errexit, pipefail| Read::As(Options { errexit, pipefail });
        for (line, expected) in [
            ("bash {0}", read_as(false, false)),
            ("bash -el {0}", read_as(true, false)),
            ("bash --noprofile --norc -eo pipefail {0}", read_as(true, true)),
            ("bash -e -o pipefail -u {0}", read_as(true, true)),
            ("bash --noprofile --norc -CeEuxo pipefail {0}", read_as(true, true)),
            ("/bin/bash -eo pipefail", read_as(true, true)),
            ("/usr/bin/env bash -e", read_as(true, false)),
            ("env A=1 sh -e {0}", read_as(true, false)),
            ("nix develop .#ci -c bash -e {0}", read_as(true, false)),
            ("C:\\cygwin\\bin\\bash.exe --login -o igncr -eo pipefail '{0}'", read_as(true, true)),
            ("msys2 {0}", read_as(true, true)),
            ("pwsh", read_as(false, false)),
            ("bash -n {0}", Read::Not),
            ("bash -en {0}", Read::Not),
            ("bash -e -o noexec {0}", Read::Not),
            ("bash -e --version {0}", Read::Not),
            ("python {0}", Read::Not),
            ("/bin/true", Read::Not),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
        for line in [
            "bash -c true {0}",
            "bash -t {0}",
            "bash -c 'set +e; . {0}; exit 0' {0}",
            "bash -e {0} || true",
            "bash -e {0} {0}",
            "bash other {0}",
            "nix --version {0}",
            "wrapped {0}",
            "",
            "\u{E000}",
        ] {
            assert!(matches!(read(line), Read::Unsure(_)), "{line}");
        }
    }
}
