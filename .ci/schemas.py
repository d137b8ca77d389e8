#!/usr/bin/env python3
"""Prints the schemas by which the tests check the manifests of deploy/kubernetes, as one document.

`.ci/schemas.py FOLDER CRD... > tests/samples/kubernetes/schemas.json`: FOLDER is one of the strict schemas that the
package kubernetes-validate ships (`kubernetes-json-schema/v1.37.0-local-strict`), each CRD a file of KEDA
(`config/crd/bases/keda.sh_scaledobjects.yaml`) or of the Prometheus Operator. Needs pyyaml. Descriptions are left out.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import yaml

KINDS = (
    "configmap-v1", "deployment-apps-v1", "horizontalpodautoscaler-autoscaling-v2", "job-batch-v1", "namespace-v1",
    "networkpolicy-networking-v1", "poddisruptionbudget-policy-v1", "role-rbac-v1", "rolebinding-rbac-v1", "service-v1",
    "serviceaccount-v1",
)  # fmt: skip
_REF = re.compile(r'"\$ref": "(?:/api/_definitions.json)?#/\$defs/([^"]+)"')


def lean(node: Any) -> Any:
    """Return a schema without descriptions and without what is told to other tools."""
    if isinstance(node, list):
        return [lean(one) for one in node]
    if not isinstance(node, dict):
        return node
    dropped = {"description", "$id", "$schema", "format", "x-kubernetes-group-version-kind", "x-kubernetes-validations"}
    return {
        key: {name: lean(one) for name, one in value.items()} if key in ("properties", "$defs") else lean(value)
        for key, value in node.items()
        if key not in dropped and not (key.startswith("x-kubernetes-") and key not in _KEPT)
    }


_KEPT = ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string")


def reached(node: Any, definitions: dict[str, Any], found: set[str]) -> set[str]:
    """Collect the definitions that a schema leads to."""
    for name in _REF.findall(json.dumps(node)):
        if name not in found:
            found.add(name)
            reached(definitions[name], definitions, found)
    return found


def closed(node: Any) -> Any:
    """Return a schema of a CRD in which an object has no fields but those it names."""
    if isinstance(node, list):
        return [closed(one) for one in node]
    if not isinstance(node, dict):
        return node
    made = {key: closed(value) for key, value in node.items()}
    if isinstance(made.get("properties"), dict) and not node.get("x-kubernetes-preserve-unknown-fields"):
        made.setdefault("additionalProperties", False)
    if made.pop("x-kubernetes-int-or-string", False):
        made.pop("anyOf", None)
        made["type"] = ["integer", "string"]
    made.pop("x-kubernetes-preserve-unknown-fields", None)
    return made


def of_crd(text: str) -> dict[str, Any]:
    """Return the schemas of a CRD's versions by their kind."""
    spec = yaml.safe_load(text)["spec"]
    found = {}
    for version in spec["versions"]:
        schema = closed(lean(version["schema"]["openAPIV3Schema"]))
        # Closed like any other object there, but its fields are not in the schema: those that manifests here have.
        texts = {"type": "object", "additionalProperties": {"type": "string"}}
        named = {"name": {"type": "string"}, "namespace": {"type": "string"}, "labels": texts, "annotations": texts}
        schema["properties"]["metadata"] = {"type": "object", "properties": named, "additionalProperties": False}
        found[f"{spec['group']}/{version['name']}/{spec['names']['kind']}"] = schema
    return found


def main(folder: Path, crds: list[Path]) -> int:
    """Print the document: a schema by `apiVersion/kind`, and the definitions they share."""
    definitions = json.loads((folder / "_definitions.json").read_text())["$defs"]
    kinds: dict[str, Any] = {}
    needed: set[str] = set()
    for name in KINDS:
        text = json.loads((folder / f"{name}.json").read_text())
        [told] = text["x-kubernetes-group-version-kind"]
        version = f"{told['group']}/{told['version']}" if told["group"] else told["version"]
        needed |= reached(text, definitions, set())
        kinds[f"{version}/{told['kind']}"] = lean(text)
    for crd in crds:
        kinds |= of_crd(crd.read_text())
    made = {"kinds": kinds, "$defs": {name: lean(definitions[name]) for name in sorted(needed)}}
    print(json.dumps(made, separators=(",", ":"), sort_keys=True).replace("/api/_definitions.json#", "#"))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]), [Path(one) for one in sys.argv[2:]]))
