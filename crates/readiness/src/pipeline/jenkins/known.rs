//! Steps of Jenkins and of its usual plugins, by their names.

/// What a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Runs a script in a shell.
    Shell,
    /// Runs one in the shell of Windows.
    Batch,
    /// Runs what is in its braces.
    Around,
    /// Runs what is in its braces, again and again or in its own way.
    Perhaps,
    /// Does nothing that is looked for.
    Nothing,
    /// Does what its name says, such as a scan.
    Plugin,
}

#[rustfmt::skip]
const AROUND: &[&str] = &[
    "script", "node", "ws", "timestamps", "ansiColor", "lock", "container", "podTemplate", "sshagent",
    "withCredentials", "nodejs", "retry", "timeout", "withMaven", "withSonarQubeEnv", "configFileProvider",
    "withAWS", "withKubeConfig", "withKubeCredentials", "withDockerRegistry", "withDockerContainer",
    "withDockerServer", "withVault", "wrap", "withGradle", "withAnt", "xvfb", "xvnc", "throttle",
    "gitlabBuilds", "gitlabCommitStatus", "withChecks", "withPythonEnv", "withPyenv", "realtimeJUnit",
    "withBuildUser", "maskPasswords", "withFolderProperties", "cache", "dockerNode", "tee", "withContext",
    "logstash", "skipPublishingChecks", "withGo", "rvm", "withRvm", "withNPM", "withAzureKeyvault",
    "azureKeyVault", "withAzureServicePrincipal", "googleStorage", "withGCP", "withRancher", "withDotNet",
    "gitPublisher", "withGit", "withOC", "withFileParameter", "withTool", "withSecretEnv", "withMavenSettings",
];

#[rustfmt::skip]
const NOTHING: &[&str] = &[
    "echo", "print", "println", "checkout", "git", "stash", "unstash", "archive", "archiveArtifacts",
    "copyArtifacts", "junit", "xunit", "publishHTML", "mail", "emailext", "slackSend", "slackUploadFile",
    "deleteDir", "cleanWs", "sleep", "pwd", "isUnix", "fileExists", "readFile", "writeFile", "readJSON",
    "readYaml", "writeJSON", "writeYaml", "readProperties", "readCSV", "readMavenPom", "readManifest", "touch",
    "tool", "error", "unstable", "milestone", "properties", "publishChecks", "cobertura", "recordCoverage",
    "jacoco", "publishCoverage", "recordIssues", "scanForIssues", "publishIssues", "addBadge",
    "addShortText", "addSummary", "buildDescription", "buildName", "githubNotify", "setGitHubPullRequestStatus",
    "updateGitlabCommitStatus", "addGitLabMRComment", "acceptGitLabMR", "bitbucketStatusNotify",
    "notifyBitbucket", "office365ConnectorSend", "discordSend", "telegramSend", "hipchatSend", "zip", "unzip",
    "tar", "untar", "findFiles", "sha1", "sha256", "fingerprint", "getContext", "libraryResource", "string",
    "booleanParam", "choice", "text", "password", "usernamePassword", "file", "sshUserPrivateKey",
    "usernameColonPassword", "certificate", "parameters", "pipelineTriggers", "cron", "pollSCM", "githubPush",
    "upstream", "disableConcurrentBuilds", "buildDiscarder", "logRotator", "allure", "perfReport", "warnings",
    "cucumber", "testNG", "nunit", "mstest", "robot", "discoverReferenceBuild", "discoverGitReferenceBuild",
    "ecrLogin", "validateDeclarativePipeline", "input", "jiraSendBuildInfo", "jiraSendDeploymentInfo",
    "jiraComment", "pullRequestComment", "currentBuild", "resolveScm", "setBuildStatus", "httpRequest",
    "powerShellScript", "newContainerPerStage", "skipDefaultCheckout", "timestamps", "disableResume",
    "preserveStashes", "durabilityHint", "overrideIndexTriggers", "copyArtifactPermission", "rateLimitBuilds",
    "gitLabConnection", "usernameVariable", "rtPublishBuildInfo", "dependencyCheckInstall", "tasks", "tests", "cifsPublisher",
    "library", "load", "checkpoint", "waitForBuild", "getChangeString", "nodesByLabel", "envVarsForTool",
    "withTools", "prependToFile", "compareVersions", "verifySha1", "verifySha256",
];

/// Steps of plugins whose names say what they do; `act/action` knows what.
#[rustfmt::skip]
const PLUGINS: &[&str] = &[
    "waitForQualityGate", "dependencyCheck", "dependencyCheckPublisher", "snykSecurity", "anchore",
    "sshPublisher", "s3Upload", "kubernetesDeploy", "deploy", "nexusArtifactUploader", "nexusPublisher",
    "rtUpload", "azureWebAppPublish", "azureFunctionAppPublish", "cfnUpdate",
    "deployLambda", "openshiftDeploy", "dependencyTrackPublisher",
];

/// What is known of a step; none for one that a shared library or an unknown plugin brings.
pub(super) fn step(name: &str) -> Option<Step> {
    Some(match name {
        "sh" => Step::Shell,
        "bat" | "powershell" | "pwsh" => Step::Batch,
        "waitUntil" | "each" | "times" | "eachWithIndex" | "collectEntries" | "forEach" => {
            Step::Perhaps
        }
        _ if AROUND.contains(&name) => Step::Around,
        _ if NOTHING.contains(&name) => Step::Nothing,
        _ if PLUGINS.contains(&name) => Step::Plugin,
        _ => return None,
    })
}
