"""The story of the clients, told by boto3 or by the AWS CLI; the same one is in js/story.js and rust/src/.

It uses every paginator and every waiter that the client has, waiters into their failure state too, and fails when
the client has one that the story does not know. Run it through clients.sh.
"""

import functools
import json
import pathlib
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

from python_clients import CLIENTS, WAIT_SECONDS, Refused, WaitFailed

STARTED = time.time()
GITHUB = "GITHUB"


def note(text):
    print(f"[{time.time() - STARTED:4.0f}s] {text}", flush=True)


def values(answer):
    return {output["key"]: output["valueString"] for output in answer["outputs"]}


class Story:
    def __init__(self, client, setting):
        self.client, self.setting = CLIENTS[client](), setting
        self.other = CLIENTS[client](setting["other"])
        self.call, self.prefix = self.client.call, setting["prefix"]
        self.folder = pathlib.Path(setting["folder"])
        self.role = f"arn:aws:iam::{setting['account']}:role/protium"
        self.paginated, self.waited, self.failed = set(), set(), set()

    # ---- what every chapter uses ----------------------------------------------------------------

    def arn(self, rest):
        return f"arn:aws:proton:{self.setting['region']}:{self.setting['account']}:{rest}"

    def listed(self, count, operation, client=None, **members):
        """All entries, of which there are `count` or more; those of the pages are those of one large page."""
        client = client or self.client
        key = client.paginators[operation]["result_key"]
        sized = "limit_key" in client.paginators[operation]
        whole, pages = self.together(
            lambda: client.call(operation, **members, **({"maxResults": 100} if sized else {})),
            lambda: client.pages(operation, **members),
        )
        assert "nextToken" not in whole, whole
        entries = [entry for page in pages for entry in page]
        assert entries == whole[key], f"{operation}: {pages} are not {whole}"
        assert len(entries) >= count, f"{operation}: {entries}"
        if sized:
            assert all(len(page) <= 1 for page in pages) and count >= 2, f"{operation}: {pages}"
        self.paginated.add(operation)
        return entries

    @staticmethod
    def together(*calls):
        """What each of the calls answers. They run beside each other: commands of the AWS CLI take their time to start."""
        with ThreadPoolExecutor(4) as pool:
            return [future.result() for future in [pool.submit(call) for call in calls]]

    def each(self, operation, *members, client=None):
        """One call for each set of members, in no order."""
        client = client or self.client
        return self.together(*[functools.partial(client.call, operation, **one) for one in members])

    def wait(self, waiter, *more, **members):
        """Waits for what the members name, and for each set of `more`."""
        every = [members, *more] if members else more
        self.together(*[functools.partial(self.client.wait, waiter, **one) for one in every])
        self.waited.add(waiter)

    def wait_fails(self, waiter, **members):
        try:
            self.client.wait(waiter, **members)
        except WaitFailed:
            self.failed.add(waiter)
        else:
            raise AssertionError(f"{waiter} of {members} came true")

    def refused(self, code, operation, client=None, **members):
        try:
            answer = (client or self.client).call(operation, **members)
        except Refused as refusal:
            assert refusal.code == code and refusal.message, refusal
            return refusal.message
        raise AssertionError(f"{operation} of {members} answered {answer}")

    def is_recent(self, moment):
        assert STARTED - 60 < self.client.moment(moment) < time.time() + 60, moment

    def environment_spec(self, name, **inputs):
        return json.dumps({"proton": "EnvironmentSpec", "spec": {"bucket": f"{self.prefix}-{name}", **inputs}})

    @staticmethod
    def service_spec(pipeline, **instances):
        return json.dumps({
            "proton": "ServiceSpec", "pipeline": pipeline,
            "instances": [
                {"name": name, "environment": "shared" if name == "prod" else "alpha", "spec": inputs}
                for name, inputs in instances.items()
            ],
        })

    def outside(self, method, bucket):
        """Puts something into a bucket that a stack has made, or takes it out: CloudFormation deletes only empty ones."""
        body = b"kept" if method == "PUT" else None
        url = f"{self.setting['emulator']}/{bucket}/kept"
        request = urllib.request.Request(url, body, {"Authorization": self.setting["emulatorKey"]}, method=method)
        urllib.request.urlopen(request).close()

    # ---- the chapters ---------------------------------------------------------------------------

    def identity_and_bundles(self):
        assert self.client.account() == self.setting["account"]
        self.client.upload("bundles", sorted((self.folder / "bundles").iterdir()))

    def templates(self):
        team = [{"key": "team", "value": "platform"}, {"key": "stage", "value": "test"}]
        made = self.call("create_environment_template", name="network", displayName="Network", tags=team)
        self.is_recent(made["environmentTemplate"]["createdAt"])
        self.call("create_environment_template", name="network-too")
        self.each("create_service_template", {"name": "web"}, {"name": "web-too"})
        for kind, name, more in (
            ("environment", "network", {}),
            ("service", "web", {
                "compatibleEnvironmentTemplates": [{"templateName": "network", "majorVersion": "1"}],
                "supportedComponentSources": ["DIRECTLY_DEFINED"],
            }),
        ):
            version, body = f"{kind}_template_version", f"{kind}TemplateVersion"
            source = {"s3": {"bucket": "bundles", "key": f"{kind}.tar.gz"}}
            # The answer to the first of these gets lost on the way. The client repeats it with the token that it made,
            # and nothing is made twice.
            first = self.call(f"create_{version}", templateName=name, source=source, **more)[body]
            assert (first["majorVersion"], first["minorVersion"]) == ("1", "0"), first
            token = {"clientToken": f"{kind}-second"}
            members = {"templateName": name, "source": source, "majorVersion": "1", **more, **token}
            second = [answer[body]["minorVersion"] for answer in self.each(f"create_{version}", members, members)]
            assert second == ["1", "1"], second
            broken = {"s3": {"bucket": "bundles", "key": "broken.tar.gz"}}
            self.call(f"create_{version}", **{**more, "templateName": f"{name}-too", "source": broken})
        for kind, name in (("environment", "network"), ("service", "web")):
            version, waiter = f"{kind}_template_version", f"{kind}_template_version_registered"
            numbers = [{"templateName": name, "majorVersion": "1", "minorVersion": minor} for minor in ("0", "1")]
            self.wait(waiter, *numbers)
            self.each(f"update_{version}", *[{**one, "status": "PUBLISHED"} for one in numbers])
            self.wait_fails(waiter, templateName=f"{name}-too", majorVersion="1", minorVersion="0")
            assert len(self.listed(2, f"list_{kind}_templates")) == 2
            assert len(self.listed(2, f"list_{version}s", templateName=name, majorVersion="1")) == 2
        note("templates are registered and published")

    def connections(self):
        """Two of another account, for two environments: one is accepted, one is not."""
        made = {}
        for name in ("shared", "refused"):
            connection = self.other.call(
                "create_environment_account_connection", managementAccountId=self.setting["account"],
                environmentName=name, roleArn=f"arn:aws:iam::{self.setting['other']['account']}:role/protium",
            )["environmentAccountConnection"]
            assert connection["status"] == "PENDING", connection
            self.is_recent(connection["requestedAt"])
            made[name] = connection["id"]
        self.refused(
            "ServiceQuotaExceededException", "create_environment_account_connection", client=self.other,
            managementAccountId=self.setting["account"], environmentName="one-too-many",
        )
        self.listed(2, "list_environment_account_connections", requestedBy="MANAGEMENT_ACCOUNT", statuses=["PENDING"])
        self.listed(2, "list_environment_account_connections", client=self.other, requestedBy="ENVIRONMENT_ACCOUNT")
        self.refused(
            "AccessDeniedException", "accept_environment_account_connection", client=self.other, id=made["shared"]
        )
        self.call("accept_environment_account_connection", id=made["shared"])
        self.call("reject_environment_account_connection", id=made["refused"])
        for name, status in (("shared", "CONNECTED"), ("refused", "REJECTED")):
            now = self.other.call("get_environment_account_connection", id=made[name])["environmentAccountConnection"]
            assert now["status"] == status, now
        self.connection_ids = made
        note("an account connection is accepted, another one is rejected")

    def environments(self):
        template = {"templateName": "network", "templateMajorVersion": "1"}
        roles = {"protonServiceRoleArn": self.role, "componentRoleArn": self.role}
        self.call("create_environment", name="alpha", **template, **roles, spec=self.environment_spec("alpha"))
        self.call(
            "create_environment", name="shared", **template, spec=self.environment_spec("shared"),
            environmentAccountConnectionId=self.connection_ids["shared"],
        )
        self.call(
            "create_environment", name="faulty", **template, **roles,
            spec=self.environment_spec("faulty", broken=True),
        )
        message = self.refused(
            "ValidationException", "create_environment", name="nowhere", **template, **roles, spec="proton: ServiceSpec"
        )
        assert "EnvironmentSpec" in message, message
        self.wait("environment_deployed", {"name": "alpha"}, {"name": "shared"})
        self.wait_fails("environment_deployed", name="faulty")
        assert len(self.listed(2, "list_environments")) == 3
        faulty = self.call("get_environment", name="faulty")["environment"]
        assert faulty["deploymentStatus"] == "FAILED" and faulty["deploymentStatusMessage"], faulty
        shared = self.client.with_unknown_member("get_environment", name="shared")["environment"]
        assert shared["environmentAccountId"] == self.setting["other"]["account"], shared
        self.is_recent(shared["lastDeploymentSucceededAt"])
        outputs = values({"outputs": self.listed(2, "list_environment_outputs", environmentName="alpha")})
        assert outputs == {"Bucket": f"{self.prefix}-alpha", "Greeting": "hello"}, outputs
        [stack] = self.listed(1, "list_environment_provisioned_resources", environmentName="alpha")
        assert stack["name"].startswith("AWSProton-alpha-"), stack
        note("environments are deployed, one in another account, and one has failed")

    def repositories(self):
        repositories = [{"provider": GITHUB, "name": name} for name in ("team/infrastructure", "team/shop")]
        self.each("create_repository", *[{**one, "connectionArn": self.connection_arn} for one in repositories])
        assert len(self.listed(2, "list_repositories")) == 2
        self.call(
            "create_template_sync_config", templateName="network", templateType="ENVIRONMENT", branch="main",
            repositoryProvider=GITHUB, repositoryName="team/infrastructure", subdirectory="network",
        )
        followed = {"repositoryProvider": GITHUB, "repositoryName": "team/infrastructure"}
        [definition] = self.listed(1, "list_repository_sync_definitions", **followed, syncType="TEMPLATE_SYNC")
        assert definition["parent"] == "network" and definition["branch"] == "main", definition
        status = self.call("get_template_sync_status", templateName="network", templateType="ENVIRONMENT", templateVersion="1")
        assert status == {}, status
        self.refused("ConflictException", "delete_repository", provider=GITHUB, name="team/infrastructure")
        note("repositories are linked, and a template follows one")

    @property
    def connection_arn(self):
        return (
            f"arn:aws:codestar-connections:{self.setting['region']}:{self.setting['account']}"
            ":connection/2f7c1d8e-5a54-4c0b-9d63-0f6f5a3c9b11"
        )

    def services(self):
        template = {
            "templateName": "web", "templateMajorVersion": "1", "repositoryConnectionArn": self.connection_arn,
            "repositoryId": "team/shop", "branchName": "main",
        }
        spec = self.service_spec({}, dev={}, prod={})
        message = self.refused("ValidationException", "create_service", name="shop", **template, spec=spec)
        assert "Operation cannot be run until pipeline roles have been configured" in message, message
        self.call("update_account_settings", pipelineServiceRoleArn=self.role)
        self.call("create_service", name="shop", **template, spec=spec)
        self.call("create_service", name="sad", **template, spec=self.service_spec({}, dev={"broken": True}))
        self.wait("service_created", name="shop")
        self.wait_fails("service_created", name="sad")
        self.wait("service_pipeline_deployed", name="shop")
        self.wait("service_instance_deployed", self.instance("dev"), self.instance("prod"))
        assert len(self.listed(2, "list_services")) == 2
        instances = self.listed(3, "list_service_instances", sortBy="name", sortOrder="DESCENDING")
        assert [entry["name"] for entry in instances] == ["prod", "dev", "dev"], instances
        place = {"serviceName": "shop", "serviceInstanceName": "prod"}
        outputs = values({"outputs": self.listed(3, "list_service_instance_outputs", **place)})
        assert outputs["Bucket"] == f"{self.prefix}-shared-shop-prod", outputs
        self.listed(1, "list_service_instance_provisioned_resources", **place)
        outputs = values({"outputs": self.listed(2, "list_service_pipeline_outputs", serviceName="shop")})
        assert f"prod={self.prefix}-shared-shop-prod" in outputs["Instances"], outputs
        self.listed(1, "list_service_pipeline_provisioned_resources", serviceName="shop")
        service = self.call("get_service", name="shop")["service"]
        self.is_recent(service["createdAt"])
        self.call(
            "create_service_sync_config", serviceName="shop", repositoryProvider=GITHUB, repositoryName="team/shop",
            branch="main", filePath="ops/proton-ops.yaml",
        )
        note("a service with two instances and a pipeline is active, and one has failed")

    def components(self):
        manifest = (self.folder / "components/manifest.yaml").read_text()
        template, broken = [
            (self.folder / f"components/{name}.yaml").read_text() for name in ("cloudformation", "broken")
        ]
        place = {"serviceName": "shop", "serviceInstanceName": "dev"}
        files = {"manifest": manifest, "templateFile": template}
        made = [
            self.call("create_component", name="uploads", **place, **files, clientToken="uploads-once")["component"]
            for _ in range(2)
        ]
        assert made[0]["arn"] == made[1]["arn"], made
        self.call("create_component", name="spare", environmentName="alpha", **files)
        self.refused("ConflictException", "create_component", name="spare", environmentName="alpha", **files)
        greeting = {"greeting": "welcome"}
        self.call(
            "update_service_pipeline", serviceName="shop", deploymentType="CURRENT_VERSION",
            spec=self.service_spec(greeting, dev={}, prod={}),
        )
        self.wait("component_deployed", {"name": "uploads"}, {"name": "spare"})
        self.wait("service_pipeline_deployed", name="shop")
        self.wait("service_instance_deployed", serviceName="shop", name="dev")
        assert len(self.listed(2, "list_components", environmentName="alpha")) == 2
        bucket = f"{self.prefix}-alpha-uploads"
        outputs = values({"outputs": self.listed(2, "list_component_outputs", componentName="uploads")})
        assert outputs == {"Bucket": bucket, "Component": "uploads"}, outputs
        self.listed(1, "list_component_provisioned_resources", componentName="uploads")
        assert self.instance_outputs("dev")["OfComponent"] == bucket
        assert values(self.call("list_service_pipeline_outputs", serviceName="shop"))["Greeting"] == "welcome"
        note("a component is attached, and its instance was deployed again with it")

        # A change of each that works, or does not.
        spec = self.service_spec({**greeting, "broken": True}, dev={}, prod=greeting)
        self.call("update_component", name="spare", deploymentType="CURRENT_VERSION", templateFile=broken)
        self.call("update_service_pipeline", serviceName="shop", deploymentType="CURRENT_VERSION", spec=spec)
        self.call("update_service_instance", **self.instance("prod"), deploymentType="CURRENT_VERSION", spec=spec)
        self.call(
            "update_component", name="uploads", deploymentType="CURRENT_VERSION", serviceName="", serviceInstanceName=""
        )
        self.wait_fails("component_deployed", name="spare")
        self.wait_fails("service_pipeline_deployed", name="shop")
        self.wait("service_instance_deployed", **self.instance("prod"))
        self.wait("component_deployed", name="uploads")
        self.wait("service_instance_deployed", **self.instance("dev"))
        assert self.instance_outputs("prod")["Greeting"] == "welcome"
        assert self.instance_outputs("dev")["OfComponent"] == "none"

        spec = self.service_spec(greeting, dev={"broken": True}, prod=greeting)
        self.call("update_service_instance", **self.instance("dev"), deploymentType="CURRENT_VERSION", spec=spec)
        self.outside("PUT", bucket)
        self.call("delete_component", name="uploads")
        self.wait_fails("service_instance_deployed", **self.instance("dev"))
        self.wait_fails("component_deleted", name="uploads")
        self.outside("DELETE", bucket)
        self.each("delete_component", {"name": "uploads"}, {"name": "spare"})
        self.wait("component_deleted", {"name": "uploads"}, {"name": "spare"})
        note("components are detached and deleted, and each change that can't work has failed")

    @staticmethod
    def instance(name):
        return {"serviceName": "shop", "name": name}

    def instance_outputs(self, name):
        return values(self.call("list_service_instance_outputs", serviceName="shop", serviceInstanceName=name))

    def service_updates(self):
        # What has failed above is not in the service's spec.
        greeting = {"greeting": "welcome"}
        more = {"dev": {}, "prod": greeting, "extra": {}}
        self.call("update_service", name="shop", spec=self.service_spec(greeting, **more))
        self.wait("service_updated", name="shop")
        assert self.instance_outputs("extra")["Bucket"] == f"{self.prefix}-alpha-shop-extra"
        doomed = self.service_spec(greeting, **more, doomed={"broken": True})
        self.call("update_service", name="shop", spec=doomed)
        self.wait_fails("service_updated", name="shop")
        blockers = self.call("get_service_sync_blocker_summary", serviceName="shop", serviceInstanceName="extra")
        [blocker, *_] = blockers["serviceSyncBlockerSummary"]["latestBlockers"]
        assert blocker["status"] == "ACTIVE", blocker
        self.is_recent(blocker["createdAt"])
        resolved = self.call("update_service_sync_blocker", id=blocker["id"], resolvedReason="it is in Git now")
        assert resolved["serviceSyncBlocker"]["status"] == "RESOLVED", resolved
        note("the service has an instance more, and could not get another one")

    def history_and_tags(self):
        deployments = self.listed(5, "list_deployments", serviceName="shop")
        self.is_recent(deployments[0]["createdAt"])
        of_prod = next(deployment for deployment in deployments if deployment.get("serviceInstanceName") == "prod")
        one = self.call("get_deployment", id=of_prod["id"])["deployment"]
        assert set(one["targetState"]) == {"serviceInstance"}, one
        self.call("update_environment", name="alpha", deploymentType="CURRENT_VERSION",
                  spec=self.environment_spec("alpha", greeting="welcome"))
        self.wait("environment_deployed", name="alpha")
        assert values(self.call("list_environment_outputs", environmentName="alpha"))["Greeting"] == "welcome"
        counts = self.call("get_resources_summary")["counts"]
        assert counts["environments"]["total"] == 3 and counts["environments"]["failed"] == 1, counts
        network = self.arn("environment-template/network")
        self.call("tag_resource", resourceArn=network, tags=[{"key": "owner", "value": "me"}])
        self.call("untag_resource", resourceArn=network, tagKeys=["stage"])
        tags = {tag["key"]: tag["value"] for tag in self.listed(2, "list_tags_for_resource", resourceArn=network)}
        own = {key: value for key, value in tags.items() if not key.startswith("aws:")}
        assert own == {"team": "platform", "owner": "me"}, tags
        note("the history, the tags and the counts are right")

    def errors(self):
        self.refused("ResourceNotFoundException", "get_environment", name="nowhere")
        self.refused("ConflictException", "delete_environment_template", name="network")
        self.refused("ValidationException", "create_environment_template", name="not a name")

    def farewell(self):
        """Everything goes; what CloudFormation can't delete at first goes the second time."""
        self.call("delete_service_sync_config", serviceName="shop")
        bucket = f"{self.prefix}-shared-shop-prod"
        self.outside("PUT", bucket)
        self.each("delete_service", {"name": "sad"}, {"name": "shop"})
        self.wait("service_deleted", name="sad")
        self.wait_fails("service_deleted", name="shop")
        self.outside("DELETE", bucket)
        self.call("delete_service", name="shop")
        self.wait("service_deleted", name="shop")
        environments = ("alpha", "shared", "faulty")
        self.each("delete_environment", *[{"name": name} for name in environments])
        self.together(*[functools.partial(self.gone, "get_environment", name=name) for name in environments])
        connections = [{"id": id} for id in self.connection_ids.values()]
        self.each("delete_environment_account_connection", *connections, client=self.other)
        self.call("delete_template_sync_config", templateName="network", templateType="ENVIRONMENT")
        self.each("delete_repository", *[{"provider": GITHUB, "name": f"team/{name}"} for name in ("infrastructure", "shop")])
        for kind, name in (("service", "web"), ("environment", "network")):
            # The recommended version goes last.
            for template, minor in ((f"{name}-too", "0"), (name, "0"), (name, "1")):
                self.call(
                    f"delete_{kind}_template_version", templateName=template, majorVersion="1", minorVersion=minor
                )
            self.each(f"delete_{kind}_template", {"name": name}, {"name": f"{name}-too"})
        operations = ("list_services", "list_environments", "list_service_templates", "list_repositories")
        left = self.together(*[functools.partial(self.call, operation) for operation in operations])
        keys = [self.client.paginators[operation]["result_key"] for operation in operations]
        assert left == [{key: []} for key in keys], left
        note("everything is deleted")

    def gone(self, operation, **members):
        """There is no waiter for an environment that goes."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                self.call(operation, **members)
            except Refused as refusal:
                assert refusal.code == "ResourceNotFoundException", refusal
                return
            time.sleep(WAIT_SECONDS)
        raise AssertionError(f"{members} is still there")

    def nothing_was_left_out(self):
        for what, used, known in (
            ("paginators", self.paginated, set(self.client.paginators)),
            ("waiters", self.waited, self.client.waiters),
            ("waiters into their failure state", self.failed, self.client.waiters),
        ):
            assert known and used == known, f"{what} that the story leaves out: {known - used}, and knows: {used - known}"
            note(f"all {len(used)} {what} were used")

    def tell(self):
        self.identity_and_bundles()
        self.templates()
        self.connections()
        self.environments()
        self.repositories()
        self.services()
        self.components()
        self.service_updates()
        self.history_and_tags()
        self.errors()
        self.farewell()
        self.nothing_was_left_out()


if __name__ == "__main__":
    Story(sys.argv[1], json.loads(pathlib.Path(sys.argv[2]).read_text())).tell()
