//! Bundles of our own in the forms of those that AWS published for its CodeBuild provisioning: they are registered as
//! they are, run up to the first program that is missing, and run through where none is.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use protium_engines::double::write_program;
use serde_json::json;
use tempfile::TempDir;

use super::example_bundles::{
    Bundle, create_environment, delete_environment, delete_service, environment_outputs, instance, instance_outputs,
    message,
};
use super::program::{Program, Start, until};
use super::site::free;
use crate::on_both;
use crate::support::bundle::{ENVIRONMENT_SCHEMA, SERVICE_SCHEMA};
use crate::support::database::TestDb;

const CONVERT: &str =
    "#!/bin/sh\n\njq 'to_entries | map_values(.value) | add | to_entries | map({key:.key, valueString:.value})'";
const STATE: &str = "#!/bin/sh\n# build tf state\nexport IN=$(cat proton-inputs.json)\nexport PROTON_SVC=$(echo $IN | jq '.service.name' -r)\n\
                     export TF_STATE_BUCKET=$(echo $IN | jq '.environment.outputs.Bucket' -r)\nexport KEY=${PROTON_SVC}.tfstate\n";
const INSTALL: &str =
    "#!/bin/sh\nset -e\nVERSION=$1\ncurl -fsSLo terraform.zip https://releases.example/terraform_${VERSION}.zip\n";

const CDK: &str = r#"infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: aws/codebuild/amazonlinux2-x86_64-standard:4.0
        runtimes:
          nodejs: 16
        provision:
          # Run when create/update is triggered for environment or service
          - echo "PROTON INPUTS == $(cat proton-inputs.json)"
          - npm install
          - npm run cdk -- deploy --require-approval never
          # Script to convert CFN outputs into outputs for Proton
          - chmod +x ./cdk-to-proton.sh
          - cat proton-outputs.json | ./cdk-to-proton.sh > outputs.json
          # Notify AWS Proton of deployment status
          - aws proton notify-resource-deployment-status-change --resource-arn $RESOURCE_ARN --outputs file://./outputs.json
        deprovision:
          - npm install
          - npm run cdk -- destroy --force
"#;

const PULUMI: &str = r#"infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: aws/codebuild/amazonlinux2-x86_64-standard:4.0
        runtimes:
          nodejs: 16
        env:
          variables:
            PULUMI_ORG: <PULUMI-ORG-HERE>
            PULUMI_PROJECT: proton-<service or environment>
        provision:
          - curl -fsSL https://get.pulumi.example | sh
          - export PATH=$PATH:$HOME/.pulumi/bin
          - npm install
          - export STACK_NAME=$(cat proton-inputs.json | jq -r '.environment.name')
          - pulumi stack select $PULUMI_ORG/$PULUMI_PROJECT/$STACK_NAME || pulumi stack init $PULUMI_ORG/$PULUMI_PROJECT/$STACK_NAME
          - pulumi up --yes --stack $PULUMI_ORG/$PULUMI_PROJECT/$STACK_NAME
"#;

/// What the published one has beside.
const SECRETS: &str = "          secrets_manager:\n            # Create secret in Secrets Manager following this format\n            \
                       PULUMI_ACCESS_TOKEN: \"proton/pulumi-access-token:Secret\"\n        provision:\n";

const TERRAFORM: &str = r#"infrastructure:
  templates:
    - rendering_engine: codebuild
      settings:
        image: aws/codebuild/standard:6.0
        runtimes:
          golang: 1.18
        project_properties:
          # this setting will throw an error in case the account's quota is too low
          ConcurrentBuildLimit: 2
        env:
          variables:
            TF_VERSION: 1.4.2

        provision:
          # make scripts executable
          - find ./scripts -type f -iname "*.sh" -exec chmod +x {} \;

          # build tf state based on proton input
          - . ./scripts/tf-state.sh && echo "terraform remote state = s3://${TF_STATE_BUCKET}/${KEY}"
          - export ACCOUNT=$(aws sts get-caller-identity --query "Account" --output text)

          # install terraform cli
          - echo "Installing Terraform CLI ${TF_VERSION}"
          - ./scripts/install-terraform.sh ${TF_VERSION}

          # provision, storing state in an s3 bucket
          - terraform init -backend-config="bucket=${TF_STATE_BUCKET}" -backend-config="key=${KEY}"
          - cd scripts && terraform apply -auto-approve -var="name=${ACCOUNT}"
          - cd ../
          - terraform output -json > proton-outputs.json

        deprovision:
          - terraform destroy -var-file=proton-inputs.json -auto-approve
"#;

/// Programs that do what those of these names are asked for above.
const FAKES: [(&str, &str); 5] = [
    ("curl", "#!/bin/sh\nexit 0\n"),
    (
        "npm",
        "#!/bin/sh\ncase \"$*\" in\n  'run cdk -- deploy'*) printf '{\"Stack\": {\"Bucket\": \"from-cdk\"}}' > proton-outputs.json;;\nesac\necho \"npm $*\"\n",
    ),
    (
        "terraform",
        "#!/bin/sh\necho \"terraform $*\" >> \"$PROTIUM_STATE_DIR/calls\"\n[ \"$1\" != output ] || printf '{\"Name\": {\"value\": \"%s\", \"type\": \"string\", \"sensitive\": false}}' \"$ACCOUNT-$KEY-$TF_STATE_BUCKET\"\n",
    ),
    (
        "jq",
        "#!/usr/bin/python3\nimport json, sys\nread = json.load(sys.stdin)\n\
         if sys.argv[1].startswith('.'):\n  for name in sys.argv[1].split('.')[1:]: read = read[name]\n  print(read)\n\
         else:\n  print(json.dumps([{'key': key, 'valueString': value} for stack in read.values() for key, value in stack.items()]))\n",
    ),
    (
        "aws",
        "#!/usr/bin/python3\nimport json, os, sys, urllib.request\n\
         if sys.argv[1] == 'sts':\n  print('123456789012')\n  sys.exit()\n\
         words = dict(zip(sys.argv[3::2], sys.argv[4::2]))\n\
         body = {'resourceArn': words['--resource-arn'], 'outputs': json.load(open(words['--outputs'][len('file://'):]))}\n\
         headers = {'X-Amz-Target': 'AwsProton20200720.NotifyResourceDeploymentStatusChange', 'Content-Type': 'application/x-amz-json-1.0'}\n\
         urllib.request.urlopen(urllib.request.Request(os.environ['AWS_ENDPOINT_URL_PROTON'] + '/', json.dumps(body).encode(), headers))\n",
    ),
];

fn bundle(name: &'static str, files: &[(&str, &str)]) -> Bundle {
    Bundle { name, files: files.iter().map(|&(path, text)| (path.to_owned(), text.to_owned())).collect() }
}

fn cdk() -> Bundle {
    bundle(
        "cdk",
        &[
            ("schema/schema.yaml", ENVIRONMENT_SCHEMA),
            ("infrastructure/manifest.yaml", CDK),
            ("infrastructure/cdk-to-proton.sh", CONVERT),
            ("infrastructure/proton-inputs.json", "{\"for\": \"trials\"}"),
            ("infrastructure/package.json", "{\"name\": \"cdk\", \"scripts\": {\"cdk\": \"cdk\"}}"),
        ],
    )
}

fn terraform() -> Bundle {
    let files = |part: &'static str| {
        [("manifest.yaml", TERRAFORM), ("scripts/tf-state.sh", STATE), ("scripts/install-terraform.sh", INSTALL)]
            .map(|(name, text)| (format!("{part}_infrastructure/{name}"), text))
    };
    let parts: Vec<_> = files("instance").into_iter().chain(files("pipeline")).collect();
    let mut all = vec![("schema/schema.yaml", SERVICE_SCHEMA)];
    all.extend(parts.iter().map(|(path, text)| (path.as_str(), *text)));
    bundle("terraform", &all)
}

/// The program, whose runs find a shell, what belongs to one, and these.
async fn program(db: &mut TestDb, fakes: &[(&str, &str)]) -> (Program, TempDir) {
    let tools = tempfile::tempdir().unwrap();
    for name in ["cat", "chmod", "find", "sh"] {
        let found =
            ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(name)).into_iter().find(|path| path.exists());
        symlink(found.unwrap_or_else(|| panic!("no {name}")), tools.path().join(name)).unwrap();
    }
    for (name, text) in fakes {
        write_program(&tools.path().join(name), text).unwrap();
    }
    let folder = tools.path().to_str().unwrap();
    let settings = tools.path().join("protium.toml");
    fs::write(&settings, format!("run-tools = [\"{folder}\"]\n[run-variables]\nPATH = \"{folder}\"\n")).unwrap();
    free(db);
    let start = Start::on(db).flag("--runner", "local").flag("--config", settings.to_str().unwrap());
    (start.ready().await, tools)
}

async fn create_service(program: &Program) {
    let spec = "proton: ServiceSpec\npipeline: {}\ninstances: [{name: dev, environment: e, spec: {}}]\n";
    let input = json!({
        "name": "shop", "templateName": "terraform", "templateMajorVersion": "1", "spec": spec,
        "repositoryConnectionArn": "arn:aws:codestar-connections:us-east-1:123456789012:connection/2f7c1d8e-5a54-4c0b-9d63-0f6f5a3c9b11",
        "repositoryId": "example/app", "branchName": "main",
    });
    program.ok("CreateService", input).await;
}

/// Waits until the deployment of the pipeline of `shop` has that status; answers its message.
async fn pipeline(program: &Program, status: &str) -> String {
    until(&format!("the pipeline becoming {status}"), async || {
        let service = program.ok("GetService", json!({ "name": "shop" })).await["service"].clone();
        let found = service["pipeline"]["deploymentStatus"].as_str()?.to_owned();
        assert!(found == status || found == "IN_PROGRESS", "{service}");
        (found == status)
            .then(|| service["pipeline"]["deploymentStatusMessage"].as_str().unwrap_or_default().to_owned())
    })
    .await
}

const SPEC: &str = "proton: EnvironmentSpec\nspec: {}\n";

on_both! {
    each_form_runs_up_to_the_first_program_that_is_missing, async |db| {
        let (program, _tools) = program(db, &[]).await;
        cdk().publish(&program, None).await;
        create_environment(&program, "e", "cdk", SPEC).await;
        let failed = message(&program, "e", "FAILED").await;
        assert!(failed.starts_with("Command 2 of 6 ended with status 127: npm install\n") && failed.contains("npm: not found"), "{failed}");
        // What a pipe hides is not seen before the next one.
        let files = |manifest| [("schema/schema.yaml", ENVIRONMENT_SCHEMA), ("infrastructure/manifest.yaml", manifest)];
        bundle("pulumi", &files(PULUMI)).publish(&program, None).await;
        create_environment(&program, "p", "pulumi", SPEC).await;
        let failed = message(&program, "p", "FAILED").await;
        assert!(failed.starts_with("Command 3 of 6 ended with status 127: npm install\n") && failed.contains("npm: not found"), "{failed}");
        let with_secrets = PULUMI.replacen("        provision:\n", SECRETS, 1);
        bundle("secrets", &files(&with_secrets)).publish(&program, None).await;
        for name in ["e", "p"] {
            // Nothing is made, and what would remove it fails as well.
            program.ok("ForceDelete", json!({ "resourceArn": format!("arn:aws:proton:us-east-1:000000000000:environment/{name}"), "infrastructure": "RETAIN" })).await;
            program.gone(name).await;
        }
    }

    scripts_of_a_form_say_which_program_is_missing, async |db| {
        let kept: Vec<_> = FAKES.into_iter().filter(|(name, _)| *name != "curl").collect();
        let (program, _tools) = program(db, &kept).await;
        cdk().publish(&program, None).await;
        terraform().publish(&program, Some("cdk")).await;
        create_environment(&program, "e", "cdk", SPEC).await;
        program.environment("e", "SUCCEEDED").await;
        create_service(&program).await;
        let failed = instance(&program, "FAILED").await;
        assert!(failed.starts_with("Command 5 of 9 ended with status 127: ./scripts/install-terraform.sh ${TF_VERSION}\n"), "{failed}");
        assert!(failed.ends_with("curl: not found"), "{failed}");
    }

    each_form_runs_through_where_nothing_is_missing, async |db| {
        let (program, _tools) = program(db, &FAKES).await;
        cdk().publish(&program, None).await;
        terraform().publish(&program, Some("cdk")).await;
        create_environment(&program, "e", "cdk", SPEC).await;
        program.environment("e", "SUCCEEDED").await;
        assert_eq!(environment_outputs(&program, "e").await, json!({ "Bucket": "from-cdk" }));
        create_service(&program).await;
        instance(&program, "SUCCEEDED").await;
        assert_eq!(instance_outputs(&program).await, json!({ "Name": "123456789012-shop.tfstate-from-cdk" }));
        pipeline(&program, "SUCCEEDED").await;
        delete_service(&program).await;
        delete_environment(&program, "e").await;
    }
}
