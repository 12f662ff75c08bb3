//! Pipelines of Azure Pipelines.

use lockgate_readiness::catalog::Dimension::{CiCd, Security, Tests};
use lockgate_readiness::finding::Outcome::{self, Fail, Pass, Unknown};

use super::{Files, RUST, assert_check, assessed, check, told, with};

const FILE: &str = "azure-pipelines.yml";
const ON_REQUEST: &str = "tests.unit_on_pull_request";

fn outcome(id: &str, pipeline: &str) -> (Outcome, String) {
    of(id, &[(FILE, pipeline)])
}

fn of(id: &str, files: Files<'_>) -> (Outcome, String) {
    let found = assessed(&with(&[RUST, files]));
    let check = check(&found, id);
    (check.outcome, told(check))
}

#[test]
fn triggers_say_what_starts_it() {
    let steps = "steps:\n- script: cargo test\n";
    for (head, on_request, on_main) in [
        ("trigger: [main]\npr: [main]\n", Pass, Pass),
        ("trigger: [main]\npr: {branches: {include: ['*'], exclude: [main]}}\n", Fail, Pass),
        ("trigger: none\npr: ['release/*']\n", Fail, Fail),
        ("trigger: none\npr: {branches: {include: [refs/heads/main]}}\n", Pass, Fail),
        ("trigger: none\npr: {paths: {include: [docs]}}\n", Fail, Fail),
        ("trigger: none\npr: {paths: {include: [src/*], exclude: [src/none]}}\n", Pass, Fail),
        ("trigger: none\npr: {paths: {exclude: ['/']}}\n", Fail, Fail),
        ("trigger: {batch: true, branches: {exclude: [topic]}}\npr: none\n", Fail, Pass),
        ("trigger: {tags: {include: [v*]}}\npr: none\n", Fail, Fail),
        ("trigger: ['feature/*', 'main*']\npr: none\n", Fail, Pass),
        ("trigger: ['*']\n", Unknown, Pass),
        ("", Unknown, Pass),
        ("trigger: none\n", Unknown, Unknown),
        ("trigger: none\npr: none\n", Unknown, Unknown),
    ] {
        let text = format!("{head}{steps}");
        let (found, told) = outcome(ON_REQUEST, &text);
        assert_eq!(found, on_request, "{head}: {told}");
        let (found, told) = outcome("ci_cd.test_on_main", &text);
        assert_eq!(found, on_main, "{head}: {told}");
    }
}

#[test]
fn without_pr_the_forge_decides_and_azure_repos_has_policies() {
    let text = "trigger: [main]\nsteps:\n- script: cargo test\n";
    let written = format!("pr: [main]\n{text}");
    for (pipeline, other, expected) in [
        (text, ("README.md", ""), Unknown),
        (text, (".github/CODEOWNERS", "* @acme\n"), Pass),
        (text, ("bitbucket-pipelines.yml", "pipelines: {}\n"), Pass),
        (text, (".azuredevops/pull_request_template.md", ""), Unknown),
        (&written, (".azuredevops/policies.yml", ""), Pass),
        ("pr: none\nsteps:\n- script: cargo test\n", ("README.md", ""), Fail),
    ] {
        let (found, told) = of(ON_REQUEST, &[(FILE, pipeline), other]);
        assert_eq!(found, expected, "{pipeline} {}: {told}", other.0);
    }
    let (_, told) = outcome(ON_REQUEST, text);
    assert!(told.contains("branch policy"), "{told}");
}

#[test]
fn schedules_and_other_pipelines_start_it_too() {
    let drift = |always: &str| {
        format!(
            "trigger: none\npr: none\nschedules:\n- cron: '0 3 * * *'\n  branches: {{include: [main]}}\n{always}steps:\n- bash: terraform plan -detailed-exitcode\n  workingDirectory: infra\n"
        )
    };
    let infra: Files<'_> =
        &[("infra/main.tf", "resource \"a\" \"b\" {\n}\n"), ("Dockerfile", "FROM scratch\n")];
    for (always, expected) in
        [("  always: true\n", Pass), ("  always: false\n", Unknown), ("", Unknown)]
    {
        let text = drift(always);
        let found = assessed(&with(&[infra, &[(FILE, &text)]]));
        let check = check(&found, "infrastructure.drift");
        assert_eq!(check.outcome, expected, "{always}: {}", told(check));
    }
    let follows = "trigger: none\npr: none\nresources:\n  pipelines:\n  - pipeline: ci\n    source: acme-ci\n    trigger: {branches: {include: [main]}}\nsteps:\n- script: cargo publish\n";
    let (found, told) = outcome("ci_cd.delivery", follows);
    assert_eq!(found, Unknown, "{told}");
    assert!(told.contains("`acme-ci`"), "{told}");
}

#[test]
fn conditions_are_asked_for_each_occasion() {
    for (job, step, expected) in [
        ("", "", Pass),
        ("condition: succeeded()", "condition: always()", Pass),
        ("condition: false", "", Fail),
        ("", "enabled: false", Fail),
        ("", "condition: failed()", Fail),
        ("condition: eq(variables['Build.Reason'], 'PullRequest')", "", Pass),
        ("condition: and(succeeded(), ne(variables['Build.Reason'], 'PullRequest'))", "", Fail),
        ("condition: eq(variables['Build.SourceBranch'], 'refs/heads/main')", "", Fail),
        ("condition: startsWith(variables['Build.SourceBranch'], 'refs/pull/')", "", Pass),
        (
            "condition: eq(variables['System.PullRequest.TargetBranch'], 'refs/heads/main')",
            "",
            Pass,
        ),
        ("condition: eq(variables['System.PullRequest.TargetBranch'], 'main')", "", Pass),
        (
            "condition: startsWith(variables['System.PullRequest.TargetBranch'], 'release')",
            "",
            Fail,
        ),
        ("condition: in(variables['Build.Reason'], 'IndividualCI', 'PullRequest')", "", Pass),
        ("condition: notIn(variables['Build.Reason'], 'PullRequest', 'Manual')", "", Fail),
        ("condition: or(failed(), not(eq(variables.isMain, true)))", "", Pass),
        ("condition: eq(variables.isMain, true)", "", Fail),
        ("condition: eq(variables['runTests'], 'true')", "", Unknown),
        ("condition: and(succeeded(), eq(variables['set'], 'YES'))", "", Pass),
        // A variable is a text, and any text but the empty one is true.
        ("condition: and(succeeded(), variables.isMain)", "", Pass),
        ("condition: eq(dependencies.never.result, 'Skipped')\n  dependsOn: never", "", Pass),
        ("condition: eq(dependencies.never.outputs['a.b'], 'x')\n  dependsOn: never", "", Unknown),
        ("dependsOn: never", "", Fail),
        ("dependsOn: [never]\n  condition: always()", "", Pass),
        ("dependsOn: [never]\n  condition: not(failed())", "", Pass),
        ("condition: this is none", "", Unknown),
        ("continueOnError: true", "", Fail),
        ("", "continueOnError: true", Fail),
        ("", "continueOnError: ${{ variables.set }}", Unknown),
        ("variables: {tool: cargo}", "", Pass),
    ] {
        let text = format!(
            "pr: [main]\nvariables:\n  isMain: $[eq(variables['Build.SourceBranch'], 'refs/heads/main')]\n  set: yes\njobs:\n- job: tests\n  {job}\n  steps:\n  - script: cargo test\n    {step}\n- job: never\n  condition: false\n  steps: [{{script: echo}}]\n"
        );
        let (found, told) = outcome(ON_REQUEST, &text);
        assert_eq!(found, expected, "{job} {step}: {told}");
    }
}

#[test]
fn what_runs_but_does_not_block_proves_nothing() {
    for (step, expected) in [
        ("script: cargo test", Pass),
        ("script: cargo test || true", Fail),
        ("script: cargo test || exit 1", Pass),
        // Neither `script` nor `bash` stops at the first failure.
        ("script: |\n    cargo test\n    echo done", Fail),
        ("bash: |\n    set -euo pipefail\n    cargo test | tee log\n    echo done", Pass),
        ("bash: |\n    cargo build\n    cargo test", Pass),
        ("pwsh: |\n    cargo test\n    cargo doc", Fail),
        // What is PowerShell's own leaves the status of the last program.
        ("pwsh: |\n    cargo test\n    Write-Host done", Pass),
        ("pwsh: cargo test\n  ignoreLASTEXITCODE: true", Fail),
        (
            "task: PowerShell@2\n  inputs: {targetType: inline, script: cargo test, ignoreLASTEXITCODE: true}",
            Fail,
        ),
        (
            "pwsh: |\n    $PSNativeCommandUseErrorActionPreference = $true\n    cargo test\n    Write-Host done",
            Pass,
        ),
        ("task: Bash@3\n  inputs: {targetType: inline, script: cargo test}", Pass),
        ("task: Bash@3\n  inputs: {filePath: ci/test.sh}", Pass),
        ("task: CmdLine@2\n  inputs:\n    script: |\n      cargo test\n      echo", Fail),
        ("task: CmdLine@2\n  inputs: {script: $(tool) test}\n  continueOnError: true", Fail),
        ("task: CmdLine@2\n  inputs: {script: $(tool) test}", Pass),
        ("script: $TOOL test", Pass),
        ("script: $OTHER test\n  env: {OTHER: $(tool)}", Pass),
        ("task: Acme.Tools.run-all@1", Unknown),
        ("task: PublishTestResults@2", Fail),
    ] {
        let text =
            format!("pr: [main]\nvariables:\n- name: tool\n  value: cargo\nsteps:\n- {step}\n");
        let script = ("ci/test.sh", "#!/bin/sh -e\ncargo test\n");
        let (found, told) = of(ON_REQUEST, &[(FILE, &text), script]);
        assert_eq!(found, expected, "{step}: {told}");
    }
    let (_, told) = outcome(ON_REQUEST, "pr: [main]\nsteps:\n- task: Acme.Tools.run-all@1\n");
    assert!(told.contains("`Acme.Tools.run-all@1`"), "{told}");
}

#[test]
fn templates_of_the_repository_are_put_in() {
    let root = "trigger: [main]
pr: [main]
parameters:
- name: deploys
  type: boolean
  default: false
extends:
  template: ci/base.yml
  parameters:
    deploys: ${{ parameters.deploys }}
    audits: [cargo audit, echo done]
    before:
    - script: cargo build
";
    let base = "parameters:
- name: deploys
  type: boolean
- name: audits
  type: object
  default: []
- name: before
  type: stepList
  default: []
stages:
- stage: test
  jobs:
  - template: jobs/test.yml
    parameters: {tool: cargo}
  - job: audit
    steps:
    - ${{ each one in parameters.audits }}:
      - script: ${{ one }}
- ${{ if parameters.deploys }}:
  - stage: deploy
    jobs:
    - job: deploy
      steps:
      - script: cargo publish
";
    let jobs = "parameters:
  tool: none
jobs:
- job: unit
  variables:
  - template: ../vars.yml
  steps:
  - ${{ if eq(variables['Build.Reason'], 'PullRequest') }}:
    - template: /ci/steps.yml
      parameters:
        tool: ${{ parameters.tool }}
  - ${{ else }}:
    - script: echo only on pull requests
";
    let steps =
        "steps:\n- checkout: self\n- bash: |\n    set -e\n    ${{ parameters.tool }} $(what)\n";
    let files: Files<'_> = &[
        (FILE, root),
        ("ci/base.yml", base),
        ("ci/jobs/test.yml", jobs),
        ("ci/steps.yml", steps),
        ("ci/vars.yml", "variables:\n  what: test\n"),
    ];
    let found = assessed(&with(&[RUST, files]));
    assert_check(&found, ON_REQUEST, Pass, "ci/steps.yml:5");
    assert_check(&found, "ci_cd.test_on_main", Fail, "ci/steps.yml:5");
    assert_check(&found, "security.dependencies_on_pull_request", Pass, "ci/base.yml:18");
    assert_check(&found, "ci_cd.delivery", Fail, "");
    assert!(found.notes.is_empty(), "{:?}", found.notes);
    let always = root.replace("default: false", "default: true");
    let files = with(&[RUST, files, &[(FILE, &always)]]);
    assert_check(&assessed(&files), "ci_cd.delivery", Pass, "ci/base.yml:24");
}

#[test]
fn a_variable_that_a_step_sets_is_not_what_the_file_says() {
    for (set, expected) in [
        ("script: echo set", Pass),
        ("script: 'echo \"##vso[task.setvariable variable=ready;isOutput=false]no\"'", Unknown),
        ("script: 'echo \"##vso[task.setvariable variable=other]no\"'", Pass),
        (
            "script: 'echo \"##vso[task.setvariable variable=ready]no\"'\n  condition: failed()",
            Pass,
        ),
    ] {
        let text = format!(
            "pr: [main]\nvariables: {{ready: yes}}\nsteps:\n- {set}\n- script: cargo test\n  condition: eq(variables.ready, 'yes')\n"
        );
        let (found, told) = outcome(ON_REQUEST, &text);
        assert_eq!(found, expected, "{set}: {told}");
    }
}

#[test]
fn a_list_that_is_given_keeps_its_own_lines() {
    let root = "pr: [main]
jobs:
- template: job.yml
  parameters:
    steps:
    - script: cargo test
";
    let job = "parameters:\n- name: steps\n  type: stepList\njobs:\n- job: a\n  steps:\n  - ${{ parameters.steps }}\n";
    let found = assessed(&with(&[RUST, &[(FILE, root), ("job.yml", job)]]));
    assert_check(&found, ON_REQUEST, Pass, "azure-pipelines.yml:6");
}

#[test]
fn what_is_not_in_the_repository_is_unknown_and_says_so() {
    for (body, why) in [
        ("extends: {template: all.yml@templates}", "in another repository"),
        ("steps: [{template: steps.yml@templates}]", "in another repository"),
        ("jobs: [{template: gone.yml}]", "`gone.yml` is not in the repository"),
        ("steps: [{template: '${{ parameters.which }}'}]", "only known when it runs"),
        ("steps: ['${{ parameters.which }}']", "only known when it runs"),
        ("stages: [{template: empty.yml}]", "`empty.yml` is empty"),
        ("stages: [{template: broken.yml}]", "cannot be read"),
        ("steps: [{unheard: of}]", "a kind that is not known"),
        ("steps: [{'${{ if parameters.which }}': [{script: cargo test}]}]", "no default"),
        (
            "jobs: [{'${{ if variables.x }}': [{job: a, steps: [{script: cargo test}]}]}]",
            "outside the files",
        ),
    ] {
        let text = format!("pr: [main]\nparameters: [{{name: which}}]\n{body}\n");
        let files = &[(FILE, text.as_str()), ("empty.yml", ""), ("broken.yml", "stages: [\n")];
        let (found, told) = of(ON_REQUEST, files);
        assert_eq!(found, Unknown, "{body}: {told}");
        assert!(told.contains(why), "{body}: {told}");
    }
    let given = "pr: [main]\nextends:\n  template: v1/all.yml@templates\n  parameters:\n    stages:\n    - stage: a\n      jobs:\n      - job: b\n        steps:\n        - script: cargo test\n";
    let found = assessed(&with(&[RUST, &[(FILE, given)]]));
    assert_check(&found, ON_REQUEST, Unknown, "azure-pipelines.yml:10");
    assert!(check(&found, ON_REQUEST).reason.contains("decides what it runs"));
    let broken = assessed(&[(FILE, "pr: [main]\nsteps: [\n")]);
    assert_eq!(check(&broken, ON_REQUEST).outcome, Unknown);
    assert!(
        broken.notes.iter().any(|note| note.starts_with("azure-pipelines.yml:")),
        "{:?}",
        broken.notes
    );
}

#[test]
fn files_are_pipelines_by_their_names_places_and_contents() {
    let text = "pr: [main]\npool: {vmImage: ubuntu-latest}\nsteps:\n- script: cargo test\n";
    let bare = "steps:\n- script: cargo test\n";
    let drone = "kind: pipeline\ntrigger: {branch: [main]}\nsteps:\n- script: cargo test\n";
    let gates = "trigger: [main]\nrules:\n- script: cargo test\n";
    for (file, text, expected) in [
        ("azure-pipelines.yml", text, Pass),
        ("build/azure-pipelines-pr.yaml", text, Pass),
        (".azure-pipelines/ci.yml", text, Pass),
        ("ci/build.yml", text, Pass),
        (".azdo/pipelines/unit.yml", bare, Unknown),
        ("ci/steps.yml", bare, Fail),
        ("examples/azure-pipelines.yml", text, Fail),
        ("ci/drone.yml", drone, Fail),
        ("ci/gates.yml", gates, Fail),
    ] {
        let (found, told) = of(ON_REQUEST, &[(file, text)]);
        assert_eq!(found, expected, "{file}: {told}");
    }
    let included = "pr: [main]\nsteps:\n- template: unit.yml\n  parameters: {tool: cargo}\n";
    let template = "parameters: [{name: tool, default: echo}]\nsteps:\n- script: ${{ parameters.tool }} test\n";
    let files = &[(".azdo/ci.yml", included), (".azdo/unit.yml", template)];
    let found = assessed(&with(&[RUST, files]));
    assert_check(&found, ON_REQUEST, Pass, ".azdo/unit.yml:3");
}

const PYTHON: Files<'static> = &[
    ("pyproject.toml", "[project]\nname = \"a\"\ndependencies = [\"fastapi\"]\n"),
    ("tests/unit/test_a.py", ""),
    ("tests/integration/test_b.py", ""),
    ("tests/e2e/test_c.py", ""),
];

/// A whole repository with a template for its tools, whose pipeline has these steps and this stage.
fn level(dimension: lockgate_readiness::catalog::Dimension, head: &str, body: &str) -> Option<u8> {
    let text = format!(
        "{head}pool:\n  vmImage: ubuntu-latest\nvariables:\n- group: acme\n- name: python\n  value: '3.13'\n{body}"
    );
    let tools = "parameters:\n- name: python\n  type: string\nsteps:\n- task: UsePythonVersion@0\n  inputs: {versionSpec: '${{ parameters.python }}'}\n- script: pip install .\n";
    let found = assessed(&with(&[PYTHON, &[(FILE, &text), (".azure/tools.yml", tools)]]));
    found.standing(dimension).level
}

const BOTH: &str = "trigger: {branches: {include: [main]}, tags: {include: [v*]}}\npr: [main]\n";

fn steps(steps: &str) -> String {
    format!("steps:\n- template: .azure/tools.yml\n  parameters: {{python: $(python)}}\n{steps}")
}

#[test]
fn every_level_of_ci_cd() {
    let test = "- script: pytest tests/unit\n";
    let stages = |condition: &str, job: &str| {
        format!(
            "stages:\n- stage: ci\n  jobs:\n  - job: test\n    steps:\n    - script: pytest\n- stage: cd\n  dependsOn: ci\n  condition: {condition}\n  jobs:\n{job}"
        )
    };
    let deployment = "  - deployment: app\n    environment: production\n    strategy:\n      runOnce:\n        deploy:\n          steps:\n          - task: AzureWebApp@1\n            inputs: {appName: app}\n";
    let canary = deployment.replace("runOnce:", "canary:\n        increments: [10, 50]");
    let failure = deployment.replace("        deploy:\n", "        on:\n         failure:\n");
    let manual = "  - job: ask\n    pool: server\n    steps:\n    - task: ManualValidation@1\n  - job: app\n    dependsOn: ask\n    steps:\n    - script: twine upload dist/*\n";
    let on_main = "and(succeeded(), eq(variables['Build.SourceBranch'], 'refs/heads/main'))";
    let on_tags = "and(succeeded(), startsWith(variables['Build.SourceBranch'], 'refs/tags/'))";
    for (expected, head, body) in [
        (0, "trigger: none\npr: {paths: {include: [docs]}}\n", steps(test)),
        (0, BOTH, steps("- script: echo pytest\n")),
        (1, "trigger: [main]\npr: none\n", steps(test)),
        (1, "trigger: none\npr: [main]\n", steps(test)),
        (1, BOTH, steps("- script: python -m build\n")),
        (2, BOTH, steps(test)),
        (2, BOTH, stages("eq(variables['Build.Reason'], 'Manual')", deployment)),
        (2, BOTH, stages(on_main, manual)),
        (2, BOTH, stages(on_main, &failure)),
        (3, BOTH, stages(on_main, deployment)),
        (3, BOTH, stages(on_main, &canary)),
        (3, BOTH, stages(on_tags, deployment)),
        (
            3,
            BOTH,
            stages(
                on_main,
                "  - job: app\n    steps:\n    - task: Docker@2\n      inputs: {command: buildAndPush}\n",
            ),
        ),
        (
            3,
            BOTH,
            stages(
                on_main,
                "  - job: app\n    steps:\n    - task: KubernetesManifest@1\n      inputs: {action: deploy}\n",
            ),
        ),
        (
            3,
            BOTH,
            stages(
                on_main,
                "  - job: app\n    steps:\n    - task: AzureCLI@2\n      inputs:\n        scriptType: bash\n        scriptLocation: inlineScript\n        inlineScript: |\n          az webapp deploy --name app\n",
            ),
        ),
        (
            3,
            BOTH,
            stages(
                on_main,
                "  - job: app\n    steps:\n    - task: TerraformTaskV4@4\n      inputs: {command: apply}\n",
            ),
        ),
    ] {
        assert_eq!(level(CiCd, head, &body), Some(expected), "{head}{body}");
    }
    assert_eq!(level(CiCd, BOTH, &steps("- task: Acme@1\n")), None, "what it does is not known");
}

#[test]
fn every_level_of_tests() {
    for (expected, head, body) in [
        (0, BOTH, steps("- script: pip install .\n")),
        (1, "trigger: [main]\npr: none\n", steps("- script: pytest\n")),
        (1, BOTH, steps("- script: pytest tests/unit\n")),
        (
            1,
            BOTH,
            steps(
                "- script: pytest tests/unit\n- script: pytest tests/integration\n  continueOnError: true\n",
            ),
        ),
        (
            1,
            BOTH,
            steps(
                "- script: pytest tests/unit\n- script: pytest tests/integration\n  condition: ne(variables['Build.Reason'], 'PullRequest')\n",
            ),
        ),
        (2, BOTH, steps("- script: pytest tests/unit tests/integration\n")),
        (2, BOTH, steps("- script: pytest\n")),
        (
            2,
            BOTH,
            steps("- script: pytest --cov=a --cov-fail-under=85 || true\n- script: pytest\n"),
        ),
        (3, BOTH, steps("- script: pytest --cov=a --cov-fail-under=85\n")),
        (
            3,
            BOTH,
            steps(
                "- script: pytest\n- task: BuildQualityChecks@9\n  inputs: {checkCoverage: true, coverageFailOption: fixed, coverageThreshold: '85'}\n",
            ),
        ),
    ] {
        assert_eq!(level(Tests, head, &body), Some(expected), "{head}{body}");
    }
}

#[test]
fn every_level_of_security() {
    let d = "- script: pip-audit\n";
    let s = "- task: CredScan@3\n- task: PostAnalysis@2\n";
    let c = "- script: bandit -r src\n";
    let zap = "- task: owaspzap@1\n";
    let sbom = "- task: ManifestGeneratorTask@0\n";
    let nightly = "trigger: none\npr: none\nschedules:\n- cron: '0 3 * * *'\n  always: true\n  branches: {include: [main]}\n";
    for (expected, head, steps_of) in [
        (0, BOTH, String::new()),
        (0, BOTH, "- script: pip-audit || true\n".to_owned()),
        (0, BOTH, "- task: CredScan@3\n".to_owned()),
        (0, BOTH, "- task: trivy@1\n  inputs: {exitCode: 0}\n".to_owned()),
        (0, BOTH, "- task: MicrosoftSecurityDevOps@1\n".to_owned()),
        (1, BOTH, "- task: trivy@1\n".to_owned()),
        (1, BOTH, s.to_owned()),
        (1, BOTH, d.to_owned()),
        (1, nightly, [d, s, c, zap].concat()),
        (1, BOTH, [d, s, c].concat()),
        (1, BOTH, [d, c, zap].concat()),
        (2, BOTH, [d, s, c, zap].concat()),
        (2, BOTH, ["- task: trivy@1\n", c, zap].concat()),
        (3, BOTH, [d, s, c, zap, sbom].concat()),
    ] {
        assert_eq!(level(Security, head, &steps(&steps_of)), Some(expected), "{head}{steps_of}");
    }
    let (found, told) = outcome(
        "security.code_on_pull_request",
        "pr: [main]\nsteps:\n- task: AdvancedSecurity-Codeql-Analyze@1\n",
    );
    assert_eq!(found, Unknown, "{told}");
    let (found, told) = outcome("security.static", "pr: [main]\nsteps:\n- task: WhiteSource@21\n");
    assert_eq!(found, Unknown, "{told}");
}

#[test]
fn tasks_of_languages_run_their_commands() {
    let dotnet: Files<'_> = &[
        ("tests/A.UnitTests/A.cs", "[Fact]\npublic void B() {}\n"),
        ("tests/A.UnitTests/A.UnitTests.csproj", ""),
        ("tests/A.IntegrationTests/C.cs", "[Fact]\npublic void D() {}\n"),
        ("tests/A.IntegrationTests/A.IntegrationTests.csproj", ""),
        ("src/test/java/ATest.java", ""),
        ("src/a.test.ts", ""),
        ("package.json", "{\"scripts\": {\"test:unit\": \"jest\"}}\n"),
        ("go.mod", "module a\n"),
        ("a/a_test.go", "package a\n"),
    ];
    for (task, unit, integration) in [
        ("DotNetCoreCLI@2\n  inputs: {command: test}", Pass, Pass),
        (
            "DotNetCoreCLI@2\n  inputs: {command: test, projects: '**/*.UnitTests.csproj'}",
            Pass,
            Fail,
        ),
        (
            "DotNetCoreCLI@2\n  inputs:\n    command: test\n    projects: |\n      **/*Tests.csproj\n      !**/*UnitTests.csproj",
            Fail,
            Pass,
        ),
        ("DotNetCoreCLI@2\n  inputs: {command: build}", Fail, Fail),
        ("VSTest@2", Pass, Pass),
        ("VSTest@3\n  inputs: {testAssemblyVer2: '**\\*UnitTests*.dll'}", Pass, Fail),
        ("Maven@4\n  inputs: {goals: verify}", Pass, Fail),
        ("Maven@4\n  inputs: {options: -DskipTests}", Fail, Fail),
        ("Gradle@3\n  inputs: {tasks: check}", Pass, Fail),
        ("Npm@1\n  inputs: {command: custom, customCommand: run test:unit}", Pass, Fail),
        ("Npm@1\n  inputs: {command: ci}", Fail, Fail),
        ("Go@0\n  inputs: {command: test, arguments: ./...}", Pass, Fail),
        ("gulp@1", Unknown, Unknown),
    ] {
        let text = format!("pr: [main]\nsteps:\n- task: {task}\n");
        let found = assessed(&with(&[dotnet, &[(FILE, &text)]]));
        for (id, expected) in
            [(ON_REQUEST, unit), ("tests.integration_on_pull_request", integration)]
        {
            let check = check(&found, id);
            assert_eq!(check.outcome, expected, "{task}: {}", told(check));
        }
    }
}

#[test]
fn a_plan_of_the_terraform_task_does_not_fail_on_drift() {
    let text = "trigger: none\npr: none\nschedules:\n- cron: '0 3 * * *'\n  always: true\nsteps:\n- task: TerraformTaskV4@4\n  inputs: {command: plan, workingDirectory: $(System.DefaultWorkingDirectory)/infra, commandOptions: -detailed-exitcode}\n";
    let found = assessed(&[
        (FILE, text),
        ("infra/main.tf", "resource \"a\" \"b\" {\n}\n"),
        ("Dockerfile", "FROM scratch\n"),
    ]);
    assert_check(&found, "infrastructure.drift", Fail, "azure-pipelines.yml:7");
    let reason = &check(&found, "infrastructure.drift").reason;
    assert!(reason.contains("does not fail when the plan has changes"), "{reason}");
}

#[test]
fn a_matrix_is_its_combinations_and_containers_beside_make_integration_tests() {
    let text = "pr: [main]
resources:
  containers:
  - container: db
    image: postgres
jobs:
- job: tests
  services: {db: db}
  strategy:
    matrix:
      all: {what: test}
      built: {what: build}
  steps:
  - script: cargo $(what)
";
    let found = assessed(&with(&[RUST, &[(FILE, text)]]));
    assert_check(&found, "tests.integration_on_pull_request", Pass, "azure-pipelines.yml:14");
}

#[test]
fn circles_and_bombs_end_and_are_told() {
    let text = "pr: [main]\nsteps:\n- template: a.yml\n";
    let files: Files<'_> = &[
        (FILE, text),
        ("a.yml", "steps:\n- template: b.yml\n- template: b.yml\n"),
        ("b.yml", "steps:\n- template: a.yml\n- template: a.yml\n"),
    ];
    let found = assessed(&with(&[RUST, files]));
    let unit = check(&found, ON_REQUEST);
    assert_eq!(unit.outcome, Unknown, "{}", told(unit));
    assert!(unit.reason.contains("circle of templates"), "{}", told(unit));
    assert!(found.notes.iter().any(|note| note.contains("in a circle")), "{:?}", found.notes);

    let mut laughs = vec!["x0: &x0 [a, a, a, a, a, a, a, a, a, a]".to_owned()];
    laughs.extend((1..12).map(|n| {
        let names = format!("*x{}, ", n - 1).repeat(10);
        format!("x{n}: &x{n} [{}]", names.trim_end_matches(", "))
    }));
    let (found, told) = outcome(ON_REQUEST, &format!("pr: [main]\n{}\n", laughs.join("\n")));
    assert_eq!(found, Unknown, "{told}");

    // Each file includes the next one forty times, and each parameter holds the one before it twice.
    let list = "- template: tN.yml\n  parameters: {p: '${{ parameters.p }}${{ parameters.p }}'}\n";
    let mut tree: Vec<(String, String)> = (0..19)
        .map(|n| {
            let list = list.replace('N', &(n + 1).to_string()).repeat(40);
            (format!("t{n}.yml"), format!("parameters: {{p: aaaaaaaa}}\nsteps:\n{list}"))
        })
        .collect();
    tree.push(("t19.yml".into(), "steps:\n- script: echo ${{ parameters.p }}\n".into()));
    tree.push((FILE.into(), "pr: [main]\nsteps:\n- template: t0.yml\n".into()));
    let files: Vec<(&str, &str)> = tree.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let found = assessed(&with(&[RUST, &files]));
    assert_eq!(check(&found, ON_REQUEST).outcome, Unknown);
    assert!(found.notes.iter().any(|note| note.contains("parts")), "{:?}", found.notes);
}

#[test]
fn a_pipeline_of_ten_thousand_lines_is_read() {
    let steps: Vec<String> =
        (0..5_000).map(|n| format!("- script: echo {n}\n  displayName: step {n}\n")).collect();
    let text = format!("pr: [main]\nsteps:\n{}- script: cargo test\n", steps.concat());
    let found = assessed(&with(&[RUST, &[(FILE, &text)]]));
    assert_check(&found, ON_REQUEST, Pass, "azure-pipelines.yml:10003");
}
