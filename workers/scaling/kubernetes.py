"""Scaling on Kubernetes: the minimum of an autoscaler rises ahead of a sale. Owns the calls of the official client.

An autoscaler is a HorizontalPodAutoscaler (`hpa:NAME`) or KEDA's ScaledObject (`scaledobject:NAME`): with either the
number of pods follows its minimum, and what it scales by goes on above that.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from kubernetes import client
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from urllib3.exceptions import HTTPError

from workers.scaling.interface import Counts, ScalingError, Unplanned

if TYPE_CHECKING:
    from doorbuster.settings import Settings

T = TypeVar("T")
_KEDA: dict[str, Any] = {"group": "keda.sh", "version": "v1alpha1", "plural": "scaledobjects"}
_FIELDS = {"hpa": ("minReplicas", "maxReplicas", 1), "scaledobject": ("minReplicaCount", "maxReplicaCount", 0)}
"""Of each kind: the fields of minimum and maximum, and the minimum where none is set."""
KEDA_MOST = 100
"""A ScaledObject's maximum where none is set."""


class Autoscaler:
    """One autoscaler."""

    def __init__(self, target: str, namespace: str, api: client.ApiClient, timeout_s: float) -> None:
        self._kind, _, self._name = target.partition(":")
        if self._kind not in _FIELDS:
            raise ScalingError(f"{target!r} is neither hpa:NAME nor scaledobject:NAME")
        self._min, self._max, self._without = _FIELDS[self._kind]
        self._where: dict[str, Any] = {"name": self._name, "namespace": namespace, "_request_timeout": timeout_s}
        self._hpas, self._objects = client.AutoscalingV2Api(api), client.CustomObjectsApi(api)
        self._api = api

    def look(self) -> dict[str, int | None]:
        """Return its minimum as it is set, and its maximum."""
        if self._kind == "hpa":
            spec = self._hpas.read_namespaced_horizontal_pod_autoscaler(**self._where).spec
            return {"min": spec.min_replicas, "max": spec.max_replicas}
        found: Any = self._objects.get_namespaced_custom_object(**_KEDA, **self._where)
        return {"min": found["spec"].get(self._min), "max": found["spec"].get(self._max, KEDA_MOST)}

    def set(self, least: int | None) -> None:
        """Set its minimum; None takes it away."""
        body = {"spec": {self._min: least}}
        if self._kind == "hpa":
            self._hpas.patch_namespaced_horizontal_pod_autoscaler(body=body, **self._where)
        else:
            self._objects.patch_namespaced_custom_object(body=body, **_KEDA, **self._where)

    def bring(self, before: Mapping[str, int | None] | None, wanted: int | None) -> str | None:
        """Bring it to a wish, or to what it was; return what could not be done."""
        now = self.look()
        before = before or now
        most = now["max"]
        if wanted is None:
            kept = before["min"]
            self.set(kept if kept is None or most is None else min(kept, most))
            return None
        least = max(self._without if before["min"] is None else before["min"], wanted)
        self.set(least if most is None else min(least, most))
        return f"its maximum is {most}, and {wanted} are wanted" if most is not None and wanted > most else None

    def falls_short(self, wanted: int) -> bool:
        """Say whether its minimum is below a wish."""
        now = self.look()
        least = self._without if now["min"] is None else now["min"]
        return least < (wanted if now["max"] is None else min(wanted, now["max"]))


class KubernetesScaling(Unplanned):
    """Scales what the settings name."""

    name = "kubernetes"

    def __init__(self, settings: Settings) -> None:
        configuration = client.Configuration()
        try:
            _configure(configuration)
        except (ConfigException, OSError) as error:
            raise ScalingError(f"Kubernetes cannot be reached: {error}") from error
        configuration.retries = False
        self._api = client.ApiClient(configuration)
        named = {"intake": settings.scaling_intake, "workers": settings.scaling_workers}
        self._targets = {
            role: Autoscaler(name, settings.scaling_namespace, self._api, settings.scaling_timeout_s)
            for role, name in named.items()
            if name is not None
        }

    async def look(self) -> dict[str, Any]:
        """Return minimum and maximum of each role."""
        return {role: await _called(target.look) for role, target in self._targets.items()}

    async def apply(self, before: Mapping[str, Any], wanted: Counts) -> None:
        """Raise the minimum to the wish, as far as the maximum lets; or set it as it was before."""
        missed = [f"nothing is named that runs the {role}" for role in wanted if role not in self._targets]
        for role, target in self._targets.items():
            if problem := await _called(partial(target.bring, before.get(role), wanted.get(role))):
                missed.append(f"{role}: {problem}")
        if missed:
            raise ScalingError("; ".join(missed))

    async def falls_short(self, wanted: Counts) -> bool:
        """Say whether a minimum is below the wish: somebody's deployment may have set it back."""
        short = [
            await _called(partial(target.falls_short, count))
            for role, count in wanted.items()
            if (target := self._targets.get(role)) is not None
        ]
        return any(short)

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self._api.close)


def _configure(configuration: client.Configuration) -> None:
    """Read how the API is reached: as a pod, unless KUBECONFIG names a file."""
    file = os.environ.get("KUBECONFIG")
    if file is None and "KUBERNETES_SERVICE_HOST" in os.environ:
        load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # the library's
    else:
        load_kube_config(config_file=file, client_configuration=configuration)  # type: ignore[no-untyped-call]


async def _called(call: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(call)
    except ApiException as error:
        raise ScalingError(f"Kubernetes answered {error.status}: {error.reason}") from error
    except (HTTPError, OSError) as error:
        raise ScalingError(f"Kubernetes does not answer: {type(error).__name__}") from error
