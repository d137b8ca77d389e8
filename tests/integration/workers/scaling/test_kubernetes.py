"""The minimum of an autoscaler follows the wish, by the official client against a stub that speaks as the API does."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from doorbuster.settings import Settings
from workers.scaling.adapters import make_adapter
from workers.scaling.interface import Adapter, ScalingError

HPA = "/apis/autoscaling/v2/namespaces/shop/horizontalpodautoscalers/intake"
OBJECT = "/apis/keda.sh/v1alpha1/namespaces/shop/scaledobjects/workers"


class Api:
    """A stub of the API server: it keeps objects, merges patches as it does, and refuses what it refuses."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Any]] = {
            HPA: {
                "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "intake"},
                "spec": {"minReplicas": 2, "maxReplicas": 10,
                         "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "intake"}},
            },
            OBJECT: {
                "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject", "metadata": {"name": "workers"},
                "spec": {"maxReplicaCount": 20, "scaleTargetRef": {"name": "workers"}, "triggers": []},
            },
        }  # fmt: skip
        self.patched: list[tuple[str, dict[str, Any]]] = []
        self.refuses = 0

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, Any]]:
        if self.refuses:
            return self._status(self.refuses, "not allowed")
        if handler.headers["Authorization"] != "Bearer a-token":
            return self._status(401, "Unauthorized")
        found = self.objects.get(handler.path)
        if found is None:
            return self._status(404, "not found")
        if handler.command == "PATCH":
            media, patch = handler.headers["Content-Type"], json.loads(body)
            if media not in ("application/merge-patch+json", "application/strategic-merge-patch+json"):
                return self._status(415, f"{media} is no patch")
            spec = found["spec"] | patch["spec"]
            spec = {name: value for name, value in spec.items() if value is not None}
            if spec.get("minReplicas", 1) > spec.get("maxReplicas", 1e9):
                return self._status(422, "must be greater than or equal to `minReplicas`")
            found["spec"] = spec
            self.patched.append((media, patch["spec"]))
        return 200, found

    @staticmethod
    def _status(code: int, message: str) -> tuple[int, dict[str, Any]]:
        return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}

    def spec(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = self.objects[path]["spec"]
        return found


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    api = Api()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            code, said = api.answer(self, body)
            data = json.dumps(said).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_PATCH = do_GET  # noqa: N815  the server's name

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_address[1]}"}}],
        "users": [{"name": "u", "user": {"token": "a-token"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }  # fmt: skip
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(path))
    yield api
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
async def adapter(api: Api, settings: Settings) -> Any:
    told = {
        "scaling": "kubernetes", "scaling_intake": "hpa:intake", "scaling_workers": "scaledobject:workers",
        "scaling_namespace": "shop",
    }  # fmt: skip
    made = make_adapter(settings.model_copy(update=told))
    yield made
    await made.close()


async def test_minima_rise_and_come_back(adapter: Adapter, api: Api) -> None:
    before = await adapter.look()
    assert before == {"intake": {"min": 2, "max": 10}, "workers": {"min": None, "max": 20}}
    for _ in range(2):
        await adapter.apply(before, {"intake": 6, "workers": 8})
        assert (api.spec(HPA)["minReplicas"], api.spec(OBJECT)["minReplicaCount"]) == (6, 8)
    assert not await adapter.falls_short({"intake": 6, "workers": 8})
    assert await adapter.falls_short({"workers": 9})
    await adapter.apply(before, {"intake": 1})
    assert api.spec(HPA)["minReplicas"] == 2, "never below what it was"
    await adapter.apply(before, {})
    assert api.spec(HPA)["minReplicas"] == 2
    assert "minReplicaCount" not in api.spec(OBJECT), "where there was none, there is none"
    assert {media for media, _ in api.patched} <= {
        "application/merge-patch+json", "application/strategic-merge-patch+json",
    }  # fmt: skip


async def test_beyond_the_maximum_as_much_is_done_as_can_be_and_told(adapter: Adapter, api: Api) -> None:
    before = await adapter.look()
    with pytest.raises(ScalingError, match="intake: its maximum is 10, and 40 are wanted"):
        await adapter.apply(before, {"intake": 40, "workers": 8})
    assert (api.spec(HPA)["minReplicas"], api.spec(OBJECT)["minReplicaCount"]) == (10, 8)
    assert not await adapter.falls_short({"intake": 40})


@pytest.mark.parametrize(("code", "says"), [(403, "Kubernetes answered 403"), (500, "Kubernetes answered 500")])
async def test_what_the_api_refuses_is_told(adapter: Adapter, api: Api, code: int, says: str) -> None:
    before = await adapter.look()
    api.refuses = code
    with pytest.raises(ScalingError, match=says):
        await adapter.apply(before, {"intake": 4})
    del api.objects[HPA]
    api.refuses = 0
    with pytest.raises(ScalingError, match="404"):
        await adapter.look()


async def test_what_is_named_must_be_an_autoscaler(api: Api, settings: Settings) -> None:
    told = {"scaling": "kubernetes", "scaling_intake": "intake", "scaling_workers": None}
    with pytest.raises(ScalingError, match="neither hpa:NAME nor scaledobject:NAME"):
        make_adapter(settings.model_copy(update=told))
