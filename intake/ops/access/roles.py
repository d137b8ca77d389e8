"""Refuses what a key's role does not allow. Owns the refusal; which role a call needs is the contract's table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doorbuster.contract.ops_keys import allows
from intake.web.openapi.roles import needed_role
from intake.web.ops_keys import HOLDER
from intake.web.problems import RefusedError

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from doorbuster.contract.ops_keys import Role
    from intake.web.ops_keys import KeyHolder

VERB = "verb"
"""A parameter of paths that stands for several operations of the contract."""


class RequiredRole:
    """Middleware of ops' application."""

    async def process_resource(self, req: Request, _resp: Response, _resource: object, params: dict[str, Any]) -> None:
        """Let a request through whose key may.

        Raises:
            RefusedError: `role_required`, with the role that is needed.
        """
        path = (req.uri_template or "").replace(f"{{{VERB}}}", str(params.get(VERB)))
        require_role(req, needed_role(req.method, path))


def require_role(req: Request, needed: Role | None) -> None:
    """Let a request through whose key has the role; None: no role is needed.

    Raises:
        RefusedError: `role_required`, with the role that is needed.
    """
    holder: KeyHolder | None = req.scope.get(HOLDER)
    if needed is not None and not allows(holder and holder.role, needed):
        had = f"the key {holder.name!r} is one of the role {holder.role}" if holder else "no key was shown"
        raise RefusedError("role_required", f"This takes the role {needed}; {had}", members={"role": needed})
