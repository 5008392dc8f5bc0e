"""Ask whether what is locked has known vulnerabilities, where the database of them can be reached.

    python -m proof.audit

It ends with 1 where there are any. Where nobody can be asked it says so, and ends with 0: a check that needs somebody
else's server must not keep work from being done without one.
"""

import json
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCKS = (ROOT / "requirements" / "runtime.txt", ROOT / "requirements" / "dev.txt")
DATABASE = "api.osv.dev"
REACH_SECONDS_MAX = 2
ANSWER_SECONDS_MAX = 5
AUDIT_SECONDS_MAX = 180


def why_not() -> str | None:
    """Why the database cannot be asked; None: it can."""
    try:
        with socket.create_connection((DATABASE, 443), REACH_SECONDS_MAX):
            return None
    except OSError as error:
        return error.strerror or type(error).__name__


def audited(lock: Path) -> list[dict[str, Any]] | str:
    """What is known of the packages of a lock; text: why nothing is."""
    with tempfile.TemporaryDirectory() as folder:
        found = Path(folder, "found.json")
        command = [sys.executable, "-m", "pip_audit", "--requirement", lock, "--require-hashes", "--disable-pip"]
        wanted = ["--vulnerability-service", "osv", "--timeout", str(ANSWER_SECONDS_MAX), "--progress-spinner", "off"]
        try:
            done = subprocess.run(
                [*command, *wanted, "--format", "json", "--output", found],
                capture_output=True,
                text=True,
                check=False,
                timeout=AUDIT_SECONDS_MAX,
            )
        except subprocess.TimeoutExpired:
            return f"nothing was answered in {AUDIT_SECONDS_MAX} s"
        if not found.exists():
            return (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        packages: list[dict[str, Any]] = json.loads(found.read_text())["dependencies"]
        return packages


def main() -> int:
    if reason := why_not():
        print(f"pip-audit is skipped: its database, {DATABASE}, cannot be reached from here ({reason}).")
        return 0
    vulnerable = 0
    for lock in LOCKS:
        packages = audited(lock)
        if isinstance(packages, str):
            print(f"pip-audit is skipped for {lock.name}: {packages[:300]}")
            continue
        for package in packages:
            for one in package.get("vulns", ()):
                vulnerable += 1
                fixed = ", ".join(one["fix_versions"]) or "no release yet"
                print(f"{lock.name}: {package['name']} {package['version']} has {one['id']}; fixed in {fixed}")
        print(f"{lock.name}: {len(packages)} packages audited.")
    return 1 if vulnerable else 0


if __name__ == "__main__":
    sys.exit(main())
