"""URLs that name several servers are taken apart as libpq takes them apart."""

from __future__ import annotations

import pytest
from asyncpg import connect_utils

from doorbuster.values.postgres_url import SERVERS_MAX, split_servers


@pytest.mark.parametrize(
    ("url", "names"),
    [
        ("postgresql://u@h1:5433,h2:5434/shop", ["h1:5433", "h2:5434"]),
        ("postgresql://u:p%40ss@h1,h2:5434/shop?sslmode=disable", ["h1:5432", "h2:5434"]),
        ("postgresql://u@[::1]:5433,[::2]/shop", ["[::1]:5433", "[::2]:5432"]),
        ("postgresql://u@/shop?host=/run/a,/run/b", ["/run/a", "/run/b"]),
        ("postgresql:///shop?host=/run/a,/run/b&port=5433,5434&user=u", ["/run/a:5433", "/run/b:5434"]),
        ("postgresql:///shop?host=a,b&port=5433", ["a:5433", "b:5433"]),
        ("postgresql://u@%2Frun%2Fa,%2Frun%2Fb/shop", ["/run/a", "/run/b"]),
        ("postgresql://u@h1,h2/shop?target_session_attrs=read-write&application_name=x", ["h1:5432", "h2:5432"]),
        ("postgresql://u@h1/shop?target_session_attrs=primary", ["h1:5432"]),
        ("postgresql://h1/shop", ["h1:5432"]),
        ("postgresql:///shop", ["the default server"]),
    ],
)
def test_each_server_gets_the_url_that_the_driver_reads_the_same_way(url: str, names: list[str]) -> None:
    servers = split_servers(url)
    assert [server.name for server in servers] == names
    whole = _read(url)
    alone = [_read(server.url) for server in servers]
    assert [address for addresses, _ in alone for address in addresses] == whole[0]
    for _, rest in alone:
        assert rest[:3] == whole[1][:3]
        assert rest.server_settings == whole[1].server_settings


def _read(url: str) -> tuple[list[object], connect_utils._ConnectionParameters]:
    named = dict.fromkeys(
        ("host", "port", "user", "password", "passfile", "database", "ssl", "direct_tls", "service", "servicefile",
         "server_settings", "target_session_attrs", "krbsrvname", "gsslib")
    )  # fmt: skip
    return connect_utils._parse_connect_dsn_and_args(dsn=url, **named)  # type: ignore[no-any-return]


def test_what_names_one_server_stays_as_it_was_written() -> None:
    url = "postgresql://u:p+%20@h:5433/shop?options=-c%20x=1+2"
    assert [server.url for server in split_servers(url)] == [url]


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@h1,/shop",
        "postgresql://u@h1,,h2/shop",
        "postgresql://u@h1:0,h2/shop",
        "postgresql://u@h1:65536,h2/shop",
        "postgresql://u@h1:x,h2/shop",
        "postgresql:///shop?host=a,b,c&port=1,2",
        "postgresql:///shop?host=a,b&port=1,0",
        "postgresql:///shop?host=a,,b",
        "postgresql://u@h1,h2/shop?target_session_attrs=standby",
        "postgresql://u@" + ",".join(["h"] * (SERVERS_MAX + 1)) + "/shop",
    ],
)
def test_what_cannot_be_a_list_of_servers_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must") as caught:
        split_servers(url)
    assert "u@" not in str(caught.value)
