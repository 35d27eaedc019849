"""The state of Terraform that the server runs, in S3 (on the emulator) and in PostgreSQL: made, locked, missed, moved and
gone with its resource. It needs no provider. Run it through terraform.sh.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from servers import Emulator, Postgres, Protium
from story import ACCOUNT, ROLE, Cli, note, pack, proton, values, wait
from terraform import account_of

TEMPLATE = "noted-environment"
FILES = {
    "schema/schema.yaml": """
schema:
  format: {openapi: "3.0.0"}
  environment_input_type: Input
  types:
    Input:
      type: object
      properties: {note: {type: string}}
""",
    "infrastructure/manifest.yaml": """
infrastructure:
  templates:
    - {file: "*", rendering_engine: hcl, template_language: terraform}
""",
    "infrastructure/main.tf": """
resource "terraform_data" "note" {
  input = var.environment.inputs.note
}

output "Id" { value = terraform_data.note.id }
output "Note" { value = terraform_data.note.output }
""",
}
PASSWORD = "a-password-that-nobody-sees"
FOLDER = f"team/{ACCOUNT}/us-east-1/environment"


class Bucket:
    """States in S3, in the account of the role."""

    url = name = "s3://states/team"

    def __init__(self, account):
        self.account = account
        account("s3", "mb", "s3://states")

    def keys(self):
        listed = self.account("s3api", "list-objects-v2", "--bucket", "states") or {}
        return [found["Key"] for found in listed.get("Contents", [])]

    def workspaces(self):
        """The names of all states."""
        for key in self.keys():
            assert key.startswith(f"{FOLDER}/") and key.endswith("/protium.tfstate"), key
        return [key.split("/")[-2] for key in self.keys()]

    def rename(self, old, new):
        of = f"s3://states/{FOLDER}/{{}}/protium.tfstate".format
        self.account("s3", "mv", of(old), of(new))

    def take(self, workspace, file):
        self.account("s3", "cp", file, f"s3://states/{FOLDER}/{workspace}/protium.tfstate")


class Table:
    """States in PostgreSQL, reached with a password."""

    def __init__(self, postgres):
        self.postgres = postgres
        self.sql(postgres.url, f"CREATE ROLE keeper LOGIN PASSWORD '{PASSWORD}'")
        self.sql(postgres.url, "CREATE DATABASE states OWNER keeper")
        self.states = postgres.url.removesuffix("/protium") + "/states"
        self.name = f"postgres://127.0.0.1:{postgres.port}/states"
        self.url = self.states.replace("protium@", f"keeper:{PASSWORD}@") + "?sslmode=disable"

    def sql(self, url, statement):
        return self.postgres.run("psql", "-X", "-At", "-v", "ON_ERROR_STOP=1", url, "-c", statement).split()

    def workspaces(self):
        return self.sql(self.states, "SELECT name FROM protium_terraform_state.states")

    def take(self, workspace, file):
        with tempfile.TemporaryDirectory() as folder:
            backend = '{"terraform": {"backend": {"pg": {"schema_name": "protium_terraform_state"}}}}'
            (pathlib.Path(folder) / "backend.tf.json").write_text(backend)
            environment = {**os.environ, "PG_CONN_STR": self.url, "CHECKPOINT_DISABLE": "1"}
            for words in ["init"], ["workspace", "new", workspace], ["state", "push", "-force", file]:
                subprocess.run(["terraform", *words], check=True, cwd=folder, env=environment, stdout=subprocess.DEVNULL)

    def rename(self, old, new):
        self.sql(self.states, f"UPDATE protium_terraform_state.states SET name = '{new}' WHERE name = '{old}'")


def bundle(folder):
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text.lstrip())
    return pack(folder)


def publish(cli, folder):
    (folder / "bundle.tar.gz").write_bytes(bundle(folder / "bundle"))
    cli("s3", "mb", "s3://bundles")
    cli("s3", "cp", "--only-show-errors", folder / "bundle.tar.gz", "s3://bundles/bundle.tar.gz")
    proton(cli, "create-environment-template", name=TEMPLATE)
    version = {"template_name": TEMPLATE, "major_version": "1", "minor_version": "0"}
    source = "s3={bucket=bundles,key=bundle.tar.gz}"
    proton(cli, "create-environment-template-version", template_name=TEMPLATE, source=source)
    wait(cli, "environment-template-version-registered", **version)
    proton(cli, "update-environment-template-version", status="PUBLISHED", **version)


def spec(text):
    return f"proton: EnvironmentSpec\nspec:\n  note: {text}\n"


def update(cli, text):
    proton(cli, "update-environment", name="dev", deployment_type="CURRENT_VERSION", spec=spec(text))


def ended(cli, status, name="dev"):
    """Waits until the deployment has ended so; the message of it."""
    until = time.monotonic() + 120
    while True:
        found = proton(cli, "get-environment", name=name)["environment"]
        if found["deploymentStatus"] == status:
            return found.get("deploymentStatusMessage", "")
        assert found["deploymentStatus"].endswith("IN_PROGRESS") and time.monotonic() < until, found
        time.sleep(0.1)


def updated(cli, text):
    update(cli, text)
    ended(cli, "SUCCEEDED")
    return outputs(cli)


def outputs(cli):
    return values(proton(cli, "list-environment-outputs", environment_name="dev"))


def refused(cli, text):
    """An update that fails; why."""
    update(cli, text)
    return ended(cli, "FAILED")


def delete(cli):
    proton(cli, "delete-environment", name="dev")
    gone(cli, "dev")


def gone(cli, name):
    until = time.monotonic() + 120
    while (answer := cli.run("proton", "get-environment", "--name", name)).returncode == 0:
        assert "DELETE_FAILED" not in answer.stdout and time.monotonic() < until, answer.stdout
        time.sleep(0.1)
    assert "ResourceNotFoundException" in answer.stderr, answer.stderr


def deletion_refused(cli):
    proton(cli, "delete-environment", name="dev")
    return ended(cli, "DELETE_FAILED")


def live(cli, protium, place):
    """The life of an environment whose state is at that place."""
    proton(
        cli, "create-environment", name="dev", template_name=TEMPLATE, template_major_version="1",
        codebuild_role_arn=ROLE, spec=spec("one"),
    )  # fmt: skip
    ended(cli, "SUCCEEDED")
    made = outputs(cli)
    assert made["Note"] == "one", made
    (workspace,) = place.workspaces()
    assert workspace.startswith("AWSProton-dev-"), workspace
    assert list(protium.data.glob("runs/*/state/backend")) and not list(protium.data.glob("runs/*/state/*tfstate*"))
    assert updated(cli, "two") == {**made, "Note": "two"}, "the same is changed"
    note("it is applied and changed")

    if isinstance(place, Bucket):
        lock = f"s3://states/{FOLDER}/{workspace}/protium.tfstate.tflock"
        (protium.folder / "lock").write_text('{"ID": "of-a-killed-run", "Operation": "OperationTypeApply", "Who": "me"}')
        place.account("s3", "cp", protium.folder / "lock", lock)
        message = refused(cli, "locked")
        assert f"aws s3 rm {lock}" in message, message
        place.account("s3", "rm", lock)
        assert updated(cli, "three") == {**made, "Note": "three"}
        note("the lock of a killed run is told, with the remedy")

    place.rename(workspace, "elsewhere")
    message = refused(cli, "gone")
    assert f"The state of {workspace} is missing" in message, message
    place.rename("elsewhere", workspace)
    assert updated(cli, "found")["Id"] == made["Id"]
    note("a state that is missing is not taken for none")

    with other_state(protium, None):
        message = refused(cli, "in the data folder")
        assert "is to be kept elsewhere than before (local; before: " in message and PASSWORD not in message, message
    assert updated(cli, "back")["Id"] == made["Id"]
    note("another place is refused, before anything is made")

    place.rename(workspace, "elsewhere")
    message = deletion_refused(cli)
    assert f"The state of {workspace} is missing" in message, message
    place.rename("elsewhere", workspace)
    if isinstance(place, Table):
        with other_state(protium, None):
            message = deletion_refused(cli)
            assert "its --terraform-state is none in a database" in message, message
    delete(cli)
    assert place.workspaces() == [], place.workspaces()
    assert not list(protium.data.glob("runs/*/state")), "nothing of it stays"
    note("it is gone with its resource")


class other_state:
    """Meanwhile, the server keeps states elsewhere."""

    def __init__(self, protium, url):
        self.protium, self.given, self.url = protium, list(protium.command), url

    def __enter__(self):
        at = self.given.index("--terraform-state")
        self.protium.command = [*self.given[:at], *(["--terraform-state", self.url] if self.url else [])]
        self.protium.kill()

    def __exit__(self, *_):
        self.protium.command = self.given
        self.protium.kill()


def move(cli, protium, place):
    """A state of the data folder is moved as docs/runs.md says."""
    with other_state(protium, None):
        proton(
            cli, "create-environment", name="dev", template_name=TEMPLATE, template_major_version="1",
            codebuild_role_arn=ROLE, spec=spec("here"),
        )  # fmt: skip
        ended(cli, "SUCCEEDED")
        made = outputs(cli)
    message = refused(cli, "there")
    assert f"({place.name}; before: local)" in message, message
    (state,) = protium.data.glob("runs/*/state")
    workspace = proton(cli, "list-environment-provisioned-resources", environment_name="dev")
    workspace = workspace["provisionedResources"][0]["name"]
    place.take(workspace, state / "terraform.tfstate")
    (state / "backend").unlink()
    assert updated(cli, "there") == {**made, "Note": "there"}
    delete(cli)
    assert place.workspaces() == []
    note("a state of the data folder is moved there")


def side_by_side(cli, place):
    """Several resources are made and destroyed at once: a database has one lock that all of them need for a moment."""
    names = [f"side-{number}" for number in range(5)]
    for name in names:
        proton(
            cli, "create-environment", name=name, template_name=TEMPLATE, template_major_version="1",
            codebuild_role_arn=ROLE, spec=spec(name),
        )  # fmt: skip
    for name in names:
        ended(cli, "SUCCEEDED", name)
    assert len(place.workspaces()) == len(names), place.workspaces()
    for name in names:
        proton(cli, "delete-environment", name=name)
    for name in names:
        gone(cli, name)
    assert place.workspaces() == [], place.workspaces()
    note("several are made side by side")


def says(folder, word):
    """The files below a folder that have the word."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file() and word.encode() in path.read_bytes():
            found.append(str(path))
    return found


def server(program, folder, emulator, place):
    folder.mkdir()
    more = ["--runner", "local", "--terraform-state", place.url]
    return Protium(program, folder, emulator, None, ACCOUNT, *more)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--program", required=True)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        with Emulator(folder) as emulator, Postgres(folder) as postgres:
            bucket = Bucket(account_of(emulator, folder))
            with server(given.program, folder / "s3", emulator, bucket) as protium:
                cli = Cli(protium)
                publish(cli, protium.folder)
                note("the state is in S3")
                live(cli, protium, bucket)
                move(cli, protium, bucket)
            table = Table(postgres)
            with server(given.program, folder / "pg", emulator, table) as protium:
                cli = Cli(protium)
                publish(cli, protium.folder)
                note("the state is in PostgreSQL")
                live(cli, protium, table)
                move(cli, protium, table)
                side_by_side(cli, table)
                assert says(protium.folder, PASSWORD) == [], says(protium.folder, PASSWORD)


if __name__ == "__main__":
    sys.exit(main())
