"""Under whom the embedded PostgreSQL runs: never as root, and never longer than the process that started it."""

import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ELSEWHERE = "Choose another directory with --data, or name a PostgreSQL of your own in DIBS_DATABASE_URL."


class EmbeddedUnavailable(Exception):
    """The embedded PostgreSQL cannot run here; the message says what happened and what to do."""


# The kernel is to send SIGINT (a fast shutdown) when the thread that forked us ends: prctl 1 is PR_SET_PDEATHSIG. It
# forgets that when credentials change, so the guard comes after `unshare`. A parent that died earlier is none any more.
_PYTHON_GUARD = """\
import ctypes, os, signal, sys
parent, *command = sys.argv[1:]
for changed in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
    signal.signal(changed, signal.SIG_DFL)
ctypes.CDLL(None).prctl(1, ctypes.c_ulong(signal.SIGINT))
if os.getppid() == int(parent):
    os.execv(command[0], command)
"""
_SHELL_GUARD = 'test "$PPID" = "$0" && exec "$@"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The words before a command that put it under the right user, and those that tie its life to ours."""

    name: str
    wrapper: tuple[str, ...] = ()
    guard: tuple[str, ...] = ()
    owner: tuple[int, int] | None = None  # the user and group who must own the cluster, where that is not us
    explanation: str = ""

    def command(self, *words: str | Path) -> list[str]:
        """The command line that runs `words` under this identity."""
        return [*self.wrapper, *self.guard, *map(str, words)]

    def hand_over(self, tree: Path) -> None:
        """Give `tree` to the user who has to own it; its top comes last and says that all is done."""
        if self.owner is None or tree.stat().st_uid == self.owner[0]:
            return
        for folder, _, files in os.walk(tree, topdown=False):
            for name in (*files, ""):
                os.chown(Path(folder, name), *self.owner, follow_symlinks=False)


def identity_for(data: Path, cluster: Path, postgres: Path) -> Identity:
    """Ourselves; for root, a user namespace in which root is called `nobody`, or else the real `nobody`.

    A cluster that already belongs to somebody other than root runs as its owner.
    """
    if os.geteuid() != 0:
        return Identity(name="ourselves", guard=_python_guard())
    complaints: list[str] = []
    for identity in _for_root(data, cluster):
        if not (complaint := _complaint(identity, data, postgres)):
            return identity
        complaints.append(f"{identity.name}: {complaint}")
    raise EmbeddedUnavailable(
        f"PostgreSQL refuses to run as root, and cannot run otherwise on {data} ({'; '.join(complaints)}). "
        f"Start Dibs as an ordinary user, or let the user nobody reach the data and this installation. {ELSEWHERE}"
    )


def _for_root(data: Path, cluster: Path) -> Iterator[Identity]:
    owner = cluster.stat() if cluster.exists() else None
    if owner is None or owner.st_uid == 0:
        yield _in_a_namespace()
    nobody = pwd.getpwnam("nobody")
    uid, gid = (owner.st_uid, owner.st_gid) if owner and owner.st_uid else (nobody.pw_uid, nobody.pw_gid)
    if data.stat().st_uid != uid:
        data.chmod(data.stat().st_mode | 0o001)  # the way through to the cluster; the files there stay private
    yield _through_setpriv(uid, gid, cluster)


def _python_guard() -> tuple[str, ...]:
    if sys.platform != "linux":
        return ()  # no prctl: there the server stops when the owner exits cleanly, and outlives a kill -9
    return (sys.executable, "-I", "-S", "-c", _PYTHON_GUARD, str(os.getpid()))


def _in_a_namespace() -> Identity:
    nobody = pwd.getpwnam("nobody")  # initdb wants a user that exists
    mapping = (f"--map-user={nobody.pw_uid}", f"--map-group={nobody.pw_gid}")
    return Identity(
        name="in a user namespace",
        wrapper=("unshare", "--user", *mapping, "--"),
        guard=_python_guard(),
        explanation=(
            "PostgreSQL refuses to run as root, so it runs in a user namespace that calls root nobody; "
            "the files stay root's."
        ),
    )


def _through_setpriv(uid: int, gid: int, cluster: Path) -> Identity:
    # The shell is the guard here: our Python may lie in root's home, where nobody cannot go.
    return Identity(
        name=f"as {_name(uid)}",
        wrapper=("setpriv", f"--reuid={uid}", f"--regid={gid}", "--clear-groups", "--pdeathsig=INT", "--"),
        guard=("/bin/sh", "-c", _SHELL_GUARD, str(os.getpid())),
        owner=(uid, gid),
        explanation=f"PostgreSQL refuses to run as root, so it runs as {_name(uid)}, who owns {cluster}.",
    )


def _complaint(identity: Identity, data: Path, postgres: Path) -> str:
    """What keeps PostgreSQL from running like this; empty when nothing does."""
    probe = ("/bin/sh", "-c", 'cd "$1" && exec "$2" --version', "sh", str(data), str(postgres))
    try:
        done = subprocess.run(  # noqa: S603
            [*identity.wrapper, *probe], capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        return f"{identity.wrapper[0]}: {error.strerror}"
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit code {done.returncode}"


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
