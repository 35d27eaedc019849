"""Runs the story of the clients with each of them, beside each other: one server and one emulator of AWS, and for each
client two accounts, a region, a relay that loses an answer, and nothing but the variables that AWS clients read.

Run it through clients.sh.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import boto3  # noqa: E402
import botocore.config  # noqa: E402
from relay import Relay  # noqa: E402
from servers import PROJECT, Emulator, Protium, database  # noqa: E402

ROOT = "123456789012"
# The answers that each client loses once. Its own token must make the repetition harmless.
LOST = ("CreateEnvironmentTemplateVersion", "CreateServiceTemplateVersion")
SECONDS = 900
# The emulator looks whether there is a signature, and not at it.
EMULATOR_KEY = "AWS4-HMAC-SHA256 Credential=emulator/20200101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


class Client:
    """One client and its place: accounts and region of its own."""

    def __init__(self, index, name, command, region):
        self.name, self.command, self.region = name, command, region
        self.account, self.other = f"{index}11111111111", f"{index}22222222222"

    def prepare(self, folder, protium, emulator, more):
        """Makes the accounts and the files that the story reads."""
        self.folder = folder / self.name
        self.folder.mkdir()
        self.key, other = [protium.make_account(account) for account in (self.account, self.other)]
        (self.folder / "bundles").mkdir()
        for bundle in (HERE / "bundles").iterdir():
            with tarfile.open(self.folder / f"bundles/{bundle.name}.tar.gz", "w:gz") as archive:
                archive.add(bundle, ".")
        (self.folder / "components").symlink_to(HERE / "components")
        self.setting = self.folder / "setting.json"
        self.setting.write_text(json.dumps({
            "prefix": self.name, "region": self.region, "account": self.account, "emulator": emulator.url,
            "emulatorKey": EMULATOR_KEY,
            "folder": str(self.folder), **more,
            "other": {
                "account": self.other, "accessKeyId": other["AccessKeyId"], "secretAccessKey": other["SecretAccessKey"],
            },
        }))

    def environment(self, url):
        return {
            **os.environ, "AWS_ENDPOINT_URL": url, "AWS_REGION": self.region, "AWS_DEFAULT_REGION": self.region,
            "AWS_ACCESS_KEY_ID": self.key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": self.key["SecretAccessKey"],
        }

    def upload(self, url):
        """The bundles, for a client that has no S3 of its own."""
        s3 = boto3.client(
            "s3", endpoint_url=url, region_name=self.region, aws_access_key_id=self.key["AccessKeyId"],
            aws_secret_access_key=self.key["SecretAccessKey"],
            config=botocore.config.Config(s3={"addressing_style": "path"}),
        )
        place = {} if self.region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": self.region}}
        s3.create_bucket(Bucket="bundles", **place)
        for bundle in (self.folder / "bundles").iterdir():
            s3.upload_file(str(bundle), "bundles", bundle.name)

    def tell(self, protium):
        """Runs the story, its lines under the client's name; its status."""
        with Relay(protium.port, LOST) as relay:
            process = subprocess.Popen(
                [*map(str, self.command), str(self.setting)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT, text=True, env=self.environment(relay.url),
            )
            end = threading.Timer(SECONDS, process.kill)
            end.start()
            for line in process.stdout:
                print(f"  {self.name:5} {line}", end="", flush=True)
            end.cancel()
            status = process.wait()
            if status == 0 and relay.left:
                print(f"  {self.name:5} no answer to {relay.left} got lost: the story has not called it", flush=True)
                return 1
            return status


def rust_sdk():
    """What the crate has, read from its source: Rust can't be asked while it runs."""
    command = ["cargo", "metadata", "--locked", "--format-version", "1"]
    metadata = json.loads(subprocess.run(command, capture_output=True, check=True, cwd=PROJECT).stdout)
    [package] = [package for package in metadata["packages"] if package["name"] == "aws-sdk-proton"]
    source = pathlib.Path(package["manifest_path"]).parent / "src"
    return {
        "paginators": sorted(path.parent.name for path in source.glob("operation/*/paginator.rs")),
        "waiters": sorted(path.stem for path in source.glob("waiters/*.rs") if path.stem != "matchers"),
    }


def documented():
    """The page on compatibility tells the versions that run here."""
    page = (PROJECT / "docs/compatibility.md").read_text()
    pins = dict(line.split("==") for line in (PROJECT / "scripts/requirements.txt").read_text().splitlines() if "==" in line)
    node = json.loads((HERE / "js/package.json").read_text())["dependencies"]
    [rust] = re.findall(r'name = "aws-sdk-proton"\nversion = "(.*)"', (PROJECT / "Cargo.lock").read_text())
    for name, version in (
        ("awscli", pins["awscli"]), ("boto3", pins["boto3"]),
        ("@aws-sdk/client-proton", node["@aws-sdk/client-proton"]), ("aws-sdk-proton", rust),
    ):
        assert f"`{name}` {version} |" in page, f"docs/compatibility.md does not tell `{name}` {version}"


def stacks(emulator, clients):
    """The stacks that are left, in all accounts of all clients; the emulator knows the account by the role."""
    left = []
    for client in clients:
        for account in (client.account, client.other):
            at = {"endpoint_url": emulator.url, "region_name": client.region}
            sts = boto3.client("sts", **at, aws_access_key_id="emulator", aws_secret_access_key="emulator")
            role = sts.assume_role(RoleArn=f"arn:aws:iam::{account}:role/look", RoleSessionName="look")["Credentials"]
            formation = boto3.client(
                "cloudformation", **at, aws_access_key_id=role["AccessKeyId"],
                aws_secret_access_key=role["SecretAccessKey"], aws_session_token=role["SessionToken"],
            )
            left += [stack["StackName"] for stack in formation.describe_stacks()["Stacks"]]
    return left


def run(options, folder, emulator, database_url, clients):
    # As many as the story makes; it tries one more.
    (folder / "protium.toml").write_text("[quotas]\naccount_connections = 2\n")
    with Protium(
        options.program, folder, emulator, database_url, ROOT, "--config", folder / "protium.toml"
    ) as protium:
        for client in clients:
            client.prepare(folder, protium, emulator, {"has": rust_sdk()} if client.name == "rust" else {})
            if client.name == "rust":
                client.upload(protium.url)
        statuses = {}
        threads = [
            threading.Thread(target=lambda client=client: statuses.update({client.name: client.tell(protium)}))
            for client in clients
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        failed = [client.name for client in clients if statuses.get(client.name) != 0]
        assert not failed, f"the story failed with {', '.join(failed)}"
        assert not (left := stacks(emulator, clients)), f"stacks are left: {left}"
        print("  CloudFormation has no stack left", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", required=True, help="the protium binary")
    parser.add_argument("--rust", required=True, help="the program that tells the story with the AWS SDK for Rust")
    parser.add_argument("--database", choices=["sqlite", "postgres"], required=True)
    parser.add_argument("--only", action="append", choices=["boto3", "cli", "js", "rust"], help="leave others out")
    options = parser.parse_args()
    documented()
    python = [sys.executable, HERE / "python_story.py"]
    clients = [
        Client(3, "boto3", [*python, "boto3"], "eu-central-1"),
        Client(4, "cli", [*python, "cli"], "us-east-1"),
        Client(5, "js", ["node", "--no-warnings", HERE / "js/story.js"], "ap-southeast-2"),
        Client(6, "rust", [options.rust], "us-west-2"),
    ]
    clients = [client for client in clients if client.name in (options.only or [client.name])]
    with tempfile.TemporaryDirectory(prefix="protium-clients.") as name:
        folder = pathlib.Path(name)
        with Emulator(folder) as emulator, database(options.database, folder) as url:
            run(options, folder, emulator, url, clients)


if __name__ == "__main__":
    main()
