//! Jenkinsfiles.

use lockgate_readiness::catalog::Dimension;
use lockgate_readiness::finding::Outcome::{self, Fail, Pass, Unknown};
use proptest::prelude::*;

use super::{Files, RUST, assert_check, assessed, check, told, with};

const FILE: &str = "Jenkinsfile";

/// A pipeline with a stage that shows that change requests are built.
fn pipeline(stage: &str) -> String {
    format!(
        "pipeline {{\n  agent any\n  stages {{\n    stage('test') {{\n{stage}\n    }}\n    stage('told') {{\n      when {{ changeRequest() }}\n      steps {{ echo 'hello' }}\n    }}\n  }}\n}}\n"
    )
}

fn of(id: &str, text: &str, more: Files<'_>) -> (Outcome, String) {
    let found = assessed(&with(&[RUST, &[(FILE, text)], more]));
    let check = check(&found, id);
    (check.outcome, told(check))
}

/// What the tests of change requests come to with a Jenkinsfile.
fn outcome(text: &str) -> (Outcome, String) {
    of("ci_cd.test_on_pull_request", text, &[])
}

fn steps(steps: &str) -> String {
    pipeline(&format!("      steps {{\n        {steps}\n      }}"))
}

#[test]
fn strings_of_every_kind_are_scripts() {
    for text in [
        "sh 'cargo test'",
        "sh \"cargo test\"",
        "sh('cargo test')",
        "sh script: 'cargo test', label: 'tests'",
        "sh(script: \"cargo test\", returnStdout: true)",
        "sh '''\n  # first\n  cargo build\n  cargo test\n'''",
        "sh \"\"\"#!/bin/bash -e\ncargo test\necho done\n\"\"\"",
        "sh '''\\\n  cargo test\n'''",
        "sh '''cargo \\\n  test\n'''.stripIndent()",
        "sh 'cargo ' + 'test'",
        "sh(/cargo test/)",
        "sh($/cargo test/$)",
        "sh 'cargo\\u0020test'",
        "bat 'cargo.exe test'",
        "bat '''@echo off\n  call cargo test'''",
        "powershell 'cargo test'",
        "/* cargo build */ sh 'cargo test' // and no more",
        "sh 'cargo test'; echo 'it''s'",
        "this.sh 'cargo test'",
    ] {
        let (found, told) = outcome(&steps(text));
        assert_eq!(found, Pass, "{text}: {told}");
    }
    for text in [
        "echo 'cargo test'",
        "// sh 'cargo test'",
        "/* sh 'cargo test' */ echo 'x'",
        "echo \"${'cargo test'}\"",
        "sh '# cargo test'",
        "sh '''cat <<END\ncargo test\nEND\n'''",
        "mail subject: 'cargo test', to: 'team@acme.io'",
    ] {
        let (found, told) = outcome(&steps(text));
        assert_eq!(found, Fail, "{text}: {told}");
    }
}

#[test]
fn the_line_that_is_shown_is_the_line_of_the_file() {
    for (text, line) in [
        ("sh 'cargo test'", 6),
        ("echo 'a'\n        sh '''\n          cargo build\n          cargo test\n        '''", 9),
        ("sh \"\"\"\\\n          cargo build\n          cargo test\n        \"\"\"", 8),
        ("sh '''cargo build \\\n  --locked\n          cargo test\n        '''", 8),
        ("sh 'cargo build\\ncargo test'", 6),
    ] {
        let found = assessed(&with(&[RUST, &[(FILE, &steps(text))]]));
        assert_check(&found, "tests.unit_on_pull_request", Pass, &format!("{FILE}:{line}"));
    }
}

#[test]
fn names_have_the_values_that_the_file_gives_them() {
    for (before, stage, expected) in [
        ("def cargo = 'cargo'\n", "steps { sh \"${cargo} test\" }", Pass),
        ("def cargo = 'cargo'\n", "steps { sh \"$cargo test\" }", Pass),
        ("def cargo = 'cargo'\n", "steps { sh \"\\$cargo test\" }", Fail),
        ("def cargo = 'cargo'\n", "steps { sh '${cargo} test' }", Fail),
        ("String run = 'cargo test'\n", "steps { sh run }", Pass),
        ("def run = 'cargo test'\n", "steps { script { run = 'true' }\n sh run }", Unknown),
        ("", "environment { RUN = 'cargo' }\n steps { sh \"${env.RUN} test\" }", Pass),
        ("", "environment { RUN = 'cargo' }\n steps { sh '$RUN test' }", Pass),
        ("", "steps { withEnv(['RUN=cargo']) { sh '$RUN test' } }", Pass),
        ("", "steps { sh \"${params.WHAT} test\" }", Fail),
        ("", "steps { sh params.WHAT }", Unknown),
        ("def all() {\n  sh 'cargo test'\n}\n", "steps { all() }", Pass),
        ("def all(what) {\n  sh \"cargo ${what}\"\n}\n", "steps { all('test') }", Pass),
        ("def all(what) {\n  sh \"cargo ${what}\"\n}\n", "steps { all('build') }", Fail),
        ("def all = { sh 'cargo test' }\n", "steps { script { all() } }", Pass),
        ("void again() { again() }\n", "steps { again() }", Unknown),
    ] {
        let (found, told) = outcome(&format!("{before}{}", pipeline(stage)));
        assert_eq!(found, expected, "{before}{stage}: {told}");
    }
}

#[test]
fn what_runs_but_does_not_block_proves_nothing() {
    for (text, expected) in [
        ("sh 'cargo test || true'", Fail),
        ("sh 'cargo test | tee log'", Fail),
        ("sh script: 'cargo test', returnStatus: true", Fail),
        (
            "script { def rc = sh(script: 'cargo test', returnStatus: true)\n if (rc != 0) { error 'no' } }",
            Unknown,
        ),
        (
            "script { if (sh(script: 'cargo test', returnStatus: true) != 0) { error 'no' } }",
            Unknown,
        ),
        ("warnError('softly') { sh 'cargo test' }", Fail),
        ("catchError(buildResult: 'SUCCESS', stageResult: 'FAILURE') { sh 'cargo test' }", Fail),
        ("catchError(buildResult: 'UNSTABLE') { sh 'cargo test' }", Fail),
        ("catchError(buildResult: env.RESULT) { sh 'cargo test' }", Unknown),
        // The build fails, although it goes on.
        ("catchError { sh 'cargo test' }", Pass),
        ("catchError(stageResult: 'FAILURE') { sh 'cargo test' }", Pass),
        ("script { try { sh 'cargo test' } catch (e) { echo 'failed' } }", Fail),
        ("script { try { sh 'cargo test' } catch (e) { unstable('failed') } }", Fail),
        ("script { try { sh 'cargo test' } catch (e) { currentBuild.result = 'UNSTABLE' } }", Fail),
        ("script { try { sh 'cargo test' } catch (e) { currentBuild.result = 'FAILURE' } }", Pass),
        ("script { try { sh 'cargo test' } catch (Exception e) {\n echo 'x'\n throw e } }", Pass),
        ("script { try { sh 'cargo test' } catch (e) { if (env.STRICT) { throw e } } }", Unknown),
        ("script { try { sh 'cargo test' } finally { junit 'a.xml' } }", Pass),
        ("sh '''#!/bin/bash\ncargo test\necho done\n'''", Fail),
        ("sh '''#!/bin/bash\nset -e\ncargo test\necho done\n'''", Pass),
        ("bat '''cargo test\necho done'''", Fail),
        ("timeout(time: 10, unit: 'MINUTES') { retry(2) { sh 'cargo test' } }", Pass),
    ] {
        let (found, told) = outcome(&steps(text));
        assert_eq!(found, expected, "{text}: {told}");
    }
    let soft = pipeline(
        "      options { catchError(buildResult: 'SUCCESS') }\n      steps { sh 'cargo test' }",
    );
    assert_eq!(outcome(&soft).0, Fail);
    let (_, told) = outcome(&steps("warnError('x') { sh 'cargo test' }"));
    assert!(told.contains("run on pull requests but do not block: `warnError`"), "{told}");
}

#[test]
fn a_stage_runs_when_its_conditions_say_so() {
    for (when, expected) in [
        ("changeRequest()", Pass),
        ("changeRequest target: 'main'", Pass),
        ("changeRequest target: 'release/*', comparator: 'GLOB'", Fail),
        ("changeRequest author: 'ann'", Unknown),
        ("not { changeRequest() }", Fail),
        ("branch 'main'", Fail),
        ("branch 'PR-*'", Pass),
        ("branch pattern: 'PR-\\\\d+', comparator: 'REGEXP'", Pass),
        ("not { branch 'main' }", Pass),
        ("anyOf { branch 'main'; changeRequest() }", Pass),
        ("anyOf {\n branch 'main'\n changeRequest()\n }", Pass),
        ("allOf { branch 'main'; changeRequest() }", Fail),
        ("buildingTag()", Fail),
        ("tag 'v*'", Fail),
        ("triggeredBy 'TimerTrigger'", Fail),
        ("triggeredBy cause: 'UserIdCause', detail: 'ann'", Fail),
        ("expression { env.CHANGE_ID != null }", Pass),
        ("expression { return env.CHANGE_ID == null }", Fail),
        ("expression { env.BRANCH_NAME == 'main' || env.CHANGE_ID }", Pass),
        ("expression { BRANCH_NAME ==~ /PR-\\d+/ }", Pass),
        ("expression { env.BRANCH_NAME in ['main', 'develop'] }", Fail),
        ("expression { env.BRANCH_NAME.startsWith('PR-') }", Pass),
        ("expression { params.TESTS }", Pass),
        ("expression { return !params.TESTS }", Fail),
        ("expression { params.OTHER }", Unknown),
        ("expression { currentBuild.result == null || currentBuild.result == 'SUCCESS' }", Pass),
        ("expression { sh(script: 'a', returnStatus: true) == 0 }", Unknown),
        ("environment name: 'WHERE', value: 'here'", Pass),
        ("environment name: 'WHERE', value: 'there'", Fail),
        ("equals expected: 'here', actual: env.WHERE", Pass),
        ("changeset 'src/**'", Pass),
        ("changeset pattern: 'web/**'", Fail),
        ("changelog '.*test.*'", Unknown),
        ("beforeAgent true\n changeRequest()", Pass),
        ("acme()", Unknown),
    ] {
        let text = pipeline(&format!("      when {{ {when} }}\n      steps {{ sh 'cargo test' }}"));
        let text = text.replace(
            "  agent any\n",
            "  agent any\n  parameters { booleanParam(name: 'TESTS', defaultValue: true, description: '') }\n  environment { WHERE = 'here' }\n",
        );
        let (found, told) = outcome(&text);
        assert_eq!(found, expected, "{when}: {told}");
    }
}

#[test]
fn conditions_and_loops_in_scripts_are_asked_or_unsure() {
    for (text, expected) in [
        ("if (env.CHANGE_ID) { sh 'cargo test' }", Pass),
        ("if (env.BRANCH_NAME == 'main') { sh 'cargo test' }", Fail),
        ("if (env.BRANCH_NAME == 'main') { sh 'true' } else { sh 'cargo test' }", Pass),
        (
            "if (env.BRANCH_NAME == 'main') {\n sh 'true'\n} else if (env.CHANGE_ID) {\n sh 'cargo test'\n}",
            Pass,
        ),
        ("if (isUnix()) { sh 'cargo test' } else { bat 'cargo test' }", Pass),
        ("if (fileExists('x')) sh 'cargo test'", Unknown),
        ("if (env.BRANCH_NAME != 'main') { return }\n sh 'cargo test'", Fail),
        ("if (env.BRANCH_NAME == 'main') { return }\n sh 'cargo test'", Pass),
        ("if (params.SKIP) { return }\n sh 'cargo test'", Unknown),
        ("return\n sh 'cargo test'", Fail),
        ("for (x in ['a', 'b']) { sh 'cargo test' }", Unknown),
        ("['a', 'b'].each { x -> sh 'cargo test' }", Unknown),
        ("while (true) { sh 'cargo test' }", Unknown),
        (
            "switch (env.X) {\n case 'a':\n sh 'cargo test'\n break\n default:\n echo 'x'\n }",
            Unknown,
        ),
        ("env.X ? sh('cargo test') : sh('true')", Unknown),
        ("def out = sh(script: 'cargo test', returnStdout: true).trim()", Pass),
        ("docker.image('rust:1').inside('-v a:b') { sh 'cargo test' }", Pass),
        ("docker.withRegistry('https://registry.acme.io', 'key') { sh 'cargo test' }", Pass),
        ("withCredentials([string(credentialsId: 'a', variable: 'B')]) { sh 'cargo test' }", Pass),
        ("parallel(unit: { sh 'cargo test' }, lint: { sh 'cargo clippy' }, failFast: true)", Pass),
        ("parallel branches", Unknown),
        ("container('rust') { dir('.') { sh 'cargo test' } }", Pass),
        ("acmeWrap { sh 'cargo test' }", Unknown),
        ("def lib = load 'ci/tests.groovy'\n lib.run()", Unknown),
    ] {
        let (found, told) = outcome(&steps(&format!("script {{\n {text}\n }}")));
        assert_eq!(found, expected, "{text}: {told}");
    }
}

#[test]
fn stages_nest_and_a_matrix_has_cells() {
    for (stage, expected) in [
        ("stages { stage('a') { steps { sh 'cargo test' } } }", Pass),
        (
            "parallel { stage('a') { steps { sh 'cargo test' } }\n stage('b') { steps { sh 'true' } } }",
            Pass,
        ),
        (
            "failFast true\n parallel { stage('a') { when { branch 'main' }\n steps { sh 'cargo test' } } }",
            Fail,
        ),
        (
            "matrix { axes { axis { name 'WHAT'\n values 'build', 'test' } }\n stages { stage('a') { steps { sh 'cargo $WHAT' } } } }",
            Pass,
        ),
        (
            "matrix { axes { axis { name 'WHAT'\n values 'build', 'test' } }\n excludes { exclude { axis { name 'WHAT'\n values 'test' } } }\n stages { stage('a') { steps { sh 'cargo $WHAT' } } } }",
            Fail,
        ),
        (
            "matrix { axes { axis { name 'WHAT'\n values 'build', 'test' } }\n stages { stage('a') { when { expression { WHAT == 'build' } }\n steps { sh 'cargo $WHAT' } } } }",
            Fail,
        ),
        ("steps { sh 'true' }\n post { always { sh 'cargo test' } }", Pass),
        ("steps { sh 'true' }\n post { success { sh 'cargo test' } }", Pass),
        ("steps { sh 'true' }\n post { failure { sh 'cargo test' } }", Fail),
        ("steps { sh 'true' }\n post { fixed { sh 'cargo test' } }", Unknown),
        ("input { message 'Test?' }\n steps { sh 'cargo test' }", Fail),
        ("steps { input 'Test?'\n sh 'cargo test' }", Fail),
        ("steps { build job: 'tests', wait: true }", Unknown),
        ("steps { build job: 'tests', propagate: false }", Unknown),
        ("steps { dir('web') { sh 'cargo test' } }", Fail),
    ] {
        let (found, told) = outcome(&pipeline(stage));
        assert_eq!(found, expected, "{stage}: {told}");
    }
}

#[test]
fn what_starts_it_is_known_only_where_the_file_asks_for_it() {
    let plain = "pipeline { agent any\n stages { stage('a') { steps { sh 'cargo test' } } } }\n";
    let (found, told) = outcome(plain);
    assert_eq!(found, Unknown, "{told}");
    assert!(told.contains("does not show that it is run for change requests"), "{told}");
    for (text, main, requests) in [
        (plain.to_owned(), Unknown, Unknown),
        (
            plain.replace("agent any", "agent any\n triggers { pollSCM('H/5 * * * *') }"),
            Pass,
            Unknown,
        ),
        (plain.replace("agent any", "agent any\n triggers { cron('@daily') }"), Unknown, Unknown),
        (plain.replace("steps {", "when { branch 'main' }\n steps {"), Pass, Fail),
        (plain.replace("steps {", "when { not { branch 'main' } }\n steps {"), Fail, Unknown),
        (plain.replace("steps {", "steps { echo env.CHANGE_ID\n"), Pass, Pass),
        (plain.replace("'cargo test'", "'cargo test --pr=$CHANGE_ID'"), Pass, Pass),
        (plain.replace("steps {", "// changeRequest()\n steps {"), Unknown, Unknown),
        (
            plain.replace(
                "agent any",
                "agent any\n triggers { gitlab(triggerOnPush: true, triggerOnMergeRequest: true) }",
            ),
            Pass,
            Pass,
        ),
        (
            plain.replace("steps {", "steps { git branch: 'main', url: 'https://git.acme.io/a'\n"),
            Unknown,
            Unknown,
        ),
    ] {
        let found = assessed(&with(&[RUST, &[(FILE, &text)]]));
        let on_main = check(&found, "ci_cd.test_on_main");
        let on_requests = check(&found, "ci_cd.test_on_pull_request");
        assert_eq!(on_main.outcome, main, "{text}: {}", super::told(on_main));
        assert_eq!(on_requests.outcome, requests, "{text}: {}", super::told(on_requests));
    }
    let (found, told) = outcome(&plain.replace("'cargo test'", "'cargo test || true'"));
    assert_eq!(found, Fail, "{told}");
    assert!(told.contains("tests may run on pull requests, and do not block"), "{told}");
    let master = pipeline("      when { branch 'master' }\n      steps { sh 'cargo publish' }");
    assert_eq!(
        of("ci_cd.delivery", &master, &[]).0,
        Pass,
        "the main branch has the name that is asked for"
    );
    let tag = pipeline("      when { buildingTag() }\n      steps { sh 'cargo publish' }");
    assert_eq!(of("ci_cd.delivery", &tag, &[]).0, Unknown, "tags are built when somebody says so");
    let asked = pipeline(
        "      when { branch 'main' }\n      steps { input 'Deploy?'\n sh 'cargo publish' }",
    );
    assert_eq!(of("ci_cd.delivery", &asked, &[]).0, Fail, "a person has to say yes");
    let aside = assessed(&with(&[RUST, &[("examples/Jenkinsfile", &steps("sh 'cargo test'"))]]));
    assert_eq!(check(&aside, "ci_cd.test_on_pull_request").outcome, Unknown);
    let vendored = with(&[RUST, &[]]);
    let mut tree = super::tree(&vendored);
    tree.insert("vendor/a/Jenkinsfile", lockgate_readiness::tree::Contents::NotWanted);
    let found = lockgate_readiness::assess(&tree, &lockgate_readiness::Facts::default());
    assert_eq!(found.standing(Dimension::CiCd).level, Some(0), "somebody else's");
}

#[test]
fn nightly_drift_is_looked_for_by_cron() {
    let text = "pipeline { agent any\n triggers { cron('H 3 * * *') }\n stages { stage('drift') { steps { dir('infra') { sh 'terraform plan -detailed-exitcode' } } } } }\n";
    let infra = ("infra/main.tf", "resource \"x\" \"y\" {\n}\n");
    assert_eq!(of("infrastructure.drift", text, &[infra]).0, Pass);
    let (found, told) =
        of("infrastructure.drift", &text.replace("cron('H 3 * * *')", "cron('')"), &[infra]);
    assert_eq!(found, Unknown, "{told}");
}

#[test]
fn scripted_pipelines_are_read_where_they_stand_plainly() {
    let text = |body: &str| {
        format!(
            "#!/usr/bin/env groovy\nproperties([pipelineTriggers([pollSCM('@hourly')])])\n{body}\n"
        )
    };
    for (body, expected) in [
        ("node('linux') {\n  checkout scm\n  stage('test') {\n    sh 'cargo test'\n  }\n}", Pass),
        ("stage('test') { node { sh 'cargo test' } }", Pass),
        ("node {\n  stage 'test'\n  sh 'cargo test'\n}", Pass),
        ("node { try { sh 'cargo test' } catch (e) { throw e } finally { cleanWs() } }", Pass),
        ("node { try { sh 'cargo test' } catch (e) { mail to: 'team@acme.io' } }", Fail),
        ("node { if (env.X == 'y') { sh 'cargo test' } }", Unknown),
        ("def all = [:]\nall['a'] = { node { sh 'cargo test' } }\nparallel all", Pass),
        ("def all = [:]\nall.a = { node { sh 'cargo test' } }\nparallel(all)", Pass),
        (
            "def all = [:]\nfor (x in xs) { all[\"${x}\"] = { node { sh 'cargo test' } } }\nparallel all",
            Unknown,
        ),
        ("def all = xs.collectEntries { [it, { sh 'cargo test' }] }\nparallel all", Unknown),
        ("node { def date = new Date()\n echo \"$date\" }", Fail),
        ("node { acme.test(this) }", Unknown),
        ("node { acme.test() }", Unknown),
        ("node { acme.test { sh 'cargo test' } }", Unknown),
        ("node { env.A.split('/').each { part -> part.trim() }\n def b\n b.trim() }", Fail),
        ("node { for (x in ['a']) { x.trim() }\n try { } catch (e) { e.getMessage() } }", Fail),
        ("node { environment { A = 'b' }\n sh 'cargo test' }", Pass),
        ("node { docker.build('a', '--pull https://git.acme.io/b.git') }", Fail),
        ("parallel a: { node { sh 'cargo test' } }, b: { node { sh 'true' } }", Pass),
        ("node { acmeTest() }", Unknown),
        ("node { echo 'cargo test' }", Fail),
        ("node { withMaven { sh 'cargo test' } }", Pass),
    ] {
        let (found, told) = of("ci_cd.test_on_main", &text(body), &[]);
        assert_eq!(found, expected, "{body}: {told}");
    }
    let images = text(
        "node { def app\n stage('build') { app = docker.build('acme/app') }\n stage('push') { docker.withRegistry('https://registry.acme.io', 'key') { app.push('latest') } } }",
    );
    assert_eq!(of("ci_cd.delivery", &images, &[]).0, Pass);
    assert_eq!(of("ci_cd.build", &images, &[]).0, Pass);
}

#[test]
fn what_a_shared_library_brings_is_unknown_with_its_place() {
    let whole = "@Library('acme@v1') _\n\nacmePipeline(name: 'app')\n";
    let found = assessed(&with(&[RUST, &[(FILE, whole)]]));
    assert_check(&found, "tests.unit", Unknown, "Jenkinsfile:1");
    let (_, told) = outcome(whole);
    assert!(
        told.contains("runs `acmePipeline`, which the shared library `acme@v1` brings"),
        "{told}"
    );
    let one = format!("@Library('acme') _\n{}", steps("acmeTest 'all'"));
    let found = assessed(&with(&[RUST, &[(FILE, &one)]]));
    assert_check(&found, "tests.unit_on_pull_request", Unknown, "Jenkinsfile:7");
    assert!(
        check(&found, "tests.unit")
            .reason
            .contains("`acmeTest` is no step of Jenkins that is known")
    );
    // What runs only behind a failure hides nothing, and what is not called does not either.
    let told = format!(
        "@Library('acme') _\n{}",
        pipeline("      steps { sh 'cargo test' }\n      post { failure { acmeNotify() } }")
    );
    assert_eq!(of("security.static", &told, &[]).0, Fail);
    let class = "@Library('acme') _\nnode { def tests = new Tests()\n tests.run() }\n";
    assert_eq!(of("ci_cd.test_on_main", class, &[]).0, Unknown);
    let plugin = "buildPlugin(useContainerAgent: true, configurations: [\n  [platform: 'linux', jdk: 25],\n])\n";
    let found = assessed(&with(&[RUST, &[(FILE, plugin)]]));
    assert_check(&found, "ci_cd.build", Unknown, "Jenkinsfile:1");
}

#[test]
fn plugins_that_scan_are_asked_whether_they_fail() {
    for (step, id, expected) in [
        ("waitForQualityGate abortPipeline: true", "security.code_on_pull_request", Pass),
        ("waitForQualityGate()", "security.code_on_pull_request", Fail),
        ("snykSecurity snykInstallation: 'snyk'", "security.dependencies_on_pull_request", Pass),
        ("snykSecurity(failOnIssues: false)", "security.dependencies_on_pull_request", Fail),
        (
            "dependencyCheckPublisher failedTotalCritical: 1",
            "security.dependencies_on_pull_request",
            Pass,
        ),
        (
            "dependencyCheckPublisher pattern: 'a.xml'",
            "security.dependencies_on_pull_request",
            Fail,
        ),
        ("step([$class: 'JUnitResultArchiver', testResults: 'a.xml'])", "security.static", Fail),
        ("step([$class: 'AcmeScanner'])", "security.static", Unknown),
    ] {
        let (found, told) = of(id, &steps(step), &[]);
        assert_eq!(found, expected, "{step}: {told}");
    }
}

#[test]
fn files_of_other_names_are_pipelines_too() {
    for (file, expected) in [
        ("Jenkinsfile.release", Pass),
        ("ci/Jenkinsfile", Pass),
        ("ci/nightly.Jenkinsfile", Pass),
        ("ci/nightly.jenkinsfile", Pass),
        ("Jenkinsfile.md", Fail),
        ("Jenkinsfiles", Fail),
    ] {
        let found = assessed(&with(&[RUST, &[(file, &steps("sh 'cargo test'"))]]));
        let tests = check(&found, "ci_cd.test_on_pull_request");
        assert_eq!(tests.outcome, expected, "{file}: {}", told(tests));
    }
}

#[test]
fn a_file_that_cannot_be_read_is_unknown_with_place_and_reason() {
    let deep = format!("pipeline {}{}", "{ a ".repeat(500), "}".repeat(500));
    let parentheses = format!("x = {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let ifs = format!("node {{ {} sh 'cargo test' }}", "if (a) ".repeat(10_000));
    for (text, line, why) in [
        ("pipeline {\n  agent any\n", 1, "`{` that nothing closes"),
        ("pipeline {\n} }\n", 2, "`}` that closes nothing"),
        ("node {\n  sh 'cargo test\n}\n", 2, "does not end on its line"),
        ("node {\n  sh \"cargo test\n}\n", 2, "does not end on its line"),
        ("node {\n  sh '''cargo test\n}\n", 2, "does not end"),
        ("node {\n  sh \"\"\"cargo test\n}\n", 2, "does not end"),
        ("node {\n  sh \"${cargo\"\n}\n", 2, "does not end"),
        ("node {\n /* sh 'cargo test'\n}\n", 2, "comment that does not end"),
        ("node {\n  sh $/cargo test\n}\n", 2, "does not end"),
        ("node {\n \0 }\n", 2, "NUL"),
        (&deep, 1, "nested deeper than 48"),
        (&parentheses, 1, "nested deeper than 48"),
        (&ifs, 1, "nested deeper"),
    ] {
        let found = assessed(&with(&[RUST, &[(FILE, text)]]));
        let unit = check(&found, "tests.unit");
        assert_eq!(unit.outcome, Unknown, "{}", told(unit));
        let place = format!("{FILE}:{line}: the Jenkinsfile ");
        let note = found.notes.iter().find(|note| note.starts_with(&place));
        assert!(note.is_some_and(|note| note.contains(why)), "{why}: {:?}", found.notes);
    }
}

#[test]
fn what_is_not_understood_is_a_line_and_not_the_file() {
    for line in [
        "= 'a'",
        "a b c d",
        "def",
        "x = [1, 2",
        ") -> {",
        "class A { def b() { } }",
        "@Field int a = 1",
        "a ?: ",
        "1 + ",
    ] {
        let text = steps(&format!("sh 'cargo test'\n {line}"));
        let text = text.replace("[1, 2", "[1, 2]").replace(") -> {", "-> a");
        let (found, told) = outcome(&text);
        assert_eq!(found, Pass, "{line}: {told}");
    }
    let unknown = steps("a b c d");
    assert_eq!(outcome(&unknown).0, Unknown, "whatever it is, it may test");
}

#[test]
fn a_megabyte_is_read_and_what_doubles_ends() {
    let mut large = "pipeline {\n  agent any\n  stages {\n    stage('a') {\n      when { anyOf { changeRequest(); branch 'main' } }\n      steps {\n".to_owned();
    let mut lines = 6;
    while large.len() < 1_000_000 {
        large.push_str("        echo \"a line of ${env.BUILD_NUMBER} that says little\"\n");
        lines += 1;
    }
    large.push_str("        sh 'cargo test'\n      }\n    }\n  }\n}\n");
    let found = assessed(&with(&[RUST, &[(FILE, &large)]]));
    assert_check(&found, "tests.unit_on_pull_request", Pass, &format!("{FILE}:{}", lines + 1));
    let calls: Vec<String> =
        (1..60).map(|n| format!("def f{n}() {{ f{0}(); f{0}(); f{0}() }}\n", n - 1)).collect();
    let calls =
        format!("def f0() {{ echo 'a' }}\n{}node {{ f59()\n sh 'cargo test' }}\n", calls.concat());
    let (found, told) = outcome(&calls);
    assert_eq!(found, Unknown, "{told}");
    let texts: Vec<String> =
        (1..60).map(|n| format!("def v{n} = \"${{v{0}}}${{v{0}}}\"\n", n - 1)).collect();
    let texts =
        format!("def v0 = 'aaaaaaaa'\n{}node {{ sh \"${{v59}} cargo test\" }}\n", texts.concat());
    assert_eq!(outcome(&texts).0, Fail, "no command that is known");
    let long =
        format!("node {{ x = a{}\n y = 1{} }}\n", ".b()".repeat(50_000), " + 1".repeat(50_000));
    assert_eq!(outcome(&long).0, Fail, "long chains end");
    // As deep as is read, in every way at once.
    let open = "f(a || b && c == d < e << 1 + 2 * !".repeat(45);
    let close = format!("){}", ".a()".repeat(40)).repeat(45);
    assert_eq!(outcome(&format!("node {{ x = {open}1{close} }}\n")).0, Fail);
    let open = "if (a) { f(b) { g ? h : ".repeat(14);
    assert_eq!(outcome(&format!("{open}1{}\n", " } }".repeat(14))).0, Unknown);
    let slashes = format!("node {{ x = {} }}\n", "/ ".repeat(200_000));
    outcome(&slashes);
    let many: String = "sh 'cargo build'\n".repeat(12_000);
    let (found, told) = outcome(&format!("node {{\n{many}sh 'cargo test' }}\n"));
    assert_eq!(found, Unknown, "what is cut off is not known: {told}");
}

/// Words of pipelines, in any order.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "pipeline {",
        "stages {",
        "stage('a') {",
        "steps {",
        "when {",
        "parallel {",
        "matrix {",
        "post {",
        "always {",
        "script {",
        "node {",
        "}",
        "}\n",
        "(",
        ")",
        "[",
        "]",
        "sh 'cargo test'",
        "sh '''",
        "'''",
        "\"${",
        "}\"",
        "$/",
        "/$",
        "/a/",
        "'",
        "\"",
        "\\",
        "\n",
        ";",
        ",",
        ":",
        "->",
        "?",
        "?:",
        "=",
        "==~",
        "!",
        "if (",
        "else",
        "for (",
        "try {",
        "catch (e) {",
        "def f(a) {",
        "f(1)",
        "return",
        "throw e",
        "switch (x) {",
        "case 'a':",
        "branch 'main'",
        "changeRequest()",
        "anyOf {",
        "expression {",
        "env.CHANGE_ID",
        "@Library('a') _",
        "import a.b",
        "class A {",
        "new A()",
        "axis { name 'A'; values 'a' }",
        "input 'x'",
        "load 'x'",
        "//",
        "/*",
        "*/",
        "x.y.z",
        "x = 1",
        "as",
        "in",
        "é",
        "\u{0}",
        "\t",
    ]);
    prop::collection::vec(word, 0..60).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}", words in words()) {
        for text in [text, words] {
            let found = assessed(&with(&[RUST, &[(FILE, &text)]]));
            // What is shown stands in the file.
            for id in ["tests.unit", "ci_cd.build", "security.static"] {
                for shown in &check(&found, id).evidence {
                    let lines = text.lines().count().max(1);
                    prop_assert!(shown.file != FILE || shown.line as usize <= lines, "{shown:?}");
                }
            }
        }
    }
}
