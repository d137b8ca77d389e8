"""Each way of scaling says at once what it lacks; what a setting names is checked."""

from __future__ import annotations

import sys
from typing import Any, get_args

import pytest

from doorbuster.errors import SettingsError
from doorbuster.settings import Settings, load_settings
from workers.scaling.adapters import ADAPTERS, PLAN_AHEAD, make_adapter

URLS = dict.fromkeys(
    ("orders_redis_url", "room_redis_url", "jobs_redis_url", "cache_redis_url"), "redis://127.0.0.1:1/0"
)


def settings(**told: Any) -> Settings:
    keys = {"order_id_key": "k" * 16, "ops_key": "k" * 16, "database_url": "postgresql://"}
    return load_settings(**(URLS | keys | told))


def test_every_choice_has_an_adapter() -> None:
    assert set(get_args(Settings.model_fields["scaling"].annotation)) == set(ADAPTERS)
    assert set(ADAPTERS) >= PLAN_AHEAD
    assert make_adapter(settings()).name == "none"


@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"scaling": "local"}, "SCALING_FOLDER"),
        ({"scaling": "aws"}, "SCALING_INTAKE, SCALING_WORKERS"),
        ({"scaling": "kubernetes"}, "SCALING_INTAKE, SCALING_WORKERS"),
    ],
)
def test_what_is_missing_is_said(told: dict[str, Any], says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        make_adapter(settings(**told))


@pytest.mark.parametrize(("name", "package"), [("aws", "boto3"), ("kubernetes", "kubernetes")])
def test_a_package_that_is_not_installed_is_named(name: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"workers.scaling.{name}", raising=False)
    with pytest.raises(SettingsError, match=rf"needs the package {package}: install doorbuster\[{name}\]"):
        make_adapter(settings(scaling=name, scaling_intake="web"))


@pytest.mark.parametrize("name", ["", "ecs:shop", "hpa:Intake", "a:b", "scaledobject:"])
def test_what_names_nothing_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="SCALING_INTAKE"):
        settings(scaling_intake=name)


@pytest.mark.parametrize("name", ["web", "My group 2", "ecs:shop/intake", "hpa:intake", "scaledobject:workers.v1"])
def test_what_names_something_is_taken(name: str) -> None:
    assert settings(scaling_intake=name).scaling_intake == name
