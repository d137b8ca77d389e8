"""What is known of a sale that is watched: the last answer, when it came, the past. Owns that memory; asks nobody."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

KEEP_S = 900
FIGURES = ("waiting", "admitted_per_s", "accepted_per_s", "confirmed_per_s", "backlog", "backlog_s", "rate_per_s")
SILENT_S = 3.0
"""How long no answer is none to speak of."""

Moment = dict[str, Any]


def unix_s(text: str) -> float:
    """Return a time of the API in Unix seconds."""
    return datetime.fromisoformat(text).timestamp()


@dataclass
class Track:
    """One sale."""

    sale_id: str
    began_s: float
    """When it was asked for first, in Unix seconds."""
    view: dict[str, Any] | None = None
    answered_s: float | None = None
    error: str = ""
    """Why the last question was not answered."""
    past: deque[Moment] = field(default_factory=lambda: deque(maxlen=2 * KEEP_S))

    def take(self, view: dict[str, Any], now_s: float) -> None:
        """Take an answer; one that brings the past replaces what was known of it."""
        history = view.pop("history", None)
        if history is not None:
            self.past.clear()
            self.past.extend(history)
        if not self.past or self.past[-1]["at"] < view["at"]:
            rate = view["room"]["rate_per_s"]
            self.past.append({"at": view["at"], "rate_per_s": rate} | {name: view[name] for name in FIGURES[:-1]})
        while self.past and now_s - unix_s(self.past[0]["at"]) > KEEP_S:
            self.past.popleft()
        self.view, self.answered_s, self.error = view, now_s, ""

    def fail(self, error: str) -> None:
        """Hear that there was no answer."""
        self.error = error

    def silent_s(self, now_s: float) -> float | None:
        """Return for how long there has been no answer, None when that is nothing to speak of."""
        since = self.began_s if self.answered_s is None else self.answered_s
        return now_s - since if self.error and now_s - since > SILENT_S else None

    @property
    def needs_past(self) -> bool:
        """Whether the past is to be asked for: at first, and after a time without answers."""
        return self.view is None or bool(self.error)

    def figures(self, name: str) -> list[tuple[float, float | None]]:
        """Return one of `FIGURES` over the past, oldest first."""
        return [(unix_s(one["at"]), one[name]) for one in self.past]
