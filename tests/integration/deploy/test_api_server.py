"""The manifests on a real API server: what it takes, what it refuses that no schema does, and the scheduler's rights.

Behind `make soak`, and only where the server was built: `.ci/api-server`. There is no kubelet: no pod is started.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from doorbuster.ports import reserve
from doorbuster.settings import load_settings
from tests.fixtures import manifest_checks as check
from tests.fixtures.kustomization import Manifest, changed, rendered
from tests.fixtures.waiting import wait_until

pytestmark = pytest.mark.soak

ROOT = Path(__file__).parents[3]
BIN = ROOT / "build" / "kubernetes" / "bin"
CRDS = sorted((BIN.parent / "crds").glob("*.yaml"))
ADMIN = "the-admin's-token-of-this-test"
PLURALS = {
    "Namespace": "namespaces", "ServiceAccount": "serviceaccounts", "ConfigMap": "configmaps", "Service": "services",
    "Deployment": "deployments", "Job": "jobs", "HorizontalPodAutoscaler": "horizontalpodautoscalers",
    "PodDisruptionBudget": "poddisruptionbudgets", "NetworkPolicy": "networkpolicies", "Role": "roles",
    "RoleBinding": "rolebindings", "ScaledObject": "scaledobjects", "PodMonitor": "podmonitors",
    "PrometheusRule": "prometheusrules", "CustomResourceDefinition": "customresourcedefinitions",
}  # fmt: skip
OWN = ("ScaledObject", "PodMonitor", "PrometheusRule")


def path_of(one: Manifest) -> str:
    version, meta = one["apiVersion"], one["metadata"]
    group = f"/apis/{version}" if "/" in version else f"/api/{version}"
    place = f"/namespaces/{meta['namespace']}" if "namespace" in meta else ""
    return f"{group}{place}/{PLURALS[one['kind']]}/{meta['name']}"


class Server:
    """An API server with an etcd of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx.Client(
            base_url=url, verify=False, headers={"Authorization": f"Bearer {ADMIN}"}, timeout=30, trust_env=False
        )

    def apply(self, one: Manifest, *, dry: bool) -> httpx.Response:
        """Apply a manifest by the server, strictly; `dry` changes nothing."""
        query = {"fieldManager": "tests", "fieldValidation": "Strict", "force": "true"} | (
            {"dryRun": "All"} if dry else {}
        )
        kind = {"Content-Type": "application/apply-patch+yaml"}
        return self.client.patch(path_of(one), params=query, headers=kind, content=yaml.safe_dump(one))

    def refusals(self, made: list[Manifest]) -> list[str]:
        """Return what the server refuses of the manifests, as it would be applied."""
        answers = [(one, self.apply(one, dry=True)) for one in made]
        return [f"{one['kind']} {one['metadata']['name']}: {a.json()['message']}" for one, a in answers if a.is_error]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    if not all((BIN / name).exists() for name in ("etcd", "kube-apiserver")):
        pytest.skip("the API server was not built: .ci/api-server")
    folder = tmp_path_factory.mktemp("kubernetes")
    etcd, peer, port = (f"http://127.0.0.1:{reserve()}", f"http://127.0.0.1:{reserve()}", reserve())
    (folder / "tokens.csv").write_text(f'{ADMIN},admin,1,"system:masters"\n')
    key = folder / "accounts.pem"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    log = (folder / "log").open("wb")
    commands = [
        [BIN / "etcd", "--data-dir", folder / "etcd", "--listen-client-urls", etcd, "--advertise-client-urls", etcd,
         "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}",
         "--unsafe-no-fsync"],
        [BIN / "kube-apiserver", "--etcd-servers", etcd, "--bind-address", "127.0.0.1", "--secure-port", str(port),
         "--cert-dir", folder / "certificates", "--token-auth-file", folder / "tokens.csv",
         "--authorization-mode", "RBAC", "--service-account-issuer", "https://doorbuster.test",
         "--service-account-key-file", key, "--service-account-signing-key-file", key,
         "--service-cluster-ip-range", "10.0.0.0/24", "--endpoint-reconciler-type", "none"],
    ]  # fmt: skip
    processes = [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]
    found = Server(f"https://127.0.0.1:{port}")
    try:
        wait_until(lambda: _is_up(found), within_s=120, what="the API server to be ready")
        yield found
    finally:
        found.client.close()
        for process in reversed(processes):
            process.terminate()
            process.wait(60)
        log.close()


def _is_up(server: Server) -> bool:
    try:
        return server.client.get("/readyz").is_success
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def production(server: Server) -> list[Manifest]:
    """What is applied in production, on a server that has the namespace and the kinds of KEDA and the operator."""
    made = rendered("overlays/production")
    for file in CRDS:
        server.apply(yaml.safe_load(file.read_text()), dry=False).raise_for_status()
    for one in (one for one in made if one["kind"] in OWN):
        listed = f"/apis/{one['apiVersion']}/{PLURALS[one['kind']]}"
        wait_until(lambda listed=listed: server.client.get(listed).is_success, within_s=30, what=listed)
    server.apply(check.named(made, "Namespace")["doorbuster"], dry=False).raise_for_status()
    return made


def test_it_takes_all_of_them(server: Server, production: list[Manifest]) -> None:
    assert server.refusals(production) == []
    assert server.refusals(rendered("overlays/plain")) == []


@pytest.mark.parametrize(
    ("kind", "name", "way", "value", "said"),
    [
        ("HorizontalPodAutoscaler", "intake", "spec.maxReplicas", 2, "must be greater than or equal to"),
        ("PodDisruptionBudget", "ops", "spec.minAvailable", 1, "cannot be both set"),
        ("Deployment", "worker", "spec.strategy.rollingUpdate", {"maxSurge": 0, "maxUnavailable": 0}, "may not be 0"),
        ("Deployment", "ops", "spec.template.metadata.labels", {"app": "else"}, "does not match template"),
        ("Deployment", "intake", "spec.template.spec.containers.0.readinesProbe", {}, "field not declared"),
        ("Deployment", "intake", "spec.template.spec.containers.0.volumeMounts.0.name", "none", "Not found"),
        ("Job", "migrate", "spec.template.spec.restartPolicy", "Always", "Required value"),
        ("NetworkPolicy", "outward", "spec.egress.0.to.0.ipBlock.cidr", "0.0.0.0", "must be a valid CIDR"),
        ("Service", "ops", "spec.ports.0.port", 0, "must be between 1 and 65535"),
    ],
)
def test_what_is_wrong_is_refused(
    server: Server, production: list[Manifest], kind: str, name: str, way: str, value: Any, said: str
) -> None:
    wrong = changed(rendered("overlays/plain"), kind, name, way, value)
    [refusal] = server.refusals(wrong)
    assert said in refusal


def test_a_pod_that_is_not_restricted_is_not_let_in(server: Server, production: list[Manifest]) -> None:
    """The namespace's label is in force: a pod of the manifests passes, the same as root does not."""
    account = check.named(production, "ServiceAccount")["doorbuster"]
    server.apply(account, dry=False).raise_for_status()
    template = check.named(production, "Deployment")["worker"]["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tried"}, "spec": template["spec"]}
    pods, dry = "/api/v1/namespaces/doorbuster/pods", {"dryRun": "All"}
    assert server.client.post(pods, json=pod, params=dry).status_code == 201
    as_root = {**pod, "spec": pod["spec"] | {"securityContext": {"runAsUser": 0}}}
    refused = server.client.post(pods, json=as_root, params=dry)
    assert (refused.status_code, "restricted" in refused.json()["message"]) == (403, True)


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")  # its certificate is its own
def test_the_scheduler_raises_the_minima_and_may_nothing_else(
    server: Server, production: list[Manifest], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workers.scaling.kubernetes import KubernetesScaling

    for kind in ("ServiceAccount", "Role", "RoleBinding", "ScaledObject"):
        for one in check.named(production, kind).values():
            server.apply(one, dry=False).raise_for_status()
    accounts = "/api/v1/namespaces/doorbuster/serviceaccounts"
    asked = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
    token = server.client.post(f"{accounts}/scheduler/token", json=asked).json()["status"]["token"]
    config = {
        "apiVersion": "v1", "kind": "Config", "current-context": "it",
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "clusters": [{"name": "it", "cluster": {"server": server.url, "insecure-skip-tls-verify": True}}],
        "users": [{"name": "it", "user": {"token": token}}],
    }  # fmt: skip
    (tmp_path / "config").write_text(yaml.safe_dump(config))
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "config"))
    told = {
        k: v for k, v in check.named(production, "ConfigMap")["settings"]["data"].items() if k.startswith("SCALING")
    }
    settings = load_settings(**{name.lower(): value for name, value in (check.SECRETS | told).items()})
    workers = "/apis/keda.sh/v1alpha1/namespaces/doorbuster/scaledobjects/workers"

    def least() -> int:
        return int(server.client.get(workers).json()["spec"]["minReplicaCount"])

    async def raise_and_lower() -> tuple[int, int]:
        scaling = KubernetesScaling(settings)
        before = await scaling.look()
        await scaling.apply(before, {"intake": 9, "workers": 8})
        raised = least()
        assert not await scaling.falls_short({"workers": 8})
        await scaling.apply(before, {})
        await scaling.close()
        return raised, least()

    assert asyncio.run(raise_and_lower()) == (8, 3)
    with httpx.Client(
        base_url=server.url, verify=False, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
    ) as own:
        assert own.get(workers).status_code == 200
        for forbidden in (
            workers.removesuffix("/workers"),
            "/apis/apps/v1/namespaces/doorbuster/deployments/worker",
            "/api/v1/namespaces/doorbuster/secrets/doorbuster",
            "/api/v1/namespaces/doorbuster/pods",
        ):
            assert own.get(forbidden).status_code == 403
        assert own.delete(workers).status_code == 403
