//! Tasks of the marketplace as the commands that they run, where they run one.

use std::collections::BTreeMap;

use super::super::Does;
use crate::shell::UNKNOWN;
use crate::tree::{Tree, has_end};

/// What becomes of a task.
pub(super) enum Made {
    /// It gets tools, files or sign-ins ready, or keeps what was made.
    Nothing,
    /// A person has to say yes.
    Waits,
    Does(Does),
    /// It runs these commands.
    Commands {
        text: String,
        dir: Option<String>,
        /// The input that holds them as they are written.
        input: Option<&'static str>,
    },
}

/// Tasks that do nothing that counts, by their names or the beginnings of them.
#[rustfmt::skip]
const HARMLESS: &[&str] = &[
    "addtag", "androidsigning", "antimalware", "applypatch", "archivefiles", "azureappconfiguration",
    "azureappservicemanage", "azureappservicesettings", "azurekeyvault", "azuremonitor", "cache",
    "cargoauthenticate", "cmdkey", "codesign", "componentgovernancereport", "condaauthenticate",
    "condaenvironment", "copyfiles", "copypublishbuildartifacts", "decryptfile",
    "delay", "deletefiles", "dotnetcoreinstaller", "dockerinstaller", "downloadbuildartifacts",
    "downloadfileshare", "downloadgithubrelease", "downloadpackage", "downloadpipelineartifact",
    "downloadsecurefile", "downloadartifacts", "esrpcodesigning", "esrpsign", "extractfiles",
    "filetransform", "functoolsinstaller", "gitversion", "githubcomment",
    "gotool", "helminstaller", "installappcenter", "installapplecertificate",
    "installappleprovisioningprofile", "installsshkey", "javatoolinstaller", "kubectlinstaller",
    "kubelogininstaller", "mavenauthenticate", "microbuild", "nodetaskrunner",
    "nodetool", "npmauthenticate", "nugetauthenticate", "nugetrestore", "nugettoolinstaller",
    "notationinstaller", "onelocbuild", "pipauthenticate", "postbuildcleanup", "powerplatformtoolinstaller",
    "publishbuildartifacts", "publishcodecoverageresults", "publishpipelineartifact",
    "publishpipelinemetadata", "publishsecurityanalysislogs", "publishsymbols", "publishtestresults",
    "replacetokens", "reportgenerator", "reviewapp", "securityanalysisreport", "sonarcloudprepare",
    "sonarqubeprepare", "sonarcloudpublish", "sonarqubepublish", "stylecop", "terraforminstaller",
    "toolinstaller", "twineauthenticate", "updateassemblyinfo", "usedotnet", "usegitversion",
    "usenode", "usepythonversion", "useruby", "userubyversion", "versionassemblies",
    "visualstudiotestplatforminstaller", "vsts-tool", "xamarinlicense", "codeql3000init",
    "advancedsecurity-codeql-init", "advancedsecurity-codeql-autobuild", "advancedsecurity-publish",
    "azureartifacts", "policheck", "sdtreport", "tsaupload",
];

/// What a task does; its name with the version, its inputs by names in lower case.
pub(super) fn made(task: &str, inputs: BTreeMap<String, String>, tree: &Tree) -> Made {
    let name = name(task);
    if matches!(name.as_str(), "manualvalidation" | "manualintervention") {
        return Made::Waits;
    }
    let input = |key: &str| inputs.get(key).map(String::as_str).filter(|text| !text.is_empty());
    if let Some(made) = script(&name, &input) {
        return made;
    }
    if let Some((text, dir)) = command(&name, &input, tree) {
        if text.is_empty() {
            return Made::Nothing;
        }
        return Made::Commands { text, dir: dir.map(str::to_owned), input: None };
    }
    let plans = name.starts_with("terraform") && input("command") == Some("plan");
    let name = if plans { "terraform-plan" } else { name.as_str() };
    let what = format!("azure-task/{name}@{}", task.rsplit_once('@').map_or("", |(_, at)| at));
    if crate::act::is_known(&what) {
        return Made::Does(Does::Uses { what, inputs });
    }
    if HARMLESS.iter().any(|known| name.starts_with(known)) {
        return Made::Nothing;
    }
    Made::Does(Does::Opaque(format!("what the task `{task}` does is not known here")))
}

/// The name of a task without its publisher and version, in lower case.
fn name(task: &str) -> String {
    let name = task.split('@').next().unwrap_or_default();
    name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase()
}

/// Tasks that run a script that stands in an input, or in a file of the repository.
fn script<'i>(name: &str, input: &dyn Fn(&str) -> Option<&'i str>) -> Option<Made> {
    let is =
        |key: &str, value: &str| input(key).is_some_and(|found| found.eq_ignore_ascii_case(value));
    // The input with the text, the one with the path, and whether the text is asked for.
    let (text, path, inline) = match name {
        "bash" | "powershell" => ("script", "filepath", is("targettype", "inline")),
        "cmdline" => ("script", "", true),
        "shellscript" => ("", "scriptpath", false),
        "batchscript" => ("", "filename", false),
        "azurecli" => ("inlinescript", "scriptpath", is("scriptlocation", "inlineScript")),
        "azurepowershell" => ("inline", "scriptpath", is("scripttype", "InlineScript")),
        "awsshellscript" => ("inlinescript", "filepath", is("scripttype", "inline")),
        "pythonscript" => ("", "scriptpath", is("scriptsource", "inline")),
        _ => return None,
    };
    let dir = input("workingdirectory").or(input("cwd")).or(input("workingfolder"));
    let dir = dir.map(str::to_owned);
    if inline {
        if text.is_empty() {
            // A program of another language.
            return Some(Made::Nothing);
        }
        let text_of = input(text).unwrap_or_default().to_owned();
        return Some(Made::Commands { text: text_of, dir, input: Some(text) });
    }
    let file = input(path).unwrap_or_default().replace('\\', "/");
    let arguments = input("arguments").or(input("args")).unwrap_or_default();
    let file = if file.contains('/') { file } else { format!("./{file}") };
    let program = if name == "pythonscript" { "python " } else { "" };
    Some(Made::Commands { text: format!("{program}{file} {arguments}"), dir, input: None })
}

/// Tasks that run one program. An empty text is one that does nothing that counts.
fn command<'i>(
    name: &str,
    input: &dyn Fn(&str) -> Option<&'i str>,
    tree: &Tree,
) -> Option<(String, Option<&'i str>)> {
    let or = |key: &str, default: &'static str| input(key).unwrap_or(default);
    let arguments = input("arguments").unwrap_or_default();
    let here = input("workingdirectory").or(input("workingdir")).or(input("cwd"));
    Some(match name {
        "dotnetcorecli" => (dotnet(input, tree), here),
        "vstest" => {
            let wanted = input("testassemblyver2").unwrap_or_default().replace(".dll", ".csproj");
            (format!("dotnet vstest {}", projects(&wanted, tree)), None)
        }
        "maven" => (format!("mvn {} {}", or("goals", "package"), or("options", "")), here),
        "gradle" => (format!("gradle {} {}", or("tasks", "build"), or("options", "")), here),
        "npm" => match or("command", "install") {
            "publish" => ("npm publish".to_owned(), here),
            "custom" => (format!("npm {}", or("customcommand", "")), here),
            _ => (String::new(), here),
        },
        "yarn" => (format!("yarn {arguments}"), input("projectdirectory")),
        "go" => (format!("go {} {arguments}", or("command", "get")), here),
        "cmake" => (format!("cmake {}", or("cmakeargs", "")), here),
        "awscli" => {
            let words = [or("awscommand", ""), or("awssubcommand", ""), or("awsarguments", "")];
            (format!("aws {}", words.join(" ")), None)
        }
        "docker" => (docker(input), None),
        "dockercompose" => match or("action", "Run a Docker Compose command") {
            "Build services" => ("docker compose build".to_owned(), None),
            "Push services" => ("docker push service".to_owned(), None),
            "Run a Docker Compose command" => {
                (format!("docker compose {}", or("dockercomposecommand", "")), here)
            }
            _ => (String::new(), None),
        },
        "helmdeploy" => {
            let command = or("command", "ls");
            let command = if command == "install" { "upgrade" } else { command };
            (format!("helm {command} {arguments}"), None)
        }
        "kubernetes" => (format!("kubectl {} {arguments}", or("command", "apply")), None),
        "kubernetesmanifest" => match or("action", "deploy") {
            "deploy" | "promote" | "patch" => ("kubectl apply".to_owned(), None),
            _ => (String::new(), None),
        },
        "nugetcommand" => match or("command", "restore") {
            "push" => ("dotnet nuget push".to_owned(), None),
            "pack" => ("dotnet pack".to_owned(), None),
            "custom" => (format!("nuget {arguments}"), None),
            _ => (String::new(), None),
        },
        "terraform" | "terraformcli" => terraform(input)?,
        _ if name.starts_with("terraformtask") => terraform(input)?,
        _ => return None,
    })
}

/// What the task for Terraform plans it does not fail on, so that a plan is no command.
fn terraform<'i>(input: &dyn Fn(&str) -> Option<&'i str>) -> Option<(String, Option<&'i str>)> {
    let dir = input("workingdirectory");
    match input("command").unwrap_or("init") {
        "plan" => None,
        "apply" => Some(("terraform apply".to_owned(), dir)),
        _ => Some((String::new(), dir)),
    }
}

fn dotnet<'i>(input: &dyn Fn(&str) -> Option<&'i str>, tree: &Tree) -> String {
    let arguments = input("arguments").unwrap_or_default();
    match input("command").unwrap_or("build") {
        "restore" => String::new(),
        "push" => "dotnet nuget push".to_owned(),
        "custom" => format!("dotnet {} {arguments}", input("custom").unwrap_or_default()),
        command => {
            let projects = projects(input("projects").unwrap_or_default(), tree);
            format!("dotnet {command} {projects} {arguments}")
        }
    }
}

/// Building and pushing are one command of the task, when nothing else is said.
fn docker<'i>(input: &dyn Fn(&str) -> Option<&'i str>) -> String {
    let command = input("command").or(input("action")).unwrap_or("buildAndPush");
    match command.to_ascii_lowercase().as_str() {
        "build" | "build an image" => "docker build .".to_owned(),
        "push" | "push an image" => "docker push image".to_owned(),
        "buildandpush" => "docker build . && docker push image".to_owned(),
        "run" | "run an image" => format!("docker run {}", input("arguments").unwrap_or_default()),
        _ => String::new(),
    }
}

/// The projects of the repository that patterns name, one a line, `!` taking out.
fn projects(patterns: &str, tree: &Tree) -> String {
    let patterns = patterns.replace('\\', "/").to_lowercase();
    let fits = |pattern: &str, path: &str| {
        let pattern = pattern.trim_start_matches("./");
        tree.fits(pattern, path) == Some(true) || pattern.ends_with(path)
    };
    let (mut named, mut out): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    for pattern in patterns.split(['\n', ';']).map(str::trim).filter(|one| !one.is_empty()) {
        match pattern.strip_prefix('!') {
            Some(pattern) => out.push(pattern),
            None => named.push(pattern),
        }
    }
    let ends = ["csproj", "fsproj", "vbproj"];
    let found: Vec<&str> = tree
        .paths()
        .filter(|path| ends.iter().any(|end| has_end(path, end)))
        .filter(|path| {
            let lower = path.to_lowercase();
            named.iter().any(|one| fits(one, &lower)) && !out.iter().any(|one| fits(one, &lower))
        })
        .take(500)
        .collect();
    let quoted: Vec<String> = found.iter().map(|path| format!("'{path}'")).collect();
    if tree.is_spent() { UNKNOWN.to_string() } else { quoted.join(" ") }
}
