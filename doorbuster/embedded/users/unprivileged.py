"""Intake, workers and scheduler as a user of their own, when Doorbuster was started as root.

Owns who that is, whether it can read what they need, and the change of user between fork and exec. Never changes what
others may read: where the user cannot pass to Python, a `View` shows it, and where that cannot be they stay root.
"""

from __future__ import annotations

import ctypes
import importlib.util
import logging
import os
import pwd
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

from doorbuster.embedded.users import system_user
from doorbuster.embedded.users.view import View, view_of
from doorbuster.errors import InvalidError

_log = logging.getLogger(__name__)
_PACKAGES = ("doorbuster", "intake", "workers", "readiness", "waitingroom", "catalogue", "db")
_TRY = [sys.executable, "-P", "-m", "doorbuster.embedded.users.readable", *_PACKAGES]
_TRY_S = 60.0
_PR_SET_KEEPCAPS, _PR_SET_NO_NEW_PRIVS, _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE = 8, 38, 47, 2
_CAP_NET_BIND_SERVICE = 10
_CAPABILITY_VERSION = 0x2008_0522
_UNPRIVILEGED_PORTS = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


@dataclass(frozen=True, kw_only=True)
class Account:
    """Who a process becomes, and what it sees then."""

    name: str
    uid: int
    gid: int
    home: str
    view: View = field(default_factory=View)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables that say who one is; root's home is closed to it."""
        return {"HOME": self.home, "USER": self.name, "LOGNAME": self.name}

    def become(self, *, low_ports: bool = False) -> None:
        """Turn this process, root so far, into the user's for good; for the child between fork and exec.

        With `low_ports` it keeps one right of root's: to listen on ports that are not everybody's.
        """
        self.view.enter()
        os.setgroups([])
        os.setresgid(self.gid, self.gid, self.gid)
        if low_ports:
            _prctl(_PR_SET_KEEPCAPS, 1)
        os.setresuid(self.uid, self.uid, self.uid)
        if low_ports:
            _keep(_CAP_NET_BIND_SERVICE)
        _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def is_possible() -> bool:
    """Make the user if this is root; return whether there is somebody else to be, and say so when there should be."""
    if os.geteuid() != 0:
        return False
    try:
        system_user.ensure_fleet()
    except InvalidError as error:
        _stay_root(error.detail)
        return False
    return True


def choose(needed: list[Path], env: dict[str, str]) -> Account | None:
    """Return who intake, workers and scheduler are to be, as root; None: root after all, with a word of why.

    `needed` are folders that they read apart from Python's own.
    """
    found = pwd.getpwnam(system_user.FLEET)
    plain = Account(name=found.pw_name, uid=found.pw_uid, gid=found.pw_gid, home=found.pw_dir)
    view = view_of([*_python(), *needed], uid=plain.uid, gid=plain.gid)
    problems = []
    # Where there is no right to mount, access lists may still open what the modes close.
    for account in [replace(plain, view=view), plain] if view.closed else [plain]:
        problem = _try(account, env)
        if not problem:
            return account
        problems.append(problem)
    _stay_root("; or, without a view of its own: ".join(problems))
    return None


def is_low(port: int) -> bool:
    """Return whether only root may listen on a port."""
    try:
        return port < int(_UNPRIVILEGED_PORTS.read_text())
    except OSError:
        return port < 1024


def _stay_root(reason: str) -> None:
    _log.warning("intake, workers and scheduler stay root", extra={"reason": reason})


def _python() -> list[Path]:
    """Return the folders that Python and its packages are in, as they are named and as they are."""
    origins = [spec.origin for name in _PACKAGES if (spec := importlib.util.find_spec(name)) and spec.origin]
    return [
        Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable), Path(sys.executable).resolve().parent,
        *(Path(part) for part in sys.path if part), *(Path(origin).parent for origin in origins),
    ]  # fmt: skip


def _try(account: Account, env: dict[str, str]) -> str:
    """Have the account import and read everything; return what it could not, in a line."""
    try:
        tried = subprocess.run(
            _TRY, env=env | account.environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=_TRY_S, check=False, preexec_fn=account.become,
        )  # fmt: skip
    except subprocess.SubprocessError as error:
        return f"no process can become the user {account.name}: {error}"
    except OSError as error:
        return f"no process of the user {account.name} can be started: {error}"
    if tried.returncode == 0:
        return ""
    said = (tried.stderr.strip().splitlines() or [f"exit code {tried.returncode}"])[-1]
    return f"the user {account.name} cannot use this installation: {said}"


def _prctl(option: int, *arguments: int) -> None:
    if _libc.prctl(option, *map(ctypes.c_ulong, (*arguments, 0, 0, 0, 0)[:4])):
        raise OSError(ctypes.get_errno(), f"prctl {option}")


def _keep(capability: int) -> None:
    """Keep one capability, also over exec, and no other."""
    bit = 1 << capability
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    data = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if _libc.capset(header, data):
        raise OSError(ctypes.get_errno(), "capset")
    _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability)


_libc = ctypes.CDLL(None, use_errno=True)
