"""Products and listings over HTTP. Owns their parameters; the catalogue decides what is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catalogue.cache.items import LIMIT_MAX
from doorbuster.errors import InvalidError
from intake.web.conditional import answer

if TYPE_CHECKING:
    from falcon.asgi import Request, Response

    from catalogue.service import Catalogue
    from intake.web.problems import Problems

ID_MAX = 64
CATEGORY_MAX = 200
LIMIT = 24


class ShowProduct:
    """Resource of a product as shoppers see it."""

    def __init__(self, catalogue: Catalogue, problems: Problems) -> None:
        self._catalogue, self._problems = catalogue, problems

    async def on_get(self, req: Request, resp: Response, product: str) -> None:
        """Show the product."""
        if len(product) > ID_MAX or "\x00" in product:
            self._problems.write(resp, "product_not_found", "There is no such product")
            return
        shown = await self._catalogue.product(product)
        if shown.found:
            answer(req, resp, shown)
            return
        self._problems.write(resp, "product_not_found", "There is no such product")
        resp.set_headers(shown.headers)

    on_head = on_get


class ListProducts:
    """Resource of listings, a page at a time, in the order of product ids: pages stay as they are under inserts."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    async def on_get(self, req: Request, resp: Response) -> None:
        """Show a page."""
        category = req.get_param("category")
        after = req.get_param("cursor") or ""
        limit = req.get_param("limit") or str(LIMIT)
        _check(req, category, after, limit)
        answer(req, resp, await self._catalogue.page(category, after=after, limit=int(limit)))

    on_head = on_get


def _check(req: Request, category: str | None, after: str, limit: str) -> None:
    problems = [
        (name, "is not known here") for name in sorted(req.params) if name not in ("category", "cursor", "limit")
    ]
    problems += [(name, "is given several times") for name, value in req.params.items() if isinstance(value, list)]
    if category is not None and (len(category) > CATEGORY_MAX or "\x00" in category):
        problems.append(("category", f"must have at most {CATEGORY_MAX} characters, none of them NUL"))
    if len(after) > ID_MAX or "\x00" in after:
        problems.append(("cursor", "must be the next_cursor of a page"))
    if not (limit.isascii() and limit.isdecimal() and len(limit) <= 5 and 1 <= int(limit) <= LIMIT_MAX):
        problems.append(("limit", f"must be a whole number from 1 to {LIMIT_MAX}"))
    if problems:
        raise InvalidError.naming(problems)
