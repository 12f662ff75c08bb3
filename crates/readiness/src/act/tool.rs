//! Programs that scan, deliver, or look for drift, by the words they are called with.

use super::invoke::{Asked, Done};
use super::{Class, config};
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

use Class::{Build, Code, Compliance, Deliver, Dependencies, Dynamic, Secrets};
use Fails::{Always, Never, Unless, With};

/// A program, the first words that make it do something (one entry per word; `a|b` is either), what that is, and when
/// it fails.
type Row = (&'static str, &'static [&'static str], &'static [Class], Fails);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // dependencies
    ("cargo", &["audit"], &[Dependencies], Always),
    ("cargo-audit", &[], &[Dependencies], Always),
    ("cargo-deny", &["check"], &[Dependencies, Compliance], Always),
    ("cargo", &["vet"], &[Compliance], Always),
    ("npm|pnpm|bun", &["audit"], &[Dependencies], Unless(&["fix"])),
    ("yarn", &["audit"], &[Dependencies], Always),
    ("yarn", &["npm", "audit"], &[Dependencies], Always),
    ("pip-audit|pip_audit", &[], &[Dependencies], Always),
    ("safety", &["check|scan"], &[Dependencies], Unless(&["--continue-on-error"])),
    ("osv-scanner", &[], &[Dependencies], Always),
    ("govulncheck", &[], &[Dependencies], Unless(&["-json"])),
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
    // `--help` and `--version` of anything do nothing.
    if words[1..]
        .iter()
        .any(|word| matches!(*word, "--version" | "--help" | "-V" | "version" | "help"))
        && words.len() <= 3
    {
        return all;
    }
    for (programs, verbs, classes, fails) in ROWS {
        if !programs.split('|').any(|program| program == words[0])
            || !says(verbs, &arguments, words[0])
        {
            continue;
        }
        for class in *classes {
            // What a row says of delivery by a flag, it says of nothing without it.
            let delivers = matches!(class, Deliver);
            let has = |flags: &[&str]| {
                words[1..].iter().any(|word| {
                    flags.iter().any(|flag| word == flag || word.starts_with(&format!("{flag}=")))
                })
            };
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
            let done = Done::new(*class).blocks(blocking).in_dir(dir);
            all.push(Done { to_cluster: TO_CLUSTERS.contains(&words[0]), ..done });
        }
    }
    all.extend(special(asked, words, &arguments, dir));
    all
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

/// Options of `lockgate drift` that take what follows them; the first two name templates.
const DRIFT_OPTIONS: [&str; 16] = [
    "--terraform",
    "--kubernetes",
    "--lockgate",
    "--policies",
    "--env",
    "--time-limit",
    "--report-to",
    "--terraform-program",
    "--var-file",
    "--lock-timeout",
    "--kubeconfig",
    "--context",
    "--output",
    "--server",
    "--token",
    "--token-file",
];

/// A comparison for each directory of templates that `lockgate drift` is pointed at. Its own configuration is none.
fn lockgate_drift(words: &[&str], dir: Option<&str>) -> Vec<Done> {
    let (mut roots, mut checkout) = (Vec::new(), "");
    let mut words = words.iter().copied().skip_while(|word| *word != "drift").skip(1);
    while let Some(word) = words.next() {
        let (name, value) = word.split_once('=').map_or((word, None), |(n, v)| (n, Some(v)));
        if let Some(option) = DRIFT_OPTIONS.iter().position(|option| *option == name) {
            let value = value.or_else(|| words.next()).unwrap_or_default();
            if option < 2 {
                roots.push((value, name == "--kubernetes"));
            }
        } else if !word.starts_with('-') {
            checkout = word;
        }
    }
    let done = roots.into_iter().filter_map(|(root, to_cluster)| {
        let done = Done { to_cluster, ..Done::new(Class::Drift) };
        let Some(dir) = dir else { return Some(done) };
        // What is outside of the repository is none of its templates.
        let place = crate::tree::join(&crate::tree::join(dir, checkout)?, root)?;
        Some(done.in_dir(Some(&place)))
    });
    done.collect()
}

/// Programs that need a closer look.
fn special(asked: &Asked<'_>, words: &[&str], arguments: &[&str], dir: Option<&str>) -> Vec<Done> {
    let has = |flag: &str| words.contains(&flag);
    match words[0] {
        "trivy" => trivy(asked, words, arguments),
        "terraform" | "tofu" | "terragrunt" | "terragrunt-plan" => {
            if arguments.contains(&"plan")
                && (has("-detailed-exitcode") || has("--detailed-exitcode"))
            {
                let chdir = words.iter().find_map(|word| word.strip_prefix("-chdir="));
                let dir = match (chdir, dir) {
                    (Some(sub), Some(dir)) => crate::tree::join(dir, sub),
                    _ => dir.map(str::to_owned),
                };
                return vec![Done::new(Class::Drift).in_dir(dir.as_deref())];
            }
            Vec::new()
        }
        "lockgate" if arguments.first() == Some(&"drift") => lockgate_drift(words, dir),
        "driftctl" if arguments.first() == Some(&"scan") => {
            vec![Done::new(Class::Drift).in_dir(dir)]
        }
        "kubectl" if arguments.first() == Some(&"diff") => {
            let done = Done { to_cluster: true, ..Done::new(Class::Drift) };
            vec![done.in_dir(dir)]
        }
        "pulumi" if has("--expect-no-changes") => vec![Done::new(Class::Drift).in_dir(dir)],
        "cdk"
            if arguments.first() == Some(&"drift")
                || arguments.first() == Some(&"diff") && has("--fail") =>
        {
            vec![Done::new(Class::Drift).in_dir(dir)]
        }
        "cargo" if arguments.first() == Some(&"deny") => {
            let checks: Vec<&&str> = arguments
                .iter()
                .filter(|word| {
                    matches!(**word, "advisories" | "licenses" | "bans" | "sources" | "all")
                })
                .collect();
            let all = checks.is_empty() || checks.contains(&&"all");
            let mut done = Vec::new();
            if arguments.contains(&"check") && (all || checks.contains(&&"advisories")) {
                done.push(Done::new(Dependencies));
            }
            if arguments.contains(&"check") && (all || checks.contains(&&"licenses")) {
                done.push(Done::new(Compliance));
            }
            done
        }
        "go" if words.iter().any(|word| word.starts_with("-fuzz=") || *word == "-fuzz") => {
            vec![Done::new(Dynamic)]
        }
        "go" if arguments.first() == Some(&"run")
            && words.iter().any(|word| word.contains("govulncheck")) =>
        {
            vec![Done::new(Dependencies)]
        }
        "golangci-lint" if arguments.first() == Some(&"run") => {
            config::gosec(asked.tree, dir).into_iter().collect()
        }
        "ruff" if arguments.first() == Some(&"check") => {
            let fails = !words.contains(&"--exit-zero");
            config::bandit_in_ruff(asked.tree, dir, fails).into_iter().collect()
        }
        "mvn" | "mvnw" if arguments.iter().any(|word| word.contains("dependency-check")) => {
            vec![Done::new(Dependencies)]
        }
        "gradle" | "gradlew"
            if arguments.iter().any(|word| word.ends_with("dependencyCheckAnalyze")) =>
        {
            vec![Done::new(Dependencies)]
        }
        _ => Vec::new(),
    }
}

fn trivy(asked: &Asked<'_>, words: &[&str], arguments: &[&str]) -> Vec<Done> {
    let value = |flag: &str| {
        words.iter().enumerate().find_map(|(i, word)| match word.strip_prefix(flag) {
            Some("") => words.get(i + 1).copied(),
            Some(rest) => rest.strip_prefix('='),
            None => None,
        })
    };
    let exit = value("--exit-code");
    let blocking = match exit {
        Some("0") => Blocking::No("`--exit-code 0`".into()),
        Some(_) => Blocking::Yes,
        None if asked.uploads => Blocking::Yes,
        None => Blocking::No("trivy fails only with `--exit-code`".into()),
    };
    let format = value("--format").or(value("-f")).unwrap_or_default();
    if format.starts_with("cyclonedx") || format.starts_with("spdx") {
        return vec![Done::new(Compliance)];
    }
    let scanners = value("--scanners").or(value("--security-checks"));
    let classes = trivy_classes(arguments.first().copied().unwrap_or_default(), scanners);
    classes.into_iter().map(|class| Done::new(class).blocks(blocking.clone())).collect()
}

/// What Trivy looks for in a kind of target.
pub(super) fn trivy_classes(target: &str, scanners: Option<&str>) -> Vec<Class> {
    let default = match target {
        "fs" | "filesystem" | "repo" | "repository" | "rootfs" | "image" | "i" | "vm" => {
            "vuln,secret"
        }
        "config" | "conf" | "k8s" | "kubernetes" | "aws" => "misconfig",
        _ => return Vec::new(),
    };
    let of_image = matches!(target, "image" | "i" | "vm" | "rootfs");
    scanners
        .unwrap_or(default)
        .split(',')
        .filter_map(|scanner| match scanner.trim() {
            "vuln" => Some(Dependencies),
            // Secrets of an image are not those of the repository.
            "secret" if !of_image => Some(Secrets),
            "misconfig" | "config" => Some(Code),
            "license" => Some(Compliance),
            _ => None,
        })
        .collect()
}
