"""The digest by which a load test from elsewhere proves that it knows `LOADTEST_PROOF`. Owns that resource alone.

The text itself is shown to nobody: who reads the digest cannot make it. `loadtests/scene/ownership.py` compares.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from falcon.asgi import Request, Response
    from pydantic import SecretStr

PATH = "/.well-known/doorbuster-loadtest"


class ShowProof:
    """Resource of the digest."""

    def __init__(self, proof: SecretStr | None) -> None:
        told = None if proof is None else f"doorbuster-loadtest:{proof.get_secret_value()}"
        self._digest = None if told is None else hashlib.sha256(told.encode()).hexdigest()

    async def on_get(self, _req: Request, resp: Response) -> None:
        """Show it.

        Raises:
            RefusedError: nothing is set.
        """
        if self._digest is None:
            raise RefusedError("not_found", "There is nothing here: LOADTEST_PROOF is not set")
        resp.content_type = "text/plain; charset=utf-8"
        resp.cache_control = ["no-store"]
        resp.text = f"{self._digest}\n"
