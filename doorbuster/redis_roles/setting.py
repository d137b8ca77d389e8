"""The URL of a Redis role as a setting. Owns its check at the start of a process; what it says is `urls.py`'s."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, SecretStr

from doorbuster.redis_roles import urls
from doorbuster.redis_roles.urls import RoleKind


def _redis_url(value: SecretStr) -> SecretStr:
    urls.read(value.get_secret_value())
    return value


def _jobs_redis_url(value: SecretStr) -> SecretStr:
    """Check that it is none of a Cluster: RQ keeps a job's keys in several slots."""
    if urls.read(value.get_secret_value()).kind is RoleKind.CLUSTER:
        raise ValueError("must not be a Cluster, which RQ cannot use: a single server, or redis+sentinel://")
    return value


RedisUrl = Annotated[SecretStr, AfterValidator(_redis_url)]
JobsRedisUrl = Annotated[SecretStr, AfterValidator(_jobs_redis_url)]
