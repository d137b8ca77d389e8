"""Whose address a request comes from, and under which names it is counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from doorbuster.errors import SettingsError
from intake.web.client_address import Addresses, counted


def request(client: str | None, forwarded: str | None = None) -> Any:
    scope = {"client": (client, 1) if client else None}
    return SimpleNamespace(scope=scope, get_header=lambda name: forwarded if name == "X-Forwarded-For" else None)


@pytest.mark.parametrize(
    ("client", "forwarded", "found"),
    [
        ("203.0.113.7", None, "203.0.113.7"),
        ("203.0.113.7", "198.51.100.1", "203.0.113.7"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", None, ""),
        ("10.0.0.1", "nonsense", ""),
        ("127.0.0.1", None, ""),
        ("2001:db8:1:2:3::4", None, "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.7", None, "203.0.113.7"),
        (None, "198.51.100.1", ""),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "198.51.100.2:1, 198.51.100.1:2, 10.0.0.2:3", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8:1:2:3::4]:443", "2001:db8:1:2::/64"),
        ("10.0.0.1", "[2001:db8:1:2:3::4]", "2001:db8:1:2::/64"),
        ("10.0.0.1", "2001:db8:1:2:3::4%eth0", "2001:db8:1:2::/64"),
        ("10.0.0.1", "[::ffff:203.0.113.7]:443", "203.0.113.7"),
        ("10.0.0.1", "203.0.113.7:port", ""),
        ("10.0.0.1", "1" * 5000, ""),
        ("10.0.0.1", ", ".join(["6.6.6.6"] * 1000 + ["198.51.100.1"]), "198.51.100.1"),
    ],
)
def test_only_trusted_proxies_say_who_asks(client: str | None, forwarded: str | None, found: str) -> None:
    assert Addresses(["10.0.0.0/8"]).of(request(client, forwarded)) == found


def test_an_address_of_ipv6_is_counted_by_wider_prefixes_too() -> None:
    names = [(name, homes) for name, homes in counted("2001:db8:1:2ff::/64")]
    assert names == [("2001:db8:1:2ff::/64", 1), ("2001:db8:1:200::/56", 2), ("2001:db8:1::/48", 8)]
    assert [tuple(one) for one in counted("203.0.113.7")] == [("203.0.113.7", 1)]
    assert [tuple(one) for one in counted("")] == [("", 1)]


def test_a_proxy_must_be_a_network() -> None:
    with pytest.raises(SettingsError, match="TRUSTED_PROXIES"):
        Addresses(["proxy.example"])
