//! What the variables that Azure Pipelines itself sets hold on an ordinary occasion.

use super::super::Occasion;
use super::expression::Value;
use super::run::Run;

/// What an ordinary person writes about an ordinary change.
const MESSAGE: &str = "Change something";

/// The value of a variable that no file sets; the name in lower case.
pub(super) fn predefined<'a>(run: &Run<'_>, name: &str) -> Value<'a> {
    let is_pull_request = run.occasion == Occasion::PullRequest;
    let text = |text: &str| Value::Text(text.to_owned());
    match name {
        "build.reason" => text(reason(run)),
        "build.sourcebranch" => Value::Text(reference(run)),
        "build.sourcebranchname" => {
            let reference = reference(run);
            text(reference.rsplit('/').next().unwrap_or_default())
        }
        "build.sourceversionmessage" => text(MESSAGE),
        "build.sourcesdirectory"
        | "build.repository.localpath"
        | "system.defaultworkingdirectory" => text("."),
        "agent.jobstatus" => text("Succeeded"),
        "tf_build" => text("True"),
        _ if name.starts_with("system.pullrequest.") => {
            if !is_pull_request {
                return Value::Null;
            }
            match name {
                "system.pullrequest.targetbranch" => Value::Branch(run.main.to_owned()),
                "system.pullrequest.targetbranchname" => text(run.main),
                "system.pullrequest.sourcebranch" => Value::Branch("topic".to_owned()),
                "system.pullrequest.isfork" => text("False"),
                "system.pullrequest.pullrequestid" | "system.pullrequest.pullrequestnumber" => {
                    text("1")
                }
                _ => Value::Unknown(format!("`{name}` is decided when it runs")),
            }
        }
        _ if name.contains('.') => Value::Unknown(format!("`{name}` is decided when it runs")),
        _ => Value::Unknown(format!("the variable `{name}` is set outside the files, or not")),
    }
}

fn reason(run: &Run<'_>) -> &'static str {
    match run.occasion {
        Occasion::PullRequest => "PullRequest",
        Occasion::Schedule => "Schedule",
        Occasion::Manual => "Manual",
        Occasion::Other => "ResourceTrigger",
        Occasion::Main if run.started.main_follows => "ResourceTrigger",
        _ if run.started.batch => "BatchedCI",
        _ => "IndividualCI",
    }
}

fn reference(run: &Run<'_>) -> String {
    match run.occasion {
        Occasion::PullRequest => "refs/pull/1/merge".to_owned(),
        Occasion::MergeQueue => format!("refs/heads/gh-readonly-queue/{}/pr-1", run.main),
        Occasion::Branch => "refs/heads/topic".to_owned(),
        Occasion::ReleaseBranch => format!("refs/heads/{}", run.started.release),
        Occasion::Tag | Occasion::Release => "refs/tags/v1.0.0".to_owned(),
        Occasion::Schedule => format!("refs/heads/{}", run.started.scheduled),
        Occasion::Main | Occasion::Manual | Occasion::Other => format!("refs/heads/{}", run.main),
    }
}
