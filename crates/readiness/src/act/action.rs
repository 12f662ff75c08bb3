//! Published actions and reusable workflows that scan, test or deliver, by their names.

use std::collections::BTreeMap;

use super::invoke::Done;
use super::{Class, Kinds, azure, config, hooks, orb, tool};
use crate::shell::{Blocking, UNKNOWN};
use crate::tree::Tree;
use Class::{Build, Code, Codecov, Compliance, Deliver, Dependencies, Dynamic, Review, Secrets};

/// When a finding makes the action fail.
pub(super) enum Fails {
    Always,
    /// Without this input, or when it is not `true`.
    UnlessTrue(&'static str),
    /// With this input, when it is `true`.
    WhenTrue(&'static str),
    /// Not when this input is `false`.
    UnlessFalse(&'static str),
    /// Something else decides; what that is, after the name.
    Elsewhere(&'static str),
}

use Fails::{Always, Elsewhere, UnlessFalse, UnlessTrue, WhenTrue};

/// A published thing by its name in lower case, what it does, and when it fails.
pub(super) type Row = (&'static str, &'static [Class], Fails);

#[rustfmt::skip]
const ACTIONS: &[Row] = &[
    ("github/codeql-action/analyze", &[Code], Always),
    ("gitleaks/gitleaks-action", &[Secrets], Always),
    ("zricethezav/gitleaks-action", &[Secrets], Always),
    ("trufflesecurity/trufflehog", &[Secrets], Always),
    ("gitguardian/ggshield-action", &[Secrets], Always),
    ("gitguardian/ggshield/actions/secret", &[Secrets], Always),
    ("actions/dependency-review-action", &[Dependencies], UnlessTrue("warn-only")),
    ("google/osv-scanner-action", &[Dependencies], Always),
    ("rustsec/audit-check", &[Dependencies], Always),
    ("actions-rs/audit-check", &[Dependencies], Always),
    ("actions-rust-lang/audit", &[Dependencies], Always),
    ("pypa/gh-action-pip-audit", &[Dependencies], Always),
    ("golang/govulncheck-action", &[Dependencies], Always),
    ("snyk/actions", &[Dependencies], Always),
    ("anchore/scan-action", &[Dependencies], UnlessFalse("fail-build")),
    ("dependency-check/dependency-check_action", &[Dependencies], Always),
    ("returntocorp/semgrep-action", &[Code], Always),
    ("semgrep/semgrep-action", &[Code], Always),
    ("bridgecrewio/checkov-action", &[Code], UnlessTrue("soft_fail")),
    ("aquasecurity/tfsec-action", &[Code], UnlessTrue("soft_fail")),
    ("aquasecurity/tfsec-pr-commenter-action", &[Code], UnlessTrue("soft_fail_commenter")),
    ("checkmarx/kics-github-action", &[Code], Always),
    ("pycqa/bandit-action", &[Code], Always),
    ("tj-actions/bandit", &[Code], Always),
    ("mdegis/bandit-action", &[Code], Always),
    ("securego/gosec", &[Code], Always),
    ("zizmorcore/zizmor-action", &[Code], Always),
    ("woodruffw/zizmor-action", &[Code], Always),
    ("sonarsource/sonarcloud-github-action", &[Code], WhenTrue("qualitygate.wait")),
    ("sonarsource/sonarqube-quality-gate-action", &[Code], Always),
    ("zaproxy/action-baseline", &[Dynamic], WhenTrue("fail_action")),
    ("zaproxy/action-full-scan", &[Dynamic], WhenTrue("fail_action")),
    ("zaproxy/action-api-scan", &[Dynamic], WhenTrue("fail_action")),
    ("google/clusterfuzzlite/actions/run_fuzzers", &[Dynamic], Always),
    ("google/oss-fuzz/infra/cifuzz/actions/run_fuzzers", &[Dynamic], UnlessTrue("dry-run")),
    ("projectdiscovery/nuclei-action", &[Dynamic], Always),
    ("stackhawk/hawkscan-action", &[Dynamic], Always),
    ("schemathesis/action", &[Dynamic], Always),
    ("anchore/sbom-action", &[Compliance], Always),
    ("cyclonedx/gh-", &[Compliance], Always),
    ("ossf/scorecard-action", &[Compliance], Always),
    ("fossas/fossa-action", &[Compliance], Always),
    ("fsfe/reuse-action", &[Compliance], Always),
    ("apache/skywalking-eyes", &[Compliance], Always),
    ("microsoft/sbom-action", &[Compliance], Always),
    ("actions/attest-sbom", &[Compliance], Always),
    ("codecov/codecov-action", &[Codecov], Always),
    ("coverallsapp/github-action", &[], Always),
    ("pypa/gh-action-pypi-publish", &[Deliver], Always),
    ("softprops/action-gh-release", &[Deliver], UnlessTrue("draft")),
    ("ncipollo/release-action", &[Deliver], UnlessTrue("draft")),
    ("actions/create-release", &[Deliver], Always),
    ("svenstaro/upload-release-action", &[Deliver], Always),
    ("taiki-e/upload-rust-binary-action", &[Build, Deliver], Always),
    ("taiki-e/create-gh-release-action", &[Deliver], Always),
    ("js-devtools/npm-publish", &[Deliver], Always),
    ("cycjimmy/semantic-release-action", &[Deliver], Always),
    ("python-semantic-release/python-semantic-release", &[Deliver], Always),
    ("release-plz/action", &[Deliver], Always),
    ("marcoieni/release-plz-action", &[Deliver], Always),
    ("helm/chart-releaser-action", &[Deliver], Always),
    ("helm/kind-action", &[], Always),
    ("azure/webapps-deploy", &[Deliver], Always),
    ("azure/k8s-deploy", &[Deliver], Always),
    ("azure/functions-action", &[Deliver], Always),
    ("azure/container-apps-deploy-action", &[Deliver], Always),
    ("google-github-actions/deploy-", &[Deliver], Always),
    ("aws-actions/amazon-ecs-deploy-task-definition", &[Deliver], Always),
    ("aws-actions/aws-cloudformation-github-deploy", &[Deliver], Always),
    ("aws-actions/aws-lambda-deploy", &[Deliver], Always),
    ("superfly/flyctl-actions", &[Deliver], Always),
    ("amondnet/vercel-action", &[Deliver], Always),
    ("nwtgck/actions-netlify", &[Deliver], Always),
    ("cloudflare/wrangler-action", &[Deliver], Always),
    ("cloudflare/pages-action", &[Deliver], Always),
    ("firebaseextended/action-hosting-deploy", &[Deliver], Always),
    ("akhileshns/heroku-deploy", &[Deliver], Always),
    ("gradle/gradle-build-action", &[], Always),
    ("cypress-io/github-action", &[Class::Test(Kinds::END_TO_END)], Always),
    ("helm/chart-testing-action", &[], Always),
    ("pypa/cibuildwheel", &[Build], Always),
    ("pyo3/maturin-action", &[Build], Always),
    ("hynek/build-and-inspect-python-package", &[Build], Always),
    ("reviewdog/action-", &[Review], Always),
    ("coderabbitai/", &[Review], Always),
    ("anthropics/claude-code-action", &[Review], Always),
    ("danger/", &[Review], Always),
    ("gitlab-template/jobs/sast", &[Code], Always),
    ("gitlab-template/security/sast", &[Code], Always),
    ("gitlab-template/jobs/secret-detection", &[Secrets], Always),
    ("gitlab-template/security/secret-detection", &[Secrets], Always),
    ("gitlab-template/jobs/dependency-scanning", &[Dependencies], Always),
    ("gitlab-template/security/dependency-scanning", &[Dependencies], Always),
    ("gitlab-template/security/dast", &[Dynamic], Always),
    ("gitlab-template/security/coverage-fuzzing", &[Dynamic], Always),
    ("jenkins/waitforqualitygate", &[Code], Always),
    ("jenkins/dependencycheckpublisher", &[Dependencies], Always),
    ("jenkins/snyksecurity", &[Dependencies], Always),
    ("jenkins/anchore", &[Dependencies], Always),
    ("jenkins/sshpublisher", &[Deliver], Always),
    ("jenkins/s3upload", &[Deliver], Always),
    ("jenkins/kubernetesdeploy", &[Deliver], Always),
    ("jenkins/deploy", &[Deliver], Always),
    ("jenkins/nexusartifactuploader", &[Deliver], Always),
    ("jenkins/nexuspublisher", &[Deliver], Always),
    ("jenkins/rtupload", &[Deliver], Always),
    ("jenkins/azurewebapppublish", &[Deliver], Always),
    ("jenkins/azurefunctionapppublish", &[Deliver], Always),
    ("jenkins/cfnupdate", &[Deliver], Always),
    ("jenkins/deploylambda", &[Deliver], Always),
    ("jenkins/openshiftdeploy", &[Deliver], Always),
    ("jenkins/dependencytrackpublisher", &[Compliance], Always),
    ("tim-actions/dco", &[Class::SignOff], Always),
    ("dcoapp/", &[Class::SignOff], Always),
    ("contributor-assistant/github-action", &[Class::SignOff], Always),
    ("cla-assistant/github-action", &[Class::SignOff], Always),
    ("christophebedard/dco-check", &[Class::SignOff], Always),
    ("1password/check-signed-commits-action", &[Class::SignOff], Always),
];

/// Whether a name is that of an entry: whole, up to a part's end, or up to a dash that the entry ends with.
fn is(name: &str, entry: &str) -> bool {
    let Some(rest) = name.strip_prefix(entry) else { return false };
    // Some repositories also have actions that only install the tool.
    let installs =
        ["/download", "/setup", "/install", "/init"].iter().any(|start| rest.starts_with(start));
    !installs
        && (rest.is_empty()
            || rest.starts_with('/')
            || entry.ends_with('-')
            || entry.ends_with('/'))
}

fn rows() -> impl Iterator<Item = &'static Row> {
    ACTIONS.iter().chain(azure::TASKS).chain(orb::ORBS)
}

/// The name without its version, in lower case.
fn bare(what: &str) -> String {
    what.split('@').next().unwrap_or_default().to_ascii_lowercase()
}

/// Whether it is known what something published does.
pub(crate) fn is_known(what: &str) -> bool {
    let name = bare(what);
    rows().any(|(entry, ..)| is(&name, entry)) || azure::is_special(&name) || orb::is_special(&name)
}

/// What a step with a published action does.
pub(super) fn done(
    tree: &Tree,
    what: &str,
    inputs: &BTreeMap<String, String>,
    uploads: bool,
) -> Vec<Done> {
    let name = bare(what);
    let mut all = Vec::new();
    for (entry, classes, fails) in rows() {
        if is(&name, entry) {
            let blocking = blocking(&name, fails, inputs).and(&softened(&name, inputs));
            all.extend(classes.iter().map(|class| Done::new(*class).blocks(blocking.clone())));
        }
    }
    all.extend(special(tree, &name, inputs, uploads));
    all.extend(azure::special(&name, inputs));
    all.extend(orb::special(&name, inputs));
    all
}

fn blocking(name: &str, fails: &Fails, inputs: &BTreeMap<String, String>) -> Blocking {
    let name =
        ["azure-task/", "orb/"].iter().find_map(|kind| name.strip_prefix(kind)).unwrap_or(name);
    let (input, wanted) = match fails {
        Always => return Blocking::Yes,
        Elsewhere(why) => return Blocking::Unsure(format!("`{name}` {why}")),
        UnlessTrue(input) | UnlessFalse(input) => (input, false),
        WhenTrue(input) => (input, true),
    };
    let value = inputs.get(*input).map(String::as_str);
    if value.is_some_and(|value| value.contains(UNKNOWN)) {
        return Blocking::Unsure(format!("`{input}` of `{name}` is decided when it runs"));
    }
    if let UnlessFalse(_) = fails {
        return match value {
            Some(value) if value.eq_ignore_ascii_case("false") => {
                Blocking::No(format!("`{input}: false`"))
            }
            _ => Blocking::Yes,
        };
    }
    let is_true = value.is_some_and(|value| value == "1" || value.eq_ignore_ascii_case("true"));
    match (wanted, is_true) {
        (true, true) | (false, false) => Blocking::Yes,
        (true, false) => Blocking::No(format!("`{name}` fails only with `{input}: true`")),
        (false, true) => Blocking::No(format!("`{input}: true`")),
    }
}

/// Inputs by which an action finds and does not fail.
#[rustfmt::skip]
const SOFT: &[(&str, &str, &[&str])] = &[
    ("github/codeql-action/analyze", "upload", &["never", "false", "failure-only"]),
    ("securego/gosec", "args", &["-no-fail", "--no-fail"]),
    ("snyk/actions", "command", &["monitor"]),
    ("gitleaks/gitleaks-action", "args", &["--exit-code=0"]),
    ("golang/govulncheck-action", "output-format", &["json", "sarif", "openvex"]),
    ("zizmorcore/zizmor-action", "args", &["--no-exit-codes"]),
];

fn softened(name: &str, inputs: &BTreeMap<String, String>) -> Blocking {
    for (action, input, values) in SOFT {
        let Some(given) = inputs.get(*input).filter(|_| is(name, action)) else { continue };
        if given.contains(UNKNOWN) {
            return Blocking::Unsure(format!("`{input}` of `{name}` is decided when it runs"));
        }
        if let Some(word) = given.split_whitespace().find(|word| values.contains(word)) {
            return Blocking::No(format!("`{input}: {word}`"));
        }
    }
    Blocking::Yes
}

/// Actions whose inputs say what they do.
fn special(tree: &Tree, name: &str, inputs: &BTreeMap<String, String>, uploads: bool) -> Vec<Done> {
    let input = |key: &str| inputs.get(key).map(String::as_str);
    match name {
        "docker/build-push-action" | "docker/bake-action" => {
            let mut all = vec![Done::new(Build)];
            let output = input("outputs").is_some_and(|outputs| {
                outputs.contains("type=registry") || outputs.contains("push=true")
            });
            match input("push") {
                Some("true") => all.push(Done::new(Deliver)),
                Some(value) if value.contains(UNKNOWN) => {
                    let unsure =
                        Blocking::Unsure("whether it pushes is decided when it runs".into());
                    all.push(Done::new(Deliver).blocks(unsure));
                }
                _ if output => all.push(Done::new(Deliver)),
                _ => {}
            }
            all
        }
        "aquasecurity/trivy-action" => {
            let blocking = match input("exit-code") {
                Some("0") => Blocking::No("`exit-code: 0`".into()),
                Some(value) if value.contains(UNKNOWN) => {
                    Blocking::Unsure("`exit-code` is decided when it runs".into())
                }
                Some(_) => Blocking::Yes,
                None if uploads => Blocking::Yes,
                None => Blocking::No("trivy-action fails only with `exit-code`".into()),
            };
            let format = input("format").unwrap_or_default();
            if format.starts_with("cyclonedx") || format.starts_with("spdx") || format == "github" {
                return vec![Done::new(Compliance)];
            }
            let classes =
                tool::trivy_classes(input("scan-type").unwrap_or("image"), input("scanners"));
            classes.into_iter().map(|class| Done::new(class).blocks(blocking.clone())).collect()
        }
        "embarkstudios/cargo-deny-action" => {
            let command = input("command").unwrap_or("check");
            let all = !["advisories", "licenses", "bans", "sources"]
                .iter()
                .any(|check| command.contains(check));
            let mut done = Vec::new();
            if all || command.contains("advisories") {
                done.push(Done::new(Dependencies));
            }
            if all || command.contains("licenses") {
                done.push(Done::new(Compliance));
            }
            done
        }
        "actions/dependency-review-action"
            if input("allow-licenses").or(input("deny-licenses")).is_some() =>
        {
            vec![Done::new(Compliance)]
        }
        "goreleaser/goreleaser-action" => match input("args") {
            Some(args) if args.contains("--snapshot") || !args.contains("release") => {
                vec![Done::new(Build)]
            }
            Some(_) => vec![Done::new(Deliver)],
            None => Vec::new(),
        },
        "changesets/action" if input("publish").is_some() => vec![Done::new(Deliver)],
        "golangci/golangci-lint-action" => {
            config::gosec(tree, input("working-directory").or(Some(""))).into_iter().collect()
        }
        "astral-sh/ruff-action" | "chartboost/ruff-action"
            if !input("args").unwrap_or("check").starts_with("format") =>
        {
            config::bandit_in_ruff(tree, Some(""), true).into_iter().collect()
        }
        "pre-commit/action" | "j178/prek-action" => hooks::hooks(tree, None, ""),
        "vladopajic/go-test-coverage" => {
            let total = input("threshold-total").and_then(|text| text.parse().ok());
            vec![Done::new(Class::Threshold(total))]
        }
        _ if name.starts_with("slsa-framework/slsa-github-generator") => {
            vec![Done::new(Compliance)]
        }
        _ => Vec::new(),
    }
}
