"""One setting as a process is told it: the same that reading all of them finds."""

from __future__ import annotations

from pathlib import Path

import pytest

from doorbuster.settings import load_settings
from doorbuster.told import told
from tests.fixtures.manifest_checks import SECRETS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of secrets as Kubernetes mounts it: links into a hidden folder."""
    hidden = tmp_path / "..2026_11_29"
    hidden.mkdir()
    for name, value in SECRETS.items():
        monkeypatch.delenv(name, raising=False)
        (hidden / name).write_text(f"{value}\n")
        (tmp_path / name).symlink_to(hidden / name)
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("folder")
def test_it_is_what_all_settings_say() -> None:
    settings = load_settings()
    assert {name: told(name) for name in SECRETS} == SECRETS
    assert settings.ops_key.get_secret_value() == told("OPS_KEY")


@pytest.mark.usefixtures("folder")
def test_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ops_key", "named-in-the-environment")
    assert told("OPS_KEY") == "named-in-the-environment" == load_settings().ops_key.get_secret_value()


def test_names_are_not_case_sensitive(folder: Path) -> None:
    (folder / "ops_KEY").write_text("from-a-file-in-small")
    (folder / "OPS_KEY").unlink()
    assert told("OPS_KEY") == "from-a-file-in-small" == load_settings().ops_key.get_secret_value()


def test_what_nobody_says_is_none(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "OPS_KEY").write_text("\n")
    assert told("OPS_KEY") is None
    assert told("STOREFRONT_KEYS") is None
    monkeypatch.setenv("SECRETS_DIR", str(folder / "away"))
    assert told("DATABASE_URL") is None
