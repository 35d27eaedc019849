"""Bundles of commands in a folder, such as those that AWS published for AWS Proton's CodeBuild provisioning: a server
registers them all with the plain AWS CLI and runs them on this machine, against the emulator of AWS. Prints how far
each came. Run it through scripts/codebuild-examples.sh.
"""

import argparse
import io
import json
import pathlib
import tarfile
import tempfile
import time

import yaml
from servers import Emulator, Protium
from story import ACCOUNT, CONNECTION, ROLE, Cli, Story, note, proton

REPOSITORY = {
    "repository_connection_arn": CONNECTION,
    "repository_id": "example/app",
    "branch_name": "main",
}
STAND_IN = {"infrastructure": {"templates": [{"rendering_engine": "codebuild", "settings": {"provision": ["true"]}}]}}
# How long a deployment may take, in seconds: what commands download takes its time.
LONGEST = 45 * 60
OVER = {"SUCCEEDED", "FAILED", "CANCELLED", "DELETE_FAILED"}


class Bundle:
    """A folder with a schema and what it is for."""

    def __init__(self, folder):
        self.folder, self.name = folder, folder.parent.name
        self.kind = "environment" if (folder / "infrastructure").is_dir() else "service"
        self.has_pipeline = (folder / "pipeline_infrastructure").is_dir()
        self.schema = yaml.safe_load((folder / "schema/schema.yaml").read_text())["schema"]

    def environments(self, all_of_them):
        """The environment templates that a service says it goes with; if it says nothing, all that there are."""
        file = self.folder / ".template-registration.yaml"
        said = yaml.safe_load(file.read_text()) if file.exists() else {}
        named = said.get("compatible_environments") or said.get("compatible_environment") or []
        return [name.partition(":")[0] for name in named] or all_of_them

    def inputs(self, which):
        """What the schema asks for and has no default of."""
        of = self.schema.get("types", {}).get(self.schema.get(f"{which}_input_type"), {})
        missing = [name for name in of.get("required", []) if "default" not in of["properties"][name]]
        return {name: example(of["properties"][name]) for name in missing}


def example(of):
    """A value that a schema takes."""
    if "enum" in of:
        return of["enum"][0]
    made = {"boolean": False, "number": of.get("minimum", 1), "integer": of.get("minimum", 1), "array": []}
    return made.get(of.get("type"), "example".ljust(of.get("minLength", 0), "x"))


def bundles(folder):
    found = [Bundle(schema.parents[1]) for schema in sorted(folder.rglob("schema/schema.y*ml"))]
    return sorted(found, key=lambda bundle: bundle.kind)


def programs_but(hidden, folder):
    """A folder with this machine's programs without some of them, as if those were not installed."""
    for place in ["/usr/local/bin", "/usr/bin", "/bin"]:
        for program in pathlib.Path(place).iterdir():
            link = folder / program.name
            if program.name not in hidden and not link.is_symlink():
                link.symlink_to(program)


class Tour(Story):
    """One server, and all bundles on it."""

    def spec(self, text):
        file = self.folder / "spec.yaml"
        file.write_text(yaml.safe_dump(text))
        return f"file://{file}"

    def published(self, bundle, folder, **members):
        """Registers a version of the bundle, or of what stands in for it."""
        self.upload(f"{bundle.name}.tar.gz", packed(folder, bundle.folder / "schema"))
        self.version(bundle.kind, bundle.name, **members)

    def registered(self, bundle, goes_with):
        words = {}
        if bundle.kind == "service" and not bundle.has_pipeline:
            words["pipeline_provisioning"] = "CUSTOMER_MANAGED"
        proton(self.cli, f"create-{bundle.kind}-template", name=bundle.name, **words)
        words = {}
        if bundle.kind == "service":
            compatible = [{"templateName": name, "majorVersion": "1"} for name in goes_with]
            words["compatible_environment_templates"] = json.dumps(compatible)
        self.published(bundle, bundle.folder, **words)
        version = proton(
            self.cli, f"get-{bundle.kind}-template-version", template_name=bundle.name, major_version=1, minor_version=0
        )
        return next(iter(version.values())).get("statusMessage", "")

    def over(self, operation, member, **names):
        """Waits for the end of a deployment; what is said of it."""
        until = time.monotonic() + LONGEST
        while time.monotonic() < until:
            found = proton(self.cli, operation, **names)[member]
            if found["deploymentStatus"] in OVER:
                return found["deploymentStatus"], found.get("deploymentStatusMessage", "")
            time.sleep(1)
        return "TOO LONG", f"it had not ended after {LONGEST // 60} minutes"

    def environment(self, bundle, minor, name, **more):
        proton(
            self.cli, "create-environment", name=name, template_name=bundle.name, template_major_version=1,
            template_minor_version=minor, codebuild_role_arn=ROLE,
            spec=self.spec({"proton": "EnvironmentSpec", "spec": bundle.inputs("environment")}), **more,
        )
        return self.over("get-environment", "environment", name=name)

    def service(self, bundle, environment):
        name = f"svc-{bundle.name}"[:60]
        spec = {
            "proton": "ServiceSpec",
            "instances": [{"name": "dev", "environment": environment, "spec": bundle.inputs("service")}],
        }
        if bundle.has_pipeline:
            spec["pipeline"] = bundle.inputs("pipeline")
        proton(
            self.cli, "create-service", name=name, template_name=bundle.name, template_major_version=1,
            spec=self.spec(spec), **(REPOSITORY if bundle.has_pipeline else {}),
        )
        yield "instance", self.over("get-service-instance", "serviceInstance", service_name=name, name="dev")
        if bundle.has_pipeline:
            until = time.monotonic() + LONGEST
            while time.monotonic() < until:
                service = proton(self.cli, "get-service", name=name)["service"]
                if "pipeline" in service and service["pipeline"]["deploymentStatus"] in OVER:
                    pipeline = service["pipeline"]
                    yield "pipeline", (pipeline["deploymentStatus"], pipeline.get("deploymentStatusMessage", ""))
                    return
                if service["status"].endswith("FAILED"):
                    yield "pipeline", (service["status"], service.get("statusMessage", ""))
                    return
                time.sleep(1)
            yield "pipeline", ("TOO LONG", f"it had not ended after {LONGEST // 60} minutes")

    def tell(self, found):
        self.cli("s3", "mb", "s3://bundles")
        proton(self.cli, "update-account-settings", pipeline_codebuild_role_arn=ROLE)
        stand_in = self.folder / "stand-in"
        (stand_in / "infrastructure").mkdir(parents=True)
        (stand_in / "infrastructure/manifest.yaml").write_text(yaml.safe_dump(STAND_IN))
        warned, environments = 0, [bundle.name for bundle in found if bundle.kind == "environment"]
        for bundle in found:
            goes_with = bundle.environments(environments)
            warning = self.registered(bundle, goes_with)
            warned += bool(warning)
            note(f"{bundle.name} is registered{' with warnings: ' if warning else ''}{warning}")
            if bundle.kind == "environment":
                self.told(bundle, "environment", self.environment(bundle, 0, f"env-{bundle.name}"[:60]))
                # Services have something to run in, however far the real one came.
                self.published(bundle, stand_in, major_version=1)
                self.environment(bundle, 1, f"in-{bundle.name}"[:60])
            else:
                for part, end in self.service(bundle, f"in-{goes_with[0]}"[:60]):
                    self.told(bundle, part, end)
        print(f"\n{len(found)} bundles are registered, {len(found) - warned} of them without warnings")

    def told(self, bundle, part, end):
        status, message = end
        print(f"\n== {bundle.name}, {part}: {status}\n{message}\n", flush=True)


def packed(folder, schema):
    """The files of a bundle, with the schema of the one that it stands in for, if it has none."""
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.add(path, str(path.relative_to(folder)))
        if not (folder / "schema").is_dir():
            archive.add(schema, "schema")
    return body.getvalue()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path, help="where the bundles are")
    parser.add_argument("--program", required=True, help="the protium binary")
    parser.add_argument("--hide", action="append", default=[], metavar="PROGRAM", help="what runs do not find")
    options = parser.parse_args()
    found = bundles(options.folder)
    if not any(bundle.kind == "environment" for bundle in found):
        parser.error(f"folder: no folder below {options.folder} has infrastructure/ and schema/schema.yaml")
    with tempfile.TemporaryDirectory(prefix="protium-codebuild.") as name:
        folder, programs = pathlib.Path(name), pathlib.Path(name) / "programs"
        programs.mkdir()
        programs_but(options.hide, programs)
        settings = folder / "protium.toml"
        settings.write_text(f'[run-variables]\nPATH = "{programs}"\n')
        flags = ["--runner", "local", "--run-tools", str(programs), "--config", str(settings)]
        with Emulator(folder) as emulator, Protium(options.program, folder, emulator, None, ACCOUNT, *flags) as protium:
            hidden = f" but {', '.join(options.hide)}" if options.hide else ""
            note(f"{len(found)} bundles, with the programs of this machine{hidden}")
            Tour(folder, Cli(protium), protium, emulator).tell(found)


if __name__ == "__main__":
    main()
