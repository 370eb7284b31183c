"""The product encodes and decodes by the deployment's schema registry, never by the committed ids alone."""

from __future__ import annotations

import ast

from tests.support.product_source import modules

OF_ITS_OWN = {"streams/deadletters/reader.py"}
"""Reads by the order of the versions, since a dead letter of any release has to be readable."""


def test_every_codec_is_given_a_registry() -> None:
    found = [
        f"{path}:{node.lineno}"
        for path, tree in modules().items()
        if path not in OF_ITS_OWN
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "codec"
        and len(node.args) + len(node.keywords) == 1
    ]
    assert not found
