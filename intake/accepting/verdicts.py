"""What the accept script says of an order: the first byte of its verdict. Owns the codes, not their meaning."""

from __future__ import annotations

NEW, REPLAY, CONFLICT, SOLD_OUT, BACKLOG = b"+", b"=", b"!", b"-", b"#"
NO_GATE, EARLY, LATE, HOLD, CLOSED = b"?", b"<", b">", b"h", b"x"
SPENT, REVOKED, EXPIRED = b"s", b"r", b"e"
UNKNOWN = b"~"
"""First byte of a verdict; after NEW and REPLAY comes the entry's id."""
