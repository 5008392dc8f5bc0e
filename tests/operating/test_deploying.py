"""The files of a deployment name what there is. What cannot be run here is read, linted, and compared with the code."""

import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from cyclonedx.model.bom import Bom
from typer.main import get_command

from dibs.cli import app
from dibs.ending import END_SECONDS_MAX
from dibs.settings import Settings
from proof import audit
from tests.acceptance.processes import DIBS, ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
UNIT = (ROOT / "deploy" / "dibs.service").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETTINGS = {f"DIBS_{name.upper()}" for name in Settings.model_fields}
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}


def is_a_command(words: list[str]) -> bool:
    """Whether `dibs` takes these words."""
    command = get_command(app).commands[words[0]]  # type: ignore[attr-defined]
    known = {option for parameter in command.params for option in parameter.opts}
    return all(word in known for word in words[1:])


def instructions(name: str) -> Iterator[str]:
    joined = re.sub(r"\\\n\s*", " ", DOCKERFILE)
    for line in joined.splitlines():
        if line.startswith(f"{name} "):
            yield line.removeprefix(f"{name} ").strip()


# ---------------------------------------------------------------- the image


@pytest.mark.skipif(not shutil.which("hadolint", path=Path(sys.executable).parent), reason="hadolint has no wheel here")
def test_the_dockerfile_has_nothing_to_complain_about():
    done = subprocess.run(
        [Path(sys.executable).parent / "hadolint", ROOT / "Dockerfile"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_everything_that_the_image_copies_is_there_and_is_let_through():
    let_through = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]]

    assert all((ROOT / path).exists() for path in copied)
    assert set(copied) == let_through
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= set(copied)


def test_the_image_runs_as_nobody_in_particular_with_settings_that_there_are():
    (user,) = instructions("USER")
    environment = " ".join(instructions("ENV"))
    set_here = set(re.findall(r"\bDIBS_[A-Z_]+(?==)", environment))
    (entry,) = instructions("ENTRYPOINT")
    (command,) = instructions("CMD")

    assert int(user) > 0
    assert set_here <= SETTINGS
    assert json.loads(entry) == ["dibs"]
    assert is_a_command(json.loads(command))
    (health,) = instructions("HEALTHCHECK")
    assert f":{re.findall('DIBS_METRICS_PORT=([0-9]+)', environment)[0]}/healthz" in health


def test_the_image_has_a_python_that_dibs_takes():
    found = set(re.findall(r"^FROM python:(\S+)", DOCKERFILE, re.MULTILINE))

    assert found == {"3.11-slim-bookworm"}
    assert PROJECT["project"]["requires-python"] == ">=3.11"


# ---------------------------------------------------------------- compose


def test_compose_has_a_database_a_bell_two_nodes_that_serve_and_one_that_works():
    commands = [service["command"] for service in OURS.values()]

    assert {"postgres", "redis"} <= set(COMPOSE["services"])
    assert commands.count(["serve", "--no-workers"]) == 2
    assert commands.count(["work"]) == 1
    assert commands.count(["migrate"]) == 1
    assert all(is_a_command(command) for command in commands)


def test_what_compose_sets_are_settings_and_secrets_come_from_outside():
    for name, service in OURS.items():
        environment = {variable: str(value) for variable, value in service["environment"].items()}
        assert set(environment) <= SETTINGS, name
        secret = [variable for variable in environment if variable.endswith(("_KEY", "_URL"))]
        for variable in secret:
            assert "${DIBS_" in environment[variable] or variable == "DIBS_BELL_URL", (name, variable)
    told = dict(re.findall(r"\$\{([A-Z_]+)(:\?)?\}", (ROOT / "compose.yaml").read_text()))
    assert set(told.values()) == {":?"}, "compose refuses to start where one is missing"
    assert all(name in (ROOT / "compose.yaml").read_text().partition("services:")[0] for name in told)


def test_settings_of_compose_are_taken_by_the_settings(monkeypatch: pytest.MonkeyPatch):
    for service in OURS.values():
        with monkeypatch.context() as patch:
            for variable, value in service["environment"].items():
                patch.setenv(variable, re.sub(r"\$\{[^}]+\}", "x" * 40, str(value)))
            assert Settings().database_url is not None


def test_only_the_owner_migrates_and_everybody_else_is_the_app():
    for name, service in OURS.items():
        role = re.findall(r"//(\w+):", service["environment"]["DIBS_DATABASE_URL"])[0]
        assert role == ("dibs_owner" if service["command"] == ["migrate"] else "dibs_app"), name


def test_nodes_wait_for_the_schema_and_have_the_time_that_ending_takes():
    for name, service in OURS.items():
        assert int(service["stop_grace_period"].removesuffix("s")) > END_SECONDS_MAX
        waits = service["depends_on"]
        if service["command"] != ["migrate"]:
            assert waits["migrate"]["condition"] == "service_completed_successfully", name
        for other, how in waits.items():
            assert other in COMPOSE["services"]
            assert how["condition"] != "service_healthy" or "healthcheck" in COMPOSE["services"][other]


def test_what_compose_mounts_is_there_and_runs():
    mounted = [volume for service in COMPOSE["services"].values() for volume in service.get("volumes", ())]
    files = [volume.split(":")[0] for volume in mounted if volume.startswith("./")]

    assert files
    assert all((ROOT / path).is_file() for path in files)
    assert {volume.split(":")[0] for volume in mounted if not volume.startswith("./")} == set(COMPOSE["volumes"])
    assert subprocess.run(["sh", "-n", ROOT / "deploy" / "initdb.sh"], check=False).returncode == 0
    assert (ROOT / "deploy" / "initdb.sh").stat().st_mode & 0o111
    assert "/deploy/roles.sql" in (ROOT / "deploy" / "initdb.sh").read_text()


def test_nothing_of_compose_is_open_to_other_machines():
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]

    assert len(ports) == 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


# ---------------------------------------------------------------- systemd


def test_the_unit_starts_a_command_that_there_is():
    (words,) = re.findall(r"^ExecStart=\S+/dibs (.+)$", UNIT, re.MULTILINE)
    (seconds,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    example = (ROOT / "deploy" / "dibs.env.example").read_text()

    assert is_a_command(words.split())
    assert int(seconds) > END_SECONDS_MAX
    assert set(re.findall(r"^(\w+)=", example, re.MULTILINE)) <= SETTINGS


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd-analyze here")
def test_systemd_has_nothing_to_complain_about(tmp_path: Path):
    unit = tmp_path / "dibs.service"
    unit.write_text(re.sub(r"^ExecStart=\S+/dibs", f"ExecStart={DIBS}", UNIT, flags=re.MULTILINE))

    done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "dibs.service" not in done.stderr


# ---------------------------------------------------------------- what it is made of


def test_every_package_that_is_installed_is_pinned_with_its_hashes():
    for lock in ("runtime.txt", "dev.txt"):
        text = (ROOT / "requirements" / lock).read_text()
        pins = re.findall(r"^([a-z0-9._-]+)==\S+.*\\\n((?:    --hash=sha256:[0-9a-f]{64}.*\n?)+)", text, re.MULTILINE)
        assert len(pins) == len(re.findall(r"^[a-z]", text, re.MULTILINE))
        assert "://" not in text


def test_the_pins_are_those_of_releases_without_known_holes():
    pins = dict(re.findall(r"^([a-z-]+)==([0-9.]+)", (ROOT / "requirements" / "runtime.txt").read_text(), re.MULTILINE))
    least = {"strawberry-graphql": (0, 327, 2), "graphql-core": (3, 3, 1), "starlette": (1, 3, 1)}

    for name, version in least.items():
        assert tuple(map(int, pins[name].split("."))) >= version, name


def test_the_bill_of_materials_has_every_package_of_the_runtime():
    made = subprocess.run(
        [sys.executable, "-c", "from docs.make_sbom import text; print(text())"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(made.stdout)
    pins = set(
        re.findall(r"^([a-z0-9._-]+==[^\s;\\]+)", (ROOT / "requirements" / "runtime.txt").read_text(), re.MULTILINE)
    )
    bill: Bom = Bom.from_json(told)  # type: ignore[attr-defined]

    assert {f"{one.name}=={one.version}" for one in bill.components} == pins
    assert bill.metadata.component is not None
    assert bill.metadata.component.name == "dibs"
    assert all(one["properties"] for one in told["components"])


def test_where_nobody_can_be_asked_the_audit_says_so_and_keeps_nobody_from_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(audit, "DATABASE", "127.0.0.1")  # nobody listens there on 443

    assert audit.main() == 0
    assert re.fullmatch(r"pip-audit is skipped: .* cannot be reached from here \(.+\)\.\n", capsys.readouterr().out)


def test_what_the_audit_finds_is_told_and_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    hole = {"name": "leaky", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
    monkeypatch.setattr(audit, "why_not", lambda: None)
    monkeypatch.setattr(audit, "audited", lambda lock: [hole] if lock.name == "runtime.txt" else "it broke off")

    assert audit.main() == 1
    told = capsys.readouterr().out
    assert "leaky 1.0 has PYSEC-1; fixed in 1.1" in told
    assert "skipped for dev.txt: it broke off" in told
