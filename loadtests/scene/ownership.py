"""Proof that one owns a target that is not this machine: without it no load goes there. Owns that question.

The target serves a digest at `PATH` that only who knows its setting `LOADTEST_PROOF` can make. Whoever starts a load
run has the same text in the environment. Asked once by each process for each target, at most `TARGETS_MAX` of them;
what was proven counts for `LASTS_S`, longer than any run may take.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import time

import httpx

PATH = "/.well-known/doorbuster-loadtest"
VARIABLE = "LOADTEST_PROOF"
PROOF_MIN = 16
TARGETS_MAX = 4
LASTS_S = 1_800.0
_TIMEOUT_S = 5.0
_ANSWER_MAX = 1_000
_proven: dict[str, float] = {}


class NotOwnedError(ValueError):
    """Nobody has shown that the target may be loaded."""


def digest_of(proof: str) -> str:
    """Return what a target serves whose setting is this; the intake makes the same."""
    return hashlib.sha256(f"doorbuster-loadtest:{proof}".encode()).hexdigest()


def require_proof(origin: str) -> None:
    """Return when the target at an origin serves the digest of the proof in the environment.

    Raises:
        NotOwnedError: it does not, or there is no proof.
    """
    proof = os.environ.get(VARIABLE, "")
    if len(proof) < PROOF_MIN:
        raise NotOwnedError(
            f"{origin} is not this machine: a load run goes there only with a proof that you own it, {PROOF_MIN} "
            f"characters or more, in {VARIABLE} here and in the settings there"
        )
    if time.monotonic() < _proven.get(origin, 0.0):
        return
    if len(_proven) >= TARGETS_MAX and origin not in _proven:
        raise NotOwnedError(f"one load run has at most {TARGETS_MAX} targets")
    if not hmac.compare_digest(_served(origin), digest_of(proof)):
        raise NotOwnedError(f"{origin}{PATH} does not show the digest of {VARIABLE}: set it there, too")
    _proven[origin] = time.monotonic() + LASTS_S


def _served(origin: str) -> str:
    try:
        with httpx.stream("GET", origin + PATH, timeout=_TIMEOUT_S, follow_redirects=False, trust_env=False) as answer:
            body = b""
            for part in answer.iter_bytes():
                body += part
                if len(body) > _ANSWER_MAX:
                    break
    except httpx.HTTPError as error:
        raise NotOwnedError(f"{origin}{PATH} does not answer: {str(error) or type(error).__name__}") from error
    return body.decode(errors="replace").strip() if answer.status_code == httpx.codes.OK else ""
