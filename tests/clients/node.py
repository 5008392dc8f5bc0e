"""Node: npm packages installed once, and scripts that run to their end."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn

import pytest

SECONDS_MAX = 60
NODE_VERSION_MIN = 20
INSTALLING = ("npm", "ci", "--no-audit", "--no-fund", "--no-progress")


UNREACHABLE = ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "ETIMEDOUT", "ERR_SOCKET_TIMEOUT")
"""What npm calls it where no registry can be reached."""


def node() -> str:
    """Where Node is. Where there is none that clients run on the test is skipped, and in CI it fails."""
    found = shutil.which("node")
    if not found or not shutil.which("npm"):
        _do_without("Node and npm are not installed")
    version = subprocess.run([found, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.removeprefix("v").partition(".")[0]) < NODE_VERSION_MIN:
        _do_without(f"Node is {version}; the clients need {NODE_VERSION_MIN} or newer")
    return found


def _do_without(reason: str) -> NoReturn:
    """A test that would never run in CI proves nothing there, and nobody would notice."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def installed(package: Path, cache: Path) -> Path:
    """`node_modules` of a package.json with its lock file, from the cache or the registry.

    Where no registry can be reached the test is skipped, also in CI: that is nothing that the code could mend.
    """
    files = [package / name for name in ("package.json", "package-lock.json", ".npmrc")]
    folder = cache / f"npm-{hashlib.sha256(b''.join(one.read_bytes() for one in files)).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".complete").exists():
            for one in files:
                shutil.copy(one, folder)
            _install(folder)
            (folder / ".complete").touch()
    return folder / "node_modules"


def _install(folder: Path) -> None:
    done = subprocess.run(INSTALLING, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        if any(f"npm error code {one}" in done.stderr for one in UNREACHABLE):
            pytest.skip(f"the npm registry cannot be reached: {done.stderr.strip()}")
        _do_without(f"npm ci failed: {done.stderr.strip()}")


def workspace(sources: Path, modules: Path, folder: Path) -> Path:
    """A copy of the sources beside their packages."""
    copied = Path(
        shutil.copytree(sources, folder / sources.name, ignore=shutil.ignore_patterns("node_modules", "dist"))
    )
    (copied / "node_modules").symlink_to(modules)
    return copied


def said(command: list[str], folder: Path, **settings: str) -> str:
    """What a program that ends well prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, (done.stdout, done.stderr)
    assert done.stderr == "", done.stderr
    return done.stdout


def answered(command: list[str], folder: Path, settings: Mapping[str, str]) -> Any:
    """The JSON that a script prints."""
    return json.loads(said(command, folder, **settings))
