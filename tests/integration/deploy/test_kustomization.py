"""The tests' own rendering is that of kustomize, where that is at hand: `make soak`."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
import yaml

from tests.fixtures.kustomization import OVERLAYS, ROOT, Manifest, rendered

pytestmark = pytest.mark.soak


def named(made: list[Manifest]) -> dict[tuple[str, str], Manifest]:
    return {(one["kind"], one["metadata"]["name"]): one for one in made}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_it_is_what_kustomize_builds(overlay: str) -> None:
    program = shutil.which("kustomize")
    if program is None:
        pytest.skip("kustomize is not at hand: go install sigs.k8s.io/kustomize/kustomize/v5@v5.8.1")
    built = subprocess.run([program, "build", ROOT / overlay], capture_output=True, text=True, check=True).stdout
    settings = set(re.findall(r"\bsettings-[a-z0-9]{10}\b", built))
    assert len(settings) == 1
    theirs = [*yaml.safe_load_all(built.replace(settings.pop(), "settings"))]
    assert named(theirs) == named(rendered(overlay))
