"""Titles of problems: what a reader who knows HTTP looks for."""

from __future__ import annotations

from http import HTTPStatus

import pytest

from doorbuster.contract.problems import FAULTS


@pytest.mark.parametrize(
    "code",
    ["malformed", "not_found", "method_not_allowed", "request_timeout", "unsupported_media_type", "rate_limited",
     "head_too_large", "internal", "version_not_supported"],
)  # fmt: skip
def test_what_http_has_a_phrase_for_has_that_title(code: str) -> None:
    fault = FAULTS[code]
    assert fault.title.casefold() == HTTPStatus(fault.status).phrase.casefold()


def test_a_title_is_a_phrase_and_its_own() -> None:
    titles = [fault.title for fault in FAULTS.values()]
    assert len(set(titles)) == len(titles)
    assert not [title for title in titles if title.endswith(".") or title.startswith(("There ", "This ", "The "))]
