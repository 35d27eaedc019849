"""Temporary credentials: the AWS CLI and boto3 find them by themselves, from the token of an identity provider, which is
this process, and from a user's key. Run it through sessions.sh.
"""

import argparse
import contextlib
import http.server
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import boto3
import botocore.exceptions
from joserfc import jwt
from joserfc.jwk import ECKey

from servers import Emulator, Protium, database

ACCOUNT = "111111111111"
SUBJECT = "repo:octo/shop:ref:refs/heads/main"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/ci"
AWS = pathlib.Path(sys.executable).with_name("aws")


@contextlib.contextmanager
def environment(**variables):
    """This process's environment, with these variables."""
    before = dict(os.environ)
    os.environ.update(variables)
    yield
    os.environ.clear()
    os.environ.update(before)


class Issuer:
    """An identity provider on this machine."""

    def __init__(self):
        self.key = ECKey.generate_key("P-256", {"kid": "one", "alg": "ES256", "use": "sig"})

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(handler):
                answers = {
                    "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
                    "/keys": {"keys": [self.key.as_dict(private=False)]},
                }
                answer = answers.get(handler.path)
                handler.send_response(200 if answer else 404)
                handler.end_headers()
                handler.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.host}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def token(self, **claims):
        now = int(time.time())
        good = {"iss": self.url, "sub": SUBJECT, "aud": "protium", "iat": now, "exp": now + 600, "jti": str(now)}
        return jwt.encode({"alg": "ES256", "kid": "one"}, {**good, **claims}, self.key)


class Story:
    def __init__(self, program, server, issuer, folder):
        self.program, self.server, self.issuer, self.folder = program, server, issuer, folder
        self.token_file = folder / "token"

    def run(self, command, variables, fails=False):
        # The CLI keeps what it is given in the home folder.
        env = {**os.environ, "HOME": str(self.folder), "AWS_ENDPOINT_URL": self.server.url, **variables}
        env = {name: value for name, value in env.items() if value is not None}
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, env=env)
        assert (done.returncode != 0) == fails, f"{command}: {done.stdout}{done.stderr}"
        return done.stderr if fails else json.loads(done.stdout or "null")

    def admin(self, *words):
        return self.run([self.program, "admin", *words], {"AWS_SHARED_CREDENTIALS_FILE": self.server.data / "credentials"})

    def aws(self, *words, fails=False, **variables):
        return self.run([AWS, "--output", "json", *words], variables, fails)

    def prepare(self):
        """A role, and an issuer whose tokens may assume it. It holds no policies: its sessions may say who they are."""
        self.admin("oidc-provider", "create", self.issuer.url, "--client-id", "protium")
        federated = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{self.issuer.host}"
        trust = {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity", "Principal": {"Federated": federated},
             "Condition": {"StringEquals": {f"{self.issuer.host}:sub": SUBJECT, f"{self.issuer.host}:aud": "protium"}}},
            {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
             "Condition": {"StringEquals": {"sts:ExternalId": "shop"}}},
        ]}
        path = self.folder / "trust.json"
        path.write_text(json.dumps(trust))
        made = self.admin("role", "create", "ci", "--trust-policy", f"file://{path}", "--max-session-duration", "7200")
        assert made["role"]["arn"] == ROLE, made
        self.web = {
            "AWS_ROLE_ARN": ROLE, "AWS_ROLE_SESSION_NAME": "run-7", "AWS_WEB_IDENTITY_TOKEN_FILE": str(self.token_file),
        }

    def by_hand(self):
        given = ["--role-arn", ROLE, "--role-session-name", "by-hand", "--web-identity-token", self.issuer.token()]
        answer = self.aws("sts", "assume-role-with-web-identity", *given, "--duration-seconds", "900")
        assert answer["AssumedRoleUser"]["Arn"] == self.session("by-hand"), answer
        assert answer["SubjectFromWebIdentityToken"] == SUBJECT and answer["Audience"] == "protium", answer
        key = answer["Credentials"]
        session = {
            "AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
            "AWS_SESSION_TOKEN": key["SessionToken"],
        }
        self.is_known(session, "by-hand")
        told = self.aws("sts", "get-caller-identity", fails=True, **{**session, "AWS_SESSION_TOKEN": "x"})
        assert "(InvalidClientTokenId)" in told, told
        told = self.aws("sts", "assume-role", "--role-arn", ROLE, "--role-session-name", "again", fails=True, **session)
        assert "(AccessDenied)" in told and "is not authorized to perform: sts:AssumeRole" in told, told

    def by_themselves(self):
        self.token_file.write_text(self.issuer.token())
        self.is_known(self.web, "run-7")
        with environment(AWS_ENDPOINT_URL=self.server.url, **self.web):
            client = boto3.Session().client("proton", region_name="us-east-1")
            try:
                client.get_environment(name="prod")
                raise AssertionError("a role without policies has read an environment")
            except botocore.exceptions.ClientError as error:
                assert error.response["Error"]["Code"] == "AccessDeniedException", error
                assert f"User: {self.session('run-7')} is not authorized" in str(error), error

    def is_known(self, variables, name):
        assert self.aws("sts", "get-caller-identity", **variables)["Arn"] == self.session(name)

    def by_a_user(self):
        """A profile of the CLI and the SDKs: a user's key, the role, and where both are asked for."""
        self.admin("user", "create", "ada")
        key = self.admin("key", "create", "--user", "ada")
        config = self.folder / "config"
        config.write_text(
            f"[profile ada]\naws_access_key_id = {key['AccessKeyId']}\n"
            f"aws_secret_access_key = {key['SecretAccessKey']}\n"
            f"[profile ci]\nsource_profile = ada\nrole_arn = {ROLE}\nrole_session_name = ada\nexternal_id = shop\n"
            f"endpoint_url = {self.server.url}\n"
        )
        files = {"AWS_CONFIG_FILE": str(config), "AWS_PROFILE": "ci"}
        profile = {**files, "AWS_ENDPOINT_URL": None}
        told = self.aws("sts", "get-caller-identity", fails=True, **profile)
        assert f"User: arn:aws:iam::{ACCOUNT}:user/ada is not authorized to perform: sts:AssumeRole" in told, told
        allowed = {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": ROLE}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        self.admin("policy", "put", "--user", "ada", "--name", "assume", "--document", policy)
        self.is_known(profile, "ada")
        with environment(**files):
            client = boto3.Session(profile_name="ci").client("sts", region_name="us-east-1")
            assert client.get_caller_identity()["Arn"] == self.session("ada")
        config.write_text(config.read_text().replace("external_id = shop", "external_id = other"))
        told = self.aws("sts", "get-caller-identity", fails=True, **profile)
        assert "(AccessDenied)" in told, told

    def refused(self):
        now = int(time.time())
        for claims, code in [
            ({"exp": now - 120}, "ExpiredTokenException"),
            ({"aud": "others"}, "InvalidIdentityToken"),
            ({"iss": "https://issuer.example.com"}, "InvalidIdentityToken"),
            ({"sub": "repo:octo/other"}, "AccessDenied"),
        ]:
            self.token_file.write_text(self.issuer.token(**claims))
            # Under another name: what the CLI has kept of a session is for its own.
            web = {**self.web, "AWS_ROLE_SESSION_NAME": code}
            told = self.aws("sts", "get-caller-identity", fails=True, **web)
            assert f"({code})" in told, told

    def session(self, name):
        return f"arn:aws:sts::{ACCOUNT}:assumed-role/ci/{name}"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--database", choices=["sqlite", "postgres"], required=True)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        with (
            Emulator(folder) as emulator,
            database(asked.database, folder) as url,
            Protium(asked.program, folder, emulator, url, ACCOUNT) as server,
            Issuer() as issuer,
        ):
            story = Story(asked.program, server, issuer, folder)
            story.prepare()
            story.by_hand()
            story.by_themselves()
            story.by_a_user()
            story.refused()


if __name__ == "__main__":
    main()
