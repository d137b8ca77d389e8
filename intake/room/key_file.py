"""The file of the room's keys, taken up while the process runs. Owns reading it; never writes it, never ends for it.

A rotation replaces the file. Whoever signs and checks goes on in the same process, so no request notices.
"""

from __future__ import annotations

import asyncio
import json
import logging
from typing import TYPE_CHECKING

from doorbuster.errors import InvalidError, SettingsError
from waitingroom.keyring import KeyRing

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger("doorbuster.intake.room")
LOOK_S = 1.0
_MEMBER = "room_keys"


class KeyFile:
    """A file that holds `kid:secret,kid:secret`, or a JSON object whose `room_keys` does."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            SettingsError: it cannot be read, or holds no keys.
        """
        self._path = path
        self._text = self._read()
        self.ring = self._parse(self._text)

    async def keep_fresh(self) -> None:
        """Take up what the file holds whenever it changes, until cancelled; what is wrong in it is logged."""
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> bool:
        """Take up what the file holds now; return whether the keys changed."""
        try:
            text = self._read()
            if text == self._text:
                return False
            found = self._parse(text)
        except SettingsError as error:
            log.error("the room's keys stay as they were", extra={"error": error.detail})
            return False
        self.ring.replace(found)
        self._text = text
        log.info("the room's keys changed", extra={"signing_key": found.signing_id})
        return True

    def _read(self) -> str:
        try:
            return self._path.read_text().strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"ROOM_KEYS_FILE: cannot be read: {error}") from error

    @staticmethod
    def _parse(text: str) -> KeyRing:
        try:
            keys = json.loads(text)[_MEMBER] if text.startswith("{") else text
            return KeyRing.parse(str(keys))
        except (ValueError, KeyError) as error:
            raise SettingsError(f"ROOM_KEYS_FILE: is no JSON object with {_MEMBER}") from error
        except InvalidError as error:
            raise SettingsError(f"ROOM_KEYS_FILE: {error.detail}") from error
