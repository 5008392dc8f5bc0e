"""Writes build/sbom.cdx.json: what a release is made of (CycloneDX), from the lock of the runtime.

The same lock gives the same file, so that a difference means something.
"""

import json
import re
import tomllib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements" / "runtime.txt"
TARGET = ROOT / "build" / "sbom.cdx.json"
NAMESPACE = uuid.UUID("5b1f4c8e-7a55-4a7e-9d0c-2f5f0f6b8d11")
PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^\s;\\]+)(?:\s*;\s*(?P<marker>[^\\]+?))?\s*\\?$")
HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


@dataclass
class Package:
    """One pin of the lock. `marker`: on which systems it is installed."""

    name: str
    version: str
    marker: str | None
    hashes: list[str]

    @property
    def purl(self) -> str:
        return f"pkg:pypi/{re.sub(r'[-_.]+', '-', self.name).lower()}@{self.version}"


def packages(lock: str) -> Iterator[Package]:
    found: Package | None = None
    for line in lock.splitlines():
        if pinned := PINNED.match(line):
            if found:
                yield found
            found = Package(pinned["name"], pinned["version"], pinned["marker"], [])
        elif found:
            found.hashes += HASH.findall(line)
    if found:
        yield found


def component(package: Package) -> dict[str, Any]:
    told: dict[str, Any] = {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
    }
    if license_of := _license(package):
        told["licenses"] = [license_of]
    told["properties"] = [{"name": "dibs:sha256", "value": one} for one in sorted(package.hashes)]
    if package.marker:
        told["properties"].append({"name": "dibs:marker", "value": package.marker})
    return told


def _license(package: Package) -> dict[str, Any] | None:
    """As the package itself says, where it is installed here and says it in one line."""
    try:
        told = metadata(package.name)
    except PackageNotFoundError:
        return None
    if told["Version"] != package.version:
        return None
    if expression := told.get("License-Expression"):
        return {"expression": expression}
    classifiers = [one.rpartition(" :: ")[2] for one in told.get_all("Classifier", []) if one.startswith("License ::")]
    name = "; ".join(classifiers) or (told.get("License") or "").strip()
    return {"license": {"name": name}} if name and "\n" not in name else None


def bill() -> dict[str, Any]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    own = f"pkg:pypi/{project['name']}@{project['version']}"
    found = sorted(packages(LOCK.read_text()), key=lambda one: one.name)
    about = {"type": "application", "bom-ref": own, "name": project["name"], "version": project["version"], "purl": own}
    about["licenses"] = [{"expression": project["license"]}]
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, LOCK.read_text())}",
        "version": 1,
        "metadata": {"component": about},
        "components": [component(one) for one in found],
        "dependencies": [{"ref": own, "dependsOn": [one.purl for one in found]}, *({"ref": one.purl} for one in found)],
    }


def text() -> str:
    return json.dumps(bill(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.parent.mkdir(exist_ok=True)
    TARGET.write_text(text())
    print(TARGET.relative_to(ROOT))
