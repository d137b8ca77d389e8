"""Why a room lets in as fast as it does, as a word and as a sentence. Owns both; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from doorbuster.contract.night.live import LiveRoom
from waitingroom.room import Mode, Phase
from waitingroom.sale_config import mode_of, room_config

if TYPE_CHECKING:
    from db.sales import Sale
    from waitingroom.room import RoomState

_STILL = {
    Phase.CLOSED: ("not_open", "the room is not open yet"),
    Phase.LOBBY: ("lobby", "visitors register in the lobby; it lets in from the start of the sale"),
    Phase.HOLD: ("hold", "ops put the sale on hold"),
    Phase.DRAIN: ("drain", "the sale is draining: nobody is let in any more"),
    Phase.OVER: ("over", "the sale is over"),
}


def room_of(sale: Sale, state: RoomState | None) -> LiveRoom:
    """Return how a sale's room is; no state: its store does not answer."""
    mode = mode_of(sale)
    if mode is Mode.OFF:
        return LiveRoom(mode=mode.value, rate_per_s=None, set_rate_per_s=None, why="off", reason="the sale has no room")
    operator = room_config(sale).rate_per_s
    if state is None:
        why, reason = "unknown", "the room's store does not answer"
        return LiveRoom(mode=mode.value, rate_per_s=None, set_rate_per_s=operator, why=why, reason=reason)
    rate, why, reason = _rate(state)
    return LiveRoom(mode=mode.value, rate_per_s=rate, set_rate_per_s=operator, why=why, reason=reason)


def _rate(state: RoomState) -> tuple[float | None, str, str]:
    if state.phase in _STILL:
        return (None, *_STILL[state.phase])
    if state.sold_out:
        return None, "sold_out", "everything is sold out: nobody is let in until units come back"
    if state.config.mode is Mode.SAFETY_NET and not state.net:
        return None, "net_off", "the safety net is off: orders need no admission"
    return round(state.rate_per_s, 2), "set", f"{state.rate_per_s:g}/s, as you set it"
