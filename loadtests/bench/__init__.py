"""The benchmark: Doorbuster's figures against floors and rivals measured in the same run (`doorbuster bench`)."""

from __future__ import annotations

from loadtests.bench.run import main

__all__ = ["main"]
