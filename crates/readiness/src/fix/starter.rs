//! What is offered, before it is known whether it would move anything.

mod pipelines;
mod toolchain;

use crate::assess::Facts;
use crate::template::Templates;
use crate::tree::{Tree, dir};

/// Where a file begins that people have to look at.
const HEAD: &str = "# A starter of `lockgate assess --fix`. Review it before you merge it.\n";

/// Files that belong together.
pub(super) struct Starter {
    pub(super) files: Vec<File>,
    /// What only people can fill in; until they do, `text` shows less than `filled`.
    pub(super) fill_in: Vec<&'static str>,
}

pub(super) struct File {
    pub(super) path: String,
    pub(super) text: String,
    /// The same as people could have filled it in, to see what it would show then.
    pub(super) filled: String,
}

impl File {
    fn whole(path: impl Into<String>, text: String) -> Self {
        Self { path: path.into(), filled: text.clone(), text }
    }

    /// One with marks, and what could be in their places.
    fn marked(path: &str, text: String, fills: &[(&str, &str)]) -> Self {
        let filled = fills.iter().fold(text.clone(), |text, (mark, with)| text.replace(mark, with));
        Self { path: path.into(), text, filled }
    }
}

/// All starters in order, and why some are left out. `fails` says which checks are known not to hold: what is unknown may
/// well be done elsewhere.
pub(super) fn starters(
    tree: &Tree,
    facts: &Facts,
    fails: &dyn Fn(&str) -> bool,
) -> (Vec<Starter>, Vec<String>) {
    let mut all = Vec::new();
    let mut notes = Vec::new();
    if let Some(file) = other_pipelines(tree) {
        notes.push(format!(
            "{file} is there: workflows of GitHub are not offered beside it, and it is not changed"
        ));
    } else {
        all.extend(pipelines::tests(tree, facts, fails));
        notes.extend(pipelines::why_no_tests(tree, fails).map(str::to_owned));
        all.extend(pipelines::security(tree, facts, fails));
        all.extend(drift(tree));
    }
    all.push(owners(tree));
    all.push(alerts());
    (all, notes)
}

/// The first file of another system that runs pipelines here.
fn other_pipelines(tree: &Tree) -> Option<&str> {
    let others = [
        ".gitlab-ci.yml",
        "azure-pipelines.yml",
        "Jenkinsfile",
        ".circleci/config.yml",
        ".buildkite/pipeline.yml",
        ".travis.yml",
        ".drone.yml",
        "bitbucket-pipelines.yml",
    ];
    others.into_iter().find(|file| tree.has(file))
}

/// `terraform plan` on a schedule, which is switched on once it has credentials.
fn drift(tree: &Tree) -> Option<Starter> {
    let templates = Templates::read(tree);
    let terraform = templates.environments.iter().find(|found| found.what == "Terraform")?;
    let dir = match dir(&terraform.evidence.file) {
        "" => ".",
        dir => dir,
    };
    if !pipelines::is_plain(dir) {
        return None;
    }
    let text = format!(
        "{HEAD}# Give the job credentials that may read the environment and its state, then take the line `if` away.
name: drift
on:
  schedule:
    - cron: \"17 4 * * *\"
  workflow_dispatch:
permissions:
  contents: read
jobs:
  drift:
    if: vars.DRIFT_HAS_CREDENTIALS == 'true' # FILL IN: credentials, then take this line away
    runs-on: ubuntu-latest
    timeout-minutes: 30
    steps:
      - uses: {}
        with:
          persist-credentials: false
      - uses: hashicorp/setup-terraform@dfe3c3f87815947d99a8997f908cb6525fc44e9e # v4.0.1
        with:
          terraform_wrapper: false
      - run: terraform -chdir={dir} init -input=false
      - run: terraform -chdir={dir} plan -detailed-exitcode -input=false -lock=false
",
        pipelines::CHECKOUT
    );
    let mark = "    if: vars.DRIFT_HAS_CREDENTIALS == 'true' # FILL IN: credentials, then take this line away\n";
    Some(Starter {
        files: vec![File::marked(".github/workflows/drift.yml", text, &[(mark, "")])],
        fill_in: vec!["credentials that may read the environment and its state"],
    })
}

/// An owner of everything, whom nobody can make up.
fn owners(tree: &Tree) -> Starter {
    // The forge reads one of them, and has one already.
    let others = ["CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS"];
    let path = others.into_iter().find(|file| tree.has(file)).unwrap_or(".github/CODEOWNERS");
    let text = format!(
        "{HEAD}# FILL IN: write who reviews every change, such as a team, and take the `# ` before the star away. Then let the forge
# require reviews of code owners.
# * <OWNER>
"
    );
    Starter {
        files: vec![File::marked(path, text, &[("# * <OWNER>", "* @acme/platform")])],
        fill_in: vec!["who reviews every change"],
    }
}

/// A rule, a route and a receiver, whom nobody can make up either.
fn alerts() -> Starter {
    let rules = format!(
        "{HEAD}# For Prometheus: name this file in `rule_files`.
groups:
  - name: availability
    rules:
      - alert: TargetDown
        expr: up == 0
        for: 5m
        labels:
          severity: critical
        annotations:
          summary: \"{{{{ $labels.job }}}} on {{{{ $labels.instance }}}} does not answer\"
          runbook_url: <RUNBOOK_URL> # FILL IN: what to do, and whom to call when that does not help
"
    );
    let route = format!(
        "{HEAD}# For Alertmanager.
route:
  receiver: owners
  group_by: [alertname, job]
receivers:
  - name: owners
    webhook_configs:
      - url: <RECEIVER_URL> # FILL IN: where the people are who answer for it
"
    );
    Starter {
        files: vec![
            File::marked(
                "ops/alerts/rules.yml",
                rules,
                &[("<RUNBOOK_URL>", "https://wiki.acme.io/runbooks/target-down")],
            ),
            File::marked(
                "ops/alerts/alertmanager.yml",
                route,
                &[("<RECEIVER_URL>", "https://alerts.acme.io/hook")],
            ),
        ],
        fill_in: vec!["where alerts go, and to whom", "the runbook"],
    }
}
