//! Programs that run the command behind their own options. An option that is not listed is not guessed about.

use super::Word;
use super::builtin::steers;
use super::word::assigned;
use crate::facts::Decided;

/// What a program runs of its arguments.
pub(super) enum Command<'a> {
    /// Nothing.
    None,
    /// These words.
    Here(&'a [Word]),
    /// These words, for what is read at run time.
    Xargs {
        /// The command.
        rest: &'a [Word],
        /// What is replaced in it.
        replaced: Option<&'a str>,
    },
}

/// How a program's own arguments look.
struct Prefix {
    name: &'static str,
    /// Letters of options without a value.
    alone: &'static str,
    /// Letters of options with one.
    valued: &'static str,
    /// Long options; those that end with `=` have a value, behind that.
    long: &'static [&'static str],
    /// Arguments before the command.
    arguments: usize,
    /// Assignments may stand before the command.
    assigns: bool,
}

const fn prefix(name: &'static str, alone: &'static str, valued: &'static str) -> Prefix {
    Prefix { name, alone, valued, long: &[], arguments: 0, assigns: false }
}

const PREFIXES: [Prefix; 16] = [
    Prefix { long: &["--ignore-environment"], assigns: true, ..prefix("env", "i0v", "uC") },
    Prefix { assigns: true, ..prefix("sudo", "bEHnPSkK", "ugpC") },
    prefix("doas", "n", "uC"),
    Prefix { long: &["--adjustment="], ..prefix("nice", "", "n") },
    prefix("nohup", "", ""),
    Prefix {
        long: &["--foreground", "--preserve-status", "--signal=", "--kill-after="],
        arguments: 1,
        ..prefix("timeout", "v", "sk")
    },
    Prefix {
        long: &[
            "--null",
            "--no-run-if-empty",
            "--verbose",
            "--max-args=",
            "--max-procs=",
            "--max-lines=",
            "--delimiter=",
            "--arg-file=",
        ],
        ..prefix("xargs", "0rtpx", "nPLsdEaI")
    },
    prefix("command", "p", ""),
    prefix("builtin", "", ""),
    prefix("exec", "cl", "a"),
    prefix("busybox", "", ""),
    prefix("toybox", "", ""),
    Prefix { assigns: true, ..prefix("time", "pvaq", "fo") },
    prefix("stdbuf", "", "ioe"),
    prefix("setsid", "cfw", ""),
    prefix("ionice", "t", "cn"),
];

/// What a program of this name runs of its arguments.
pub(super) fn read<'a>(name: &str, arguments: &'a [Word]) -> Decided<Command<'a>> {
    let Some(prefix) = PREFIXES.iter().find(|prefix| prefix.name == name) else {
        return Ok(Command::None);
    };
    let asks =
        |word: &Word| word.fixed().is_ok_and(|text| matches!(text, "-v" | "-V" | "-pv" | "-pV"));
    if name == "command" && arguments.first().is_some_and(asks) {
        return Ok(Command::None);
    }
    let mut replaced = None;
    let mut rest = prefix.options(arguments, &mut replaced)?;
    while prefix.assigns
        && let Some((first, after)) = rest.split_first()
        && let Some(name) = assigned(first.fixed()?)
    {
        if steers(name) {
            return Err("a variable that steers the shell");
        }
        rest = after;
    }
    for argument in rest.iter().take(prefix.arguments) {
        argument.fixed()?;
    }
    rest = rest.get(prefix.arguments..).unwrap_or_default();
    if rest.first().is_some_and(Word::is_expanded) {
        return Err("a command given at run time");
    }
    Ok(if name == "xargs" { Command::Xargs { rest, replaced } } else { Command::Here(rest) })
}

impl Prefix {
    /// What follows the options.
    fn options<'a>(
        &self,
        arguments: &'a [Word],
        replaced: &mut Option<&'a str>,
    ) -> Decided<&'a [Word]> {
        let mut rest = arguments;
        while let Some((first, after)) = rest.split_first() {
            let text = first.fixed()?;
            if !text.starts_with('-') {
                break;
            }
            rest = after;
            match text {
                "--" => break,
                "-" if self.name == "env" => {}
                _ if text.starts_with("--") => self.long(text)?,
                _ if self.name == "nice" && text[1..].bytes().all(|byte| byte.is_ascii_digit()) => {
                }
                _ => {
                    let value = match self.letters(&text[1..])? {
                        None => continue,
                        Some((letter, "")) => {
                            let (value, after) =
                                rest.split_first().ok_or("an option without its value")?;
                            rest = after;
                            (letter, value.fixed()?)
                        }
                        Some(attached) => attached,
                    };
                    if value.0 == 'u' && self.assigns && steers(value.1) {
                        return Err("a variable that steers the shell");
                    }
                    if value.0 == 'I' {
                        *replaced = Some(value.1);
                    }
                }
            }
        }
        Ok(rest)
    }

    fn long(&self, text: &str) -> Decided<()> {
        let known = self.long.iter().any(|option| match option.strip_suffix('=') {
            Some(_) => text.starts_with(option),
            None => text == *option,
        });
        if known { Ok(()) } else { Err("an option that is not known") }
    }

    /// The letter that has a value, if one does, and what is attached to it.
    fn letters<'a>(&self, letters: &'a str) -> Decided<Option<(char, &'a str)>> {
        for (at, letter) in letters.char_indices() {
            if self.valued.contains(letter) {
                return Ok(Some((letter, &letters[at + letter.len_utf8()..])));
            }
            if !self.alone.contains(letter) {
                return Err("an option that is not known");
            }
        }
        if letters.is_empty() { Err("an option that is not known") } else { Ok(None) }
    }
}
