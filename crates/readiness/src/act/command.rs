//! Commands that only run another one.

use crate::shell::{Blocking, UNKNOWN};

/// A command without what stands before it.
pub(super) struct Unwrapped {
    /// The innermost command, its program without a directory or an ending.
    pub(super) words: Vec<String>,
    /// The words of what runs it, from its own first to that of what it runs.
    pub(super) wrappers: Vec<Vec<String>>,
    /// Variables that are set for it.
    pub(super) env: Vec<(String, String)>,
    /// Whether it runs, and its failure counts.
    pub(super) blocking: Blocking,
}

pub(super) fn unwrapped(words: Vec<String>) -> Unwrapped {
    let mut words = words;
    let mut wrappers = Vec::new();
    let mut env = Vec::new();
    let mut blocking = Blocking::Yes;
    for _ in 0..12 {
        let Some(inner) = inner(&words) else { break };
        if inner.is_empty() {
            break;
        }
        let own: Vec<String> = words[..words.len().saturating_sub(inner.len()).max(1)].to_vec();
        env.extend(
            own.iter()
                .filter_map(|word| word.split_once('='))
                .filter(|(name, _)| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
                .map(|(name, value)| (name.to_owned(), value.to_owned())),
        );
        if own[0] == "xargs"
            && own.iter().any(|word| matches!(word.as_str(), "-r" | "--no-run-if-empty"))
        {
            blocking = Blocking::Unsure("`xargs -r` runs nothing where it gets nothing".into());
        }
        wrappers.push(own);
        words = inner;
    }
    if let Some(first) = words.first_mut()
        && (!is_script(first) || is_in_unknown(first))
    {
        let bare = first.rsplit(['/', '\\']).next().unwrap_or_default();
        *first = bare.trim_end_matches(".exe").trim_end_matches(".cmd").to_owned();
    }
    Unwrapped { words, wrappers, env, blocking }
}

/// A program that was installed into a directory which is only known when it runs, such as `$BIN/gotestsum`.
fn is_in_unknown(program: &str) -> bool {
    program.rsplit_once('/').is_some_and(|(dir, name)| {
        let is_own = matches!(name, "" | "test" | "tests" | "check" | "ci" | "build" | "run");
        dir.contains(UNKNOWN) && !is_own && !name.contains([UNKNOWN, '.'])
    })
}

/// A path of the repository, such as `./test`, and not a program such as `.venv/bin/pytest`.
fn is_script(program: &str) -> bool {
    let wrapper =
        ["gradlew", "mvnw", "gradlew.bat", "mvnw.cmd"].iter().any(|name| program.ends_with(name));
    let binary = ["/bin/", "node_modules/", "Scripts/"].iter().any(|part| program.contains(part))
        || program.starts_with("bin/") && !program.contains('.');
    let scripted = [".sh", ".bash", ".py", ".js", ".mjs", ".ts", ".rb"]
        .iter()
        .any(|end| program.ends_with(end));
    !wrapper && program.contains('/') && (scripted || !binary)
}

fn inner(words: &[String]) -> Option<Vec<String>> {
    let texts: Vec<&str> = words.iter().map(String::as_str).collect();
    let program = texts.first()?.rsplit('/').next().unwrap_or_default();
    let rest = &texts[1..];
    let inner: &[&str] = match program {
        // It only says whether there is such a program.
        "command" if matches!(rest.first(), Some(&("-v" | "-V"))) => return None,
        "sudo" | "nice" | "nohup" | "command" | "exec" | "stdbuf" | "doas" | "ionice"
        | "unbuffer" | "chronic" => {
            after_options(rest, &["-u", "-g", "-n", "-E"], &["-u", "-g", "-n"])
        }
        "env" | "cross-env" | "dotenv" => {
            after_assignments(after_options(rest, &[], &["-u", "-C", "-e", "-f"]))
        }
        "time" | "xvfb-run" | "xvfb-maybe" | "retry" | "caffeinate" | "winpty" => {
            after_options(rest, &[], &["-s", "--server-args", "-n", "-e", "-f", "-t", "-d"])
        }
        "timeout" | "gtimeout" => after_options(rest, &[], &["-k", "-s"]).get(1..)?,
        "cross" => {
            let mut words = vec!["cargo".to_owned()];
            words.extend(rest.iter().map(|&word| word.to_owned()));
            return Some(words);
        }
        "coverage" if rest.first() == Some(&"run") => {
            let rest = after_options(
                &rest[1..],
                &[],
                &["--source", "--rcfile", "--omit", "--include", "--data-file"],
            );
            // A script of the repository is the interpreter's to run.
            let script = || {
                let words = std::iter::once("python").chain(rest.iter().copied());
                (!rest.is_empty()).then(|| words.map(str::to_owned).collect())
            };
            return python(rest).or_else(script);
        }
        "python" | "python3" | "py" => return python(rest),
        // Programs that come with the packages of a language, or that its frameworks write into every project.
        "php" | "ruby" | "node" if rest.first().is_some_and(|path| is_installed(path)) => rest,
        name if name.starts_with("python3.") || name.starts_with("pypy") => return python(rest),
        "c8" | "nyc" if rest.first() == Some(&"check-coverage") => return None,
        "c8" | "nyc" => after_options(
            rest,
            &[],
            &[
                "--reporter",
                "-r",
                "--include",
                "--exclude",
                "-n",
                "-x",
                "--lines",
                "--branches",
                "--functions",
                "--statements",
                "--report-dir",
                "--temp-dir",
                "--extension",
                "--require",
            ],
        ),
        "go" if rest.first() == Some(&"tool") => {
            after_options(&rest[1..], &[], &["-modfile", "-overlay", "-C"])
        }
        "xargs" => after_options(rest, &[], &["-n", "-P", "-I", "-L", "-d", "-a", "-s"]),
        // `circleci tests run --command="xargs pytest"`
        "circleci" if rest.starts_with(&["tests", "run"]) => {
            let given = rest.iter().position(|word| word.starts_with("--command"))?;
            let own = rest[given].strip_prefix("--command=");
            return Some(split(&[own.or(rest.get(given + 1).copied())?]));
        }
        "docker" | "podman" => return container(rest),
        "docker-compose" => return composed(rest),
        _ => return managed(program, rest),
    };
    Some(inner.iter().map(|&word| word.to_owned()).collect())
}

/// What managers of packages, tools and environments run.
fn managed(program: &str, rest: &[&str]) -> Option<Vec<String>> {
    let inner: &[&str] = match program {
        "npx" | "bunx" | "pnpx" | "uvx" => {
            after_options(rest, &[], &["-p", "--package", "--from", "--with", "--python"])
        }
        "pnpm" | "yarn" | "npm" | "bun"
            if matches!(rest.first(), Some(&("exec" | "dlx" | "x"))) =>
        {
            after_options(&rest[1..], &[], &["-p", "--package"])
        }
        "poetry" | "pipenv" if rest.first() == Some(&"run") => after_options(&rest[1..], &[], &[]),
        "uv" if rest.first() == Some(&"run") => after_options(
            &rest[1..],
            &[],
            &[
                "--with",
                "--extra",
                "--group",
                "--python",
                "-p",
                "--package",
                "--project",
                "--directory",
                "--with-requirements",
                "--only-group",
                "--no-group",
                "--env-file",
            ],
        ),
        "uv" if rest.starts_with(&["tool", "run"]) => {
            after_options(&rest[2..], &[], &["--from", "--with", "--python"])
        }
        "pipx" if rest.first() == Some(&"run") => {
            after_options(&rest[1..], &[], &["--spec", "--python"])
        }
        "bundle" if rest.first() == Some(&"exec") => &rest[1..],
        "mise" | "rtx" | "asdf" | "direnv" | "op" | "doppler" | "aws-vault" | "chamber" => {
            let dashes = rest.iter().position(|word| *word == "--")?;
            &rest[dashes + 1..]
        }
        "nix" | "nix-shell" | "devenv" => {
            let at = rest
                .iter()
                .position(|word| matches!(*word, "-c" | "--command" | "--run" | "shell"))?;
            return Some(split(rest.get(at + 1..)?));
        }
        _ => return None,
    };
    Some(inner.iter().map(|&word| word.to_owned()).collect())
}

/// A command that is given as one word.
fn split(words: &[&str]) -> Vec<String> {
    match words {
        [one] => one.split_whitespace().map(str::to_owned).collect(),
        many => many.iter().map(|&word| word.to_owned()).collect(),
    }
}

fn python(rest: &[&str]) -> Option<Vec<String>> {
    let rest = after_options(rest, &["-W", "-X"], &["-W", "-X"]);
    // `-m` is an option that the above stops at.
    match rest {
        ["-m", module, more @ ..] => {
            let mut words = vec![(*module).to_owned()];
            words.extend(more.iter().map(|&word| word.to_owned()));
            Some(words)
        }
        [script, more @ ..] if script.rsplit('/').next() == Some("manage.py") => {
            let mut words = vec!["manage.py".to_owned()];
            words.extend(more.iter().map(|&word| word.to_owned()));
            Some(words)
        }
        _ => None,
    }
}

/// Whether a script for an interpreter is a program that was installed, or that every project of a framework has.
fn is_installed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    let installed = ["vendor/bin/", "node_modules/.bin/"].iter().any(|dir| path.contains(dir));
    installed || name == "artisan" || matches!(path, "bin/rails" | "bin/rspec" | "bin/phpunit")
}

/// `docker run image command`, `docker compose run service command`.
fn container(rest: &[&str]) -> Option<Vec<String>> {
    match rest {
        ["run", more @ ..] => {
            let valued = [
                "-v",
                "-e",
                "-w",
                "-u",
                "-p",
                "--name",
                "--network",
                "--env",
                "--volume",
                "--workdir",
                "--user",
                "--platform",
                "--mount",
                "--env-file",
                "--entrypoint",
                "--memory",
                "-m",
                "--cpus",
                "--net",
            ];
            let [image, command @ ..] = after_options(more, &[], &valued) else { return None };
            let name = image.rsplit('/').next().unwrap_or_default();
            let name = name.split([':', '@']).next().unwrap_or_default();
            // The image of a tool runs that tool; any other runs what follows it.
            let program = tool_of_image(name);
            let mut words: Vec<String> = program.map(str::to_owned).into_iter().collect();
            words.extend(command.iter().map(|&word| word.to_owned()));
            if words.is_empty() { None } else { Some(words) }
        }
        ["compose", more @ ..] => composed(more),
        ["exec", more @ ..] => {
            let rest =
                after_options(more, &[], &["-e", "-w", "-u", "--env", "--workdir", "--user"]);
            Some(rest.get(1..)?.iter().map(|&word| word.to_owned()).collect())
        }
        _ => None,
    }
}

fn tool_of_image(name: &str) -> Option<&'static str> {
    [
        "trivy",
        "gitleaks",
        "trufflehog",
        "semgrep",
        "checkov",
        "tfsec",
        "kics",
        "syft",
        "grype",
        "nuclei",
        "gosec",
        "osv-scanner",
        "hadolint",
        "schemathesis",
        "detect-secrets",
    ]
    .into_iter()
    .find(|tool| *tool == name)
}

fn composed(rest: &[&str]) -> Option<Vec<String>> {
    let rest = after_options(
        rest,
        &[],
        &["-f", "--file", "-p", "--profile", "--env-file", "--project-name"],
    );
    match rest {
        ["run" | "exec", more @ ..] => {
            let rest =
                after_options(more, &[], &["-e", "-w", "-u", "-v", "--name", "--entrypoint"]);
            Some(rest.get(1..)?.iter().map(|&word| word.to_owned()).collect())
        }
        _ => None,
    }
}

/// Behind options, some of which have a value of their own. `-m` of an interpreter is none.
fn after_options<'a, 'b>(words: &'a [&'b str], _flags: &[&str], valued: &[&str]) -> &'a [&'b str] {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if *word == "--" {
            return &words[at + 1..];
        }
        if !word.starts_with('-') || *word == "-m" && !valued.contains(&"-m") {
            break;
        }
        at += if valued.contains(word) { 2 } else { 1 };
    }
    words.get(at..).unwrap_or_default()
}

fn after_assignments<'a, 'b>(words: &'a [&'b str]) -> &'a [&'b str] {
    let at = words.iter().position(|word| !word.contains('=')).unwrap_or(words.len());
    &words[at..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrappers_are_taken_off() {
        for (line, expected) in [
            ("sudo -E env A=1 timeout 10 pytest -x", "pytest -x"),
            ("uv run --group dev pytest", "pytest"),
            ("poetry run python -m pytest tests", "pytest tests"),
            ("coverage run --source x -m pytest tests", "pytest tests"),
            ("coverage run --branch tests/run.py a", "python tests/run.py a"),
            ("coverage report", "coverage report"),
            ("python3 -W error -m unittest", "unittest"),
            ("npx --yes playwright test", "playwright test"),
            ("pnpm exec vitest run", "vitest run"),
            ("docker run --rm -v a:b aquasec/trivy:latest image x", "trivy image x"),
            ("docker run -t python:3 pytest", "pytest"),
            ("docker compose -f x.yml run --rm web pytest", "pytest"),
            ("nix develop -c cargo test", "cargo test"),
            ("cross test --target x", "cargo test --target x"),
            (".venv/bin/pytest", "pytest"),
            ("\u{E000}/dist/gotestsum -- -race", "gotestsum -- -race"),
            ("\u{E000}/ci.sh", "\u{E000}/ci.sh"),
            ("xvfb-maybe --auto-servernum -- jest -c a", "jest -c a"),
            ("./test", "./test"),
            ("./gradlew check", "gradlew check"),
            ("docker build .", "docker build ."),
            ("xargs -n 1 pytest -x", "pytest -x"),
            ("command -v pytest", "command -v pytest"),
            ("python manage.py test", "manage.py test"),
            ("php artisan test", "artisan test"),
            ("php vendor/bin/phpunit", "phpunit"),
            ("nyc --all --lines 90 mocha", "mocha"),
            ("go tool -modfile tools/go.mod gotestsum -- -race", "gotestsum -- -race"),
        ] {
            let words = line.split(' ').map(str::to_owned).collect();
            assert_eq!(unwrapped(words).words.join(" "), expected, "{line}");
        }
    }
}
