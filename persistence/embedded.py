"""An embedded PostgreSQL 18 under a small supervisor: one data directory, one server, no orphans.

One process owns the data directory: it holds the lock, runs the server and stops it on exit. Others connect to that
server for as long as it runs. A server that ends by itself is started again, on its port. When the owner ends, even on
`kill -9`, the kernel frees the lock and interrupts the server (on macOS it only frees the lock).
"""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import chain, repeat
from pathlib import Path
from urllib.parse import quote

from persistence.embedded_cluster import DATABASE, USER, Cluster, environment, program
from persistence.embedded_identity import ELSEWHERE, EmbeddedUnavailable, Identity, identity_for

__all__ = ["EmbeddedServer", "EmbeddedUnavailable", "embedded_server"]

HOST = "127.0.0.1"
WAIT_SECONDS_MAX = 30  # for another process: an owner that is starting, an orphan that is shutting down
START_SECONDS_MAX = 300  # recovery after a crash may replay max_wal_size
STOP_SECONDS_MAX = 30
POLL_SECONDS = 0.01
KEEP_SECONDS = 0.2  # how late it is noticed that the server has ended
RESTART_SECONDS = (0.0, 0.5, 1.0, 2.0, 5.0)  # between attempts to start it again; the last one for ever

# On the command line, where they win over files: for a small machine, and safe.
SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",  # a socket's path has 108 bytes at most, a data directory's may have more
    "fsync": "on",
    "full_page_writes": "on",
    "synchronous_commit": "on",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_completion_target": "0.9",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}

# What PostgreSQL says when another attempt may do better: the port was taken, or a former server is not quite gone.
PASSING = ("Address already in use", 'lock file "postmaster.pid"', "pre-existing shared memory block")


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddedServer:
    """Where the embedded PostgreSQL listens, and whether this process owns it."""

    port: int
    password: str = field(repr=False)
    owned: bool
    host: str = HOST
    user: str = USER
    database: str = DATABASE

    @property
    def url(self) -> str:
        """The address of the database `dibs`."""
        return self.url_for(self.database)

    def url_for(self, database: str) -> str:
        """The address of another database of the same server."""
        user, password, name = (quote(part, safe="") for part in (self.user, self.password, database))
        return f"postgresql://{user}:{password}@{self.host}:{self.port}/{name}"


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


@contextmanager
def embedded_server(data: Path, *, say: Callable[[str], None] = _to_stderr) -> Iterator[EmbeddedServer]:
    """Own the server of `data`, or connect to the one that another process owns.

    Leaving stops the server if this process owns it, whoever else is connected. Call it from the main thread: the
    server lives no longer than the thread that started it. Raises EmbeddedUnavailable.
    """
    if threading.current_thread() is not threading.main_thread():
        raise RuntimeError("start the embedded PostgreSQL from the main thread: it ends with the thread that starts it")
    cluster = Cluster(data.resolve())
    with ExitStack() as cleanup:
        try:
            server = _own_or_join(cluster, cleanup, say)
        except OSError as error:
            raise EmbeddedUnavailable(
                f"The embedded PostgreSQL cannot use {cluster.data}: {error}. {ELSEWHERE}"
            ) from error
        yield server


def _own_or_join(cluster: Cluster, cleanup: ExitStack, say: Callable[[str], None]) -> EmbeddedServer:
    cluster.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(cluster.lock, os.O_RDWR | os.O_CREAT, 0o600)
    cleanup.callback(os.close, lock)
    if port := _port_of_another(cluster, lock):
        say(f"Connected to the PostgreSQL that process {_owner(lock)} runs on port {port}; it stops with that process.")
        return EmbeddedServer(port=port, password=cluster.password(), owned=False)
    cleanup.callback(fcntl.flock, lock, fcntl.LOCK_UN)  # closing is not enough where a forked child has a copy
    os.truncate(lock, 0)
    os.pwrite(lock, b"%d" % os.getpid(), 0)
    cluster.rotate_log()
    _succeed(cluster, say)
    identity = identity_for(cluster.data, cluster.home, program("postgres"))
    if identity.explanation:
        say(identity.explanation)
    if not cluster.exists():
        say(f"Creating a PostgreSQL cluster in {cluster.home}.")
    cluster.prepare(identity)
    port = _start(cluster, identity, cleanup, say)
    say(f"PostgreSQL 18 is ready on {HOST}, port {port}; its data is in {cluster.data}.")
    return EmbeddedServer(port=port, password=cluster.password(), owned=True)


def _port_of_another(cluster: Cluster, lock: int) -> int | None:
    """The port of the server whose owner holds the lock; None once the lock is ours."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return None
        server = cluster.postmaster()
        if server and server.port and server.ready and cluster.is_served_by(server.pid):
            return server.port
        if time.monotonic() > deadline:
            raise EmbeddedUnavailable(
                f"Process {_owner(lock)} holds {cluster.data}, but no PostgreSQL that this process can reach was ready "
                f"in {WAIT_SECONDS_MAX} s. Stop that process, or let it finish starting. {ELSEWHERE}"
            )
        time.sleep(POLL_SECONDS)


def _owner(lock: int) -> str:
    return os.pread(lock, 20, 0).decode(errors="replace") or "(unknown)"


def _succeed(cluster: Cluster, say: Callable[[str], None]) -> None:
    """Wait for the server of a former owner to finish shutting down, then free its pid file."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    waiting = False
    while (server := cluster.postmaster()) and cluster.is_served_by(server.pid):
        if not waiting:
            say(f"Waiting for the PostgreSQL of a former run (process {server.pid}) to shut down.")
            waiting = True
        if time.monotonic() > deadline:
            raise EmbeddedUnavailable(
                f"PostgreSQL (process {server.pid}) still runs on {cluster.home} although no Dibs owns it, and did not "
                f"end in {WAIT_SECONDS_MAX} s. Stop it with `kill -INT {server.pid}`. {ELSEWHERE}"
            )
        time.sleep(POLL_SECONDS)
    cluster.disown_pid_file()


def _start(cluster: Cluster, identity: Identity, cleanup: ExitStack, say: Callable[[str], None]) -> int:
    """Start the server on a free port and return that port; the server stops when `cleanup` does."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        said = cluster.log.stat().st_size if cluster.log.exists() else 0
        port = _free_port()
        process = _launch(cluster, identity, port)
        try:
            ready = _wait_until_ready(cluster, process)
        except BaseException:
            _stop(process, say)
            raise
        if ready:
            keeper = _Keeper(cluster, identity, port, process, say)
            keeper.start()
            cleanup.callback(keeper.stop)
            return port
        complaint = cluster.log_excerpt(said)
        if time.monotonic() > deadline or not any(words in complaint for words in PASSING):
            raise EmbeddedUnavailable(f"PostgreSQL did not start on {cluster.home}.\n{complaint}")
        time.sleep(POLL_SECONDS)
        _succeed(cluster, say)


class _Keeper(threading.Thread):
    """Starts the server again whenever it ends by itself, until it is to end; others find it where it was.

    The kernel interrupts a server when the thread that started it ends: this one ends after its server.
    """

    def __init__(
        self,
        cluster: Cluster,
        identity: Identity,
        port: int,
        process: subprocess.Popen[bytes],
        say: Callable[[str], None],
    ) -> None:
        super().__init__(name="embedded PostgreSQL", daemon=True)
        self._cluster, self._identity, self._port, self._process = cluster, identity, port, process
        self._say = say
        self._launching = threading.Lock()
        self._stopping = threading.Event()

    def stop(self) -> None:
        self._stopping.set()
        with self._launching:
            _stop(self._process, self._say)
        self.join()

    def run(self) -> None:
        while not self._stopping.wait(KEEP_SECONDS):
            if self._process.poll() is not None:
                self._say(f"PostgreSQL has ended by itself, with exit code {self._process.returncode}; starting it.")
                self._revive()

    def _revive(self) -> None:
        for pause in chain(RESTART_SECONDS, repeat(RESTART_SECONDS[-1])):
            if self._stopping.wait(pause):
                return
            said = self._cluster.log.stat().st_size
            try:
                if self._relaunch():
                    self._say("PostgreSQL is ready again.")
                    return
                complaint = self._cluster.log_excerpt(said)
            except (EmbeddedUnavailable, OSError) as error:
                complaint = str(error)
            if not self._stopping.is_set():
                self._say(f"PostgreSQL does not start; trying again.\n{complaint}")

    def _relaunch(self) -> bool:
        """Whether it became ready. Raises EmbeddedUnavailable, OSError."""
        _succeed(self._cluster, self._say)
        with self._launching:
            if self._stopping.is_set():
                return False
            self._process = _launch(self._cluster, self._identity, self._port)
        return _wait_until_ready(self._cluster, self._process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _launch(cluster: Cluster, identity: Identity, port: int) -> subprocess.Popen[bytes]:
    settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
    command = identity.command(program("postgres"), "-D", cluster.home, "-p", str(port), *settings)
    with cluster.logging() as log:
        return subprocess.Popen(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment(),
            cwd="/",
            start_new_session=True,  # Ctrl-C is for us: we stop the server when its clients have gone
        )


def _wait_until_ready(cluster: Cluster, process: subprocess.Popen[bytes]) -> bool:
    """Whether the server became ready; False when it ended instead."""
    deadline = time.monotonic() + START_SECONDS_MAX
    while process.poll() is None:
        server = cluster.postmaster()
        if server and server.pid == process.pid and server.ready:
            return True
        if time.monotonic() > deadline:
            raise EmbeddedUnavailable(
                f"PostgreSQL was not ready in {START_SECONDS_MAX} s on {cluster.home}.\n{cluster.log_excerpt()}"
            )
        time.sleep(POLL_SECONDS)
    return False


def _stop(process: subprocess.Popen[bytes], say: Callable[[str], None]) -> None:
    """Shut down fast, then at once; never with SIGKILL, after which backends may go on writing."""
    if process.poll() is not None:
        say(f"PostgreSQL had already ended, with exit code {process.returncode}.")
        return
    for impatience in (signal.SIGINT, signal.SIGQUIT):
        process.send_signal(impatience)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS_MAX)
            return
    say(f"PostgreSQL (process {process.pid}) has not ended; the kernel will interrupt it again when this process ends.")
