//! Whatever is read, reading ends with a configuration or with errors that have a place.

use lockgate_model::config::{self, Config, Diagnostics, Severity};
use proptest::prelude::*;

fn sane(result: &Result<Config, Diagnostics>) {
    if let Err(errors) = result {
        assert!(!errors.is_empty(), "refused without a word");
        for error in errors {
            assert_eq!(error.severity, Severity::Error);
            assert!(error.line >= 1 && error.column >= 1);
            assert!(!error.message.is_empty());
        }
        assert!(!errors.to_string().is_empty());
    }
}

/// Words of the file's language, put together in ways that are nearly right.
fn nearly_yaml() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "agents:",
        "plans:",
        "channels:",
        "versions:",
        "stages:",
        "gates:",
        "triggers:",
        "name:",
        "weight:",
        "duration:",
        "endpoint:",
        "error_rate:",
        "p95_ms:",
        "bound:",
        "off_because:",
        "- ",
        "\n",
        "\n  ",
        "\n    ",
        "\n      ",
        " ",
        "{",
        "}",
        "[",
        "]",
        ",",
        ": ",
        "\"",
        "'",
        "|",
        ">",
        "#",
        "&a",
        "*a",
        "!t",
        "---",
        "...",
        "? ",
        "<<",
        "%",
        "\t",
        "\r\n",
        "~",
        "null",
        "true",
        "-1",
        "1e999",
        ".nan",
        "150",
        "10%",
        "4h",
        "0s",
        "\"< 0.5%\"",
        "http://x",
        "env:A",
        "a",
        "v1",
        "standard",
        "\u{feff}",
        "\u{85}",
        "é",
        "\0",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.concat())
}

/// A valid file with a piece cut out, doubled or replaced.
fn mangled() -> impl Strategy<Value = String> {
    const WHOLE: &str = include_str!("../../../../examples/plans.yaml");
    let length = WHOLE.chars().count();
    (0..length, 0..60_usize, "[ -~\n]{0,8}", any::<bool>()).prop_map(|(at, cut, put, double)| {
        let head: String = WHOLE.chars().take(at).collect();
        let piece: String = WHOLE.chars().skip(at).take(cut).collect();
        let tail: String = WHOLE.chars().skip(at + cut).collect();
        if double { head + &piece + &put + &piece + &tail } else { head + &put + &tail }
    })
}

proptest! {
    #[test]
    fn bytes(input in prop::collection::vec(any::<u8>(), 0..300)) {
        sane(&config::read_bytes("f.yaml", &input));
    }

    #[test]
    fn strings(input in any::<String>()) {
        sane(&config::read("f.yaml", &input));
    }

    #[test]
    fn words(input in nearly_yaml()) {
        sane(&config::read("f.yaml", &input));
    }

    #[test]
    fn mangled_files(input in mangled()) {
        sane(&config::read("f.yaml", &input));
    }
}

#[test]
fn deep_and_wide_inputs_end() {
    for text in [
        "[".repeat(100_000),
        "{".repeat(100_000),
        "- ".repeat(100_000),
        "? ".repeat(100_000),
        "a: ".repeat(100_000),
        "agents: [".to_owned() + &"{}, ".repeat(20_000) + "]",
        (0..20_000).map(|i| format!("k{i}: 1\n")).collect::<Vec<_>>().concat(),
        "a: |\n".to_owned() + &" x\n".repeat(100_000),
    ] {
        sane(&config::read("f.yaml", &text));
    }
}
