"""A real PgBouncer in transaction mode, with fewer connections to the server than it has clients."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import make_url

SECONDS_MAX = 20
SERVER_CONNECTIONS = 2


@contextmanager
def pooled(url: str, folder: Path) -> Iterator[str]:
    """The address that leads through a pooler; the test is skipped where there is no PgBouncer."""
    binary = os.environ.get("DIBS_TEST_PGBOUNCER") or shutil.which("pgbouncer")
    if not binary:
        pytest.skip("no pgbouncer on the PATH, and DIBS_TEST_PGBOUNCER names none")
    target = make_url(url)
    with socket.socket() as any_port:
        any_port.bind(("127.0.0.1", 0))
        port = any_port.getsockname()[1]
    settings = folder / "pgbouncer.ini"
    settings.write_text(
        f"""[databases]
* = host={target.host} port={target.port} user={target.username} password='{target.password or ""}'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {SERVER_CONNECTIONS}
max_client_conn = 500
"""
    )
    folder.chmod(0o755)
    settings.chmod(0o644)
    as_nobody = ("-u", "nobody") if os.geteuid() == 0 else ()
    with (folder / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([binary, *as_nobody, settings], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + SECONDS_MAX
        while not _listens(port):
            assert process.poll() is None, (folder / "pgbouncer.log").read_text()
            assert time.monotonic() < deadline, "PgBouncer does not listen"
            time.sleep(0.02)
        yield target.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    finally:
        process.kill()
        process.wait(SECONDS_MAX)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
