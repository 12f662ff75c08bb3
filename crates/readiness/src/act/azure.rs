//! Tasks of Azure Pipelines that run no command of their own, by their names.

use std::collections::BTreeMap;

use super::action::{Fails, Row};
use super::invoke::Done;
use super::{Class, Kinds, tool};
use crate::shell::{Blocking, UNKNOWN};
use crate::tree::join;
use Class::{Build, Code, Codecov, Compliance, Deliver, Dependencies, Dynamic, Secrets};
use Fails::{Always, Elsewhere, UnlessFalse, UnlessTrue, WhenTrue};

const ADVANCED: &str =
    "hands its findings to Advanced Security, where a branch policy may ask for them";
const SERVICE: &str = "asks a service whose policy decides whether it fails";

#[rustfmt::skip]
pub(super) const TASKS: &[Row] = &[
    // what scanners of Microsoft find, a task behind them fails on
    ("azure-task/credscan", &[Secrets], WhenTrue("breaks")),
    ("azure-task/binskim", &[Code], WhenTrue("breaks")),
    ("azure-task/roslynanalyzers", &[Code], WhenTrue("breaks")),
    ("azure-task/codeql3000finalize", &[Code], WhenTrue("breaks")),
    ("azure-task/semmle", &[Code], WhenTrue("breaks")),
    ("azure-task/eslint", &[Code], WhenTrue("breaks")),
    ("azure-task/postanalysis", &[], Always),
    ("azure-task/advancedsecurity-codeql-analyze", &[Code], Elsewhere(ADVANCED)),
    ("azure-task/advancedsecurity-dependency-scanning", &[Dependencies], Elsewhere(ADVANCED)),
    ("azure-task/componentgovernancecomponentdetection", &[Dependencies], WhenTrue("failonalert")),
    ("azure-task/apiscan", &[Dynamic], WhenTrue("breaks")),
    ("azure-task/owaspzap", &[Dynamic], Always),
    ("azure-task/owaspzapscan", &[Dynamic], Always),
    ("azure-task/stackhawk", &[Dynamic], Always),
    ("azure-task/gitleaks", &[Secrets], UnlessFalse("taskfail")),
    ("azure-task/trufflehog", &[Secrets], Always),
    ("azure-task/ggshield", &[Secrets], Always),
    ("azure-task/whitesource", &[Dependencies], Elsewhere(SERVICE)),
    ("azure-task/whitesource-bolt", &[Dependencies], Elsewhere(SERVICE)),
    ("azure-task/mend", &[Dependencies], Elsewhere(SERVICE)),
    ("azure-task/blackducksecurityscan", &[Dependencies], Elsewhere(SERVICE)),
    ("azure-task/synopsyssecurityscan", &[Code], Elsewhere(SERVICE)),
    ("azure-task/checkmarxast", &[Code], Elsewhere(SERVICE)),
    ("azure-task/veracode", &[Code], Elsewhere(SERVICE)),
    ("azure-task/fortifyscacloudscan", &[Code], Elsewhere(SERVICE)),
    ("azure-task/nexusiqpipelinetask", &[Dependencies], Elsewhere(SERVICE)),
    ("azure-task/jfrogaudit", &[Dependencies], Elsewhere(SERVICE)),
    ("azure-task/aquascannercli", &[Dependencies], Always),
    ("azure-task/checkov", &[Code], UnlessTrue("soft_fail")),
    ("azure-task/tfsec", &[Code], Always),
    ("azure-task/terrascan", &[Code], Always),
    ("azure-task/kics", &[Code], Always),
    ("azure-task/semgrep", &[Code], Always),
    ("azure-task/sonarcloudbuildbreaker", &[Code], Always),
    ("azure-task/sonarqubebuildbreaker", &[Code], Always),
    ("azure-task/sonarcloudanalyze", &[Code], Elsewhere("fails only with `sonar.qualitygate.wait`, which other places may set")),
    ("azure-task/sonarqubeanalyze", &[Code], Elsewhere("fails only with `sonar.qualitygate.wait`, which other places may set")),
    ("azure-task/manifestgeneratortask", &[Compliance], Always),
    ("azure-task/sbomtool", &[Compliance], Always),
    ("azure-task/codecov", &[Codecov], Always),
    ("azure-task/msbuild", &[Build], Always),
    ("azure-task/vsbuild", &[Build], Always),
    ("azure-task/ant", &[Build], Always),
    ("azure-task/xamarinandroid", &[Build], Always),
    ("azure-task/xamarinios", &[Build], Always),
    ("azure-task/bicepdeploy", &[Deliver], Always),
    ("azure-task/azurewebapp", &[Deliver], Always),
    ("azure-task/azurewebappcontainer", &[Deliver], Always),
    ("azure-task/azurermwebappdeployment", &[Deliver], Always),
    ("azure-task/azurermwebappcontainer", &[Deliver], Always),
    ("azure-task/azurefunctionapp", &[Deliver], Always),
    ("azure-task/azurefunctionappcontainer", &[Deliver], Always),
    ("azure-task/azurecontainerapps", &[Deliver], Always),
    ("azure-task/azurestaticwebapp", &[Deliver], Always),
    ("azure-task/azurespringcloud", &[Deliver], Always),
    ("azure-task/azurespringapps", &[Deliver], Always),
    ("azure-task/azurefilecopy", &[Deliver], Always),
    ("azure-task/azurevmssdeployment", &[Deliver], Always),
    ("azure-task/sqlazuredacpacdeployment", &[Deliver], Always),
    ("azure-task/servicefabricdeploy", &[Deliver], Always),
    ("azure-task/iiswebappdeploymentonmachinegroup", &[Deliver], Always),
    ("azure-task/copyfilesoverssh", &[Deliver], Always),
    ("azure-task/googleplayrelease", &[Deliver], Always),
    ("azure-task/appstorerelease", &[Deliver], Always),
    ("azure-task/appcenterdistribute", &[Deliver], Always),
    ("azure-task/ecrpushimage", &[Deliver], Always),
    ("azure-task/elasticbeanstalkdeployapplication", &[Deliver], Always),
    ("azure-task/cloudformationcreateorupdatestack", &[Deliver], Always),
    ("azure-task/lambdadeployfunction", &[Deliver], Always),
    ("azure-task/codedeploydeployapplication", &[Deliver], Always),
    ("azure-task/s3upload", &[Deliver], Always),
    ("azure-task/githubrelease", &[Deliver], UnlessTrue("isdraft")),
];

const SPECIAL: &[&str] = &[
    "trivy",
    "snyksecurityscan",
    "microsoftsecuritydevops",
    "dependency-check-build-task",
    "buildqualitychecks",
    "azureresourcemanagertemplatedeployment",
    "universalpackages",
    "terraform-plan",
    "gulp",
    "grunt",
    "xcode",
];

fn of(name: &str) -> Option<&str> {
    name.strip_prefix("azure-task/")
}

/// Whether the inputs of a task say what it does.
pub(super) fn is_special(name: &str) -> bool {
    of(name).is_some_and(|task| SPECIAL.contains(&task))
}

/// Tasks whose inputs say what they do.
pub(super) fn special(name: &str, inputs: &BTreeMap<String, String>) -> Vec<Done> {
    let Some(task) = of(name) else { return Vec::new() };
    let input = |key: &str| inputs.get(key).map(String::as_str).filter(|text| !text.is_empty());
    let is_true = |key: &str| input(key).is_some_and(|value| value.eq_ignore_ascii_case("true"));
    match task {
        "trivy" => {
            let blocking = match input("exitcode") {
                Some("0") => Blocking::No("`exitCode: 0`".into()),
                Some(value) if value.contains(UNKNOWN) => {
                    Blocking::Unsure("`exitCode` is decided when it runs".into())
                }
                _ => Blocking::Yes,
            };
            let target = if input("image").is_some() { "image" } else { "fs" };
            let classes = tool::trivy_classes(input("type").unwrap_or(target), input("scanners"));
            classes.into_iter().map(|class| Done::new(class).blocks(blocking.clone())).collect()
        }
        "snyksecurityscan" => {
            let class = if input("testtype") == Some("code") { Code } else { Dependencies };
            let soft =
                input("failonissues").is_some_and(|value| value.eq_ignore_ascii_case("false"));
            let blocking =
                if soft { Blocking::No("`failOnIssues: false`".into()) } else { Blocking::Yes };
            vec![Done::new(class).blocks(blocking)]
        }
        "microsoftsecuritydevops" => {
            let blocking = if is_true("break") {
                Blocking::Yes
            } else {
                Blocking::No("it fails only with `break: true`".into())
            };
            let categories = input("categories").unwrap_or("code,iac").to_ascii_lowercase();
            let mut classes = vec![Code];
            if categories.contains("secrets") {
                classes.push(Secrets);
            }
            classes.into_iter().map(|class| Done::new(class).blocks(blocking.clone())).collect()
        }
        "dependency-check-build-task" => {
            let blocking = if input("failoncvss").is_some() {
                Blocking::Yes
            } else {
                Blocking::No("it fails only with `failOnCVSS`".into())
            };
            vec![Done::new(Dependencies).blocks(blocking)]
        }
        "buildqualitychecks" if is_true("checkcoverage") => {
            let fixed = input("coveragefailoption").is_none_or(|option| option == "fixed");
            let least = input("coveragethreshold").filter(|_| fixed);
            vec![Done::new(Class::Threshold(least.and_then(|text| text.parse().ok())))]
        }
        "azureresourcemanagertemplatedeployment"
            if input("deploymentmode") != Some("Validation") =>
        {
            vec![Done::new(Deliver)]
        }
        "universalpackages" if input("command") == Some("publish") => vec![Done::new(Deliver)],
        "terraform-plan" => {
            let soft = "the task does not fail when the plan has changes";
            let dir = join("", input("workingdirectory").unwrap_or_default());
            vec![Done::new(Class::Drift).blocks(Blocking::No(soft.into())).in_dir(dir.as_deref())]
        }
        "gulp" | "grunt" => {
            vec![Done::new(Class::OpaqueTests).why(format!("what {task} runs is not followed"))]
        }
        "xcode" => {
            let tests = input("actions").is_some_and(|actions| actions.contains("test"));
            let tests = tests.then(|| Done::new(Class::Test(Kinds::UNIT)));
            [Done::new(Build)].into_iter().chain(tests).collect()
        }
        _ => Vec::new(),
    }
}
