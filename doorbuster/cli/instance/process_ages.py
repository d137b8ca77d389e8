"""Processes of an instance on this machine by their ids: whether they live and for how long. Reads /proc alone."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_STARTED, _STATE = 19, 0
"""Places behind the name in /proc/PID/stat: when it started, in ticks since boot, and its state."""


def of_pids(pids: Mapping[str, list[int] | int | None]) -> list[dict[str, Any]]:
    """Return each process with its role, whether it lives, and its age."""
    found: list[dict[str, Any]] = []
    for role, given in pids.items():
        listed = given if isinstance(given, list) else [] if given is None else [given]
        if given == []:
            found.append({"role": role, "name": "", "ok": False, "reason": f"no {role} runs"})
        found += [_process(role, pid) for pid in listed]
    return found


def merged(own: list[dict[str, Any]], told: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the processes seen here and those the jobs store tells of, each once: its names begin with `host-pid`."""
    here = {f"{one['role']} {socket.gethostname()}-{one['name']}": one for one in own}
    others = []
    for one in told:
        whole = f"{one['role']} {one['name']}"
        seen = here.get(whole) or here.get(whole.rpartition("-")[0])
        if seen is None:
            others.append(one)
        elif seen["ok"]:
            seen |= {name: value for name, value in one.items() if name not in ("role", "name", "age_s")}
    return own + others


def _process(role: str, pid: int) -> dict[str, Any]:
    age_s, state = _look(pid)
    if age_s is None or state == "Z":
        return {"role": role, "name": str(pid), "ok": False, "reason": f"process {pid} has ended"}
    if state in "Tt":
        return {"role": role, "name": str(pid), "ok": False, "age_s": age_s, "reason": f"process {pid} is stopped"}
    return {"role": role, "name": str(pid), "ok": True, "age_s": age_s}


def _look(pid: int) -> tuple[int | None, str]:
    try:
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        up_s = float(Path("/proc/uptime").read_text().split()[0])
    except OSError:
        return None, ""
    return round(up_s - int(told[_STARTED]) / os.sysconf("SC_CLK_TCK")), told[_STATE]
