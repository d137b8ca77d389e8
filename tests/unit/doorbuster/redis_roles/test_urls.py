"""URLs of Redis roles: each kind as it is written, and what is none."""

from __future__ import annotations

import pytest

from doorbuster.errors import SettingsError
from doorbuster.log import redact
from doorbuster.redis_roles import urls
from doorbuster.redis_roles.urls import Address, RoleKind
from doorbuster.settings import load_settings

GIVEN = {
    "database_url": "postgresql://h/d",
    "order_id_key": "k" * 16,
    "ops_key": "k" * 16,
    **dict.fromkeys(("orders_redis_url", "room_redis_url", "jobs_redis_url", "cache_redis_url"), "redis://h:1/0"),
}


@pytest.mark.parametrize("url", ["redis://h:1/0", "rediss://u:p@h/3", "unix:///run/redis.sock?db=2"])
def test_a_single_server_is_what_it_was(url: str) -> None:
    said = urls.read(url)
    assert (said.kind, said.plain, said.addresses) == (RoleKind.SINGLE, url, ())


def test_a_cluster_is_named_by_some_of_its_nodes() -> None:
    said = urls.read("rediss+cluster://u:p%40@a:7000,b,[::1]:7002,a:7000?ssl_cert_reqs=none")
    assert said.kind is RoleKind.CLUSTER
    assert said.addresses == (Address("a", 7000), Address("b", 6379), Address("::1", 7002))
    assert said.plain == "rediss://u:p%40@a:7000/0?ssl_cert_reqs=none"


def test_a_service_is_named_behind_its_sentinels() -> None:
    said = urls.read(
        "redis+sentinel://u:p@a,b:26380/jobs/2?sentinel_username=w%40&sentinel_password=s&health_check_interval=3"
    )
    assert (said.kind, said.service) == (RoleKind.SENTINEL, "jobs")
    assert said.addresses == (Address("a", 26379), Address("b", 26380))
    assert said.plain == "redis://u:p@a:26379/2?health_check_interval=3"
    assert said.sentinel == "redis://w%40:s@a:26379/0?health_check_interval=3"
    assert urls.read("redis+sentinel://:p@a/jobs").sentinel == "redis://a:26379/0"


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("http://h:1", "beginning with redis://"),
        ("redis+cluster://", "nodes as host:port"),
        ("redis+cluster://a:0", "nodes as host:port"),
        ("redis+cluster://a:70000", "nodes as host:port"),
        ("redis+cluster://a:1,,b:2", "nodes as host:port"),
        ("redis+cluster://a:secret", "nodes as host:port"),
        ("redis+cluster://u:secret@a:1/1", "must name no database"),
        ("redis+cluster://a:1?db=1", "must name no database"),
        ("redis+sentinel://a:1", "must name the service"),
        ("redis+sentinel://a:1/", "must name the service"),
        ("redis+sentinel://a:1/jobs/x", "number of a database"),
        ("redis+sentinel:///jobs", "sentinels as host:port"),
        ("redis://u:secret@a:1,b:2/0", "names one server"),
    ],
)
@pytest.mark.parametrize("role", ["orders_redis_url", "room_redis_url", "jobs_redis_url", "cache_redis_url"])
def test_what_is_none_is_refused_at_the_start(url: str, word: str, role: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(**GIVEN | {role: url})
    assert word in refused.value.detail
    assert role.upper() in refused.value.detail
    assert "secret" not in refused.value.detail


def test_jobs_cannot_be_on_a_cluster() -> None:
    on_clusters = dict.fromkeys(("orders_redis_url", "room_redis_url", "cache_redis_url"), "redis+cluster://a:1,b:2")
    load_settings(**GIVEN | on_clusters | {"jobs_redis_url": "redis+sentinel://a:1/jobs"})
    with pytest.raises(SettingsError, match="JOBS_REDIS_URL: must not be a Cluster"):
        load_settings(**GIVEN | {"jobs_redis_url": "redis+cluster://a:1"})


def test_no_password_gets_into_a_log() -> None:
    url = "redis+sentinel://user:secret@a:1,b:2/jobs?sentinel_username=w&sentinel_password=secret&x=1"
    assert redact(url) == "redis+sentinel://user:***@a:1,b:2/jobs?sentinel_username=w&sentinel_password=***&x=1"
    assert redact('"redis+cluster://:secret@a:1,b:2"') == '"redis+cluster://:***@a:1,b:2"'
