#!/usr/bin/env python3
"""Renders the example templates with Jinja2, each branch of them at least once, and lets cfn-lint judge the results.

Those of Terraform are not rendered: their specs must fit their schemas, and `terraform fmt`, where it is installed, must
have nothing to change.

This is the independent check: it shares no code with Protium's own renderer, which renders them in the end-to-end story.
With a folder as its argument it leaves the rendered templates there.
"""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import jinja2
import yaml

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples" / "templates"
REGIONS = ["us-east-1", "eu-central-1"]

# ---- rendering ----------------------------------------------------------------------------------

# Stands between the lines that a filter emits, until the column of its tag is known.
LINE = "\N{SYMBOL FOR NEWLINE}"


def environment_list(variables, raw=True):
    return LINE.join(f"- Name: {json.dumps(name)}{LINE}  Value: {json.dumps(str(value))}" for name, value in variables.items())


def environment_mapping(variables, raw=True):
    return LINE.join(f"{name}: {json.dumps(str(value))}" for name, value in variables.items())


def policy_arns(outputs):
    return LINE.join(f"- {value}" for value in outputs.values() if re.match(r"arn:[a-zA-Z-]+:iam::\d{12}:policy/", value))


def render(path, namespace):
    engine = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    engine.filters["proton_cfn_ecs_task_definition_formatted_env_vars"] = environment_list
    engine.filters["proton_cfn_lambda_function_formatted_env_vars"] = environment_mapping
    engine.filters["proton_cfn_iam_policy_arns"] = policy_arns
    lines = []
    for line in engine.from_string((EXAMPLES / path).read_text()).render(**namespace).split("\n"):
        indent = " " * (len(line) - len(line.lstrip()))
        lines.append(line.replace(LINE, "\n" + indent))
    return "\n".join(lines)


def inputs(bundle, kind, **given):
    """The inputs of a type of the bundle's schema: its defaults, and what is given, which must exist in it."""
    schema = yaml.safe_load((EXAMPLES / bundle / "v1/schema/schema.yaml").read_text())["schema"]
    properties = schema["types"][schema[kind]]["properties"]
    unknown = set(given) - set(properties)
    assert not unknown, f"{bundle} has no input {unknown}"
    return {name: property["default"] for name, property in properties.items() if "default" in property} | given


def spec(bundle):
    return yaml.safe_load((EXAMPLES / bundle / "spec.yaml").read_text())


# ---- what the templates get to see --------------------------------------------------------------

ACCOUNT = "000000000001"
FARGATE = {
    "VpcId": "vpc-0123456789abcdef0",
    "VpcCidr": "10.0.0.0/16",
    "PublicSubnetIds": "subnet-0123456789abcdef0,subnet-0123456789abcdef1",
    "PrivateSubnetIds": "subnet-0123456789abcdef2,subnet-0123456789abcdef3",
    "TaskSubnetIds": "subnet-0123456789abcdef2,subnet-0123456789abcdef3",
    "AssignPublicIp": "DISABLED",
    "ClusterName": "cluster",
    "ClusterArn": f"arn:aws:ecs:us-east-1:{ACCOUNT}:cluster/cluster",
    "TaskExecutionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/execution",
    "LogGroupName": "logs",
    "SharedSecurityGroupId": "sg-0123456789abcdef0",
    "AlarmTopicArn": f"arn:aws:sns:us-east-1:{ACCOUNT}:alarms",
    "KeyArn": f"arn:aws:kms:us-east-1:{ACCOUNT}:key/00000000-0000-4000-8000-000000000000",
}
LAMBDA = {
    "KeyArn": FARGATE["KeyArn"],
    "CodeBucketName": "code",
    "FunctionBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/boundary",
    "AlarmTopicArn": FARGATE["AlarmTopicArn"],
    "LogRetentionDays": "30",
}
COMPONENT = {"TablePolicyArn": f"arn:aws:iam::{ACCOUNT}:policy/table", "TableName": 'quotes " and: colons'}
VARIABLES = {"LOG_LEVEL": "debug", "GREETING": "it's: #1"}
SERVICE = {
    "name": "shop",
    "repository_id": "example/shop",
    "repository_connection_arn": f"arn:aws:codestar-connections:us-east-1:{ACCOUNT}:connection/00000000-0000-4000-8000-000000000000",
    "branch_name": "main",
}
WITHOUT_PIPELINE = {"name": "shop", "repository_id": "", "repository_connection_arn": "", "branch_name": ""}


def environment_of(outputs):
    return {"name": "dev", "account_id": ACCOUNT, "outputs": outputs}


def environment_case(bundle, **given):
    namespace = {"environment": {"name": "dev", "inputs": inputs(bundle, "environment_input_type", **given)}}
    return f"{bundle}/v1/infrastructure/cloudformation.yaml", namespace


def instance_case(bundle, service, environment, component, **given):
    instance = {
        "name": "one",
        "inputs": inputs(bundle, "service_input_type", **given),
        "components": {"default": {"name": "", "outputs": component}},
    }
    namespace = {"service": service, "service_instance": instance, "environment": environment_of(environment)}
    return f"{bundle}/v1/instance_infrastructure/cloudformation.yaml", namespace


def component_case(component, **attached):
    namespace = {"component": {"name": "uploads"}, "environment": environment_of(LAMBDA), **attached}
    return f"../components/{component}/cloudformation.yaml", namespace


def pipeline_case(bundle, names, **given):
    instances = [
        {
            "name": name,
            "inputs": {},
            "outputs": {"ServiceURL": f"http://{name}.example.com"},
            "environment": environment_of(FARGATE),
        }
        for name in names
    ]
    namespace = {
        "service": SERVICE,
        "service_instances": instances,
        "pipeline": {"inputs": inputs(bundle, "pipeline_input_type", **given)},
    }
    return f"{bundle}/v1/pipeline_infrastructure/cloudformation.yaml", namespace


def cases():
    certificate = f"arn:aws:acm:us-east-1:{ACCOUNT}:certificate/00000000-0000-4000-8000-000000000000"
    secret = f"arn:aws:secretsmanager:us-east-1:{ACCOUNT}:secret:protium-AbCdEf"

    yield environment_case("fargate-environment", **spec("fargate-environment")["spec"])
    yield environment_case("fargate-environment", nat_gateways="none", container_insights=False)
    yield environment_case("fargate-environment", nat_gateways="per_zone")
    yield environment_case("lambda-environment", **spec("lambda-environment")["spec"])
    yield environment_case("lambda-environment", keep_code_bucket=False)

    for instance in spec("load-balanced-service")["instances"]:
        yield instance_case("load-balanced-service", SERVICE, FARGATE, {}, **instance["spec"])
    yield instance_case(
        "load-balanced-service", SERVICE, FARGATE, COMPONENT,
        visibility="private", certificate_arn=certificate, environment_variables=VARIABLES, desired_count=9,
    )  # fmt: skip

    yield pipeline_case("load-balanced-service", ["dev", "prod"], **spec("load-balanced-service")["pipeline"])
    yield pipeline_case("load-balanced-service", ["only"])
    yield pipeline_case(
        "load-balanced-service", ["dev", "prod"],
        protium_endpoint="https://protium.example.com", protium_credentials_secret=secret,
    )  # fmt: skip

    for instance in spec("api-service")["instances"]:
        yield instance_case("api-service", WITHOUT_PIPELINE, LAMBDA, {}, **instance["spec"])
    yield instance_case(
        "api-service", WITHOUT_PIPELINE, LAMBDA, COMPONENT, runtime="nodejs22.x", environment_variables=VARIABLES
    )
    yield instance_case("api-service", WITHOUT_PIPELINE, LAMBDA, {}, code_key="releases/shop-1.zip", handler="shop.main")

    yield component_case("bucket")
    yield component_case("bucket", service={"name": "shop"}, service_instance={"name": "one", "inputs": {}})


TERRAFORM = ["terraform-bucket-environment"]


def check_terraform():
    """The status of the last thing that is wrong; 0 if nothing is."""
    status = 0
    for bundle in TERRAFORM:
        inputs(bundle, "environment_input_type", **spec(bundle)["spec"])
        if program := shutil.which("terraform") or shutil.which("tofu"):
            format = [program, "fmt", "-check", "-diff", "-recursive", str(EXAMPLES / bundle)]
            status = subprocess.run(format).returncode or status
        else:
            print(f"left out: the form of {bundle}, as neither terraform nor tofu is installed")
    return status


def main():
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else scratch)
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for number, (path, namespace) in enumerate(cases(), start=1):
            parts = pathlib.Path(path).parts
            file = folder / f"{number:02}-{parts[0].strip('.')}-{parts[2].split('_')[0]}.yaml"
            file.write_text(render(path, namespace))
            files.append(str(file))
        lint = pathlib.Path(sys.executable).with_name("cfn-lint")
        status = subprocess.run([str(lint), "--regions", *REGIONS, "--", *files]).returncode or check_terraform()
    if status == 0:
        print(f"{len(files)} renders of the example templates are clean")
    return status


if __name__ == "__main__":
    sys.exit(main())
