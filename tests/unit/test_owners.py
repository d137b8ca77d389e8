"""Who may speak to a Redis server: the order store has one owner, as cache, room and job queue have theirs."""

from __future__ import annotations

import ast
from pathlib import Path

from tests.fixtures.files import files_under

ROOT = Path(__file__).parents[2]
ROOMS = ("doorbuster", "intake", "readiness", "waitingroom", "catalogue", "workers", "db")

ORDER_STORE = "doorbuster/orderstore/"
OTHER_OWNERS = {
    "doorbuster/lua_script.py": "runs a script for an owner, whichever store it is",
    "doorbuster/redis_roles/age.py": "asks any store how long it has been up, by no key",
    "doorbuster/redis_clients.py": "has a lost connection called so, whatever is sent",
    "doorbuster/redis_roles/any_node.py": "lends connections of any role's servers",
    "doorbuster/redis_roles/client.py": "passes commands of an owner on, whatever they are",
    "doorbuster/redis_roles/pipeline.py": "passes commands of an owner on, whatever they are",
    "doorbuster/redis_roles/pools.py": "has a connection that cannot be made called so",
    "doorbuster/redis_roles/router.py": "passes commands of an owner on, whatever they are",
    "doorbuster/redis_roles/subscription.py": "subscribes to an owner's channels, of any role",
    "doorbuster/redis_roles/whereabouts.py": "asks nodes and sentinels who is the primary, by no key",
    "doorbuster/redis_traces.py": "removes a rehearsal's keys from any store",
    "readiness/audited.py": "the jobs",
    "readiness/shift_costs.py": "the jobs",
    "doorbuster/embedded/stores/valkey.py": "waits until a server of its own answers",
    "doorbuster/embedded/stores/valkey_cluster.py": "forms a cluster of servers of its own, by no key",
    "catalogue/cache/shared.py": "the cache",
    "catalogue/cache/units.py": "the cache",
    "waitingroom/records/history.py": "the room",
    "waitingroom/records/minutes.py": "the room",
    "waitingroom/records/visits.py": "the room",
    "waitingroom/simulator/store.py": "a room's store that is simulated",
    "workers/runtime/job_queue.py": "the jobs",
    "workers/runtime/presence.py": "the jobs",
    "workers/runtime/rq_worker.py": "the jobs",
    "readiness/processes.py": "the jobs",
    "readiness/signs.py": "the jobs",
}
"""Owner -> the store that it speaks to."""

VERBS = frozenset({
    "xadd", "xrange", "xrevrange", "xread", "xlen", "xtrim", "xdel", "xinfo_stream", "xinfo_groups", "hget", "hset",
    "hmget", "hgetall", "hincrby", "hdel", "mget", "mset", "smembers", "sadd", "srem", "sismember", "smismember",
    "scard", "evalsha", "eval", "fcall", "script_load", "script_exists", "execute_command", "pubsub", "pipeline",
    "scan", "scan_iter", "config_get", "config_set", "send_packed_command", "get_connection", "zadd", "zrange",
    "lpush", "rpush", "lrange", "setex", "psetex", "pexpire", "incrby", "incr", "decr", "getdel", "getex",
    "spublish", "ssubscribe", "psubscribe", "flushall", "flushdb",
})  # fmt: skip
"""Commands and ways to send one that are called so on nothing else."""
COMMON_VERBS = frozenset({
    "get", "set", "publish", "subscribe", "info", "time", "ping", "exists", "delete", "expire", "wait", "ttl",
})  # fmt: skip
"""Commands that other things do, too: on what is called as a client they are meant for a server."""
CLIENTS = frozenset({
    "redis", "orders", "client", "jobs", "pipe", "pipeline", "both", "connection", "subscription", "store",
    "orders_redis", "accept_redis", "room_store", "jobs_redis", "cache_redis",
})  # fmt: skip
KEYS = frozenset({
    "stream", "gate", "accepted", "accepted_prefix", "spent", "spent_prefix", "sold_out", "OUTCOMES", "SALES",
    "HEARD", "EVENTS", "SCHEDULER_FAILURES",
})  # fmt: skip
"""What `doorbuster.keys` names of the order store."""


def raw_commands(source: str) -> list[str]:
    """Return the calls of a module that send a command to a Redis server or put together what does."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        verb, receiver = node.func.attr, _name(node.func.value)
        is_script = verb == "beside" and receiver == "script"
        if verb in VERBS or is_script or (verb in COMMON_VERBS and receiver in CLIENTS):
            found.append(f"{ast.unparse(node.func)}, line {node.lineno}")
    return found


def order_store_keys(source: str) -> list[str]:
    """Return where a module names a key of the order store."""
    return [
        f"{ast.unparse(node)}, line {node.lineno}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and node.attr in KEYS and ast.unparse(node.value) == "keys"
    ]


def _name(node: ast.expr) -> str:
    """Return the last word of what a method is called on, without underscores before it."""
    if isinstance(node, ast.Subscript):
        return _name(node.value)
    word = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return word.strip("_").lower()


def holders(root: Path) -> dict[str, list[str]]:
    """Return the raw commands by file that stand outside an owner."""
    found = {}
    for room in ROOMS:
        for path in files_under(root / room, "*.py"):
            name = str(path.relative_to(root))
            if (
                not name.startswith(ORDER_STORE)
                and name not in OTHER_OWNERS
                and (raw := raw_commands(path.read_text()))
            ):
                found[name] = raw
    return found


def test_the_order_store_is_spoken_to_in_one_place() -> None:
    assert holders(ROOT) == {}


def test_its_keys_are_named_in_one_place() -> None:
    named = {
        name: found
        for room in ROOMS
        for path in files_under(ROOT / room, "*.py")
        if not (name := str(path.relative_to(ROOT))).startswith(ORDER_STORE)
        and (found := order_store_keys(path.read_text()))
    }
    assert named == {}


def test_each_owner_speaks_to_its_store() -> None:
    # One that no longer does would let anything in that is written there later.
    assert [name for name in OTHER_OWNERS if not raw_commands((ROOT / name).read_text())] == []


MADE_UP = """
class Reader:
    async def read(self, values, message):
        await self._redis.get("a")
        async with self._orders.pipeline(transaction=False) as pipe:
            pipe.publish("c", b"m")
        await self.checks.redis["orders_store"].time()
        await anything.xrange("s", "-", "+")
        values.get("a"), message.publish(), asyncio.wait(values), self._stopping.set()
        await _script.run(self._redis, [keys.gate(1, 0)])

_script = Script.beside(__file__, "verb")
"""


def test_the_rule_finds_raw_commands_and_nothing_else() -> None:
    assert {found.partition(",")[0] for found in raw_commands(MADE_UP)} == {
        "Script.beside",
        "self._orders.pipeline",
        "self._redis.get",
        "anything.xrange",
        "pipe.publish",
        "self.checks.redis['orders_store'].time",
    }
    assert order_store_keys(MADE_UP) == ["keys.gate, line 10"]
