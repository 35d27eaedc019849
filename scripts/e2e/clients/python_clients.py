"""The two Python clients behind one face: boto3, and the AWS CLI as a program of its own.

Both make one call (`call`), go through pages (`pages`), wait (`wait`), and tell what they have: `paginators`, `waiters`.
An error of the service is raised as `Refused`, once the client has mapped it to its own modelled exception.
"""

import datetime
import json
import os
import pathlib
import re
import subprocess
import sys

import boto3
import botocore.config
import botocore.exceptions
import botocore.session
from botocore import xform_name

WAIT_SECONDS = 0.2


class Refused(Exception):
    """What the service answered instead: a modelled error code, and a message."""

    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code, self.message = code, message


class WaitFailed(Exception):
    """A waiter has met a state from which what it waits for does not come."""


def paginator_models():
    """Of every operation with a paginator, by the name of the method: where the entries are, and the limit's name."""
    proton = boto3.client("proton")
    methods = [name for name in proton.meta.method_to_api_mapping if proton.can_paginate(name)]
    model = botocore.session.get_session().get_paginator_model("proton")
    return {method: model.get_paginator(proton.meta.method_to_api_mapping[method]) for method in methods}


class Boto3:
    """boto3 with nothing but the variables that every AWS client reads."""

    def __init__(self, credentials=None):
        named = credentials or {}
        self.proton = boto3.client(
            "proton", aws_access_key_id=named.get("accessKeyId"), aws_secret_access_key=named.get("secretAccessKey")
        )
        self.paginators = paginator_models()
        self.waiters = set(self.proton.waiter_names)

    def call(self, operation, **members):
        try:
            answer = getattr(self.proton, operation)(**members)
        except botocore.exceptions.ClientError as error:
            raise self.refused(error) from error
        answer.pop("ResponseMetadata")
        return answer

    def refused(self, error):
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        modelled = getattr(self.proton.exceptions, code)
        assert type(error) is modelled, f"{code} is no modelled exception of boto3: {type(error)}"
        return Refused(code, message)

    def pages(self, operation, **members):
        """The entries page by page, one on each where the operation takes a size."""
        paginator = self.proton.get_paginator(operation)
        size = {"PageSize": 1} if "limit_key" in self.paginators[operation] else {}
        key = self.paginators[operation]["result_key"]
        return [page.get(key, []) for page in paginator.paginate(**members, PaginationConfig=size)]

    def wait(self, waiter, **members):
        try:
            self.proton.get_waiter(waiter).wait(
                **members, WaiterConfig={"Delay": WAIT_SECONDS, "MaxAttempts": int(120 / WAIT_SECONDS)}
            )
        except botocore.exceptions.WaiterError as error:
            if "Max attempts exceeded" in str(error):
                raise
            raise WaitFailed(str(error)) from error

    def with_unknown_member(self, operation, **members):
        """The same call with a member in its body that no model has."""
        def add(params, **_):
            body = json.loads(params["body"])
            params["body"] = json.dumps({**body, "aMemberOfNoModel": {"a": [1]}}).encode()

        event = f"before-call.proton.{self.proton.meta.method_to_api_mapping[operation]}"
        self.proton.meta.events.register(event, add)
        try:
            return self.call(operation, **members)
        finally:
            self.proton.meta.events.unregister(event, add)

    @staticmethod
    def moment(value):
        assert isinstance(value, datetime.datetime), f"{value!r} is no date"
        return value.timestamp()

    # ---- its neighbours -------------------------------------------------------------------------

    def account(self):
        return boto3.client("sts").get_caller_identity()["Account"]

    def upload(self, bucket, files):
        # Path style: the name of a bucket is no host here.
        s3 = boto3.client("s3", config=botocore.config.Config(s3={"addressing_style": "path"}))
        region = s3.meta.region_name
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=bucket, **place)
        for file in files:
            s3.upload_file(str(file), bucket, file.name)
        listed = [page["Contents"] for page in s3.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, PaginationConfig={"PageSize": 1}
        )]
        assert [[entry["Key"] for entry in page] for page in listed] == [[name] for name in sorted(
            file.name for file in files
        )], listed


class AwsCli:
    """The AWS CLI, version 1; members go to it as JSON, as scripts with long specs do it."""

    def __init__(self, credentials=None):
        self.environment = dict(os.environ)
        if credentials:
            self.environment["AWS_ACCESS_KEY_ID"] = credentials["accessKeyId"]
            self.environment["AWS_SECRET_ACCESS_KEY"] = credentials["secretAccessKey"]
        self.paginators = paginator_models()
        self.waiters = {name.replace("-", "_") for name in self.choices("proton", "wait")}

    def choices(self, *words):
        """The commands that there are, from what the CLI says of one that there is not."""
        done = self.run(*words, "no-such-command")
        return re.findall(r"[a-z][a-z-]+", done.stderr.split("valid choices are:")[1].split("Invalid choice")[0])

    def run(self, *words):
        command = [pathlib.Path(sys.executable).parent / "aws", "--output", "json", *map(str, words)]
        return subprocess.run(command, capture_output=True, text=True, env=self.environment)

    def answer(self, *words):
        done = self.run(*words)
        if done.returncode == 0:
            return json.loads(done.stdout or "{}")
        if refusal := re.search(r"An error occurred \((\w+)\) when calling the \w+ operation.*?: (.*)", done.stderr, re.S):
            raise Refused(*refusal.groups())
        raise AssertionError(f"aws {' '.join(map(str, words))}: {done.stderr.strip()}")

    def call(self, operation, **members):
        whole = ["--no-paginate"] if operation in self.paginators else []
        return self.answer("proton", *self.command(operation, members), *whole)

    @staticmethod
    def command(operation, members):
        return [operation.replace("_", "-"), "--cli-input-json", json.dumps(members)]

    def pages(self, operation, **members):
        """The first entry, then all others from the token on: two commands, both with pages of one entry."""
        key = self.paginators[operation]["result_key"]
        command = ["proton", *self.command(operation, members)]
        if "limit_key" not in self.paginators[operation]:
            return [self.answer(*command).get(key, [])]
        command += ["--page-size", 1]
        first = self.answer(*command, "--max-items", 1)
        pages = [first.get(key, [])]
        if token := first.get("NextToken"):
            pages += [[entry] for entry in self.answer(*command, "--starting-token", token)[key]]
        return pages

    def wait(self, waiter, **members):
        # Waiters take flags only.
        flags = [word for name, value in members.items() for word in (f"--{xform_name(name, '-')}", value)]
        done = self.run("proton", "wait", waiter.replace("_", "-"), *flags)
        if done.returncode:
            assert "terminal failure state" in done.stderr, done.stderr
            raise WaitFailed(done.stderr.strip())

    def with_unknown_member(self, operation, **members):
        """The CLI itself refuses members that it does not know; what it sends is what boto3 sends."""
        return self.call(operation, **members)

    @staticmethod
    def moment(value):
        # A number as it came in the answer, which has no fraction in one of a thousand milliseconds.
        is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
        assert is_number, f"{value!r} is no moment as version 1 of the CLI shows it"
        return value

    # ---- its neighbours -------------------------------------------------------------------------

    def account(self):
        return self.answer("sts", "get-caller-identity")["Account"]

    def upload(self, bucket, files):
        self.run("s3", "mb", f"s3://{bucket}").check_returncode()
        folder = files[0].parent
        self.run("s3", "sync", "--only-show-errors", folder, f"s3://{bucket}").check_returncode()
        listed = self.answer("s3api", "list-objects-v2", "--bucket", bucket, "--page-size", 1)["Contents"]
        assert [entry["Key"] for entry in listed] == sorted(file.name for file in files), listed


CLIENTS = {"boto3": Boto3, "cli": AwsCli}
