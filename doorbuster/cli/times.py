"""How the command line reads and shows times. A time without a zone is refused: nobody can know which one was meant."""

from __future__ import annotations

from datetime import UTC, datetime

from doorbuster.errors import InvalidError

EXAMPLE = "2026-03-01T10:00:00Z or 2026-03-01T11:00:00+01:00"
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def read_time(text: str, option: str) -> str:
    """Return a time as RFC 3339 in UTC.

    Raises:
        InvalidError: it is none, or has no zone.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidError(f"{option}: {text!r} is no time; write it like {EXAMPLE}") from error
    if found.tzinfo is None:
        raise InvalidError(f"{option}: {text!r} has no time zone; write it like {EXAMPLE}")
    try:
        return found.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError as error:
        raise InvalidError(f"{option}: {text!r} is out of bounds") from error


def show_time(text: str | None) -> str:
    """Return a time of the API in the zone of this machine, and in UTC where that is another."""
    if text is None:
        return "never"
    moment = datetime.fromisoformat(text)
    local = moment.astimezone()
    shown = f"{local:%a %Y-%m-%d %H:%M:%S %Z}"
    return shown if not local.utcoffset() else f"{shown} ({moment.astimezone(UTC):%H:%M} UTC)"


def span(seconds: float) -> str:
    """Return a span in its two largest units, like `2 d 9 h`."""
    left = round(abs(seconds))
    parts: list[str] = []
    for size, name in _UNITS:
        count, left = divmod(left, size)
        if count or parts or name == "s":
            parts.append(f"{count} {name}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "0 s"


def seconds_until(text: str, now: datetime | None = None) -> float:
    """Return how long until a time of the API; less than nothing when it has passed."""
    return (datetime.fromisoformat(text) - (now or datetime.now(UTC))).total_seconds()


def relative(text: str, future: str, past: str, now: datetime | None = None) -> str:
    """Return how far a time is, like `starts in 2 d 9 h` or `started 4 min ago`."""
    seconds = seconds_until(text, now)
    return f"{future} in {span(seconds)}" if seconds > 0 else f"{past} {span(seconds)} ago"
