//! Secrets that stand in a line which is shown: their place stays, and they do not. Best effort: whoever writes a secret
//! into a file has told it already, and a report goes further than the file.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

/// Stands where a secret was.
const CUT: &str = "…";

/// Fewer characters are seldom a secret, and often a word.
const CHARS_MIN: usize = 6;

/// What is behind a name that says so: `password=…`, `"apiKey": "…"`, `--token …`, `ENV SECRET …`.
static NAMED: LazyLock<Option<Regex>> = LazyLock::new(|| {
    built(
        r#"(?i)([a-z0-9_.-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|credential)s?([a-z0-9_-]*))(["']?\s*(?::|=>?)\s*["']?|["']?\s+["']?)([^\s"',;]+)"#,
    )
});

/// Users in addresses.
static USERS: LazyLock<Option<Regex>> = LazyLock::new(|| built(r"(://[^/\s:@]*:)([^/\s:@]+)@"));

/// Headers.
static SENT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    built(r"(?i)(\bbearer\s+|\bauthorization\W{1,4}(?:basic|token)\s+)([a-z0-9._~+/=%!$*-]{6,})")
});

/// What services give out has beginnings of its own.
static KNOWN: LazyLock<Option<Regex>> = LazyLock::new(|| {
    built(
        r"\b(gh[pousr]_|github_pat_|glpat-|xox[abeprs]-|AKIA|ASIA|AIza|sk-|npm_|pypi-|eyJ[A-Za-z0-9_-]{6,}\.)([A-Za-z0-9_.-]{10,})",
    )
});

fn built(pattern: &str) -> Option<Regex> {
    Regex::new(pattern).ok()
}

/// The line without what looks like a secret.
pub(crate) fn without_secrets(line: &str) -> Cow<'_, str> {
    let is_shell = |line: &str| line.trim_start().to_ascii_uppercase().starts_with("ENV ");
    let mut text = Cow::Borrowed(line);
    let replace = |text: &mut Cow<'_, str>,
                   pattern: &Option<Regex>,
                   with: &dyn Fn(&Captures<'_>) -> String| {
        if let Some(pattern) = pattern
            && pattern.is_match(text)
        {
            *text = Cow::Owned(pattern.replace_all(text, with).into_owned());
        }
    };
    replace(&mut text, &SENT, &|found| format!("{}{CUT}", &found[1]));
    replace(&mut text, &USERS, &|found| {
        if refers(&found[2]) { found[0].to_owned() } else { format!("{}{CUT}@", &found[1]) }
    });
    replace(&mut text, &KNOWN, &|found| format!("{}{CUT}", &found[1]));
    replace(&mut text, &NAMED, &|found| {
        let (name, after, between, value) = (&found[1], &found[2], &found[3], &found[4]);
        let is_apart = between.trim_matches(['"', '\'']).trim().is_empty();
        let is_told = is_apart && !name.starts_with("--") && !is_shell(line);
        if is_told || names_another(after) || refers(value) {
            found[0].to_owned()
        } else {
            format!("{name}{between}{CUT}")
        }
    });
    text
}

/// `secretName`, `token_file` and the like hold no secret.
fn names_another(after: &str) -> bool {
    let after = after.to_ascii_lowercase();
    let ends = ["name", "ref", "path", "file", "id", "url", "uri", "type", "length", "ttl", "env"];
    ends.iter().any(|end| after.ends_with(end))
}

/// Whether a value only says where a secret is, or is none.
fn refers(value: &str) -> bool {
    const WORDS: [&str; 11] = [
        "inherit",
        "required",
        "optional",
        "string",
        "String",
        "false",
        "default",
        "disabled",
        "enabled",
        "generated",
        "undefined",
    ];
    const STARTS: [&str; 12] = [
        "env:",
        "file:",
        "secrets.",
        "vars.",
        "var.",
        "local.",
        "data.",
        "process.env",
        "os.environ",
        "ENV[",
        "module.",
        "self.",
    ];
    value.chars().count() < CHARS_MIN
        || value.starts_with(['$', '{', '<', '[', '(', '!', '/', '%', '*', '.', '&', '|', '-', '='])
        || value.contains(['(', '{', '$'])
        || value.starts_with(CUT)
        || STARTS.iter().any(|start| value.starts_with(start))
        || WORDS.contains(&value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_secret_is_cut_and_what_refers_to_one_stays() {
        for (line, expected) in [
            ("ENV PASSWORD=hunter2hunter2", "ENV PASSWORD=…"),
            ("ENV DB_PASSWORD hunter2hunter2", "ENV DB_PASSWORD …"),
            (
                "HEALTHCHECK CMD curl -H \"Authorization: Bearer hunter2hunter2\" x",
                "HEALTHCHECK CMD curl -H \"Authorization: Bearer …\" x",
            ),
            (
                "resource \"aws_x\" \"y\" { password = \"hunter2hunter2\" }",
                "resource \"aws_x\" \"y\" { password = \"…\" }",
            ),
            (
                "\"test\": \"AWS_SECRET_ACCESS_KEY=hunter2hunter2 jest\"",
                "\"test\": \"AWS_SECRET_ACCESS_KEY=… jest\"",
            ),
            ("run: x --token hunter2hunter2 y", "run: x --token … y"),
            ("url: https://u:hunter2hunter2@acme.io", "url: https://u:…@acme.io"),
            ("pytest # ghp_secretsecret", "pytest # ghp_…"),
        ] {
            assert_eq!(without_secrets(line), expected);
        }
        for line in [
            "id-token: write",
            "secrets: inherit",
            "token: ${{ secrets.GITHUB_TOKEN }}",
            "--token env:FORGE_TOKEN",
            "password = var.db_password",
            "secretName: web-tls-of-acme",
            "routing_key_file: /run/secrets/pagerduty",
            "- name: secret scanning of everything",
            "uses: gitleaks/gitleaks-action@v2",
            "detect-secrets scan --all-files",
            "sh 'schemathesis run http://localhost:8000/openapi.json'",
        ] {
            assert_eq!(without_secrets(line), line);
        }
    }
}
