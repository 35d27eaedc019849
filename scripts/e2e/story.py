"""The whole story, with the plain AWS CLI against a running server: bundles, templates, an environment,
another account, services with and without a pipeline, outputs, updates, an upgrade, a cancel, a failure, deletes, and
`kill -9` in each phase. Run it through story.sh.
"""

import argparse
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import time

from servers import PROJECT, Emulator, Protium, database

ACCOUNT = "123456789012"
OTHER_ACCOUNT = "222222222222"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/protium"
CONNECTION = f"arn:aws:codestar-connections:us-east-1:{ACCOUNT}:connection/2f7c1d8e-5a54-4c0b-9d63-0f6f5a3c9b11"
LOG_GROUP = "/failures"
EXAMPLES = PROJECT / "examples/templates"
STARTED = time.monotonic()


def note(text):
    print(f"  [{time.monotonic() - STARTED:4.0f}s] {text}", flush=True)


class Cli:
    """The AWS CLI as a user has it, with one variable set; `key` is one of another account."""

    def __init__(self, protium, key=None):
        self.environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": protium.url,
            "AWS_SHARED_CREDENTIALS_FILE": str(protium.data / "credentials"),
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        if key:
            self.environment["AWS_ACCESS_KEY_ID"] = key["AccessKeyId"]
            self.environment["AWS_SECRET_ACCESS_KEY"] = key["SecretAccessKey"]

    def run(self, *words):
        command = [pathlib.Path(sys.executable).parent / "aws", "--output", "json", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, env=self.environment)

    def __call__(self, *words):
        """Runs a command that must succeed; its answer as JSON where it is JSON."""
        done = self.run(*words)
        if done.returncode:
            raise AssertionError(f"aws {' '.join(map(str, words))}: {done.stderr.strip()}")
        try:
            return json.loads(done.stdout or "{}")
        except json.JSONDecodeError:
            return done.stdout

    def refused(self, code, *words):
        """Runs a command that must fail with that error code; its message."""
        done = self.run(*words)
        assert done.returncode and f"({code})" in done.stderr, f"{words}: {done.stdout} {done.stderr}"
        return done.stderr


def proton(cli, operation, **members):
    """One call; members in snake case are the CLI's flags."""
    flags = [word for name, value in members.items() for word in (f"--{name.replace('_', '-')}", value)]
    return cli("proton", operation, *flags)


def wait(cli, waiter, **members):
    flags = [word for name, value in members.items() for word in (f"--{name.replace('_', '-')}", value)]
    cli("proton", "wait", waiter, *flags)


def pack(folder, change=None):
    """The bundle of an example, packed; `change` edits the text of its schema."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            if not path.is_file():
                continue
            text = path.read_bytes()
            if change and path.name == "schema.yaml":
                text = change(text.decode()).encode()
            entry = tarfile.TarInfo(str(path.relative_to(folder)))
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return body.getvalue()


def values(answer):
    return {output["key"]: output["valueString"] for output in answer["outputs"]}


class Story:
    def __init__(self, folder, cli, protium, emulator):
        self.folder, self.cli, self.protium, self.emulator = folder, cli, protium, emulator

    # ---- templates ------------------------------------------------------------------------------

    def upload(self, key, body):
        path = self.folder / "bundle.tar.gz"
        path.write_bytes(body)
        self.cli("s3", "cp", "--only-show-errors", path, f"s3://bundles/{key}")

    def bundle_store(self):
        note("the bundle store answers aws s3")
        identity = self.cli("sts", "get-caller-identity")
        assert identity["Account"] == ACCOUNT, identity
        self.cli("s3", "mb", "s3://bundles")
        self.cli("s3", "mb", "s3://temporary")
        large = self.folder / "large"
        large.write_bytes(os.urandom(20 * 1024 * 1024))  # more than one part
        self.cli("s3", "cp", "--only-show-errors", large, "s3://temporary/a/large")
        head = self.cli("s3api", "head-object", "--bucket", "temporary", "--key", "a/large")
        assert head["ContentLength"] == large.stat().st_size, head
        self.cli("s3", "cp", "--only-show-errors", "s3://temporary/a/large", self.folder / "back")
        assert (self.folder / "back").read_bytes() == large.read_bytes()
        assert "large" in self.cli("s3", "ls", "s3://temporary/a/")
        self.cli("s3", "rm", "s3://temporary/a/large")
        self.cli("s3", "rb", "s3://temporary")

    def register(self, kind, name, kill=False, **members):
        """Creates a template and its version 1.0 from an example, and publishes it."""
        self.upload(f"{name}.tar.gz", pack(EXAMPLES / name / "v1"))
        template = {} if "pipeline_provisioning" not in members else {
            "pipeline_provisioning": members.pop("pipeline_provisioning")
        }
        proton(self.cli, f"create-{kind}-template", name=name, **template)
        self.version(kind, name, kill=kill, **members)

    def version(self, kind, name, kill=False, **members):
        source = f"s3={{bucket=bundles,key={name}.tar.gz}}"
        answer = proton(
            self.cli, f"create-{kind}-template-version", template_name=name, source=source, **members
        )[f"{kind}TemplateVersion"]
        if kill:
            self.protium.kill()
        numbers = {"major_version": answer["majorVersion"], "minor_version": answer["minorVersion"]}
        wait(self.cli, f"{kind}-template-version-registered", template_name=name, **numbers)
        proton(self.cli, f"update-{kind}-template-version", template_name=name, status="PUBLISHED", **numbers)
        note(f"{name} {answer['majorVersion']}.{answer['minorVersion']} is published")

    # ---- environments ---------------------------------------------------------------------------

    def while_frozen(self, call, then):
        """Makes a call while AWS does not answer, kills the server with the work half done, and goes on."""
        self.emulator.freeze()
        try:
            answer = call()
            self.protium.kill()
            then(answer)
        finally:
            self.emulator.thaw()

    def environment(self, name, template):
        def in_progress(answer):
            assert answer["environment"]["deploymentStatus"] == "IN_PROGRESS", answer
            now = proton(self.cli, "get-environment", name=name)["environment"]
            assert now["deploymentStatus"] == "IN_PROGRESS", now

        self.while_frozen(
            lambda: proton(
                self.cli, "create-environment", name=name, template_name=template, template_major_version=1,
                proton_service_role_arn=ROLE, spec=f"file://{EXAMPLES / template / 'spec.yaml'}",
                tags="key=team,value=platform",
            ),
            in_progress,
        )
        wait(self.cli, "environment-deployed", name=name)
        outputs = values(proton(self.cli, "list-environment-outputs", environment_name=name))
        assert outputs, "an environment without outputs"
        made = proton(self.cli, "list-environment-provisioned-resources", environment_name=name)
        [stack] = made["provisionedResources"]
        assert re.fullmatch(r"AWSProton-[\w-]+-cloudformation--[A-Z]{15}", stack["name"]), stack
        note(f"{name} is deployed, after kill -9, with {len(outputs)} outputs")
        return outputs

    def upgrade(self, name, template):
        """A new minor version with one more input; the environment goes to it."""
        more = "\n        story_input:\n          type: string\n          default: \"yes\"\n"
        changed = pack(EXAMPLES / template / "v1", lambda text: text.replace("      properties:\n", f"      properties:{more}", 1))
        self.upload(f"{template}.tar.gz", changed)
        self.version("environment", template, major_version=1)
        summary = proton(self.cli, "get-resources-summary")["counts"]["environments"]
        assert summary["behindMinor"] >= 1, summary
        self.while_frozen(
            lambda: proton(self.cli, "update-environment", name=name, deployment_type="MINOR_VERSION"), lambda _: None
        )
        wait(self.cli, "environment-deployed", name=name)
        now = proton(self.cli, "get-environment", name=name)["environment"]
        assert (now["templateMajorVersion"], now["templateMinorVersion"]) == ("1", "1"), now
        note(f"{name} is upgraded to 1.1, after kill -9")

    def cancel(self, name, template):
        """Cancelled while AWS does not answer; the server is killed in between. Deleting works from there.

        Nothing is sent to CloudFormation before AWS has lent the role, and by then the deployment is CANCELLING.
        """
        def cancelling(_):
            answer = proton(self.cli, "cancel-environment-deployment", environment_name=name)
            assert answer["environment"]["deploymentStatus"] == "CANCELLING", answer
            self.protium.kill()

        self.while_frozen(
            lambda: proton(
                self.cli, "create-environment", name=name, template_name=template, template_major_version=1,
                proton_service_role_arn=ROLE, spec=f"file://{EXAMPLES / template / 'spec.yaml'}",
            ),
            cancelling,
        )
        now = self.settled("environment", name=name)
        self.check_status(now, "CANCELLED")
        assert now["deploymentStatusMessage"] == "User initiated cancellation.", now
        self.delete_environment(name)
        note(f"{name} was cancelled, after kill -9, and deleted")

    def failure(self, name, template):
        """A spec that is none stores nothing. One that no stack can be made of fails with AWS's own words; corrected,
        the environment deploys.
        """
        spec = (EXAMPLES / template / "spec.yaml").read_text()
        broken = self.folder / "broken.yaml"
        broken.write_text(spec.replace("proton: EnvironmentSpec", "proton: ServiceSpec"))
        words = {"name": name, "template_name": template, "template_major_version": 1}
        message = self.cli.refused(
            "ValidationException", "proton", "create-environment", "--name", name, "--template-name", template,
            "--template-major-version", "1", "--proton-service-role-arn", ROLE, "--spec", f"file://{broken}",
        )
        assert "EnvironmentSpec" in message, message
        self.cli.refused("ResourceNotFoundException", "proton", "get-environment", "--name", name)
        # A subnet that is no part of its network.
        outside = spec.replace("public_subnet_one_cidr: 10.20.0.0/20", "public_subnet_one_cidr: 192.168.0.0/20")
        assert outside != spec, spec
        broken.write_text(outside)
        proton(self.cli, "create-environment", **words, proton_service_role_arn=ROLE, spec=f"file://{broken}")
        failed = self.settled("environment", name=name)
        assert failed["deploymentStatus"] == "FAILED", failed
        assert "192.168.0.0/20" in failed["deploymentStatusMessage"], failed
        waited = self.cli.run("proton", "wait", "environment-deployed", "--name", name)
        assert waited.returncode == 255 and "terminal failure" in waited.stderr, waited
        broken.write_text(spec)
        proton(self.cli, "update-environment", name=name, deployment_type="CURRENT_VERSION", spec=f"file://{broken}")
        wait(self.cli, "environment-deployed", name=name)
        self.delete_environment(name)
        note(f"{name} failed, was corrected and deployed, and deleted")

    def connection(self, name, template):
        """An environment in another account, through a connection that it requests and this one accepts."""
        other = Cli(self.protium, self.protium.make_account(OTHER_ACCOUNT))
        request = proton(
            other, "create-environment-account-connection", management_account_id=ACCOUNT, environment_name=name,
            role_arn=f"arn:aws:iam::{OTHER_ACCOUNT}:role/protium",
        )["environmentAccountConnection"]
        assert request["status"] == "PENDING", request
        self.protium.kill()
        other.refused("AccessDeniedException", "proton", "accept-environment-account-connection", "--id", request["id"])
        proton(self.cli, "accept-environment-account-connection", id=request["id"])
        self.while_frozen(
            lambda: proton(
                self.cli, "create-environment", name=name, template_name=template, template_major_version=1,
                environment_account_connection_id=request["id"], spec=f"file://{EXAMPLES / template / 'spec.yaml'}",
            ),
            lambda answer: self.check_status(answer["environment"], "IN_PROGRESS"),
        )
        wait(self.cli, "environment-deployed", name=name)
        [stack] = proton(self.cli, "list-environment-provisioned-resources", environment_name=name)["provisionedResources"]
        assert f":{OTHER_ACCOUNT}:stack/" in stack["identifier"], stack
        self.cli.refused("ConflictException", "proton", "reject-environment-account-connection", "--id", request["id"])
        self.delete_environment(name)
        proton(other, "delete-environment-account-connection", id=request["id"])
        note(f"{name} was deployed in the account {OTHER_ACCOUNT}, after kill -9, and deleted")

    def settled(self, noun, **members):
        while True:
            now = proton(self.cli, f"get-{noun}", **members)[noun]
            if now["deploymentStatus"] not in ("IN_PROGRESS", "CANCELLING", "DELETE_IN_PROGRESS"):
                return now
            time.sleep(0.5)

    def delete_environment(self, name):
        self.while_frozen(
            lambda: proton(self.cli, "delete-environment", name=name),
            lambda answer: self.check_status(answer["environment"], "DELETE_IN_PROGRESS"),
        )
        while not self.cli.run("proton", "get-environment", "--name", name).returncode:
            time.sleep(0.5)
        assert proton(self.cli, "delete-environment", name=name) == {}, "deleted again is an empty answer"

    @staticmethod
    def check_status(resource, status):
        assert resource["deploymentStatus"] == status, resource

    # ---- services -------------------------------------------------------------------------------

    def service(self, name, template, environment_outputs, *repository):
        words = [
            "proton", "create-service", "--name", name, "--template-name", template, "--template-major-version", "1",
            "--spec", f"file://{EXAMPLES / template / 'spec.yaml'}", *repository,
        ]
        self.while_frozen(lambda: self.cli(*words), lambda _: None)
        wait(self.cli, "service-created", name=name)
        service = proton(self.cli, "get-service", name=name)["service"]
        instances = proton(self.cli, "list-service-instances", service_name=name)["serviceInstances"]
        assert instances and all(instance["deploymentStatus"] == "SUCCEEDED" for instance in instances), instances
        for instance in instances:
            wait(self.cli, "service-instance-deployed", service_name=name, name=instance["name"])
            outputs = values(
                proton(
                    self.cli, "list-service-instance-outputs", service_name=name,
                    service_instance_name=instance["name"],
                )
            )
            shared = set(outputs.values()) & set(environment_outputs.values())
            assert outputs and (shared or "pipeline" not in service), f"no output of the environment in {outputs}"
        note(f"{name} is active with {len(instances)} instances, after kill -9")
        return service

    def pipeline(self, name):
        wait(self.cli, "service-pipeline-deployed", name=name)
        instance = values(
            proton(self.cli, "list-service-instance-outputs", service_name=name, service_instance_name="dev")
        )
        pipeline = values(proton(self.cli, "list-service-pipeline-outputs", service_name=name))
        assert instance["ServiceURL"] in pipeline["InstanceURLs"], (instance, pipeline)
        note("the pipeline knows the outputs of the instances")

    def change_instances(self, name):
        """Removes one instance and adds another, then deploys a changed one."""
        spec = proton(self.cli, "get-service", name=name)["service"]["spec"]
        path = self.folder / "service.yaml"
        path.write_text(re.sub(r"name: [\"']?prod[\"']?", "name: staging", spec))
        self.while_frozen(lambda: proton(self.cli, "update-service", name=name, spec=f"file://{path}"), lambda _: None)
        wait(self.cli, "service-updated", name=name)
        names = {
            instance["name"]
            for instance in proton(self.cli, "list-service-instances", service_name=name)["serviceInstances"]
        }
        assert names == {"dev", "staging"}, names
        proton(
            self.cli, "update-service-instance", service_name=name, name="dev", deployment_type="CURRENT_VERSION",
            spec=f"file://{path}",
        )
        wait(self.cli, "service-instance-deployed", service_name=name, name="dev")
        proton(
            self.cli, "update-service-pipeline", service_name=name, deployment_type="CURRENT_VERSION",
            spec=f"file://{path}",
        )
        wait(self.cli, "service-pipeline-deployed", name=name)
        deployments = proton(self.cli, "list-deployments", service_name=name)["deployments"]
        assert len(deployments) >= 6, deployments
        note(f"{name} has other instances, after kill -9, and a history of {len(deployments)} deployments")

    def delete_service(self, name):
        self.while_frozen(lambda: proton(self.cli, "delete-service", name=name), lambda _: None)
        wait(self.cli, "service-deleted", name=name)
        note(f"{name} is deleted, after kill -9")

    # ---- components -----------------------------------------------------------------------------

    def component(self, name, service, instance, environment):
        """Attached to an instance, which is deployed again by itself; then detached and deleted."""
        files = {
            "manifest": f"file://{EXAMPLES.parent / 'components/bucket/manifest.yaml'}",
            "template_file": f"file://{EXAMPLES.parent / 'components/bucket/cloudformation.yaml'}",
        }
        place = {"service_name": service, "service_instance_name": instance}
        self.cli.refused(
            "ValidationException", "proton", "create-component", "--name", name, "--environment-name", environment,
            "--manifest", files["manifest"], "--template-file", files["template_file"],
        )
        proton(self.cli, "update-environment", name=environment, deployment_type="NONE", component_role_arn=ROLE)
        self.while_frozen(
            lambda: proton(self.cli, "create-component", name=name, **place, **files),
            lambda answer: self.check_status(answer["component"], "IN_PROGRESS"),
        )
        wait(self.cli, "component-deployed", name=name)
        wait(self.cli, "service-instance-deployed", service_name=service, name=instance)
        outputs = values(proton(self.cli, "list-component-outputs", component_name=name))
        assert set(outputs) == {"BucketName", "AccessPolicyArn"}, outputs
        made = proton(self.cli, "list-component-provisioned-resources", component_name=name)
        assert made["provisionedResources"][0]["name"].startswith(f"AWSProton-{name}-"), made
        component = proton(self.cli, "get-component", name=name)["component"]
        assert self.components_of(place) == [component["lastSucceededDeploymentId"]], component
        [listed] = proton(self.cli, "list-components", **place)["components"]
        assert listed["arn"] == component["arn"], listed
        self.cli.refused("ConflictException", "proton", "delete-component", "--name", name)
        self.cli.refused("ConflictException", "proton", "delete-service", "--name", service)
        note(f"{name} is attached, after kill -9, and {service}/{instance} was deployed with it")
        self.while_frozen(
            lambda: proton(
                self.cli, "update-component", name=name, deployment_type="CURRENT_VERSION", service_name="",
                service_instance_name="",
            ),
            lambda answer: self.check_status(answer["component"], "IN_PROGRESS"),
        )
        wait(self.cli, "component-deployed", name=name)
        wait(self.cli, "service-instance-deployed", service_name=service, name=instance)
        assert self.components_of(place) == [], "the instance runs without it"
        self.while_frozen(
            lambda: proton(self.cli, "delete-component", name=name),
            lambda answer: self.check_status(answer["component"], "DELETE_IN_PROGRESS"),
        )
        wait(self.cli, "component-deleted", name=name)
        assert proton(self.cli, "delete-component", name=name) == {}, "deleted again is an empty answer"
        note(f"{name} is detached and deleted, after kill -9 each")

    def components_of(self, place):
        """The deployments of components that the newest deployment of an instance has read."""
        newest = proton(self.cli, "list-deployments", **place)["deployments"][0]
        state = proton(self.cli, "get-deployment", id=newest["id"])["deployment"]["targetState"]["serviceInstance"]
        return state.get("lastSuccessfulComponentDeploymentIds", [])

    # ---- all of it ------------------------------------------------------------------------------

    def outside(self, *words):
        """Asks the emulator itself."""
        cli = Cli(self.protium, {"AccessKeyId": "emulator", "SecretAccessKey": "emulator"})
        return cli("--endpoint-url", self.emulator.url, *words)

    def watch_for_failures(self):
        """A user's rule of EventBridge, as the documentation has it, and where it writes to."""
        pattern = {
            "source": ["protium.proton"], "detail-type": ["AWS Proton Environment Status Change"],
            "detail": {"status": ["FAILED", "DELETE_FAILED"]},
        }
        self.outside("logs", "create-log-group", "--log-group-name", LOG_GROUP)
        self.outside("events", "put-rule", "--name", "failures", "--event-pattern", json.dumps(pattern))
        target = f"Id=log,Arn=arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{LOG_GROUP}"
        self.outside("events", "put-targets", "--rule", "failures", "--targets", target)

    def tell(self):
        self.watch_for_failures()
        self.bundle_store()
        self.register("environment", "fargate-environment", kill=True)
        self.register("environment", "lambda-environment")
        self.register(
            "service", "load-balanced-service",
            compatible_environment_templates="templateName=fargate-environment,majorVersion=1",
        )
        self.register(
            "service", "api-service", pipeline_provisioning="CUSTOMER_MANAGED",
            supported_component_sources="DIRECTLY_DEFINED",
            compatible_environment_templates="templateName=lambda-environment,majorVersion=1",
        )
        self.cli.refused(
            "ConflictException", "proton", "delete-environment-template", "--name", "fargate-environment"
        )
        self.failure("fargate-faulty", "fargate-environment")
        fargate = self.environment("fargate-dev", "fargate-environment")
        functions = self.environment("lambda-dev", "lambda-environment")
        self.upgrade("fargate-dev", "fargate-environment")
        self.cancel("fargate-cancelled", "fargate-environment")
        self.connection("lambda-shared", "lambda-environment")
        missing_role = self.cli.refused(
            "ValidationException", "proton", "create-service", "--name", "storefront", "--template-name",
            "load-balanced-service", "--template-major-version", "1", "--spec",
            f"file://{EXAMPLES / 'load-balanced-service' / 'spec.yaml'}", "--repository-connection-arn", CONNECTION,
            "--repository-id", "example/storefront", "--branch-name", "main",
        )
        assert "Operation cannot be run until pipeline roles have been configured" in missing_role, missing_role
        proton(self.cli, "update-account-settings", pipeline_service_role_arn=ROLE)
        self.service(
            "storefront", "load-balanced-service", fargate, "--repository-connection-arn", CONNECTION,
            "--repository-id", "example/storefront", "--branch-name", "main",
        )
        self.pipeline("storefront")
        self.service("orders", "api-service", functions)
        self.component("uploads", "orders", "dev", "lambda-dev")
        self.change_instances("storefront")
        tags = proton(
            self.cli, "list-tags-for-resource",
            resource_arn=f"arn:aws:proton:us-east-1:{ACCOUNT}:environment/fargate-dev",
        )["tags"]
        assert {"key": "team", "value": "platform"} in tags, tags
        self.cli.refused("ConflictException", "proton", "delete-environment", "--name", "fargate-dev")
        for service in ("storefront", "orders"):
            self.delete_service(service)
        for environment in ("fargate-dev", "lambda-dev"):
            self.delete_environment(environment)
            note(f"{environment} is deleted, after kill -9")
        self.nothing_is_left()
        self.rules_have_matched()

    def nothing_is_left(self):
        stacks = self.outside("cloudformation", "describe-stacks")["Stacks"]
        assert stacks == [], stacks
        note("CloudFormation has no stack left")

    def rules_have_matched(self):
        """The rule for what goes wrong has seen the one environment that failed, and that alone."""
        for _ in range(600):
            found = self.outside("logs", "filter-log-events", "--log-group-name", LOG_GROUP)["events"]
            if found:
                break
            time.sleep(0.1)
        events = [json.loads(event["message"]) for event in found]
        assert {event["detail"]["name"] for event in events} == {"fargate-faulty"}, events
        assert all(event["source"] == "protium.proton" for event in events), events
        assert {event["detail"]["previousStatus"] for event in events} == {"IN_PROGRESS"}, events
        note("a rule of EventBridge has told of the failure")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="the protium binary")
    parser.add_argument("--database", choices=["sqlite", "postgres"], required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="protium-e2e.") as name:
        folder = pathlib.Path(name)
        with Emulator(folder) as emulator, database(options.database, folder) as url:
            run(options.program, folder, emulator, url)


def run(program, folder, emulator, database_url):
    config = folder / "protium.toml"
    config.write_text('[[events.destination]]\nname = "bus"\ntype = "eventbridge"\nregion = "us-east-1"\n')
    with Protium(program, folder, emulator, database_url, ACCOUNT, "--config", config) as protium:
        Story(folder, Cli(protium), protium, emulator).tell()


if __name__ == "__main__":
    main()
