"""The processes that an end-to-end test talks to: an AWS emulator, a PostgreSQL, and Protium itself.

Each is a context manager that starts its process on a free port of 127.0.0.1 and stops it at the end.
"""

import contextlib
import glob
import json
import os
import pathlib
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

PROJECT = pathlib.Path(__file__).resolve().parents[2]
START_SECONDS = 60


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for_line(path, prefix, process):
    """The first line of the file that begins so, once it is there; fails when the process has ended."""
    for _ in range(START_SECONDS * 20):
        text = path.read_text() if path.exists() else ""
        for line in text.splitlines():
            if line.startswith(prefix):
                return line
        if process.poll() is not None:
            break
        time.sleep(0.05)
    sys.exit(f"no line '{prefix}' in {path}; it says: {path.read_text()[-2000:]}")


class Emulator:
    """The AWS emulator, which can be frozen: then whoever calls it waits."""

    def __init__(self, folder):
        self.log = folder / "emulator.log"

    def __enter__(self):
        command = [sys.executable, PROJECT / "scripts/aws-emulator.py", "--parent-pid", str(os.getpid())]
        with open(self.log, "w") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.url = wait_for_line(self.log, "aws emulator listening on ", self.process).split()[-1]
        return self

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def __exit__(self, *_):
        self.thaw()
        self.process.terminate()
        self.process.wait()


class Postgres:
    """A throwaway cluster with a locale whose order differs from that of bytes, where there is one."""

    def __init__(self, folder):
        self.folder = folder / "postgres"

    def __enter__(self):
        self.folder.mkdir()
        self.port = free_port()
        # PostgreSQL refuses to run as root.
        self.user = pwd.getpwnam("postgres") if os.getuid() == 0 else None
        if self.user:
            os.chown(self.folder, self.user.pw_uid, self.user.pw_gid)
            for parent in self.folder.parents[:1]:
                parent.chmod(0o755)
        locale = ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"]
        self.run("initdb", "-D", self.folder / "data", "-E", "UTF8", "-U", "protium", "-A", "trust", *locale)
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.folder}"
        self.run("pg_ctl", "-D", self.folder / "data", "-l", self.folder / "log", "-w", "-o", options, "start")
        self.run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "protium", "protium")
        self.url = f"postgres://protium@127.0.0.1:{self.port}/protium"
        return self

    def run(self, program, *arguments):
        # Debian's own folder first: a program of the same name elsewhere may belong to another version.
        found = sorted(glob.glob(f"/usr/lib/postgresql/*/bin/{program}"))
        path = found[-1] if found else shutil.which(program)
        if not path:
            sys.exit(f"{program} of PostgreSQL is not installed")
        become = {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []} if self.user else {}
        done = subprocess.run([path, *map(str, arguments)], capture_output=True, text=True, cwd=self.folder, **become)
        if done.returncode:
            sys.exit(f"{program} failed: {done.stdout}{done.stderr}")
        return done.stdout

    def __exit__(self, *_):
        self.run("pg_ctl", "-D", self.folder / "data", "-m", "immediate", "stop")


@contextlib.contextmanager
def database(kind, folder):
    """The URL of a database of that kind; none for SQLite, which is in the server's own folder."""
    if kind == "sqlite":
        yield None
        return
    with Postgres(folder) as postgres:
        yield postgres.url


class Protium:
    """The server. It can be killed and started again, on the same port and with the same data."""

    def __init__(self, program, folder, emulator, database_url, account, *more):
        self.folder, self.data = folder, folder / "data"
        self.port = free_port()
        self.command = [program, "serve", "--listen", f"127.0.0.1:{self.port}", "--data-dir", self.data]
        self.command += ["--aws-endpoint-url", emulator.url, "--account-id", account]
        if database_url:
            self.command += ["--database-url", database_url]
        self.command += more
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self):
        self.start()
        return self

    def start(self):
        out = self.folder / "protium.out"
        outbound = {"AWS_ACCESS_KEY_ID": "emulator", "AWS_SECRET_ACCESS_KEY": "emulator"}
        with open(out, "w") as stdout, open(self.folder / "protium.log", "a") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=log, env={**os.environ, **outbound}
            )
        wait_for_line(out, "protium listening on ", self.process)

    def kill(self):
        """kill -9, and start again."""
        self.process.kill()
        self.process.wait()
        self.start()

    def make_account(self, account):
        """Makes another account on this server; the key of its root user."""
        root = {
            "AWS_ENDPOINT_URL": self.url, "AWS_REGION": "us-east-1",
            "AWS_SHARED_CREDENTIALS_FILE": str(self.data / "credentials"),
        }
        command = [self.command[0], "admin", "account", "create", "--id", account]
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **root})
        if done.returncode:
            sys.exit(f"protium admin account create failed: {done.stderr}")
        return json.loads(done.stdout)

    def __exit__(self, kind, *_):
        self.process.terminate()
        status = self.process.wait(30)
        if kind is None and status != 0:
            sys.exit(f"protium ended with {status} after SIGTERM")
        if kind is not None:
            print((self.folder / "protium.log").read_text()[-3000:], file=sys.stderr)
