"""No connection asks the package for its version again: that takes longer than to connect."""

from __future__ import annotations

from typing import Any

import pytest
from redis import utils

from doorbuster.redis_clients import plain_client
from workers.runtime import job_queue


def _refuse() -> str:
    raise AssertionError("the version was asked for")


@pytest.mark.parametrize("connect", [plain_client, job_queue.connect])
def test_a_connection_is_made_without_asking_for_the_library_s_version(
    connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(utils, "get_lib_version", _refuse)
    connection = connect("redis://127.0.0.1:1/0").connection_pool.make_connection()
    assert connection.driver_info.lib_version.split(".")[0].isdigit()
