"""Auto Scaling groups and ECS services are told ahead and at the time; what moto does not check is checked here."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from doorbuster.settings import Settings
from workers.scaling.adapters import make_adapter
from workers.scaling.aws import AwsScaling
from workers.scaling.interface import ScalingError

NAME = "doorbuster-sale-7"
LATER = datetime.now(UTC) + timedelta(hours=2)


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An account with a group and a service; no call leaves the process."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        groups = boto3.client("autoscaling")
        groups.create_launch_configuration(
            LaunchConfigurationName="web", ImageId="ami-12345678", InstanceType="t3.micro"
        )
        groups.create_auto_scaling_group(
            AutoScalingGroupName="web", LaunchConfigurationName="web", MinSize=1, MaxSize=10, DesiredCapacity=2,
            AvailabilityZones=["eu-west-1a"],
        )  # fmt: skip
        services = boto3.client("ecs")
        services.create_cluster(clusterName="shop")
        services.register_task_definition(family="w", containerDefinitions=[{"name": "w", "image": "w", "memory": 64}])
        services.create_service(cluster="shop", serviceName="workers", taskDefinition="w", desiredCount=3)
        boto3.client("application-autoscaling").register_scalable_target(
            ServiceNamespace="ecs", ResourceId="service/shop/workers", ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=3, MaxCapacity=12,
        )  # fmt: skip
        yield


@pytest.fixture
def adapter(cloud: None, settings: Settings) -> AwsScaling:
    told = {"scaling": "aws", "scaling_intake": "web", "scaling_workers": "ecs:shop/workers"}
    made = make_adapter(settings.model_copy(update=told))
    assert isinstance(made, AwsScaling)
    return made


def group() -> tuple[int, int]:
    (found,) = boto3.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"]
    return found["MinSize"], found["DesiredCapacity"]


def service() -> tuple[int, int]:
    found = boto3.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")
    least: int = found["ScalableTargets"][0]["MinCapacity"]
    return least, tasks()


def tasks() -> int:
    found = boto3.client("ecs").describe_services(cluster="shop", services=["workers"])
    count: int = found["services"][0]["desiredCount"]
    return count


def group_actions() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = boto3.client("autoscaling").describe_scheduled_actions()[
        "ScheduledUpdateGroupActions"
    ]
    return found


def service_actions() -> list[dict[str, Any]]:
    client = boto3.client("application-autoscaling")
    found: list[dict[str, Any]] = client.describe_scheduled_actions(ServiceNamespace="ecs")["ScheduledActions"]
    return found


async def test_minimum_and_desired_capacity_rise_and_come_back(adapter: AwsScaling) -> None:
    before = await adapter.look()
    assert before == {
        "intake": {"min": 1, "max": 10, "desired": 2}, "workers": {"min": 3, "max": 12, "desired": 3},
    }  # fmt: skip
    for _ in range(2):
        await adapter.apply(before, {"intake": 6, "workers": 8})
        assert (group(), service()) == ((6, 6), (8, 8))
    assert not await adapter.falls_short({"intake": 6, "workers": 8})
    assert await adapter.falls_short({"intake": 7})
    await adapter.apply(before, {"workers": 2})
    assert (group(), service()) == ((1, 2), (3, 8)), "never below what it was; what was added stays while a wish holds"
    await adapter.apply(before, {})
    assert (group(), service()) == ((1, 2), (3, 3))


async def test_what_a_policy_has_added_stays_while_the_wish_holds(adapter: AwsScaling) -> None:
    before = await adapter.look()
    await adapter.apply(before, {"intake": 4})
    boto3.client("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=9)
    await adapter.apply(before, {"intake": 5})
    assert group() == (5, 9)


async def test_beyond_the_maximum_as_much_is_done_as_can_be_and_told(adapter: AwsScaling) -> None:
    before = await adapter.look()
    with pytest.raises(ScalingError, match="intake: its maximum is 10, and 40 are wanted"):
        await adapter.apply(before, {"intake": 40, "workers": 8})
    assert (group(), service()) == ((10, 10), (8, 8))
    assert not await adapter.falls_short({"intake": 40})


async def test_a_service_whose_count_a_deployment_set_back_is_brought_up_again(adapter: AwsScaling) -> None:
    before = await adapter.look()
    await adapter.apply(before, {"workers": 9})
    boto3.client("ecs").update_service(cluster="shop", service="workers", desiredCount=2)
    assert await adapter.falls_short({"workers": 9})
    await adapter.apply(before, {"workers": 9})
    assert service() == (9, 9)


async def test_tasks_that_a_policy_has_added_stay_while_the_wish_holds(adapter: AwsScaling) -> None:
    before = await adapter.look()
    await adapter.apply(before, {"workers": 6})
    boto3.client("ecs").update_service(cluster="shop", service="workers", desiredCount=11)
    await adapter.apply(before, {"workers": 7})
    assert service() == (7, 11)
    await adapter.apply(before, {})
    assert service() == (3, 3)


async def test_a_service_that_is_gone_is_told(adapter: AwsScaling) -> None:
    boto3.client("ecs").delete_service(cluster="shop", service="workers", force=True)
    with pytest.raises(ScalingError, match="no ECS service 'workers' in the cluster 'shop'"):
        await adapter.look()


async def test_scheduled_actions_have_all_their_fields_and_the_same_name_replaces_them(adapter: AwsScaling) -> None:
    await adapter.plan(NAME, LATER, {"intake": 5, "workers": 9})
    await adapter.plan(NAME, LATER + timedelta(hours=1), {"intake": 6, "workers": 9})
    (action,) = group_actions()
    assert (action["ScheduledActionName"], action["MinSize"], action["DesiredCapacity"]) == (NAME, 6, 6)
    assert action["StartTime"] > LATER
    assert "MaxSize" not in action, "the maximum is the account's own"
    (action,) = service_actions()
    at = (LATER + timedelta(hours=1)).strftime("at(%Y-%m-%dT%H:%M:%S)")
    assert (action["Schedule"], action["Timezone"], action["ScalableTargetAction"]) == (at, "UTC", {"MinCapacity": 9})
    for _ in range(2):
        await adapter.unplan(NAME)
    assert (group_actions(), service_actions()) == ([], [])


@pytest.mark.parametrize("early_s", [-3_600, -1, 60])
async def test_a_start_in_the_past_or_all_but_there_is_not_planned(adapter: AwsScaling, early_s: float) -> None:
    await adapter.plan(NAME, datetime.now(UTC) + timedelta(seconds=early_s), {"intake": 5, "workers": 9})
    assert (group_actions(), service_actions()) == ([], [])


async def test_a_time_in_another_zone_is_told_in_utc(adapter: AwsScaling) -> None:
    athens = LATER.astimezone(datetime.fromisoformat("2026-12-04T12:00:00+02:00").tzinfo)
    await adapter.plan(NAME, athens, {"workers": 9})
    assert service_actions()[0]["Schedule"] == LATER.strftime("at(%Y-%m-%dT%H:%M:%S)")


async def test_a_group_that_is_not_there_is_told(cloud: None, settings: Settings) -> None:
    told = {"scaling": "aws", "scaling_intake": "none", "scaling_workers": None}
    adapter = make_adapter(settings.model_copy(update=told))
    with pytest.raises(ScalingError, match="no Auto Scaling group 'none'"):
        await adapter.look()
    with pytest.raises(ScalingError, match="nothing is named that runs the workers"):
        await make_adapter(settings.model_copy(update=told | {"scaling_intake": "web"})).apply({}, {"workers": 2})


async def test_what_aws_refuses_is_told_in_its_words(adapter: AwsScaling, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "AccessDenied", "Message": "not you"}}, "UpdateAutoScalingGroup")

    before = await adapter.look()
    monkeypatch.setattr(adapter._targets["intake"]._client, "update_auto_scaling_group", refuse)
    with pytest.raises(ScalingError, match="AccessDenied"):
        await adapter.apply(before, {"intake": 4})
