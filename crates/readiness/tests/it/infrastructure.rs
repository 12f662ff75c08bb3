//! Templates of each kind: what they declare, what they say of what they run, and what only looks like it.

use lockgate_readiness::catalog::Dimension;
use lockgate_readiness::finding::Outcome::{Fail, NotApplicable, Pass, Unknown};

use super::{CONTAINER, Files, assert_check, assert_of, assessed, check, with};

const TEMPLATES: &str = "infrastructure.templates";
const LIMITS: &str = "infrastructure.limits";
const PINNED: &str = "infrastructure.pinned";
const HEALTH: &str = "observability.health_checks";

#[test]
fn a_template_declares_something_or_is_none() {
    for (file, text, place) in [
        ("a.tf", "# resource \"x\" \"y\" {}\n\nresource \"aws_s3_bucket\" \"b\" {}\n", "a.tf:3"),
        ("a.tf", "module \"net\" {\n  source = \"./net\"\n}\n", "a.tf:1"),
        (
            "a.tf.json",
            "{\"resource\": {\"aws_s3_bucket\": {\n \"b\": {\"bucket\": \"x\"}}}}\n",
            "a.tf.json:2",
        ),
        (
            "live/terragrunt.hcl",
            "terraform {\n  source = \"../modules/a\"\n}\n",
            "live/terragrunt.hcl:2",
        ),
        (
            "a.bicep",
            "/* resource x 'y' = {} */\nresource a 'Microsoft.Web/sites@2022-09-01' = {\n  name: 'a'\n}\n",
            "a.bicep:2",
        ),
        ("a.bicep", "resource a 'T@v' = if (deploy) {\n}\n", "a.bicep:1"),
        (
            "a.json",
            "{\"$schema\": \"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#\",\n\"resources\": [{\"type\": \"a\"}]}\n",
            "a.json:2",
        ),
        ("a.json", "{\"Resources\": {\n\"A\": {\"Type\": \"AWS::S3::Bucket\"}}}\n", "a.json:1"),
        (
            "task.json",
            "{\"family\": \"a\",\n\"containerDefinitions\": [{\"image\": \"a:1\"}]}\n",
            "task.json:2",
        ),
        ("app/Chart.yaml", "apiVersion: v2\nname: a\n", "app/Chart.yaml:1"),
        ("o/kustomization.yaml", "resources:\n- ../deploy\n", "o/kustomization.yaml:2"),
        (
            "app/Pulumi.yaml",
            "name: a\nruntime: yaml\nresources:\n  b: {type: 'aws:s3:Bucket'}\n",
            "app/Pulumi.yaml:4",
        ),
        ("site.yml", "- hosts: all\n  tasks: [{ping: }]\n", "site.yml:1"),
        ("app.py", "import modal\n\napp = modal.App('a')\n", "app.py:3"),
        ("app.py", "from modal import App\napp = App('a')\n", "app.py:2"),
    ] {
        let more = [("app/templates/d.yaml", "a: b\n"), ("deploy/x.yaml", "a: b\n"), (file, text)];
        assert_of(&more, TEMPLATES, Pass, place);
    }
    for (file, text) in [
        ("a.tf", ""),
        ("a.tf", "# resource \"a\" \"b\" {}\n/*\nresource \"a\" \"b\" {\n}\n*/\n"),
        ("a.tf", "locals {\n  a = <<E\nresource \"a\" \"b\" {\nE\n}\n"),
        ("a.tf", "resource \"a\" \"b\" {\n  count = 0\n}\n"),
        ("a.tf", "module \"b\" {\n  source = \"./x\"\n  for_each = {}\n}\n"),
        ("a.tf", "data \"aws_ami\" \"a\" {}\nvariable \"resource\" {}\n"),
        ("a.bicep", "// resource a 'b' = {}\nvar a = 'resource b = {'\n"),
        ("a.bicep", "resource a 'b@c' existing = {\n  name: 'x'\n}\n"),
        ("a.bicep", "resource a 'b@c' = if (false) {\n}\n"),
        (
            "a.json",
            "{\"$schema\": \"https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#\", \"resources\": []}\n",
        ),
        ("a.json", "{\"Resources\": {\"A\": \"AWS::S3::Bucket\"}}\n"),
        ("a.yaml", "AWSTemplateFormatVersion: '2010-09-09'\nResources: {}\n# AWS::S3::Bucket\n"),
        ("a.yaml", "other:\n  Resources:\n    A: {Type: 'AWS::S3::Bucket'}\n"),
        ("a.yaml", "template:\n  apiVersion: apps/v1\n  kind: Deployment\n"),
        ("task.json", "{\"containerDefinitions\": []}\n"),
        ("lib/Chart.yaml", "apiVersion: v2\nname: a\ntype: library\n"),
        ("o/kustomization.yaml", "resources:\n- ../gone\n"),
        ("serverless.yml", "service: a\nprovider: {name: aws}\nfunctions: {}\n"),
        ("site.yml", "- hosts: all\n  tasks: []\n"),
        ("app.py", "# modal.App('a')\nx = 'import modal; modal.App()'\n"),
        ("cdk.json", "{}\n"),
        ("Pulumi.yaml", "name: a\nruntime: yaml\n"),
    ] {
        let more = [("lib/templates/d.yaml", "a: b\n"), (file, text)];
        assert_of(&more, TEMPLATES, Fail, "");
    }
}

#[test]
fn templates_that_are_programs_need_their_program() {
    for (manifest, text, file, program, line) in [
        (
            "cdk.json",
            "{\"app\": \"npx ts-node bin/a.ts\"}\n",
            "lib/a.ts",
            "import * as cdk from 'aws-cdk-lib';\n// extends cdk.Stack\nexport class A extends cdk.Stack {\n}\n",
            3,
        ),
        (
            "cdk.json",
            "{\"app\": \"python app.py\"}\n",
            "stack.py",
            "from aws_cdk import Stack\n\nclass A(Stack):\n    pass\n",
            3,
        ),
        (
            "Pulumi.yaml",
            "name: a\nruntime: nodejs\n",
            "index.ts",
            "// import * as pulumi\nimport * as aws from '@pulumi/aws';\n",
            2,
        ),
        (
            "Pulumi.yaml",
            "name: a\nruntime: {name: python}\nmain: src\n",
            "src/__main__.py",
            "import pulumi_aws as aws\n",
            1,
        ),
    ] {
        assert_of(&[(manifest, text), (file, program)], TEMPLATES, Pass, &format!("{file}:{line}"));
        let empty = [(manifest, text), (file, "// cdk pulumi Stack\n")];
        assert_of(
            &empty,
            TEMPLATES,
            Unknown,
            &format!("{manifest}:{}", if manifest == "cdk.json" { 1 } else { 2 }),
        );
    }
}

#[test]
fn a_template_that_is_not_read_leaves_it_open() {
    for text in ["resource \"a\" \"b\" {\n", "a = [1}\n"] {
        let found = assessed(&[CONTAINER, ("main.tf", text)]);
        assert_eq!(check(&found, TEMPLATES).outcome, Unknown, "{text}");
        assert!(found.notes.iter().any(|note| note.starts_with("main.tf:")), "{:?}", found.notes);
    }
    let deep = "resource \"a\" \"b\" {\n  x = ".to_owned() + &"[".repeat(200_000);
    assert_of(&[("main.tf", &deep)], TEMPLATES, Unknown, "main.tf:2");
    let huge: Vec<String> = (0..20_000)
        .map(|n| format!("resource \"a\" \"r{n}\" {{\n  x = \"$${{y}}\"\n}}\n"))
        .collect();
    let huge = huge.concat();
    assert_of(&[("main.tf", &huge)], TEMPLATES, Pass, "main.tf:1");
}

fn deployment(image: &str, more: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: a}}\nspec:\n  template:\n    spec:\n      containers:\n      - name: web\n        image: {image}\n{more}"
    )
}

#[test]
fn pods_say_their_limits_probes_and_versions() {
    let full = "        resources: {limits: {memory: 1Gi}}\n        readinessProbe: {httpGet: {path: /ready, port: 80}}\n";
    let text = deployment("acme/a:1.2", full);
    for (id, line) in [(LIMITS, 10), (PINNED, 9), (HEALTH, 11)] {
        assert_of(&[("d.yaml", &text)], id, Pass, &format!("d.yaml:{line}"));
    }
    let bare = deployment("acme/a", "");
    assert_of(&[("d.yaml", &bare)], LIMITS, Fail, "d.yaml:8");
    assert_of(&[("d.yaml", &bare)], PINNED, Fail, "d.yaml:9");
    assert_of(&[("d.yaml", &bare)], HEALTH, Fail, "d.yaml:8");
    for (image, outcome) in [
        ("acme/a:latest", Fail),
        ("reg.acme.io:5000/a", Fail),
        ("reg.acme.io:5000/a:2", Pass),
        ("a@sha256:0123", Pass),
        ("a:${TAG}", Unknown),
    ] {
        let text = deployment(image, full);
        assert_of(&[("d.yaml", &text)], PINNED, outcome, "d.yaml:9");
    }
    for (more, outcome) in [
        ("        # readinessProbe: {httpGet: {path: /}}\n", Fail),
        ("        livenessProbe: {}\n", Fail),
        ("        livenessProbe:\n", Fail),
        ("      livenessProbe: {exec: {command: [a]}}\n", Fail),
        ("        startupProbe: {exec: {command: [a]}}\n", Pass),
        ("      initContainers: [{name: i, livenessProbe: {exec: {command: [a]}}}]\n", Fail),
        ("        resources: {requests: {memory: 1Gi}}\n", Fail),
    ] {
        let text = deployment("a:1", more);
        let found = assessed(&[("d.yaml", &text)]);
        assert_eq!(check(&found, HEALTH).outcome, outcome, "{more}");
    }
    // A job serves nobody, and what has no replicas does not run.
    let job = bare.replace("apps/v1", "batch/v1").replace("Deployment", "Job");
    assert_of(&[("d.yaml", &job)], LIMITS, Fail, "d.yaml:8");
    assert_eq!(
        check(&assessed(&[("d.yaml", &job)]), HEALTH).reason,
        "no probes and no health checks"
    );
    let off = bare.replace("spec:\n  template", "spec:\n  replicas: 0\n  template");
    assert_of(&[("d.yaml", &off)], LIMITS, NotApplicable, "");
    // Where the program answers and nobody asks, nothing is checked.
    let code = ("app.py", "routes = ['/healthz']\n");
    assert_of(&[("d.yaml", &bare), code], HEALTH, Fail, "d.yaml:8");
    assert_of(&[code], HEALTH, Pass, "app.py:1");
    assert_of(&[("app.py", "# '/healthz'\n")], HEALTH, Fail, "");
}

#[test]
fn kustomize_sets_versions_of_images_and_takes_in_others_with_theirs() {
    let bare = deployment("acme/a", "");
    let kustomization = |text: &str| format!("resources: [d.yaml]\n{text}");
    for (text, outcome, place) in [
        ("images:\n- {name: acme/a, newTag: '3'}\n", Pass, "k/kustomization.yaml:3"),
        ("images:\n- {name: acme/a, newTag: latest}\n", Fail, "k/d.yaml:9"),
        ("images:\n- {name: acme/b, newTag: '3'}\n", Fail, "k/d.yaml:9"),
    ] {
        let text = kustomization(text);
        let files = [("k/d.yaml", bare.as_str()), ("k/kustomization.yaml", text.as_str())];
        assert_of(&files, PINNED, outcome, place);
    }
    let skaffold = ("skaffold.yaml", "build:\n  artifacts:\n  - image: acme/a\n");
    assert_of(&[("k/d.yaml", &bare), skaffold], PINNED, Unknown, "k/d.yaml:9");
    for (remote, outcome) in [
        ("https://github.com/acme/k//base?ref=v1.2", Pass),
        ("https://github.com/acme/k//base", Fail),
        ("github.com/acme/k//base?ref=main", Fail),
    ] {
        let text = format!("resources:\n- {remote}\n");
        assert_of(&[("k/kustomization.yaml", &text)], PINNED, outcome, "k/kustomization.yaml:2");
    }
}

const CHART: (&str, &str) = ("c/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n");

#[test]
fn templates_of_charts_are_read_with_what_is_put_in_left_open() {
    let file = "c/templates/d.yaml";
    let probe = "        {{- if .Values.probe.enabled }}\n        livenessProbe: {httpGet: {path: /, port: 80}}\n        {{- end }}\n";
    let text = format!(
        "{{{{- if .Values.enabled }}}}\n{}{{{{- end }}}}\n",
        deployment("\"{{ .Values.image }}:{{ .Values.tag }}\"", probe)
    );
    for (values, outcome) in
        [("probe: {enabled: true}\n", Pass), ("probe: {enabled: false}\n", Unknown), ("", Unknown)]
    {
        let files = [CHART, ("c/values.yaml", values), (file, text.as_str())];
        assert_of(&files, HEALTH, outcome, "c/templates/d.yaml:12");
        assert_of(&files, PINNED, Unknown, "c/templates/d.yaml:10");
        assert_of(&files, LIMITS, Unknown, "c/templates/d.yaml:9");
        assert_of(&files, TEMPLATES, Pass, "c/Chart.yaml:1");
    }
    let open = deployment(
        "a:1",
        "        resources:\n          {{- toYaml .Values.resources | nindent 10 }}\n",
    );
    assert_of(&[CHART, (file, &open)], LIMITS, Unknown, "c/templates/d.yaml:8");
    let written =
        deployment("a:1", "        resources: {limits: {memory: 1Gi}} # {{ .Release.Name }}\n");
    assert_of(&[CHART, (file, &written)], LIMITS, Pass, "c/templates/d.yaml:10");
    for (version, lock, outcome) in [
        ("15.2.1", false, Pass),
        ("^15.0.0", false, Fail),
        ("15.x.x", false, Fail),
        ("^15.0.0", true, Pass),
    ] {
        let chart = format!(
            "apiVersion: v2\nname: a\ndependencies:\n- {{name: postgresql, repository: 'oci://acme.io', version: {version}}}\n"
        );
        let mut files = vec![("c/Chart.yaml", chart.as_str())];
        files.extend(lock.then_some(("c/Chart.lock", "digest: a\n")));
        let found = assessed(&files);
        assert_eq!(check(&found, PINNED).outcome, outcome, "{version} {lock}");
    }
}

#[test]
fn compose_and_ecs_say_it_of_their_containers() {
    let service =
        |more: &str| format!("services:\n  web:\n    image: acme/a:1\n    mem_limit: 1g\n{more}");
    for (more, outcome, place) in [
        ("    healthcheck: {test: [CMD, curl, 'http://a/']}\n", Pass, "compose.yaml:5"),
        ("    healthcheck: {disable: true, test: [CMD, a]}\n", Fail, ""),
        ("    healthcheck: {test: [NONE]}\n", Fail, ""),
        ("    # healthcheck: {test: [CMD, a]}\n", Fail, ""),
        ("healthcheck: {test: [CMD, a]}\n", Fail, ""),
    ] {
        let text = service(more);
        assert_of(&[("compose.yaml", &text)], HEALTH, outcome, place);
    }
    assert_of(&[("compose.yaml", &service(""))], LIMITS, Pass, "compose.yaml:4");
    assert_of(
        &[("compose.yaml", &service("  db:\n    image: pg\n"))],
        LIMITS,
        Fail,
        "compose.yaml:5",
    );
    // What is deployed is what counts, where there is something else than compose.
    let text = service("  db:\n    image: pg\n");
    let bucket = ("a.tf", "terraform {\n  cloud {}\n}\nresource \"aws_s3_bucket\" \"a\" {}\n");
    assert_of(&[("compose.yaml", &text), bucket], LIMITS, NotApplicable, "");
    assert!(
        assessed(&[("compose.yaml", "# services:\n")]).standing(Dimension::Infrastructure).level
            == Some(0)
    );

    let definition =
        "\"image\": \"a:1\", \"memory\": 512,\n\"healthCheck\": {\"command\": [\"CMD\", \"curl\"]}";
    let task = format!("{{\"containerDefinitions\": [{{{definition}}}]}}\n");
    for (id, line) in [(LIMITS, 1), (PINNED, 1), (HEALTH, 2)] {
        assert_of(&[("task.json", &task)], id, Pass, &format!("task.json:{line}"));
    }
    let open = task.replace("[\"CMD\", \"curl\"]", "[\"NONE\"]").replace("\"memory\": 512,", "");
    assert_of(&[("task.json", &open)], HEALTH, Unknown, "task.json:1");
    assert_of(&[("task.json", &open)], LIMITS, Fail, "task.json:1");
    let terraform = format!(
        "terraform {{\n  cloud {{}}\n}}\nresource \"aws_ecs_task_definition\" \"a\" {{\n  family = \"a\"\n  container_definitions = jsonencode([{{\n{definition}\n}}])\n}}\n"
    );
    assert_of(&[("a.tf", &terraform)], LIMITS, Pass, "a.tf:7");
    assert_of(&[("a.tf", &terraform)], HEALTH, Pass, "a.tf:8");
    let template = "Resources:\n  T:\n    Type: AWS::ECS::TaskDefinition\n    Properties:\n      Memory: 1024\n      ContainerDefinitions:\n      - Image: a:latest\n";
    assert_of(&[("t.yaml", template)], LIMITS, Pass, "t.yaml:5");
    assert_of(&[("t.yaml", template)], PINNED, Fail, "t.yaml:7");
}

#[test]
fn reconcilers_work_and_are_not_switched_off() {
    let deployment = deployment("a:1", "");
    for (text, outcome) in [
        (
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec: {driftDetection: {mode: enabled}}\n",
            Pass,
        ),
        (
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec: {driftDetection: {mode: warn}}\n",
            Fail,
        ),
        (
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nspec: {suspend: true, driftDetection: {mode: enabled}}\n",
            Fail,
        ),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {syncPolicy: {automated: {selfHeal: true}}}\n",
            Pass,
        ),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {syncPolicy: {automated: {selfHeal: true, enabled: false}}}\n",
            Fail,
        ),
        (
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {automated: {selfHeal: true}}\n",
            Fail,
        ),
        ("# apiVersion: argoproj.io/v1alpha1\n# selfHeal: true\n", Fail),
    ] {
        let found = assessed(&[("d.yaml", &deployment), ("clusters/a.yaml", text)]);
        assert_eq!(check(&found, "infrastructure.drift").outcome, outcome, "{text}");
    }
}

#[test]
fn services_that_look_for_drift_are_set_up_in_terraform() {
    let resource = |kind: &str, body: &str| format!("resource \"{kind}\" \"a\" {{\n  {body}\n}}\n");
    for (kind, body, outcome) in [
        ("tfe_workspace", "assessments_enabled = true", Pass),
        ("tfe_workspace", "assessments_enabled = false", Fail),
        ("tfe_workspace", "# assessments_enabled = true", Fail),
        ("tfe_workspace", "count = 0\n  assessments_enabled = true", Fail),
        ("spacelift_drift_detection", "schedule = [\"0 3 * * *\"]", Pass),
        ("spacelift_drift_detection", "schedule = []", Fail),
        (
            "aws_config_config_rule",
            "source {\n    source_identifier = \"CLOUDFORMATION_STACK_DRIFT_DETECTION_CHECK\"\n  }",
            Unknown,
        ),
        (
            "aws_config_config_rule",
            "source {\n    source_identifier = \"S3_BUCKET_LOGGING_ENABLED\"\n  }",
            Fail,
        ),
    ] {
        let text = resource(kind, body);
        let place = if outcome == Fail { "" } else { "a.tf:1" };
        assert_of(&[("a.tf", &text)], "infrastructure.drift", outcome, place);
    }
}

/// A root of Terraform with a state of its own.
const ROOT: &str = "terraform {\n  backend \"s3\" {}\n}\nresource \"a\" \"b\" {}\n";

fn nightly(run: &str) -> String {
    format!(
        "on: {{schedule: [{{cron: '0 3 * * *'}}]}}\njobs:\n  drift:\n    runs-on: x\n    steps:\n      - run: {run}\n"
    )
}

#[test]
fn each_root_is_compared_for_itself() {
    let two: Files<'_> = &[("prod/main.tf", ROOT), ("test/main.tf", ROOT)];
    for (run, outcome, told) in [
        ("terraform -chdir=prod plan -detailed-exitcode", Fail, "no comparison is seen of test"),
        ("cd prod && terraform plan -detailed-exitcode", Fail, "no comparison is seen of test"),
        ("terraform plan -detailed-exitcode", Fail, "no comparison is seen of prod, test"),
        ("lockgate drift . --terraform prod --terraform test", Pass, ""),
    ] {
        let workflow = nightly(run);
        let found = assessed(&with(&[two, &[(".github/workflows/d.yml", &workflow)]]));
        let drift = check(&found, "infrastructure.drift");
        assert_eq!(drift.outcome, outcome, "{run}: {}", drift.reason);
        assert!(drift.reason.contains(told), "{run}: {}", drift.reason);
    }
    // What names no provider may be a module for others.
    let plain = "resource \"a\" \"b\" {}\n";
    let workflow = nightly("terraform -chdir=prod plan -detailed-exitcode");
    let workflow = (".github/workflows/d.yml", workflow.as_str());
    let of = |files: Files<'_>| {
        check(&assessed(&with(&[files, &[workflow]])), "infrastructure.drift").outcome
    };
    assert_eq!(of(&[("prod/main.tf", ROOT), ("net/main.tf", plain)]), Unknown);
    assert_eq!(of(&[("prod/main.tf", ROOT), ("modules/net/main.tf", plain)]), Pass);
    assert_eq!(of(&[("prod/main.tf", ROOT), ("test/main.tf", plain)]), Pass, "a test");
    let flux = (
        "f.yaml",
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec: {prune: true, path: ./k8s}\n",
    );
    let found = assessed(&[flux, ("k8s/d.yaml", "a: b\n"), ("infra/main.tf", ROOT)]);
    let drift = check(&found, "infrastructure.drift");
    assert_eq!(drift.outcome, Fail, "{}", drift.reason);
    assert!(drift.reason.contains("no comparison is seen of infra"), "{}", drift.reason);
}

#[test]
fn reconcilers_are_of_the_repository_that_they_take_templates_from() {
    let deployment = deployment("a:1", "");
    let flux = |path: &str| {
        format!(
            "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec: {{prune: true, path: {path}, sourceRef: {{kind: GitRepository, name: a}}}}\n"
        )
    };
    let argo = |path: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nspec: {{source: {{path: {path}}}, syncPolicy: {{automated: {{selfHeal: true}}}}}}\n"
        )
    };
    for (text, drift, delivery) in [
        (flux("./k8s"), Pass, Pass),
        (flux("./other"), Unknown, Fail),
        (argo("k8s"), Pass, Pass),
        (argo("other"), Unknown, Fail),
        (argo("'{{path}}'"), Pass, Fail),
    ] {
        let found = assessed(&[("k8s/d.yaml", &deployment), ("clusters/a.yaml", &text)]);
        let told = &check(&found, "infrastructure.drift").reason;
        assert_eq!(check(&found, "infrastructure.drift").outcome, drift, "{text}{told}");
        let told = &check(&found, "ci_cd.delivery").reason;
        assert_eq!(check(&found, "ci_cd.delivery").outcome, delivery, "{text}{told}");
    }
}

#[test]
fn what_puts_nothing_together_is_no_environment() {
    for (file, text) in [
        (
            "k/kustomization.yaml",
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
        ),
        ("k/kustomization.yaml", "kind: Kustomization\nresources: [empty.yaml]\n"),
        ("k/a.yaml", "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n"),
        ("k/a.yaml", "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nspec: {}\n"),
    ] {
        assert_of(&[(file, text), ("k/empty.yaml", "# nothing\n")], TEMPLATES, Fail, "");
    }
}

#[test]
fn modules_for_others_run_nowhere_by_themselves() {
    let module = "resource \"a\" \"b\" {}\nvariable \"x\" {}\n";
    let example = "provider \"aws\" {}\nmodule \"a\" {\n  source = \"../../\"\n}\n";
    let files: Files<'_> = &[("main.tf", module), ("examples/full/main.tf", example)];
    for id in ["infrastructure.drift", "observability.logs"] {
        assert_check(&assessed(files), id, NotApplicable, "");
        assert_eq!(check(&assessed(&files[..1]), id).outcome, Fail, "{id} without an example");
    }
    let root = with(&[files, &[("versions.tf", "provider \"aws\" {}\n")]]);
    assert_eq!(check(&assessed(&root), "infrastructure.drift").outcome, Fail);
}

#[test]
fn templates_are_told_by_their_kinds() {
    let found = assessed(&[
        ("a.yaml", &deployment("a:1", "")),
        ("b.yaml", &deployment("a:1", "")),
        ("a/main.tf", "resource \"a\" \"b\" {}\n"),
    ]);
    assert_eq!(check(&found, TEMPLATES).reason, "environments from Kubernetes, Terraform");
    let licence = "/*\n * Copyright\n */\n// more\n";
    let chart =
        format!("{}name: a\n", licence.replace("/*", "#").replace(" *", "#").replace("//", "#"));
    let files = [("c/Chart.yaml", chart.as_str()), ("c/templates/d.yaml", "a: b\n")];
    assert_of(&files, TEMPLATES, Pass, "c/Chart.yaml:5");
}
