"""Why a room lets in as fast as it does, as a word and as a sentence. Owns both; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doorbuster.contract.night.live import LiveRoom
from waitingroom.outflow import OutflowDecision
from waitingroom.room import Mode, Phase
from waitingroom.sale_config import mode_of, room_config

if TYPE_CHECKING:
    from collections.abc import Callable

    from db.sales import Sale
    from waitingroom.outflow import Cause
    from waitingroom.room import RoomState

STALE_MS = 10_000
"""A decision older than this is nobody's any more."""

_STILL = {
    Phase.CLOSED: ("not_open", "the room is not open yet"),
    Phase.LOBBY: ("lobby", "visitors register in the lobby; they are let in from the start of the sale"),
    Phase.HOLD: ("hold", "the sale is on hold: nobody is let in until you resume it"),
    Phase.DRAIN: ("drain", "the sale is draining: nobody is let in any more"),
    Phase.OVER: ("over", "the sale is over"),
}
_PAUSED = {"down": "is down", "rate_limited": "takes no more for now"}


def room_of(sale: Sale, state: RoomState | None) -> LiveRoom:
    """Return how a sale's room is; no state: its store does not answer."""
    mode = mode_of(sale)
    if mode is Mode.OFF:
        return LiveRoom(mode=mode.value, rate_per_s=None, set_rate_per_s=None, why="off", reason="the sale has no room")
    if state is None:
        operator, why, reason = room_config(sale).rate_per_s, "unknown", "the room's store does not answer"
        return LiveRoom(mode=mode.value, rate_per_s=None, set_rate_per_s=operator, why=why, reason=reason)
    rate, why, reason = _rate(state)
    return LiveRoom(mode=mode.value, rate_per_s=rate, set_rate_per_s=state.config.rate_per_s, why=why, reason=reason)


def _rate(state: RoomState) -> tuple[float | None, str, str]:
    """Return the rate that holds, the word and the sentence."""
    if state.phase in _STILL:
        return (None, *_STILL[state.phase])
    if state.sold_out:
        return None, "sold_out", "everything is sold out: nobody is let in until units come back"
    if state.config.mode is Mode.SAFETY_NET and not state.net:
        return None, "net_off", "the safety net is off: orders need no admission"
    rate, most = round(state.rate_per_s, 2), state.config.max_active
    if 0 < most <= state.active + state.pending and state.waiting > 0:
        inside = f"{state.active:,} admissions are out and {state.pending:,} visitors are called"
        return rate, "cap_active", f"nobody is let in for now: {inside}, and you allow {most:,} at once (max_active)"
    return rate, *_decided(state, OutflowDecision.read(state.decision))


def _decided(state: RoomState, made: OutflowDecision | None) -> tuple[str, str]:
    operator, rate = state.config.rate_per_s, state.rate_per_s
    if state.rate_now is None:
        return "set", f"{_per_s(operator)}, as you set it; nobody has measured yet what lies behind the room"
    if made is None:
        return "unknown", f"{_instead(rate, operator)}: a controller of another version set it"
    silent_ms = state.now_ms - made.at_ms
    if silent_ms > STALE_MS:
        silent = f"for {silent_ms / 1000:.0f} s nobody has measured what lies behind the room, so it stays as it was"
        return "not_measured", f"{_instead(rate, operator)}: {silent}"
    if made.why == "set":
        return "set", f"{_per_s(operator)}, as you set it"
    return made.why, f"{_instead(rate, operator)}: {_BECAUSE[made.why](made)}"


def _instead(rate: float, operator: float) -> str:
    return f"{_per_s(rate)} instead of the {_per_s(operator)} you set" if rate < operator else _per_s(rate)


def _per_s(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 or rate == round(rate) else f"{rate:.2g}/s"


def _late(what: str, made: OutflowDecision) -> str:
    return f"{what} {made.lag_ms / 1000:.1f} s behind, above {made.lag_limit_ms / 1000:g} s"


_AFTER = {
    "lag": "the drain was behind",
    "payments_slow": "payments were behind",
    "payments_paused": "the payment provider was left alone",
    "events_late": "order events were behind",
    "backlog": "the backlog was too large",
    "backlog_full": "the backlog was full",
    "few_left": "few units were left",
    "sold_out": "everything was sold out",
    "set": "you set a higher rate",
}
_BECAUSE: dict[Cause, Callable[[OutflowDecision], str]] = {
    "lag": lambda made: _late("the drain is", made),
    "payments_slow": lambda made: _late("payments are", made),
    "payments_paused": lambda made: (
        f"the payment provider {_PAUSED.get(made.paused, made.paused)}, and {_late('payments are', made)}"
    ),
    "events_late": lambda made: _late("order events are", made),
    "backlog": lambda made: f"{made.backlog:,} orders wait to be drained, above {made.backlog_limit:,}",
    "backlog_full": lambda made: f"the backlog is full, {made.refused:,} orders were refused for it within a second",
    "few_left": lambda made: f"{made.remaining:,} units are left, and {made.inside:,} visitors are inside already",
    "sold_out": lambda _made: "nothing is left to sell",
    "ramping": lambda made: (
        "it grows back step by step" + (f" after {_AFTER[made.after]}" if made.after in _AFTER else "")
    ),
}
