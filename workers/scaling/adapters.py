"""Which adapter of scaling is used, by setting. Owns that table; packages are imported when chosen."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING

from doorbuster.errors import SettingsError
from workers.scaling.interface import Adapter, NoScaling
from workers.scaling.local import LocalScaling

if TYPE_CHECKING:
    from doorbuster.settings import Settings


def _local(settings: Settings) -> Adapter:
    if settings.scaling_folder is None:
        raise SettingsError("SCALING_FOLDER: is missing, and SCALING is local: only `doorbuster up` sets it")
    return LocalScaling(settings.scaling_folder)


def _platform(module: str, name: str, package: str) -> Callable[[Settings], Adapter]:
    def make(settings: Settings) -> Adapter:
        if settings.scaling_intake is None and settings.scaling_workers is None:
            raise SettingsError(f"SCALING_INTAKE, SCALING_WORKERS: are missing, and SCALING is {settings.scaling}")
        try:
            found: Callable[[Settings], Adapter] = getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"SCALING: {settings.scaling} needs the package {package}: install doorbuster[{settings.scaling}]"
            ) from error
        return found(settings)

    return make


ADAPTERS: dict[str, Callable[[Settings], Adapter]] = {
    "none": lambda _: NoScaling(),
    "local": _local,
    "aws": _platform("workers.scaling.aws", "AwsScaling", "boto3"),
    "kubernetes": _platform("workers.scaling.kubernetes", "KubernetesScaling", "kubernetes"),
}

PLAN_AHEAD = frozenset({"aws"})
"""Those whose platform scales out by itself at a time that it was told before."""


def make_adapter(settings: Settings) -> Adapter:
    """Return the adapter that the settings name; opens nothing yet but what its client needs.

    Raises:
        SettingsError: what it needs is not set, or not installed.
        ScalingError: its platform cannot be reached from here at all.
    """
    return ADAPTERS[settings.scaling](settings)
