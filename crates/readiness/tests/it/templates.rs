//! What templates say of versions, state, secrets and functions.

use lockgate_readiness::finding::Outcome::{Fail, NotApplicable, Pass, Unknown};

use super::{CONTAINER, assert_check, assert_of, assessed, check, told};

const PINNED: &str = "infrastructure.pinned";
const STATE: &str = "infrastructure.state";
const SECRETS: &str = "infrastructure.secrets";
const FUNCTIONS: &str = "infrastructure.functions";

#[test]
fn providers_and_modules_have_versions() {
    let block = |version: &str| {
        format!(
            "terraform {{\n  cloud {{}}\n  required_providers {{\n    aws = {{ source = \"hashicorp/aws\"{version} }}\n  }}\n}}\n"
        )
    };
    let lock = (
        ".terraform.lock.hcl",
        "provider \"registry.terraform.io/hashicorp/aws\" {\n  version = \"5.1.0\"\n}\n",
    );
    for (version, outcome) in [
        (", version = \"~> 5.0\"", Pass),
        (", version = \">= 5.0\"", Fail),
        ("", Fail),
        (", version = \">= 5.0, < 6.0\"", Pass),
    ] {
        let text = block(version);
        assert_of(&[("a.tf", &text)], PINNED, outcome, "a.tf:4");
        let place = if outcome == Fail { ".terraform.lock.hcl:1" } else { "a.tf:4" };
        assert_of(&[("a.tf", &text), lock], PINNED, Pass, place);
        assert_of(&[("a.tf", &text), (lock.0, "# empty\n")], PINNED, outcome, "a.tf:4");
    }
    for (source, outcome) in [
        ("source = \"terraform-aws-modules/vpc/aws\"\n  version = \"5.1.0\"", Pass),
        ("source = \"terraform-aws-modules/vpc/aws\"", Fail),
        ("source = \"git::https://acme.io/vpc.git?ref=v1.2.0\"", Pass),
        ("source = \"git::https://acme.io/vpc.git?ref=main\"", Fail),
        ("source = \"git@github.com:acme/vpc.git\"", Fail),
        ("source = \"./vpc\"", NotApplicable),
        ("source = \"${var.registry}/vpc\"", Unknown),
        ("source = \"s3::https://s3.amazonaws.com/a/vpc.zip\"", Unknown),
        ("count = 0\n  source = \"terraform-aws-modules/vpc/aws\"", NotApplicable),
    ] {
        let text = format!("module \"vpc\" {{\n  {source}\n}}\n");
        let found = assessed(&[CONTAINER, ("a.tf", &text)]);
        assert_eq!(check(&found, PINNED).outcome, outcome, "{}", told(check(&found, PINNED)));
    }
}

#[test]
fn the_state_of_each_root_is_kept_somewhere() {
    const BUCKET: &str = "resource \"aws_s3_bucket\" \"a\" {}\n";
    let backend = |inside: &str| format!("terraform {{\n  {inside}\n}}\n{BUCKET}");
    for (inside, outcome) in [
        ("backend \"s3\" {}", Pass),
        ("cloud {}", Pass),
        ("backend \"local\" {}", Fail),
        ("# backend \"s3\" {}", Fail),
    ] {
        let text = backend(inside);
        let line = if inside.starts_with('#') { 4 } else { 2 };
        assert_of(&[("infra/a.tf", &text)], STATE, outcome, &format!("infra/a.tf:{line}"));
    }
    let root = backend("backend \"gcs\" {}\n}\nmodule \"net\" {\n  source = \"./net\"");
    assert_of(&[("infra/a.tf", &root), ("infra/net/a.tf", BUCKET)], STATE, Pass, "infra/a.tf:2");
    assert_of(
        &[("infra/a.tf", &root), ("infra/other/a.tf", BUCKET)],
        STATE,
        Fail,
        "infra/other/a.tf:1",
    );
    assert_of(&[("modules/a/a.tf", BUCKET)], STATE, NotApplicable, "");
    let live = [
        ("live/root.hcl", "remote_state {\n  backend = \"s3\"\n}\n"),
        (
            "live/a/terragrunt.hcl",
            "include \"root\" {\n  path = find_in_parent_folders()\n}\nterraform {\n  source = \"../../units/a\"\n}\n",
        ),
        ("units/a/main.tf", BUCKET),
    ];
    assert_of(&live, STATE, Pass, "live/root.hcl:2");
    let kept = backend("backend \"s3\" {}");
    assert_of(&[("a.tf", &kept), ("terraform.tfstate", "{}")], STATE, Fail, "terraform.tfstate:1");
    for (backend, outcome) in [
        ("backend: {url: 's3://a'}", Pass),
        ("backend: {url: 'file://~'}", Fail),
        ("x: y", Unknown),
    ] {
        let text = format!("name: a\nruntime: yaml\nresources: {{b: {{type: a}}}}\n{backend}\n");
        assert_eq!(
            check(&assessed(&[("Pulumi.yaml", &text)]), STATE).outcome,
            outcome,
            "{backend}"
        );
    }
}

#[test]
fn secrets_that_are_written_out_are_told_without_being_shown() {
    let state = "terraform {\n  cloud {}\n}\n";
    let database = |password: &str| {
        format!("{state}resource \"aws_db_instance\" \"a\" {{\n  password = {password}\n}}\n")
    };
    for (password, outcome) in [
        ("\"hunter2hunter2\"", Fail),
        ("var.password", Pass),
        ("\"${random_password.a.result}\"", Pass),
        ("\"changeme\"", Unknown),
        ("\"\"", NotApplicable),
    ] {
        let text = database(password);
        let found = assessed(&[("a.tf", &text)]);
        let secrets = check(&found, SECRETS);
        let expected = if outcome == NotApplicable { Unknown } else { outcome };
        assert_eq!(secrets.outcome, expected, "{password}: {}", told(secrets));
        assert!(
            secrets.evidence[0].text == "password: …" && secrets.evidence[0].line == 5,
            "{secrets:?}"
        );
    }
}

#[test]
fn secrets_of_each_kind_of_template_are_found_where_they_stand() {
    for (file, text, outcome, line) in [
        (
            "a.tf",
            "variable \"db_password\" {\n  default = \"hunter2hunter2\"\n}\nresource \"a\" \"b\" {}\n",
            Fail,
            2,
        ),
        (
            "a.tf",
            "variable \"db_password\" {\n  sensitive = true\n}\nresource \"a\" \"b\" {}\n",
            Pass,
            1,
        ),
        (
            "d.yaml",
            "apiVersion: v1\nkind: Secret\nstringData:\n  any: hunter2hunter2\n",
            Unknown,
            4,
        ),
        ("d.yaml", "apiVersion: v1\nkind: Secret\ndata:\n  db-password: aHVudGVyMg==\n", Fail, 4),
        (
            "d.yaml",
            "apiVersion: v1\nkind: Secret\ndata:\n  db-password: DB_PASSWORD_VALUE\n",
            Unknown,
            4,
        ),
        (
            "d.yaml",
            "apiVersion: v1\nkind: Secret\nstringData:\n  any: ENC[AES256_GCM,data:x]\nsops: {version: '3'}\n",
            Pass,
            4,
        ),
        (
            "s.yml",
            "service: a\nprovider:\n  name: aws\n  environment:\n    API_KEY: abcdefgh12345\nfunctions: {a: {handler: b}}\n",
            Fail,
            5,
        ),
        (
            "s.yml",
            "service: a\nprovider:\n  name: aws\n  environment:\n    API_KEY: ${ssm:/key}\nfunctions: {a: {handler: b}}\n",
            Pass,
            5,
        ),
        (
            "t.yaml",
            "Resources:\n  A:\n    Type: AWS::RDS::DBInstance\n    Properties:\n      MasterUserPassword: hunter2hunter2\n",
            Fail,
            5,
        ),
        (
            "t.yaml",
            "Resources:\n  A:\n    Type: AWS::RDS::DBInstance\n    Properties:\n      MasterUserPassword: !Ref P\n",
            Pass,
            5,
        ),
        (
            "t.yaml",
            "Parameters:\n  P: {NoEcho: true, Default: hunter2hunter2}\nResources: {A: {Type: 'AWS::S3::Bucket'}}\n",
            Fail,
            2,
        ),
        ("a.bicep", "@secure()\nparam adminPassword string = 'hunter2hunter2'\n", Fail, 2),
        ("a.bicep", "@secure()\nparam adminPassword string\n", Pass, 2),
        ("a.bicep", "param adminPassword string\n", Unknown, 1),
        (
            "a.bicep",
            "resource a 'b@c' = {\n  properties: {\n    administratorLoginPassword: 'hunter2' // why\n  }\n}\n",
            Fail,
            3,
        ),
        (
            "site.yml",
            "- hosts: all\n  vars:\n    db_password: hunter2hunter2\n  roles: [a]\n",
            Fail,
            3,
        ),
        (
            "site.yml",
            "- hosts: all\n  vars:\n    db_password: \"{{ vault_db_password }}\"\n  roles: [a]\n",
            Pass,
            3,
        ),
        ("Pulumi.dev.yaml", "config:\n  a:dbPassword:\n    secure: AAAB\n", Pass, 2),
        ("Pulumi.dev.yaml", "config:\n  a:dbPassword: hunter2hunter2\n", Fail, 2),
    ] {
        let found = assessed(&[CONTAINER, (file, text)]);
        assert_check(&found, SECRETS, outcome, &format!("{file}:{line}"));
        let json = serde_json::to_string(&found).unwrap();
        assert!(!json.contains("hunter2") && !json.contains("abcdefgh"), "{file}: {json}");
    }
    // Names that only sound like it.
    let names = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {imagePullSecrets: [{name: a}], tokenTtl: '3600', secretName: abcdefgh, automountServiceAccountToken: false}\n";
    assert_of(&[("d.yaml", names)], SECRETS, NotApplicable, "");
}

#[test]
fn functions_are_sized_in_each_kind_of_template() {
    let sam = "Transform: AWS::Serverless-2016-10-31\nGlobals: {Function: {Timeout: 30}}\nResources:\n  Ask:\n    Type: AWS::Serverless::Function\n    Properties: {MemorySize: 1024}\n";
    let cloudformation = "Resources:\n  Ask:\n    Type: AWS::Lambda::Function\n    Properties: {MemorySize: 1024, Timeout: 30}\n";
    let terraform = "resource \"aws_lambda_function\" \"ask\" {\n  memory_size = 1024 # 128\n  timeout = 30\n}\n";
    let module = "module \"ask\" {\n  source = \"terraform-aws-modules/lambda/aws\"\n  version = \"7.0.0\"\n  memory_size = 1024\n  timeout = 30\n}\n";
    let run = "resource \"google_cloud_run_v2_service\" \"ask\" {\n  template {\n    timeout = \"30s\"\n    scaling {\n      max_instance_count = 10\n    }\n    containers {\n      liveness_probe {\n        timeout_seconds = 1\n      }\n      resources {\n        limits = { memory = \"1Gi\" }\n      }\n    }\n  }\n}\n";
    let knative = "apiVersion: serving.knative.dev/v1\nkind: Service\nspec:\n  template:\n    spec:\n      timeoutSeconds: 30\n      containers: [{image: 'a:1', resources: {limits: {memory: 1Gi}}}]\n";
    let framework = "service: a\nprovider: {name: aws, memorySize: 1024}\nfunctions:\n  ask: {handler: a.b, timeout: 30}\n";
    let typescript = "import * as lambda from 'aws-cdk-lib/aws-lambda';\nnew lambda.Function(this, 'Ask', {\n  // memorySize: 128,\n  memorySize: 1024,\n  timeout: cdk.Duration.seconds(30),\n});\n";
    let python = "from aws_cdk import aws_lambda as lambda_\nlambda_.Function(self, \"Ask\",\n    memory_size=1024,\n    timeout=Duration.seconds(30),\n)\n";
    let modal = "import modal\napp = modal.App('a')\n\n@app.function(\n    memory=1024,\n    timeout=30,\n)\ndef ask():\n    pass\n";
    for (file, text, line) in [
        ("t.yaml", sam, 4),
        ("t.yaml", cloudformation, 2),
        ("a.tf", terraform, 1),
        ("a.tf", module, 1),
        ("a.tf", run, 1),
        ("run.yaml", knative, 2),
        ("serverless.yml", framework, 4),
        ("stack.ts", typescript, 2),
        ("stack.py", python, 2),
        ("app.py", modal, 4),
    ] {
        let place = format!("{file}:{line}");
        assert_of(&[(file, text)], FUNCTIONS, Pass, &place);
        let small = text.replace("1024", "512").replace("1Gi", "512Mi");
        assert_of(&[(file, &small)], FUNCTIONS, Fail, &place);
        let short = text.replace("30", "3");
        assert_of(&[(file, &short)], FUNCTIONS, Fail, &place);
        let put_in = if text.contains("\" {") {
            "var.x"
        } else if file.ends_with("yaml") || file.ends_with("yml") {
            "'${X}'"
        } else {
            "X"
        };
        let open = text.replace("1024", put_in).replace("\"1Gi\"", put_in).replace("1Gi", put_in);
        assert_of(&[(file, &open)], FUNCTIONS, Unknown, &place);
    }
    for (file, text, from, to, line) in [
        ("a.tf", terraform, "timeout", "reserved_concurrent_executions = 1\n  timeout", 3),
        ("a.tf", run, "max_instance_count = 10", "max_instance_count = 1", 5),
        ("a.tf", run, "max_instance_count = 10", "min_instance_count = 2", 5),
        ("stack.ts", typescript, "timeout", "reservedConcurrentExecutions: 1,\n  timeout", 5),
        ("stack.py", python, "timeout", "reserved_concurrent_executions=1,\n    timeout", 4),
        ("app.py", modal, "timeout", "max_containers=1,\n    timeout", 6),
        ("app.py", modal, "timeout", "min_containers=1,\n    timeout", 6),
        ("serverless.yml", framework, "timeout", "reservedConcurrency: 1, timeout", 4),
    ] {
        let changed = text.replace(from, to);
        assert_of(&[(file, &changed)], FUNCTIONS, Fail, &format!("{file}:{line}"));
    }
    for (file, text) in [
        ("a.tf", "# resource \"aws_lambda_function\" \"ask\" {\n# }\n"),
        ("stack.ts", "// cdk: new lambda.Function(this, 'Ask', {})\n"),
        ("a.ts", "// cdk lambda\nnew Function('a', 'b', 'return a');\n"),
        ("app.py", "import modal\ntext = '@app.function(memory=1)'\n"),
    ] {
        assert_of(&[(file, text)], FUNCTIONS, NotApplicable, "");
    }
    let spread = typescript.replace("  memorySize: 1024,\n", "  ...defaults,\n");
    assert_of(&[("stack.ts", &spread)], FUNCTIONS, Unknown, "stack.ts:2");
    let both = modal.replace("memory=1024", "memory=(512, 2048)");
    assert_of(&[("app.py", &both)], FUNCTIONS, Pass, "app.py:4");
    let java = "import software.amazon.awscdk.Stack;\nimport software.amazon.awscdk.services.lambda.Function;\n";
    let found = assessed(&[CONTAINER, ("Stack.java", java)]);
    assert_eq!(check(&found, FUNCTIONS).outcome, Unknown);
}
