"""How commands reach the database: whatever the driver says of a store that is not there becomes one error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from db.connections.fence import NoPrimaryError
from doorbuster.errors import StoreUnavailableError
from doorbuster.failures import POSTGRES_FAILED


@contextmanager
def answering() -> Iterator[None]:
    """Translate the driver's errors of the block; nothing but calls to the database belongs into it.

    Raises:
        StoreUnavailableError: it does not answer, or refuses.
    """
    try:
        yield
    except NoPrimaryError as error:
        raise StoreUnavailableError(f"the database cannot be written to: {error}") from error
    except POSTGRES_FAILED as error:
        words = str(error) or f"no answer in time ({type(error).__name__})"
        raise StoreUnavailableError(f"the database does not answer: {words}") from error
