"""Scaling on AWS: EC2 Auto Scaling groups, or ECS services by Application Auto Scaling. Owns the calls of boto3.

AWS is told twice: ahead by scheduled actions, which hold also if nobody of ours is there, and at the time itself.
What a sale wants is a lower bound: minimum and desired capacity rise to it, and no policy goes below.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from workers.scaling.interface import Counts, ScalingError

if TYPE_CHECKING:
    from doorbuster.settings import Settings

T = TypeVar("T")
ECS = "ecs:"
_ECS = {"ServiceNamespace": "ecs", "ScalableDimension": "ecs:service:DesiredCount"}
SOON = timedelta(minutes=2)
"""A time nearer than this is not planned: AWS refuses a start in the past, and the clock is ours by then."""


class Group:
    """An EC2 Auto Scaling group."""

    def __init__(self, name: str, config: Config) -> None:
        self._name = name
        self._client = boto3.client("autoscaling", config=config)

    def look(self) -> dict[str, int]:
        """Return its bounds and desired capacity."""
        found = self._client.describe_auto_scaling_groups(AutoScalingGroupNames=[self._name])["AutoScalingGroups"]
        if not found:
            raise ScalingError(f"there is no Auto Scaling group {self._name!r}")
        return {"min": found[0]["MinSize"], "max": found[0]["MaxSize"], "desired": found[0]["DesiredCapacity"]}

    def set(self, least: int, desired: int) -> None:
        """Set minimum and desired capacity in one call, so that neither contradicts the other."""
        self._client.update_auto_scaling_group(AutoScalingGroupName=self._name, MinSize=least, DesiredCapacity=desired)

    def plan(self, name: str, at: datetime, count: int) -> None:
        """Put a scheduled action; all of its fields, for the same name replaces the whole."""
        self._client.put_scheduled_update_group_action(
            AutoScalingGroupName=self._name, ScheduledActionName=name, StartTime=at.astimezone(UTC),
            MinSize=count, DesiredCapacity=count,
        )  # fmt: skip

    def unplan(self, name: str) -> None:
        """Delete a scheduled action, if it is there."""
        found = self._client.describe_scheduled_actions(AutoScalingGroupName=self._name, ScheduledActionNames=[name])
        if found["ScheduledUpdateGroupActions"]:
            self._client.delete_scheduled_action(AutoScalingGroupName=self._name, ScheduledActionName=name)


class Service:
    """An ECS service whose count Application Auto Scaling keeps."""

    def __init__(self, name: str, config: Config) -> None:
        self._resource = f"service/{name}"
        self._cluster, _, self._service = name.partition("/")
        self._client = boto3.client("application-autoscaling", config=config)
        self._services = boto3.client("ecs", config=config)

    def look(self) -> dict[str, int]:
        """Return its bounds and how many tasks it is to have."""
        found = self._client.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=[self._resource])
        if not found["ScalableTargets"]:
            raise ScalingError(f"{self._resource} is no scalable target")
        target = found["ScalableTargets"][0]
        services = self._services.describe_services(cluster=self._cluster, services=[self._service])["services"]
        if not services or services[0]["status"] != "ACTIVE":
            raise ScalingError(f"there is no ECS service {self._service!r} in the cluster {self._cluster!r}")
        return {"min": target["MinCapacity"], "max": target["MaxCapacity"], "desired": services[0]["desiredCount"]}

    def set(self, least: int, desired: int) -> None:
        """Set the minimum, below which no policy goes, then the count itself: a new minimum alone may wait for one."""
        self._client.register_scalable_target(ResourceId=self._resource, MinCapacity=least, **_ECS)
        self._services.update_service(cluster=self._cluster, service=self._service, desiredCount=desired)

    def plan(self, name: str, at: datetime, count: int) -> None:
        """Put a scheduled action; Application Auto Scaling brings the service's count to its minimum."""
        self._client.put_scheduled_action(
            ResourceId=self._resource, ScheduledActionName=name, Timezone="UTC",
            Schedule=f"at({at.astimezone(UTC):%Y-%m-%dT%H:%M:%S})", ScalableTargetAction={"MinCapacity": count}, **_ECS,
        )  # fmt: skip

    def unplan(self, name: str) -> None:
        """Delete a scheduled action, if it is there."""
        found = self._client.describe_scheduled_actions(
            ServiceNamespace="ecs", ResourceId=self._resource, ScheduledActionNames=[name]
        )
        if found["ScheduledActions"]:
            self._client.delete_scheduled_action(ResourceId=self._resource, ScheduledActionName=name, **_ECS)


class AwsScaling:
    """Scales what the settings name."""

    name = "aws"

    def __init__(self, settings: Settings) -> None:
        seconds = settings.scaling_timeout_s
        config = Config(connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 2})
        named = {"intake": settings.scaling_intake, "workers": settings.scaling_workers}
        self._targets = {
            role: Service(name.removeprefix(ECS), config) if name.startswith(ECS) else Group(name, config)
            for role, name in named.items()
            if name is not None
        }

    async def look(self) -> dict[str, Any]:
        """Return the minimum and desired capacity of each role."""
        return {role: await _called(target.look) for role, target in self._targets.items()}

    async def apply(self, before: Mapping[str, Any], wanted: Counts) -> None:
        """Raise minimum and desired capacity to the wish, as far as the maximum lets; or set both as before."""
        missed = [f"nothing is named that runs the {role}" for role in wanted if role not in self._targets]
        for role, target in self._targets.items():
            if problem := await _called(partial(_bring, target, before.get(role), wanted.get(role))):
                missed.append(f"{role}: {problem}")
        if missed:
            raise ScalingError("; ".join(missed))

    async def falls_short(self, wanted: Counts) -> bool:
        """Say whether a minimum or a count is below the wish: somebody's deployment may have set it back."""
        found = await self.look()
        return any(
            min(found[role]["min"], found[role]["desired"]) < min(count, found[role]["max"])
            for role, count in wanted.items()
            if role in found
        )

    async def plan(self, name: str, at: datetime, wanted: Counts) -> None:
        """Put a scheduled action for each role, unless the time is all but there."""
        if at < datetime.now(UTC) + SOON:
            return
        for role, count in wanted.items():
            if (target := self._targets.get(role)) is not None:
                await _called(partial(target.plan, name, at, count))

    async def unplan(self, name: str) -> None:
        """Delete the scheduled actions."""
        for target in self._targets.values():
            await _called(partial(target.unplan, name))

    async def close(self) -> None:
        """Close nothing: boto3 keeps no connection that matters."""


def _bring(target: Group | Service, before: Mapping[str, int] | None, wanted: int | None) -> str | None:
    """Bring a target to a wish, or to what it was; return what could not be done."""
    now = target.look()
    before = before or now
    if wanted is None:
        target.set(min(before["min"], now["max"]), min(before["desired"], now["max"]))
        return None
    least = min(max(before["min"], wanted), now["max"])
    target.set(least, max(least, min(now["desired"], now["max"])))
    return f"its maximum is {now['max']}, and {wanted} are wanted" if wanted > now["max"] else None


async def _called(call: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(call)
    except (BotoCoreError, ClientError) as error:
        raise ScalingError(str(error)) from error
