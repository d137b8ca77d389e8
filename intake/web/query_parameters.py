"""Query parameters that mean nothing where they are given. Owns their refusal: a misspelt one would change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doorbuster.errors import InvalidError

if TYPE_CHECKING:
    from falcon.asgi import Request


def refuse_unknown_params(req: Request, *allowed: str) -> None:
    """Refuse query parameters that mean nothing here, or are given twice: a misspelt filter would show everything."""
    wrong = [(name, "is not known here") for name in sorted(req.params) if name not in allowed]
    wrong += [(name, "is given several times") for name in allowed if isinstance(req.params.get(name), list)]
    if wrong:
        raise InvalidError.naming(wrong)


def flag_of(req: Request, name: str) -> bool:
    """Return a parameter that is `true` or `false`; false where it is not given.

    Raises:
        InvalidError: it is neither.
    """
    text = req.get_param(name, default="false")
    if text not in ("true", "false"):
        raise InvalidError.naming([(name, "must be true or false")])
    return text == "true"
