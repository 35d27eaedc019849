"""The example of AWS CDK: a server runs its commands in their sandbox, the CDK deploys to the emulator of AWS, and
cfn-lint judges the template that arrived there. Run it through examples.sh.
"""

import argparse
import io
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile

import yaml
from servers import Emulator, Protium
from story import ACCOUNT, EXAMPLES, ROLE, Cli, Story, note, pack, proton, values

NAME = "cdk-environment"
OUTPUTS = {"BucketName", "BucketArn", "QueueUrl", "QueueArn", "DeadLetterQueueUrl", "KeyArn"}
REGIONS = ["us-east-1", "eu-central-1"]


def node_tools():
    """The flags with which runs find this machine's Node.js, where it is none of the system's."""
    folder = pathlib.Path(shutil.which("node")).resolve().parents[1]
    return [] if folder.is_relative_to("/usr") else ["--run-tools", str(folder)]


def npm_settings():
    """What npm of this machine is told about where packages come from: a run sees nobody's own files."""
    settings = json.loads(subprocess.run(["npm", "config", "list", "--json"], capture_output=True, check=True).stdout)
    return "".join(f"{name}={settings[name]}\n" for name in ("registry", "cafile") if settings.get(name))


def bundle():
    """The bundle as it is, with the packages from where this machine has them from."""
    packed, again = io.BytesIO(pack(EXAMPLES / NAME / "v1")), io.BytesIO()
    with tarfile.open(fileobj=packed) as taken, tarfile.open(fileobj=again, mode="w:gz") as archive:
        for entry in taken:
            text = taken.extractfile(entry).read()
            if entry.name == "infrastructure/.npmrc":
                text += npm_settings().encode()
                entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return again.getvalue()


class Examples(Story):
    """The parts of the story with which a template is registered, and what is made of it here."""

    def upload(self, key, body):
        super().upload(key, bundle())

    def stacks(self):
        """The names of the stacks that the role of the environment has made."""
        listed = self.outside("cloudformation", "describe-stacks")["Stacks"]
        return [stack["StackName"] for stack in listed]

    def deployed(self):
        """Waits for the environment, checks its outputs, and lints the template that its stack was made with."""
        environment = self.settled("environment", name="cdk-dev")
        assert environment["deploymentStatus"] == "SUCCEEDED", environment
        outputs = values(proton(self.cli, "list-environment-outputs", environment_name="cdk-dev"))
        assert set(outputs) == OUTPUTS, outputs
        [stack] = self.stacks()
        assert stack.startswith("AWSProton-"), stack
        template = self.outside("cloudformation", "get-template", "--stack-name", stack)["TemplateBody"]
        file = self.folder / "template.yaml"
        file.write_text(template if isinstance(template, str) else json.dumps(template))
        lint = pathlib.Path(sys.executable).with_name("cfn-lint")
        subprocess.run([lint, "--regions", *REGIONS, "--", file], check=True)
        return yaml.safe_load(file.read_text())["Resources"].values()

    def tell(self):
        self.cli("s3", "mb", "s3://bundles")
        self.register("environment", NAME)
        proton(
            self.cli, "create-environment", name="cdk-dev", template_name=NAME, template_major_version=1,
            codebuild_role_arn=ROLE, spec=f"file://{EXAMPLES / NAME / 'spec.yaml'}",
        )
        made = self.deployed()
        assert {part.get("DeletionPolicy", "Delete") for part in made} == {"Delete"}, made
        note("the CDK deployed what the example's spec says, and cfn-lint has nothing to say")
        self.delete_environment("cdk-dev")
        assert not self.stacks(), "a stack is left"
        note("deleting the environment destroyed the stack, after kill -9")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="the protium binary")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="protium-examples.") as name:
        folder = pathlib.Path(name)
        with Emulator(folder) as emulator:
            with Protium(options.program, folder, emulator, None, ACCOUNT, "--runner", "local", *node_tools()) as protium:
                Examples(folder, Cli(protium), protium, emulator).tell()


if __name__ == "__main__":
    main()
