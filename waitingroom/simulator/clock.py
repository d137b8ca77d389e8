"""The virtual clock. Owns the one file that replaces the scripts' clock; never used by a process that serves.

The time is the field `virtual_ms` of the room's hash, set by whoever simulates before each call.
"""

from __future__ import annotations

from pathlib import Path

VIRTUAL = {"clock": Path(__file__).with_name("virtual_clock.lua").read_text()}
"""For `Room(replaced=...)`."""
