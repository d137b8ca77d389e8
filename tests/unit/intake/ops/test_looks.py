"""A look at a sale that is given up before it has begun, as when the instance ends."""

from __future__ import annotations

import asyncio
import gc
from typing import Any
from unittest.mock import Mock

import pytest

from intake.ops.live.looks import Looks


@pytest.mark.filterwarnings("error")
async def test_a_look_that_ends_before_its_first_step_leaves_nothing_unawaited(
    recwarn: pytest.WarningsRecorder,
) -> None:
    nobody: Any = Mock()
    looking = asyncio.create_task(Looks(nobody, nobody, nobody, nobody).look(nobody, None))
    await asyncio.sleep(0)  # it has begun its looks at each store, none of which had a turn yet
    looking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await looking
    del looking
    gc.collect()
    assert [str(one.message) for one in recwarn] == []
