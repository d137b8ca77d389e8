"""deploy/compose.yaml: whole, in step with the settings and with what each store must be, and closed to the outside."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import compose_spec
import pytest
import yaml

from doorbuster.embedded.stores import valkey
from doorbuster.settings import Settings
from readiness import probe
from tests.fixtures import manifest_checks as check

ROOT = Path(__file__).parents[3]
FILE = ROOT / "deploy" / "compose.yaml"
STORES = ("orders", "room", "jobs", "cache")
PROCESSES = ("intake", "ops", "worker", "scheduler", "migrate", "cli")
_LATER = re.compile(r"\$\{\w+:-([^}]*)\}")


@pytest.fixture
def told() -> dict[str, Any]:
    """The file as compose reads it: variables by their defaults, what is merged merged."""
    read: dict[str, Any] = json.loads(json.dumps(yaml.safe_load(_LATER.sub(r"\1", FILE.read_text()))))
    for service in read["services"].values():
        service.pop("<<", None)
    return read


def faults(told: dict[str, Any]) -> str:
    """Return why it is no compose file, or names what is not there."""
    try:
        compose_spec.PyCompose.from_json(json.dumps(told)).validate()
    except ValueError as error:
        return str(error)
    unknown = []
    for service in told["services"].values():
        unknown += [one for one in service.get("depends_on", ()) if one not in told["services"]]
        unknown += [name for name, _, _ in (one.partition(":") for one in service.get("volumes", ()))
                    if name not in told["volumes"]]  # fmt: skip
    return ", ".join(unknown)


def test_it_is_a_compose_file(told: dict[str, Any]) -> None:
    assert faults(told) == ""


@pytest.mark.parametrize(
    ("way", "value"),
    [
        ("services.intake.read_onyl", True),
        ("services.intake.healthcheck.interval", "ten"),
        ("services.intake.tmpfs", 3),
        ("services.worker.secrets", ["nope"]),
        ("services.worker.networks", ["nope"]),
        ("services.worker.depends_on", {"nope": {"condition": "service_healthy"}}),
        ("services.worker.depends_on", {"migrate": {"condition": "service_done"}}),
        ("services.orders.volumes", ["nope:/data"]),
    ],
)
def test_what_is_mistyped_is_found(told: dict[str, Any], way: str, value: Any) -> None:
    wrong = copy.deepcopy(told)
    *steps, last = way.split(".")
    node = wrong
    for step in steps:
        node = node[step]
    node[last] = value
    assert faults(wrong)


def test_every_variable_is_a_setting_with_a_value_that_it_takes(told: dict[str, Any]) -> None:
    for name in PROCESSES:
        service = told["services"][name]
        assert check.settings_faults(service["environment"]) == [], name
        assert service["environment"]["SECRETS_DIR"] == "/run/secrets"
        assert not service["environment"].keys() & check.SECRETS.keys()
        given = {Path("/run/secrets") / one for one in service["secrets"]}
        assert Path(service["environment"]["ROOM_KEYS_FILE"]) in given
        assert {name.upper() for name, field in Settings.model_fields.items() if field.is_required()} <= {
            p.name for p in given
        }


def test_its_commands_and_probes_are_there(told: dict[str, Any]) -> None:
    commands = {name: told["services"][name]["command"] for name in PROCESSES}
    assert [fault for command in commands.values() for fault in check.command_faults(command)] == []
    lines = (ROOT / "Procfile").read_text().splitlines()
    procfile = {line.partition(": ")[2].removeprefix("INTAKE_BIND=0.0.0.0:${PORT:-8000} ") for line in lines}
    assert {" ".join(command) for name, command in commands.items() if name != "cli"} == procfile
    for name in ("intake", "ops", "worker", "scheduler"):
        *python, role, question = told["services"][name]["healthcheck"]["test"][1:]
        assert python == ["python", "-m", "readiness.probe"]
        assert role == ("intake" if name == "ops" else name)
        assert question in probe.QUESTIONS


def test_only_the_storefront_has_a_port_outside(told: dict[str, Any]) -> None:
    services = told["services"]
    assert {name: one["ports"] for name, one in services.items() if "ports" in one} == {"intake": ["8000:8000"]}
    assert services["intake"]["environment"]["INTAKE_ROLE"] == "public"
    assert services["ops"]["environment"]["INTAKE_ROLE"] == "ops"
    assert told["networks"]["inside"] == {"internal": True}
    assert {name for name, one in services.items() if one["networks"] != ["inside"]} == {
        "intake",
        "worker",
        "scheduler",
    }
    assert all("network_mode" not in one for one in services.values())


def test_every_container_is_shut_in(told: dict[str, Any]) -> None:
    for name, one in told["services"].items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one["user"] not in ("root", "0", "0:0"), name
        assert {"cpus", "memory"} <= one["deploy"]["resources"]["limits"].keys(), name
        assert not one.get("privileged"), name
        if name in PROCESSES:
            assert one["user"] == "10001:10001"


def test_migrations_come_first(told: dict[str, Any]) -> None:
    for name in ("intake", "ops", "worker", "scheduler", "cli"):
        after = told["services"][name]["depends_on"]
        assert after["migrate"] == {"condition": "service_completed_successfully"}
        assert {store for store in STORES if after[store] == {"condition": "service_healthy"}} == set(STORES)
    assert told["services"]["migrate"]["depends_on"] == {"postgres": {"condition": "service_healthy"}}


def test_nobody_is_ended_before_what_is_under_way(told: dict[str, Any]) -> None:
    """The intake takes ten seconds, a worker as long as its longest call."""
    grace = {
        name: int(str(one.get("stop_grace_period", "10s")).removesuffix("s")) for name, one in told["services"].items()
    }
    defaults = [Settings.model_fields[one].default for one in ("webhook_timeout_s", "payment_timeout_s", "lease_s")]
    assert min(grace["intake"], grace["ops"]) > 10
    assert grace["worker"] > sum(defaults) + 10
    assert min(grace[store] for store in (*STORES, "postgres")) >= 60


def options(command: list[str]) -> dict[str, str]:
    """Return the settings of a Valkey server by its command."""
    rest = command[2:]
    return {name.removeprefix("--"): value for name, value in zip(rest[::2], rest[1::2], strict=True)}


@pytest.mark.parametrize("role", STORES)
def test_a_store_is_what_its_role_wants(told: dict[str, Any], role: str) -> None:
    service = told["services"][role]
    assert service["command"][:2] == ["valkey-server", "/run/secrets/valkey.conf"]
    found = options(service["command"])
    wanted = valkey._ROLES[role]
    assert {name: found.get(name) for name in wanted} == wanted
    assert found["save"] == ""
    memory = int(found["maxmemory"].removesuffix("mb"))
    assert memory < {"m": 1, "g": 1024}[service["deploy"]["resources"]["limits"]["memory"][-1]] * int(
        service["deploy"]["resources"]["limits"]["memory"][:-1]
    )
    if role == "orders":
        assert memory == int(told["services"]["intake"]["environment"]["ORDER_STORE_MAX_MB"])


def test_every_secret_is_made(told: dict[str, Any]) -> None:
    made = (ROOT / "deploy" / "make-secrets").read_text()
    for name, one in told["secrets"].items():
        assert one == {"file": f"./secrets/{name}"}
        role = name.removesuffix("_REDIS_URL").lower().removeprefix("valkey_").removesuffix(".conf")
        assert f"write {name} " in made or role in STORES
    assert "deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
