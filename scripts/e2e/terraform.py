"""Terraform that the server runs itself, with its AWS provider against the emulator: the example bundle is applied,
read, changed and destroyed. Run it through terraform.sh.
"""

import argparse
import pathlib
import sys
import tempfile
import time
import types

from servers import Emulator, Protium
from story import ACCOUNT, EXAMPLES, ROLE, Cli, note, pack, proton, values, wait

TEMPLATE = "terraform-bucket-environment"


def settings(folder, mirror):
    """The configuration file of a server whose runs take providers from the mirror, and the folder they see for that."""
    tools = folder / "tools"
    tools.mkdir()
    (tools / "terraformrc").write_text(f'provider_installation {{\n  filesystem_mirror {{ path = "{mirror}" }}\n}}\n')
    file = folder / "protium.toml"
    file.write_text(
        f'runner = "local"\nrun-tools = ["{tools}", "{mirror}"]\n\n[run-variables]\n'
        f'TF_CLI_CONFIG_FILE = "{tools}/terraformrc"\n'
    )
    return file


def account_of(emulator, folder):
    """The CLI on the emulator itself, in the account of the role."""
    outside = types.SimpleNamespace(url=emulator.url, data=folder)
    anybody = Cli(outside, {"AccessKeyId": "emulator", "SecretAccessKey": "emulator"})
    session = anybody("sts", "assume-role", "--role-arn", ROLE, "--role-session-name", "e2e")
    return Cli(outside, session["Credentials"])


def buckets(account):
    """What the account has on the emulator, with the tags of each."""
    names = [bucket["Name"] for bucket in account("s3api", "list-buckets").get("Buckets", [])]
    tags = {name: account("s3api", "get-bucket-tagging", "--bucket", name)["TagSet"] for name in names}
    return {name: {tag["Key"]: tag["Value"] for tag in of} for name, of in tags.items()}


def tell(folder, cli, account):
    (folder / "bundle.tar.gz").write_bytes(pack(EXAMPLES / TEMPLATE / "v1"))
    cli("s3", "mb", "s3://bundles")
    cli("s3", "cp", "--only-show-errors", folder / "bundle.tar.gz", "s3://bundles/bundle.tar.gz")
    proton(cli, "create-environment-template", name=TEMPLATE)
    version = {"template_name": TEMPLATE, "major_version": "1", "minor_version": "0"}
    proton(
        cli, "create-environment-template-version", template_name=TEMPLATE, source="s3={bucket=bundles,key=bundle.tar.gz}"
    )
    wait(cli, "environment-template-version-registered", **version)
    proton(cli, "update-environment-template-version", status="PUBLISHED", **version)
    proton(
        cli, "create-environment", name="dev", template_name=TEMPLATE, template_major_version="1",
        codebuild_role_arn=ROLE, spec=f"file://{EXAMPLES / TEMPLATE / 'spec.yaml'}",
    )  # fmt: skip
    wait(cli, "environment-deployed", name="dev")
    outputs = values(proton(cli, "list-environment-outputs", environment_name="dev"))
    assert outputs["Purposes"] == '["uploads","reports"]', outputs
    made = buckets(account)
    assert sorted(tags["purpose"] for tags in made.values()) == ["reports", "uploads"], made
    assert all("proton:environment" in tags for tags in made.values()), made
    note(f"{TEMPLATE} is applied: {', '.join(sorted(made))}")
    spec = "proton: EnvironmentSpec\nspec:\n  buckets: [uploads]\n"
    proton(cli, "update-environment", name="dev", deployment_type="CURRENT_VERSION", spec=spec)
    wait(cli, "environment-deployed", name="dev")
    assert [tags["purpose"] for tags in buckets(account).values()] == ["uploads"], "one is destroyed, one stays"
    note("it is changed")
    proton(cli, "delete-environment", name="dev")
    until = time.monotonic() + 300
    while (answer := cli.run("proton", "get-environment", "--name", "dev")).returncode == 0:
        assert "DELETE_FAILED" not in answer.stdout and time.monotonic() < until, answer.stdout
        time.sleep(0.5)
    assert "ResourceNotFoundException" in answer.stderr, answer.stderr
    assert buckets(account) == {}, "all is destroyed"
    note("it is destroyed")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    arguments.add_argument("--mirror", required=True, type=pathlib.Path, help="a folder of providers")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        with (
            Emulator(folder) as emulator,
            Protium(given.program, folder, emulator, None, ACCOUNT, "--config", settings(folder, given.mirror.resolve())) as protium,
        ):
            tell(folder, Cli(protium), account_of(emulator, folder))


if __name__ == "__main__":
    sys.exit(main())
