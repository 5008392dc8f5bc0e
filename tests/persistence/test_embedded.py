"""The embedded PostgreSQL: one owner, one server, no orphans. The processes here are real."""

import asyncio
import fcntl
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import psutil
import pytest

from persistence import embedded
from persistence.embedded import EmbeddedServer, EmbeddedUnavailable, embedded_server
from persistence.embedded_cluster import Cluster, Postmaster, program

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a server with its parent")
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")

SECONDS_MAX = 20
HOLDER = """
import signal, sys
from pathlib import Path
from persistence.embedded import embedded_server
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
with embedded_server(Path(sys.argv[1])) as server:
    print(int(server.owned), server.port, flush=True)
    sys.stdin.read()
"""


class Holder:
    """Another process that stays in `embedded_server` until its standard input ends."""

    def __init__(self, data: Path, path: str = os.environ["PATH"]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env=os.environ | {"PATH": path},
        )

    def answer(self) -> tuple[bool, int]:
        """Whether it owns the server, and the port."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        words = self.process.stdout.readline().split()
        assert words, self.process.stderr.read()
        return words[0] == "1", int(words[1])

    def hear(self, words: str) -> str:
        """The first line it says that contains `words`."""
        assert self.process.stderr is not None
        return next(line for line in self.process.stderr if words in line)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(SECONDS_MAX)

    def leave(self) -> tuple[int, str]:
        """The exit code, and what it said on the way."""
        _, said = self.process.communicate(timeout=SECONDS_MAX)
        return self.process.returncode, said


@pytest.fixture
def hold() -> Iterator[Callable[..., Holder]]:
    holders: list[Holder] = []

    def start(data: Path, **options: str) -> Holder:
        holders.append(Holder(data, **options))
        return holders[-1]

    yield start
    for holder in holders:
        with suppress(ValueError):  # it has left already
            holder.leave()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory with a cluster that no server uses, before and after each test."""
    data = tmp_path_factory.mktemp("made") / ".dibs"
    with embedded_server(data, say=quiet):
        pass
    yield data
    shutil.rmtree(data)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Path]:
    """A data directory that does not exist yet."""
    yield tmp_path / ".dibs"
    shutil.rmtree(tmp_path / ".dibs", ignore_errors=True)  # 46 MB


def quiet(_: str) -> None:
    pass


def ask(server: EmbeddedServer, sql: str) -> object:
    async def fetch() -> object:
        connection = await asyncpg.connect(server.url)
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def postmaster(data: Path) -> Postmaster:
    server = Cluster(data).postmaster()
    assert server is not None
    return server


def wait_for_the_end_of(pid: int) -> None:
    """Return as soon as the process ends, although nobody may have reaped it yet."""
    with suppress(ProcessLookupError):
        process = os.pidfd_open(pid)
        try:
            assert select.select([process], [], [], SECONDS_MAX)[0], f"process {pid} has not ended"
        finally:
            os.close(process)


def runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


def leave_pid_file(data: Path, pid: int) -> None:
    (data / "postgres" / "postmaster.pid").write_text(
        f"{pid}\n{data}/postgres\n1700000000\n5432\n\n127.0.0.1\n1 1\nready\n"
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_first_process_owns_the_server_and_stops_it_on_exit(data: Path) -> None:
    said: list[str] = []
    with embedded_server(data, say=said.append) as server:
        assert server.owned
        assert server.url == f"postgresql://dibs:{server.password}@127.0.0.1:{server.port}/dibs"
        assert server.url_for("a b").endswith(f":{server.port}/a%20b")
        assert server.password not in repr(server)
        assert ask(server, "SELECT current_user || '@' || current_database()") == "dibs@dibs"
        pid = postmaster(data).pid
        assert os.getsid(pid) != os.getsid(0)

    assert not runs(pid)
    assert "ready on 127.0.0.1" in said[-1]


def test_the_server_is_durable_and_listens_on_loopback_only(data: Path) -> None:
    wanted = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "wal_level": "replica",
        "data_checksums": "on",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "jit": "off",
    }
    with embedded_server(data, say=quiet) as server:
        assert {name: ask(server, f"SHOW {name}") for name in wanted} == wanted
        assert str(ask(server, "SHOW server_version")).startswith("18.")
        assert ask(server, "SELECT datlocale FROM pg_database WHERE datname = 'dibs'") == "C.UTF-8"
        assert ask(server, "SELECT bool_and(auth_method = 'scram-sha-256') FROM pg_hba_file_rules") is True


def test_the_data_directory_is_private_and_nothing_outside_it_changes(fresh: Path) -> None:
    fresh.parent.chmod(0o750)
    outside = [*fresh.parents, *program("postgres").parents, program("postgres")]
    before = [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in outside]

    with embedded_server(fresh, say=quiet):
        modes = {path.name: mode(path) for path in fresh.iterdir()}

    assert mode(fresh) == 0o700
    assert modes == {"lock": 0o600, "password": 0o600, "postgres": 0o700, "postgres.log": 0o600}
    assert [(path.stat().st_mode, path.stat().st_uid, path.stat().st_gid) for path in outside] == before


def test_a_second_process_connects_to_the_running_server(data: Path, hold: Callable[..., Holder]) -> None:
    owned, port = hold(data).answer()
    with embedded_server(data, say=quiet) as server:
        assert (owned, server.owned, server.port) == (True, False, port)
        assert ask(server, "SELECT 1") == 1

    assert runs(postmaster(data).pid)


def test_the_server_stops_with_its_owner_although_others_are_connected(data: Path, hold: Callable[..., Holder]) -> None:
    owner = hold(data)
    owner.answer()
    guest = hold(data)
    assert not guest.answer()[0]
    pid = postmaster(data).pid

    assert owner.leave()[0] == 0

    assert not runs(pid)
    assert guest.leave()[0] == 0


def test_of_two_processes_that_start_at_once_one_owns_and_both_connect(
    fresh: Path, hold: Callable[..., Holder]
) -> None:
    answers = [holder.answer() for holder in [hold(fresh), hold(fresh)]]

    assert sorted(owned for owned, _ in answers) == [False, True]
    assert len({port for _, port in answers}) == 1


def test_sigterm_stops_the_server_cleanly(data: Path, hold: Callable[..., Holder]) -> None:
    owner = hold(data)
    owner.answer()
    pid = postmaster(data).pid

    owner.process.terminate()

    assert owner.leave()[0] == 0
    assert not runs(pid)
    assert "database system is shut down" in (data / "postgres.log").read_text()


def test_the_server_ends_with_an_owner_that_is_killed_and_the_next_start_keeps_the_data(
    data: Path, hold: Callable[..., Holder]
) -> None:
    owner = hold(data)
    owner.answer()
    with embedded_server(data, say=quiet) as guest:
        ask(guest, "CREATE TABLE promise AS SELECT 7 AS units")
    pid = postmaster(data).pid

    owner.kill()
    wait_for_the_end_of(pid)

    with embedded_server(data, say=quiet) as server:
        assert server.owned
        assert ask(server, "SELECT units FROM promise") == 7


def test_a_server_that_is_killed_is_started_again_on_its_port_and_has_its_data(data: Path) -> None:
    said: list[str] = []
    with embedded_server(data, say=said.append) as server:
        ask(server, "CREATE TABLE IF NOT EXISTS kept AS SELECT 1 AS one")
        for _ in range(2):
            killed = postmaster(data).pid
            os.kill(killed, signal.SIGKILL)
            wait_for_the_end_of(killed)
            assert ask_again(server, "SELECT one FROM kept") == 1
        ask(server, "DROP TABLE kept")
        last = postmaster(data).pid
    assert not runs(last)
    assert said.count("PostgreSQL is ready again.") == 2


def ask_again(server: EmbeddedServer, sql: str) -> object:
    """Until it is there."""
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        with suppress(OSError, asyncpg.CannotConnectNowError):
            return ask(server, sql)
        time.sleep(0.01)
    raise AssertionError("it is not started again")


def test_a_server_that_cannot_be_started_again_is_tried_until_it_is_to_end(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "RESTART_SECONDS", (0.0, 0.05))
    said: list[str] = []
    with embedded_server(data, say=said.append):
        monkeypatch.setitem(embedded.SETTINGS, "shared_buffers", "nonsense")
        os.kill(postmaster(data).pid, signal.SIGKILL)
        deadline = time.monotonic() + SECONDS_MAX
        while sum("shared_buffers" in line for line in said) < 3:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    monkeypatch.undo()
    with embedded_server(data, say=quiet) as server:
        assert ask(server, "SELECT 1") == 1


def test_a_start_waits_for_an_orphan_that_is_still_shutting_down(data: Path, hold: Callable[..., Holder]) -> None:
    owner = hold(data)
    owner.answer()
    orphan = postmaster(data).pid
    os.kill(orphan, signal.SIGSTOP)
    owner.kill()

    successor = hold(data)
    assert str(orphan) in successor.hear("Waiting")
    os.kill(orphan, signal.SIGCONT)

    assert successor.answer()[0]
    assert not runs(orphan)


def test_a_start_refuses_when_an_orphan_does_not_end(
    data: Path, hold: Callable[..., Holder], monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = hold(data)
    owner.answer()
    orphan = postmaster(data).pid
    os.kill(orphan, signal.SIGSTOP)
    owner.kill()
    monkeypatch.setattr(embedded, "WAIT_SECONDS_MAX", 0.1)
    try:
        with (
            pytest.raises(EmbeddedUnavailable, match=rf"kill -INT {orphan}.*--data.*DIBS_DATABASE_URL"),
            embedded_server(data, say=quiet),
        ):
            pass
    finally:
        os.kill(orphan, signal.SIGCONT)
        wait_for_the_end_of(orphan)


@pytest.mark.parametrize("moment", ["postgres.new-*/cluster/global/pg_control", "postgres"])
def test_a_first_start_that_is_killed_halfway_is_repaired(
    fresh: Path, hold: Callable[..., Holder], moment: str
) -> None:
    owner = hold(fresh)
    while not list(fresh.glob(moment)):
        assert owner.process.poll() is None
    owner.kill()

    with embedded_server(fresh, say=quiet) as server:
        assert ask(server, "SELECT 1") == 1
    assert not list(fresh.glob("postgres.new-*"))


def test_the_pid_file_of_a_stranger_is_removed_and_the_stranger_left_alone(data: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        leave_pid_file(data, stranger.pid)

        with embedded_server(data, say=quiet) as server:
            assert server.owned
            assert postmaster(data).pid != stranger.pid

        assert stranger.poll() is None
        stranger.terminate()


def test_the_pid_file_of_a_zombie_is_removed(data: Path) -> None:
    with subprocess.Popen(["true"]) as zombie:
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        leave_pid_file(data, zombie.pid)

        with embedded_server(data, say=quiet) as server:
            assert server.owned


@pytest.mark.parametrize("text", ["", "nonsense\n"])
def test_a_pid_file_without_sense_is_removed(data: Path, text: str) -> None:
    (data / "postgres" / "postmaster.pid").write_text(text)
    os.utime(data / "postgres" / "postmaster.pid", (0, 0))

    with embedded_server(data, say=quiet) as server:
        assert server.owned


def test_the_pid_file_of_a_crashed_server_does_not_hide_backends_that_still_run(data: Path) -> None:
    with embedded_server(data, say=quiet):
        crashed = psutil.Process(postmaster(data).pid)
        backends = crashed.children()
        for backend in backends:
            backend.suspend()
        crashed.kill()
        wait_for_the_end_of(crashed.pid)
    resume = threading.Timer(0.5, lambda: [backend.resume() for backend in backends])
    resume.start()

    with embedded_server(data, say=quiet) as server:
        assert server.owned
        assert not any(runs(backend.pid) for backend in backends)
    assert "pre-existing shared memory block" in (data / "postgres.log").read_text()
    resume.join()


def test_a_data_path_may_be_long_and_have_spaces_and_accents(fresh: Path) -> None:
    data = fresh / ("a long name with spaces, 'quotes' and accents é " * 4) / ".dibs"
    assert len(str(data.relative_to(fresh))) > 150

    with embedded_server(data, say=quiet) as server:
        assert ask(server, "SELECT 1") == 1


def test_a_thread_other_than_the_main_one_may_not_start_it(tmp_path: Path) -> None:
    refused: list[RuntimeError] = []

    def start() -> None:
        try:
            with embedded_server(tmp_path / ".dibs", say=quiet):
                pass
        except RuntimeError as error:
            refused.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()

    assert "main thread" in str(refused[0])
    assert not (tmp_path / ".dibs").exists()


def test_a_port_that_is_taken_meanwhile_is_exchanged_for_another(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free_port = embedded._free_port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [taken.getsockname()[1], free_port()]
        monkeypatch.setattr(embedded, "_free_port", lambda: ports.pop(0))

        with embedded_server(data, say=quiet) as server:
            assert ask(server, "SELECT 1") == 1
    assert ports == []


def test_a_lost_password_is_replaced(data: Path) -> None:
    lost = (data / "password").read_text()
    (data / "password").unlink()

    with embedded_server(data, say=quiet) as server:
        assert server.password != lost
        assert ask(server, "SELECT 1") == 1


def test_a_refusal_names_the_process_that_holds_the_data_and_the_ways_out(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "WAIT_SECONDS_MAX", 0.1)
    with (data / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write("4242")
        lock.flush()

        with (
            pytest.raises(EmbeddedUnavailable, match=r"Process 4242 holds .*--data.*DIBS_DATABASE_URL"),
            embedded_server(data, say=quiet),
        ):
            pass


def test_a_server_that_does_not_start_says_why(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embedded.SETTINGS, "shared_buffers", "plenty")

    with (
        pytest.raises(EmbeddedUnavailable, match=r"(?s)shared_buffers.*plenty.*postgres\.log.*DIBS_DATABASE_URL"),
        embedded_server(data, say=quiet),
    ):
        pass


def test_a_data_directory_that_cannot_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with (
        pytest.raises(EmbeddedUnavailable, match=r"(?s)Not a directory.*--data.*DIBS_DATABASE_URL"),
        embedded_server(tmp_path / "file" / ".dibs", say=quiet),
    ):
        pass


@as_root
class TestAsRoot:
    """PostgreSQL refuses root, so it runs as somebody else, and still ends with its owner."""

    @pytest.fixture
    def forbidden(self, tmp_path: Path) -> str:
        """A PATH on which user namespaces are forbidden."""
        stub = tmp_path / "bin" / "unshare"
        stub.parent.mkdir()
        stub.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
        stub.chmod(0o755)
        return f"{stub.parent}:{os.environ['PATH']}"

    @pytest.fixture
    def reachable(self) -> Iterator[Path]:
        """A directory where nobody can go, unlike those of pytest."""
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
        if subprocess.run([*as_nobody, str(program("postgres")), "--version"], capture_output=True).returncode:
            pytest.skip("nobody cannot reach this checkout")
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)
            yield Path(name)

    def test_the_server_runs_in_a_user_namespace_and_the_files_stay_roots(self, data: Path) -> None:
        said: list[str] = []
        with embedded_server(data, say=said.append):
            pid = postmaster(data).pid
            assert Path(f"/proc/{pid}/ns/user").readlink() != Path("/proc/self/ns/user").readlink()

        assert "user namespace" in said[0]
        assert {path.stat().st_uid for path in data.rglob("*")} == {0}

    def test_without_namespaces_nobody_runs_it_and_it_ends_with_its_owner(
        self, reachable: Path, forbidden: str, hold: Callable[..., Holder]
    ) -> None:
        data = reachable / ".dibs"
        owner = hold(data, path=forbidden)
        owner.answer()
        pid = postmaster(data).pid
        assert psutil.Process(pid).username() == "nobody"
        assert {path.stat().st_uid for path in [data, data / "password"]} == {0}
        assert mode(data / "password") == 0o600

        owner.kill()
        wait_for_the_end_of(pid)

        with embedded_server(data, say=quiet) as server:
            assert server.owned
            assert psutil.Process(postmaster(data).pid).username() == "nobody"

    def test_roots_cluster_is_handed_to_nobody_where_namespaces_are_forbidden(
        self, data: Path, reachable: Path, forbidden: str, hold: Callable[..., Holder]
    ) -> None:
        owner = hold(Path(shutil.copytree(data, reachable / ".dibs")), path=forbidden)

        assert owner.answer()[0]
        assert "runs as nobody" in owner.leave()[1]

    def test_a_directory_that_nobody_can_reach_is_refused_without_namespaces(
        self, tmp_path: Path, forbidden: str, hold: Callable[..., Holder]
    ) -> None:
        tmp_path.chmod(0o700)
        code, said = hold(tmp_path / ".dibs", path=forbidden).leave()

        assert code != 0
        for words in ("root", "Operation not permitted", "as nobody", "--data", "DIBS_DATABASE_URL"):
            assert words in said
