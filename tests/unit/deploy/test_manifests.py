"""The manifests of deploy/kubernetes, rendered: what an API server takes, what a pod may do, and what the code has."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from doorbuster.settings import Settings
from readiness import probe
from tests.fixtures import manifest_checks as check
from tests.fixtures.kustomization import OVERLAYS, Manifest, changed, containers, pod_specs, rendered

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
PORT = 8000
GRACEFUL_S = int(re.findall(r"^graceful_timeout = (\d+)$", (ROOT / "intake" / "gunicorn_conf.py").read_text(), re.M)[0])


@pytest.fixture(scope="module", params=OVERLAYS)
def made(request: pytest.FixtureRequest) -> list[Manifest]:
    return rendered(request.param)


@pytest.fixture(scope="module")
def production() -> list[Manifest]:
    return rendered("overlays/production")


def deployments(made: list[Manifest]) -> dict[str, dict[str, Any]]:
    return {name: one["spec"]["template"]["spec"] for name, one in check.named(made, "Deployment").items()}


def default(setting: str) -> float:
    return float(Settings.model_fields[setting].default)


# What an API server takes.


def test_every_manifest_is_as_its_schema_says(made: list[Manifest]) -> None:
    assert check.schema_faults(made) == []


@pytest.mark.parametrize(
    ("kind", "name", "way", "value"),
    [
        ("Deployment", "intake", "spec.template.spec.containers.0.livenesProbe", {}),
        ("Deployment", "worker", "spec.template.spec.containers.0.readinessProbe.periodSeconds", "30"),
        ("Deployment", "ops", "spec.selector", None),
        ("ScaledObject", "workers", "spec.maxReplicaz", 3),
        ("ScaledObject", "workers", "spec.triggers.0.metadata.threshold", 1),
        ("ScaledObject", "intake", "spec.pollingInterval", "10s"),
        ("PodMonitor", "doorbuster", "spec.podMetricsEndpoints.0.pathe", "/metrics"),
        ("NetworkPolicy", "stores", "spec.egress.0.ports.0.port", 5.5),
        ("PodDisruptionBudget", "ops", "spec.maxUnavailble", 1),
        ("Job", "migrate", "spec.backoffLimit", "six"),
        ("ConfigMap", "settings", "data.ORDER_STORE_MAX_MB", 4096),
    ],
)
def test_what_is_mistyped_is_found(production: list[Manifest], kind: str, name: str, way: str, value: Any) -> None:
    assert check.schema_faults(changed(production, kind, name, way, value))


def test_names_are_there_once(made: list[Manifest]) -> None:
    names = [(one["kind"], one["metadata"]["name"]) for one in made]
    assert len(names) == len(set(names))


# What a pod may do.


def test_every_pod_is_restricted(made: list[Manifest]) -> None:
    assert check.security_faults(made) == []
    assert check.named(made, "Namespace")["doorbuster"]["metadata"]["labels"][
        "pod-security.kubernetes.io/enforce"
    ] == "restricted"  # fmt: skip


@pytest.mark.parametrize(
    ("name", "way", "value"),
    [
        ("intake", "securityContext.runAsNonRoot", False),
        ("intake", "securityContext.runAsUser", 0),
        ("ops", "securityContext.seccompProfile", None),
        ("worker", "initContainers.0.securityContext.capabilities", {"drop": ["NET_RAW"]}),
        ("worker", "containers.0.securityContext.allowPrivilegeEscalation", None),
        ("scheduler", "containers.0.securityContext.readOnlyRootFilesystem", False),
        ("scheduler", "containers.0.securityContext.privileged", True),
        ("scheduler", "containers.0.resources.limits", None),
        ("intake", "hostNetwork", True),
        ("intake", "volumes.1", {"name": "tmp", "hostPath": {"path": "/tmp"}}),
    ],
)
def test_what_is_not_restricted_is_found(production: list[Manifest], name: str, way: str, value: Any) -> None:
    assert check.security_faults(changed(production, "Deployment", name, f"spec.template.spec.{way}", value))


def test_only_a_scheduler_that_scales_has_a_token(made: list[Manifest]) -> None:
    scales = check.named(made, "ConfigMap")["settings"]["data"].get("SCALING") == "kubernetes"
    with_token = {
        one["metadata"]["name"] for one in made for spec in pod_specs(one) if spec["automountServiceAccountToken"]
    }
    assert with_token == ({"scheduler"} if scales else set())
    assert all(not one["automountServiceAccountToken"] for one in check.named(made, "ServiceAccount").values())
    assert set(check.named(made, "Role")) == ({"scheduler"} if scales else set())


def test_the_scheduler_may_do_what_it_does_and_no_more(production: list[Manifest]) -> None:
    """workers/scaling/kubernetes.py reads and patches; what it names is what there is."""
    source = (ROOT / "workers" / "scaling" / "kubernetes.py").read_text()
    called = set(re.findall(r"self\._(?:hpas|objects)\.(\w+?)_namespaced_", source))
    assert called == {"read", "get", "patch"}
    told = check.named(production, "ConfigMap")["settings"]["data"]
    targets = [told[name].split(":") for name in ("SCALING_INTAKE", "SCALING_WORKERS")]
    [rule] = check.named(production, "Role")["scheduler"]["rules"]
    assert {kind for kind, _ in targets} == {"scaledobject"}
    assert rule == {
        "apiGroups": ["keda.sh"], "resources": ["scaledobjects"],
        "resourceNames": [name for _, name in targets], "verbs": ["get", "patch"],
    }  # fmt: skip
    assert {name for _, name in targets} == set(check.named(production, "ScaledObject"))
    assert told["SCALING_NAMESPACE"] == check.named(production, "Deployment")["scheduler"]["metadata"]["namespace"]
    binding = check.named(production, "RoleBinding")["scheduler"]
    assert [one["name"] for one in binding["subjects"]] == [deployments(production)["scheduler"]["serviceAccountName"]]


def test_nothing_comes_or_goes_but_what_is_named(made: list[Manifest]) -> None:
    policies = check.named(made, "NetworkPolicy")
    assert policies["default-deny"]["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert {port["port"] for rule in policies["shoppers"]["spec"]["ingress"] for port in rule["ports"]} == {PORT}
    coming = [rule for one in policies.values() for rule in one["spec"].get("ingress", ())]
    assert all(rule["from"] and rule["ports"] for rule in coming)
    [world] = [to["ipBlock"] for rule in policies["outward"]["spec"]["egress"] for to in rule["to"]]
    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(world["except"])
    outward = {
        one["metadata"]["name"] for one in check.named(made, "Deployment").values()
        if one["spec"]["template"]["metadata"]["labels"].get("doorbuster/outward") == "allowed"
    }  # fmt: skip
    assert outward == {"worker"}


def test_every_selector_of_a_policy_finds_pods(made: list[Manifest]) -> None:
    pods = [one["spec"]["template"]["metadata"]["labels"] for one in made if pod_specs(one)]
    for name, policy in check.named(made, "NetworkPolicy").items():
        wanted = policy["spec"]["podSelector"].get("matchLabels", {})
        assert any(wanted.items() <= labels.items() for labels in pods), name


# What the code has.


def test_every_variable_is_a_setting_with_a_value_that_it_takes(made: list[Manifest]) -> None:
    for one in made:
        for spec in pod_specs(one):
            for container in containers(spec):
                told = check.environment(made, container)
                assert check.settings_faults(told) == [], one["metadata"]["name"]
                assert told["SECRETS_DIR"] in {mount["mountPath"] for mount in container["volumeMounts"]}
                assert not told.keys() & check.SECRETS.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ORDER_STORE_MAX_MBS", "4096"),
        ("DURABILITY", "replica:1"),
        ("SCALING_INTAKE", "keda:intake"),
        ("LOG_LEVEL", "loud"),
    ],
)
def test_what_is_no_setting_is_found(production: list[Manifest], name: str, value: str) -> None:
    wrong = changed(production, "ConfigMap", "settings", f"data.{name}", value)
    [spec] = pod_specs(check.named(wrong, "Deployment")["intake"])
    assert check.settings_faults(check.environment(wrong, spec["containers"][0]))


def test_no_service_is_taken_for_a_setting(made: list[Manifest]) -> None:
    """A Service `ops` puts OPS_PORT=tcp://... into every pod's environment, unless the pod does without."""
    assert any(f"{name.upper()}_PORT" == "OPS_PORT" for name in check.named(made, "Service"))
    assert all(spec["enableServiceLinks"] is False for one in made for spec in pod_specs(one))


def test_every_command_is_the_procfiles(made: list[Manifest]) -> None:
    told = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
    told["web"] = told["web"].partition(" ")[2]
    roles = {"intake": "web", "ops": "web", "worker": "worker", "scheduler": "scheduler", "migrate": "release"}
    expected = {name: told[role].split() for name, role in roles.items()}
    found = {
        one["metadata"]["name"]: container["command"]
        for one in made for spec in pod_specs(one) for container in spec["containers"]
    }  # fmt: skip
    assert found == expected
    for one in made:
        for spec in pod_specs(one):
            assert [fault for c in containers(spec) for fault in check.command_faults(c["command"])] == []
    assert check.command_faults(["python", "-m", "worker"])
    assert check.command_faults(["doorbusters", "migrate"])


def test_every_image_is_the_one_that_is_built(made: list[Manifest]) -> None:
    images = {container["image"] for one in made for spec in pod_specs(one) for container in containers(spec)}
    assert len(images) == 1
    assert re.fullmatch(r"(images\.example/)?doorbuster:\d+\.\d+\.\d+", images.pop())


def probes(spec: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in spec["containers"][0].items() if name.endswith("Probe")}


def test_every_probe_asks_what_there_is(made: list[Manifest]) -> None:
    for name, spec in deployments(made).items():
        ports = {port["name"]: port["containerPort"] for port in spec["containers"][0].get("ports", ())}
        for kind, asked in probes(spec).items():
            if "httpGet" in asked:
                assert (asked["httpGet"]["path"], ports[asked["httpGet"]["port"]]) == ("/healthz", PORT)
                continue
            *_, module, role, question = asked["exec"]["command"]
            assert (module, role) == ("readiness.probe", name)
            assert (role, question) in [(r, q) for r in probe.ROLES for q in probe.QUESTIONS]
            assert question == {"startupProbe": "started", "readinessProbe": "ready", "livenessProbe": "alive"}[kind]
            assert asked["timeoutSeconds"] >= (probe.WITHIN_S if role == "intake" else 2 * probe.STORE_S)
            assert asked["periodSeconds"] >= (3 if kind == "startupProbe" else 10)  # each is a start of Python
        assert {"readinessProbe", "livenessProbe"} <= probes(spec).keys()


def test_a_bind_is_the_port_that_is_asked(made: list[Manifest]) -> None:
    for name in ("intake", "ops"):
        [container] = deployments(made)[name]["containers"]
        told = check.environment(made, container)
        assert told["INTAKE_BIND"] == f"0.0.0.0:{PORT}"
        assert told["INTAKE_ROLE"] == {"intake": "public", "ops": "ops"}[name]
        assert container["ports"] == [{"name": "http", "containerPort": PORT}]
        service = check.named(made, "Service")[name]["spec"]
        labels = check.named(made, "Deployment")[name]["spec"]["template"]["metadata"]["labels"]
        assert service["selector"].items() <= labels.items()
        assert service.get("type", "ClusterIP") == "ClusterIP"
        assert [port["targetPort"] for port in service["ports"]] == ["http"]


def test_nobody_is_ended_before_what_is_under_way(made: list[Manifest]) -> None:
    specs = deployments(made)
    for name in ("intake", "ops"):
        pause = specs[name]["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
        assert specs[name]["terminationGracePeriodSeconds"] >= pause + GRACEFUL_S + 10
    longest = sum(default(name) for name in ("webhook_timeout_s", "payment_timeout_s", "lease_s"))
    assert specs["worker"]["terminationGracePeriodSeconds"] >= longest + 10
    assert specs["scheduler"]["terminationGracePeriodSeconds"] >= 10
    [migrate] = pod_specs(check.named(made, "Job")["migrate"])
    assert migrate["restartPolicy"] == "Never"


def test_what_is_written_goes_to_memory(made: list[Manifest]) -> None:
    for one in made:
        for spec in pod_specs(one):
            mounts = {volume["name"]: volume for volume in spec["volumes"]}
            assert mounts["tmp"]["emptyDir"]["medium"] == "Memory"
            assert all({"mountPath": "/tmp", "name": "tmp"} in c["volumeMounts"] for c in containers(spec))
            assert all(m["readOnly"] for c in containers(spec) for m in c["volumeMounts"] if m["name"] == "secrets")


# What only a night would find.


def test_bounds_and_budgets_make_sense(made: list[Manifest]) -> None:
    assert check.scaling_faults(made) == []


@pytest.mark.parametrize(
    ("kind", "name", "way", "value"),
    [
        ("ScaledObject", "workers", "spec.minReplicaCount", 12),
        ("ScaledObject", "workers", "spec.fallback.replicas", 1),
        ("ScaledObject", "intake", "spec.scaleTargetRef.name", "worker"),
        ("Deployment", "worker", "spec.replicas", 3),
        ("Deployment", "scheduler", "spec.replicas", 1),
        ("PodDisruptionBudget", "ops", "spec.minAvailable", 1),
        ("PodDisruptionBudget", "worker", "spec.maxUnavailable", 0),
        ("PodDisruptionBudget", "intake", "spec.selector.matchLabels", {"app.kubernetes.io/component": "web"}),
    ],
)
def test_what_makes_no_sense_is_found(production: list[Manifest], kind: str, name: str, way: str, value: Any) -> None:
    assert check.scaling_faults(changed(production, kind, name, way, value))


def test_the_example_of_secrets_names_what_is_required() -> None:
    text = (DEPLOY / "kubernetes" / "base" / "secrets.example").read_text()
    names = {line.partition("=")[0] for line in text.splitlines() if "=" in line and not line.startswith("#")}
    required = {name.upper() for name, field in Settings.model_fields.items() if field.is_required()}
    told = check.named(rendered("base"), "ConfigMap")["settings"]["data"]
    assert names == required | {Path(told["ROOM_KEYS_FILE"]).name}


def test_the_operators_rules_are_the_alerts() -> None:
    rules = yaml.safe_load((DEPLOY / "kubernetes" / "components" / "monitoring" / "rules.yaml").read_text())
    assert rules["spec"] == yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
