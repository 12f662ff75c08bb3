//! Commands and jobs of published orbs of CircleCI, by their names.

use std::collections::BTreeMap;

use super::Class;
use super::action::{Fails, Row};
use super::invoke::Done;
use crate::shell::Blocking;
use Class::{Build, Code, Codecov, Compliance, Deliver, Dependencies, Secrets};
use Fails::{Always, Elsewhere, UnlessFalse};

#[rustfmt::skip]
pub(super) const ORBS: &[Row] = &[
    ("orb/codecov/codecov/upload", &[Codecov], Always),
    ("orb/coveralls/coveralls", &[], Always),
    ("orb/gitguardian/ggshield/scan", &[Secrets], Always),
    ("orb/gitguardian/ggshield/ggshield-secret", &[Secrets], Always),
    ("orb/sonarsource/sonarcloud/scan", &[Code], Elsewhere("fails only with `sonar.qualitygate.wait`, which other places may set")),
    ("orb/semgrep/semgrep/scan", &[Code], Always),
    ("orb/bridgecrew/bridgecrew/scan", &[Code], Always),
    ("orb/fossa/fossa/test", &[Compliance], Always),
    ("orb/anchore/anchore-engine/image-scan", &[Dependencies], UnlessFalse("policy-failure")),
    ("orb/circleci/aws-ecr/build-and-push-image", &[Build, Deliver], Always),
    ("orb/circleci/aws-ecr/build-image", &[Build], Always),
    ("orb/circleci/aws-ecr/push-image", &[Deliver], Always),
    ("orb/circleci/aws-ecs/deploy-service-update", &[Deliver], Always),
    ("orb/circleci/aws-ecs/update-service", &[Deliver], Always),
    ("orb/circleci/aws-s3/sync", &[Deliver], Always),
    ("orb/circleci/aws-s3/copy", &[Deliver], Always),
    ("orb/circleci/aws-lambda/deploy", &[Deliver], Always),
    ("orb/circleci/aws-serverless/deploy", &[Deliver], Always),
    ("orb/circleci/aws-sam-serverless/deploy", &[Deliver], Always),
    ("orb/circleci/aws-code-deploy/deploy", &[Deliver], Always),
    ("orb/circleci/aws-code-deploy/deploy-bundle", &[Deliver], Always),
    ("orb/circleci/aws-elastic-beanstalk/deploy", &[Deliver], Always),
    ("orb/circleci/aws-eks/update-container-image", &[Deliver], Always),
    ("orb/circleci/gcp-cloud-run/deploy", &[Deliver], Always),
    ("orb/circleci/cloudrun/deploy", &[Deliver], Always),
    ("orb/circleci/gcp-gcr/build-and-push-image", &[Build, Deliver], Always),
    ("orb/circleci/gcp-gcr/push-image", &[Deliver], Always),
    ("orb/circleci/gcp-gcr/build-image", &[Build], Always),
    ("orb/circleci/gke/publish-and-rollout-image", &[Deliver], Always),
    ("orb/circleci/heroku/deploy-via-git", &[Deliver], Always),
    ("orb/circleci/azure-acr/build-and-push-image", &[Build, Deliver], Always),
    ("orb/circleci/terraform/apply", &[Deliver], Always),
    ("orb/ovotech/terraform/apply", &[Deliver], Always),
    ("orb/ovotech/terraform-v2/apply", &[Deliver], Always),
    ("orb/ovotech/terraform/check", &[Class::Drift], Always),
    ("orb/ovotech/terraform-v2/check", &[Class::Drift], Always),
];

/// Whether the inputs say what it does.
pub(super) fn is_special(name: &str) -> bool {
    name == "orb/snyk/snyk/scan"
}

pub(super) fn special(name: &str, inputs: &BTreeMap<String, String>) -> Vec<Done> {
    if !is_special(name) {
        return Vec::new();
    }
    let input = |key: &str| inputs.get(key).map(String::as_str);
    let class = if input("command").is_some_and(|command| command.starts_with("code")) {
        Code
    } else {
        Dependencies
    };
    let blocking = match input("fail-on-issues") {
        Some("false") => Blocking::No("`fail-on-issues: false`".into()),
        _ => Blocking::Yes,
    };
    vec![Done::new(class).blocks(blocking)]
}
