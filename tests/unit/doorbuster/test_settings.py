"""Settings: defaults, every mistake at once, secrets kept to themselves."""

from __future__ import annotations

from pathlib import Path

import pytest

from doorbuster.errors import SettingsError
from doorbuster.settings import load_settings
from tests.fixtures.up import clean_environment

REQUIRED = {
    "DATABASE_URL": "postgresql://shop:hidden@db/shop",
    "ORDERS_REDIS_URL": "redis://:hidden@orders:6379/0",
    "ROOM_REDIS_URL": "rediss://room:6379/0",
    "JOBS_REDIS_URL": "unix:///run/jobs.sock",
    "CACHE_REDIS_URL": "redis://cache:6379/0",
    "ORDER_ID_KEY": "hidden-order-id-key",
    "OPS_KEY": "hidden-operators-key",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr("os.environ", clean_environment(**REQUIRED))
    return monkeypatch


def test_everything_has_a_default_but_stores_and_keys() -> None:
    settings = load_settings()
    assert settings.durability == "fsync"
    assert settings.ops_port is None
    assert settings.replica_urls == ()


def test_lists_are_separated_by_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("REPLICA_URLS", "postgresql://a/x, postgresql://b/x,")
    urls = [url.get_secret_value() for url in load_settings().replica_urls]
    assert urls == ["postgresql://a/x", "postgresql://b/x"]


def test_every_mistake_is_named_at_once_one_a_line(environment: pytest.MonkeyPatch) -> None:
    environment.delenv("OPS_KEY")
    environment.setenv("ORDER_ID_KEY", "short")
    environment.setenv("DATABASE_URL", "mysql://db")
    environment.setenv("DURABILITY", "perhaps")
    environment.setenv("BATCH_MAX", "0")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    lines = caught.value.detail.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "BATCH_MAX",
        "DATABASE_URL",
        "DURABILITY",
        "OPS_KEY",
        "ORDER_ID_KEY",
    ]
    assert "OPS_KEY: is missing" in lines


def test_secrets_are_in_no_message_and_no_representation(environment: pytest.MonkeyPatch) -> None:
    assert "hidden" not in repr(load_settings())
    environment.setenv("OPS_KEY", "hidden")
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert "hidden" not in caught.value.detail


def test_secrets_come_from_files_too(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delenv("OPS_KEY")
    (tmp_path / "ops_key").write_text("an-operators-key-from-a-file")
    environment.setenv("SECRETS_DIR", str(tmp_path))
    assert load_settings().ops_key.get_secret_value() == "an-operators-key-from-a-file"


@pytest.mark.parametrize("level", ["fsync", "none", "replicas:1", "replicas:12"])
def test_durability_levels(environment: pytest.MonkeyPatch, level: str) -> None:
    environment.setenv("DURABILITY", level)
    assert load_settings().durability == level


@pytest.mark.parametrize(
    "level", ["", "fsnyc", "replicas", "replicas:0", "replicas:-1", "replicas:100", "replicas:two"]
)
def test_an_unknown_durability_is_refused(environment: pytest.MonkeyPatch, level: str) -> None:
    environment.setenv("DURABILITY", level)
    with pytest.raises(SettingsError, match=r"^DURABILITY: .*'fsync', 'replicas:N' with N from 1 to 99, or 'none'"):
        load_settings()


def test_settings_never_change() -> None:
    settings = load_settings()
    with pytest.raises(ValueError, match="frozen"):
        settings.batch_max = 7  # type: ignore[misc]


@pytest.mark.parametrize("role", ["pubilc", "Public", "", "public,ops"])
def test_a_mistyped_role_is_refused(environment: pytest.MonkeyPatch, role: str) -> None:
    environment.setenv("INTAKE_ROLE", role)
    with pytest.raises(SettingsError, match=r"^INTAKE_ROLE: .*'all', 'public' or 'ops'"):
        load_settings()


@pytest.mark.parametrize(
    "bind", ["0.0.0.0:8000", "[::1]:80", "shop.internal:8000,unix:/run/intake.sock", "fd://3", " a:1 , b:2 "]
)
def test_addresses_to_listen_at(environment: pytest.MonkeyPatch, bind: str) -> None:
    environment.setenv("INTAKE_BIND", bind)
    assert load_settings().intake_bind == tuple(one.strip() for one in bind.split(","))


@pytest.mark.parametrize(
    "bind", ["", ",", "8000", "127.0.0.1", "0.0.0.0:", "a:0", "a:70000", "::1:80", "a b:80", "unix:"]
)
def test_what_is_no_address_to_listen_at(environment: pytest.MonkeyPatch, bind: str) -> None:
    environment.setenv("INTAKE_BIND", bind)
    with pytest.raises(SettingsError, match=r"^INTAKE_BIND: must be addresses such as"):
        load_settings()


@pytest.mark.parametrize("processes", ["0", "-1", "257", "two", ""])
def test_the_number_of_processes_is_bounded(environment: pytest.MonkeyPatch, processes: str) -> None:
    environment.setenv("INTAKE_PROCESSES", processes)
    with pytest.raises(SettingsError, match=r"^INTAKE_PROCESSES: "):
        load_settings()


@pytest.mark.parametrize(
    "value",
    [
        "https://api.stripe.com",
        "https://stand-in:8443",
        "http://127.0.0.1:12111",
        "http://localhost:1",
        "http://[::1]:1",
    ],
)
def test_an_address_of_stripe_that_nobody_reads_on_the_way(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("STRIPE_API_BASE", value)
    assert load_settings().stripe_api_base == value


@pytest.mark.parametrize(
    "value",
    ["http://api.stripe.com", "http://10.0.0.1", "https://api.stripe.com/", "https://api.stripe.com/v1",
     "api.stripe.com", "ftp://127.0.0.1", "http://localhost.example", "http://127.0.0.1@evil.example",
     "https://a:b@c", ""],
)  # fmt: skip
def test_another_address_of_stripe_is_refused(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("STRIPE_API_BASE", value)
    with pytest.raises(SettingsError, match="STRIPE_API_BASE"):
        load_settings()


@pytest.mark.parametrize("value", ["whsec_", "whsec_short", "whsec_not base64 at all, and long enough", "secret"])
def test_a_secret_of_callbacks_is_long_and_base64(environment: pytest.MonkeyPatch, value: str) -> None:
    environment.setenv("PAYMENT_WEBHOOK_SECRET", value)
    with pytest.raises(SettingsError, match="PAYMENT_WEBHOOK_SECRET") as caught:
        load_settings()
    assert "short" not in caught.value.detail
    environment.setenv("PAYMENT_WEBHOOK_SECRET", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    load_settings()
