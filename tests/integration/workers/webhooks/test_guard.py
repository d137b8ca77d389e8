"""What a delivery may reach: addresses are looked at right before they are connected to, whatever led there."""

from __future__ import annotations

import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from db.webhooks.endpoints import Receiver as Target
from doorbuster.settings import Settings
from tests.fixtures.receivers import Hooks, Receiver, redirect
from workers.webhooks.sending import Answer, Sender


class Names(AbstractResolver):
    """Answers what it is told, one answer a look-up; the last one stays."""

    def __init__(self, *answers: str) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        self.asked += 1
        address = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)]

    async def close(self) -> None:
        pass


async def send(
    settings: Settings, receiver: Receiver, url: str, *, names: Names | None = None, allowed: bool
) -> Answer:
    sender = Sender(settings.model_copy(update={"webhook_allow_private": allowed}), names)
    target = Target(
        webhook_id=1, url=url, secret=receiver.secret, former_secret=None, ready=True, failures=0
    )  # fmt: skip
    try:
        return await sender.send(target, "e", "{}")
    finally:
        await sender.close()


async def test_a_literal_private_address_is_not_connected_to(hooks: Hooks, settings: Settings) -> None:
    receiver = await hooks.receiver()
    port = receiver.url.rpartition(":")[2]
    for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"):
        answer = await send(settings, receiver, f"http://{host}:{port}", allowed=False)
        assert answer.status_code is None
        assert answer.error is not None
        assert "not of the open internet" in answer.error
    assert receiver.got == []
    assert (await send(settings, receiver, receiver.url, allowed=True)).error is None, "the control: it can be reached"


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.1", "169.254.169.254", "64:ff9b::7f00:1", "fec0::1"])
async def test_a_name_that_leads_to_a_private_address_is_not_connected_to(
    hooks: Hooks, settings: Settings, address: str
) -> None:
    receiver = await hooks.receiver()
    port = receiver.url.rpartition(":")[2]
    answer = await send(settings, receiver, f"http://shop.example:{port}", names=Names(address), allowed=False)
    assert (answer.status_code, receiver.got) == (None, [])
    assert f"the address {address} is not" in (answer.error or "")


async def test_a_name_that_changes_where_it_leads_is_not_followed(hooks: Hooks, settings: Settings) -> None:
    """Rebinding: the first look-up, as a check would make it, gives a public address, the one that counts does not."""
    receiver = await hooks.receiver()
    url = receiver.url.replace("127.0.0.1", "shop.example")
    names = Names("93.184.216.34", "127.0.0.1")
    assert (await names.resolve("shop.example"))[0]["host"] == "93.184.216.34"
    answer = await send(settings, receiver, url, names=names, allowed=False)
    assert (answer.status_code, receiver.got, names.asked) == (None, [], 2)
    control = await send(settings, receiver, url, names=Names("127.0.0.1"), allowed=True)
    assert (control.error, len(receiver.got)) == (None, 1)


async def test_a_redirect_is_an_answer_like_any_other(hooks: Hooks, settings: Settings) -> None:
    receiver = await hooks.receiver(behave=redirect)
    answer = await send(settings, receiver, receiver.url, allowed=True)
    assert (answer.status_code, len(receiver.got)) == (307, 1)
    assert answer.error == "answered 307, and redirects are not followed"


async def test_proxies_of_the_environment_are_not_used(
    hooks: Hooks, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, proxy = await hooks.receiver(), await hooks.receiver()
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, proxy.url)
    assert (await send(settings, receiver, receiver.url, allowed=True)).error is None
    assert (len(receiver.got), proxy.got) == (1, [])


async def test_a_url_that_nothing_can_be_sent_to_is_an_answer(hooks: Hooks, settings: Settings) -> None:
    receiver = await hooks.receiver()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}/"
    for url in (closed, "http://2130706433/", "https://" + receiver.url.removeprefix("http://")):
        answer = await send(settings, receiver, url, allowed=True)
        assert answer.status_code is None
        assert answer.error
        assert len(answer.error) <= 200
    assert receiver.got == []
