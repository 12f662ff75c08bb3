//! Programs that scan, deliver, or look for drift, by the words they are called with.

mod special;

pub(super) use self::special::trivy_classes;
use super::flags::told;
use super::invoke::{Asked, Done};
use super::{Class, flags};
use crate::shell::Blocking;

/// When a finding makes the program fail.
enum Fails {
    Always,
    /// With one of these words.
    With(&'static [&'static str]),
    /// Without any of these words.
    Unless(&'static [&'static str]),
    Never,
}

use Class::{Build, Code, Codecov, Compliance, Deliver, Dependencies, Dynamic, Secrets};
use Fails::{Always, Never, Unless, With};

/// A program, the first words that make it do something (one entry per word; `a|b` is either), what that is, and when
/// it fails.
type Row = (&'static str, &'static [&'static str], &'static [Class], Fails);

/// Formats in which govulncheck prints what it finds and ends well.
const GOVULNCHECK_PRINTS: [&str; 8] = [
    "-json",
    "--json",
    "-format=json",
    "--format=json",
    "-format=sarif",
    "--format=sarif",
    "-format=openvex",
    "--format=openvex",
];

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // dependencies
    ("cargo", &["audit"], &[Dependencies], Always),
    ("cargo-audit", &[], &[Dependencies], Always),
    ("cargo-deny", &["check"], &[Dependencies, Compliance], Always),
    ("cargo", &["vet"], &[Compliance], Always),
    ("npm|pnpm|bun", &["audit"], &[Dependencies], Unless(&["fix", "--audit-level=none", "--dry-run"])),
    ("yarn", &["audit"], &[Dependencies], Always),
    ("yarn", &["npm", "audit"], &[Dependencies], Always),
    ("pip-audit|pip_audit", &[], &[Dependencies], Always),
    ("safety", &["check|scan"], &[Dependencies], Unless(&["--continue-on-error"])),
    ("osv-scanner", &[], &[Dependencies], Always),
    ("govulncheck", &[], &[Dependencies], Unless(&GOVULNCHECK_PRINTS)),
    ("bundler-audit|bundle-audit", &[], &[Dependencies], Always),
    ("bundle", &["audit"], &[Dependencies], Always),
    ("composer", &["audit"], &[Dependencies], Always),
    ("nancy", &[], &[Dependencies], Always),
    ("snyk", &["test"], &[Dependencies], Always),
    ("snyk", &["code", "test"], &[Code], Always),
    ("snyk", &["iac", "test"], &[Code], Always),
    ("snyk", &["container", "test"], &[Dependencies], Always),
    ("grype", &[], &[Dependencies], With(&["--fail-on", "-f"])),
    ("dependency-check|dependency-check.sh", &[], &[Dependencies], With(&["--failOnCVSS"])),
    ("better-npm-audit", &["audit"], &[Dependencies], Always),
    ("audit-ci", &[], &[Dependencies], Always),
    // secrets
    ("gitleaks", &["detect|git|dir|protect"], &[Secrets], Unless(&["--exit-code=0"])),
    ("trufflehog|trufflehog3", &[], &[Secrets], With(&["--fail"])),
    ("detect-secrets-hook", &[], &[Secrets], Always),
    ("ggshield", &["secret"], &[Secrets], Unless(&["--exit-zero"])),
    ("git-secrets", &[], &[Secrets], With(&["--scan", "--scan-history"])),
    ("noseyparker", &["scan"], &[Secrets], Never),
    ("secretlint", &[], &[Secrets], Always),
    ("ripsecrets", &[], &[Secrets], Always),
    // code and templates
    ("semgrep", &["ci"], &[Code], Unless(&["--dry-run"])),
    ("semgrep", &["scan|--config|--error|-c"], &[Code], With(&["--error"])),
    ("opengrep", &["scan|ci"], &[Code], With(&["--error"])),
    ("bandit", &[], &[Code], Unless(&["--exit-zero"])),
    ("gosec", &[], &[Code], Unless(&["-no-fail", "--no-fail"])),
    ("brakeman", &[], &[Code], Unless(&["--no-exit-on-warn"])),
    ("njsscan", &[], &[Code], Always),
    ("checkov", &[], &[Code], Unless(&["--soft-fail", "-s"])),
    ("tfsec", &[], &[Code], Unless(&["--soft-fail", "-s"])),
    ("terrascan", &["scan"], &[Code], Always),
    ("kics", &["scan"], &[Code], Unless(&["--ignore-on-exit"])),
    ("kube-linter", &["lint"], &[Code], Always),
    ("kube-score", &["score"], &[Code], Always),
    ("kubesec", &["scan"], &[Code], Always),
    ("zizmor", &[], &[Code], Unless(&["--no-exit-codes"])),
    ("cfn-guard", &["validate"], &[Code], Always),
    ("cfn_nag_scan", &[], &[Code], Always),
    ("sonar-scanner", &[], &[Code], With(&["-Dsonar.qualitygate.wait=true"])),
    // the running program
    ("zap-baseline.py|zap-full-scan.py|zap-api-scan.py", &[], &[Dynamic], Unless(&["-I"])),
    ("nuclei", &[], &[Dynamic], With(&["-fail-on", "-exit-code"])),
    ("schemathesis|st", &["run"], &[Dynamic], Always),
    ("cargo", &["fuzz", "run"], &[Dynamic], Always),
    ("cargo", &["afl", "fuzz"], &[Dynamic], Always),
    ("cargo", &["hfuzz", "run"], &[Dynamic], Always),
    ("cargo", &["bolero", "test"], &[Dynamic], Always),
    ("dastardly", &[], &[Dynamic], Always),
    ("wapiti", &[], &[Dynamic], Never),
    ("nikto", &[], &[Dynamic], Never),
    // compliance
    ("syft", &[], &[Compliance], Always),
    ("cargo", &["cyclonedx|sbom"], &[Compliance], Always),
    ("cyclonedx-py|cyclonedx-npm|cyclonedx-gomod|cyclonedx|cdxgen|spdx-sbom-generator", &[], &[Compliance], Always),
    ("npm", &["sbom"], &[Compliance], Always),
    ("license-checker|license-checker-rseidelsohn", &[], &[Compliance], With(&["--failOn", "--onlyAllow"])),
    ("go-licenses", &["check"], &[Compliance], Always),
    ("pip-licenses|piplicenses", &[], &[Compliance], With(&["--fail-on", "--allow-only"])),
    ("reuse", &["lint"], &[Compliance], Always),
    ("addlicense", &[], &[Compliance], With(&["-check"])),
    ("licensee|licensed", &["status"], &[Compliance], Always),
    ("conftest", &["test"], &[Compliance], Unless(&["--no-fail"])),
    ("kyverno", &["test|apply"], &[Compliance], Always),
    ("scorecard", &[], &[Compliance], Always),
    ("fossa", &["test"], &[Compliance], Always),
    ("codecov|./codecov|codecovcli|codecov-cli", &[], &[Codecov], Always),
    // build
    ("cargo", &["build|check|clippy|b|c|rustc|doc"], &[Build], Always),
    ("cargo", &["hack", "build|check|clippy"], &[Build], Always),
    ("go", &["build|vet|install"], &[Build], Always),
    ("tsc|webpack|rollup|esbuild|parcel|tsup|unbuild|ncc", &[], &[Build], Always),
    ("vite|next|nuxt|astro|gatsby|ng|svelte-kit|react-scripts", &["build"], &[Build], Always),
    ("docker|podman|nerdctl", &["build"], &[Build], Always),
    ("docker", &["buildx", "build|bake"], &[Build], Always),
    ("docker", &["compose", "build"], &[Build], Always),
    ("build", &[], &[Build], Always),
    ("poetry|uv|hatch|flit|maturin|pdm", &["build"], &[Build], Always),
    ("mvn|mvnw", &["compile|package|install|verify|test-compile"], &[Build], Always),
    ("gradle|gradlew", &["build|assemble|classes|check|test"], &[Build], Always),
    ("dotnet", &["build|publish|pack"], &[Build], Always),
    ("cmake", &["--build"], &[Build], Always),
    ("ninja|meson|scons", &[], &[Build], Always),
    ("bazel|bazelisk", &["build"], &[Build], Always),
    ("swift|mix|zig|dune|stack|cabal", &["build|compile"], &[Build], Always),
    ("sbt", &["compile|package|assembly"], &[Build], Always),
    // delivery
    ("cargo", &["publish"], &[Deliver], Unless(&["--dry-run", "-n"])),
    ("npm|pnpm", &["publish"], &[Deliver], Unless(&["--dry-run"])),
    ("pnpm", &["-r", "publish"], &[Deliver], Unless(&["--dry-run"])),
    ("yarn", &["publish"], &[Deliver], Always),
    ("yarn", &["npm", "publish"], &[Deliver], Always),
    ("twine", &["upload"], &[Deliver], Always),
    ("poetry|uv|hatch|flit|maturin|pdm", &["publish|upload"], &[Deliver], Unless(&["--dry-run"])),
    ("docker|podman", &["push"], &[Deliver], Always),
    ("docker", &["buildx", "build|bake"], &[Deliver], With(&["--push"])),
    ("docker", &["buildx", "imagetools"], &[Deliver], Always),
    ("docker", &["manifest", "push"], &[Deliver], Always),
    ("crane|skopeo|oras", &["push|copy|cp"], &[Deliver], Always),
    ("gh", &["release", "create|upload"], &[Deliver], Unless(&["--draft"])),
    ("goreleaser", &["release"], &[Deliver], Unless(&["--snapshot"])),
    ("cargo", &["dist|release"], &[Deliver], Unless(&["--dry-run", "plan", "build"])),
    ("dist", &["host"], &[Deliver], Always),
    ("semantic-release|release-plz", &[], &[Deliver], Unless(&["--dry-run"])),
    ("changeset|lerna", &["publish"], &[Deliver], Always),
    ("helm", &["upgrade|push"], &[Deliver], Unless(&["--dry-run"])),
    ("helmfile", &["apply|sync"], &[Deliver], Always),
    ("kubectl", &["apply|rollout|set"], &[Deliver], Unless(&["--dry-run=client", "--dry-run=server", "status"])),
    ("terraform|tofu|terragrunt", &["apply"], &[Deliver], Always),
    ("pulumi", &["up"], &[Deliver], Always),
    ("cdk|sam|serverless|sls|modal|fastapi|fly|flyctl|firebase|vercel|netlify|wrangler|copilot|railway", &["deploy"], &[Deliver], Unless(&["--dry-run", "--noop"])),
    ("vercel", &["--prod"], &[Deliver], Always),
    ("wrangler", &["publish"], &[Deliver], Always),
    ("gcloud", &["run|app|functions", "deploy"], &[Deliver], Always),
    ("aws", &["ecs", "update-service"], &[Deliver], Always),
    ("aws", &["s3", "sync|cp"], &[Deliver], Always),
    ("aws", &["lambda", "update-function-code"], &[Deliver], Always),
    ("aws", &["cloudformation", "deploy"], &[Deliver], Always),
    ("az", &["webapp|functionapp|containerapp", "deploy|deployment|up|update"], &[Deliver], Always),
    ("heroku", &["container:release"], &[Deliver], Always),
    ("mvn|mvnw", &["deploy"], &[Deliver], Always),
    ("gradle|gradlew", &["publish|publishPlugins|publishToSonatype|publishToMavenCentral"], &[Deliver], Always),
    ("dotnet", &["nuget", "push"], &[Deliver], Always),
    ("gem", &["push"], &[Deliver], Always),
    ("ansible-playbook", &[], &[Deliver], Unless(&["--check", "-C", "--syntax-check"])),
    ("argocd", &["app", "sync"], &[Deliver], Always),
    ("skaffold", &["run|deploy"], &[Deliver], Always),
    ("ko", &["apply|build|publish|resolve"], &[Deliver], Always),
    ("reviewdog|danger|danger-ci", &[], &[Class::Review], Always),
];

/// Programs that change a cluster.
const TO_CLUSTERS: &[&str] = &["kubectl", "helm", "helmfile", "skaffold", "ko", "argocd"];

/// Words before the one that says what to do: `cargo +nightly --locked audit`.
fn arguments<'a>(words: &[&'a str]) -> Vec<&'a str> {
    let valued = [
        "--manifest-path",
        "-C",
        "--chdir",
        "--config",
        "--prefix",
        "-n",
        "--namespace",
        "--project",
        "--region",
        "--profile",
        "-f",
        "--context",
        "--kubeconfig",
    ];
    let mut out = Vec::new();
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let skipped =
            out.is_empty() && (word.starts_with('+') || word.starts_with('-') && !is_verb(word));
        if skipped {
            at += usize::from(valued.contains(word));
        } else {
            out.push(*word);
        }
        at += 1;
    }
    out
}

/// Options that say what a program does.
fn is_verb(word: &str) -> bool {
    matches!(word, "--build" | "--prod" | "-r" | "--error")
}

/// What a program does.
pub(super) fn done(asked: &Asked<'_>, words: &[&str], dir: Option<&str>) -> Vec<Done> {
    let mut all = Vec::new();
    let arguments = arguments(words);
    for (programs, verbs, classes, fails) in ROWS {
        if !programs.split('|').any(|program| program == words[0])
            || !says(verbs, &arguments, words[0])
        {
            continue;
        }
        for class in *classes {
            // What a row says of delivery by a flag, it says of nothing without it.
            let delivers = matches!(class, Deliver);
            let has = |flags: &[&str]| told(&words[1..], flags);
            let blocking = match fails {
                With(_) | Unless(_) if delivers && !passes(fails, &has) => continue,
                With(flags) if asked.uploads || has(flags) => Blocking::Yes,
                With(flags) => {
                    Blocking::No(format!("`{}` fails only with `{}`", words[0], flags[0]))
                }
                Unless(flags) if has(flags) => {
                    Blocking::No(format!("`{}` was told not to fail", words[0]))
                }
                Always | Unless(_) => Blocking::Yes,
                Never => {
                    Blocking::No(format!("`{}` does not fail because of what it finds", words[0]))
                }
            };
            let blocking = blocking.and(&left_out(words, class));
            let done = Done::new(*class).blocks(blocking).in_dir(dir);
            all.push(Done { to_cluster: TO_CLUSTERS.contains(&words[0]), ..done });
        }
    }
    all.extend(special::done(asked, words, &arguments, dir));
    all
}

/// Options that leave files out, and what names them all.
const EXCLUDES: [&str; 7] = [
    "--exclude",
    "-x",
    "--skip-dirs",
    "--skip-path",
    "--exclude-dir",
    "--exclude-path",
    "--skip-files",
];
const EVERYTHING: [&str; 8] = ["*", "**", "**/*", ".", "./", "/", "/*", "./*"];

/// What a scanner makes of findings where its words leave out all files, or some of the findings.
fn left_out(words: &[&str], class: &Class) -> Blocking {
    if !matches!(class, Dependencies | Secrets | Code) {
        return Blocking::Yes;
    }
    let values = flags::all(words, &EXCLUDES);
    let all = values.iter().flat_map(|value| value.split(','));
    if let Some(pattern) = all.into_iter().find(|value| EVERYTHING.contains(value)) {
        return Blocking::No(format!("`{pattern}` leaves everything out"));
    }
    let soft = flags::all(words, &["--soft-fail-on"]);
    let light = |value: &str| {
        matches!(value, "LOW" | "MEDIUM") || value.starts_with("CKV") && !value.contains('*')
    };
    if soft.iter().flat_map(|value| value.split(',')).all(light) {
        Blocking::Yes
    } else {
        Blocking::Unsure("`--soft-fail-on` lets serious findings through".into())
    }
}

fn passes(fails: &Fails, has: &dyn Fn(&[&str]) -> bool) -> bool {
    match fails {
        With(flags) => has(flags),
        Unless(flags) => !has(flags),
        Always | Never => true,
    }
}

/// Whether the words begin with the verbs. Builders of several things take theirs in any place.
fn says(verbs: &[&str], arguments: &[&str], program: &str) -> bool {
    if matches!(program, "mvn" | "mvnw" | "gradle" | "gradlew" | "sbt") && verbs.len() == 1 {
        return arguments.iter().any(|word| {
            let task = word.rsplit(':').next().unwrap_or_default();
            verbs[0].split('|').any(|verb| verb == task)
        });
    }
    verbs.iter().enumerate().all(|(i, verb)| {
        arguments.get(i).is_some_and(|word| verb.split('|').any(|verb| verb == *word))
    })
}
