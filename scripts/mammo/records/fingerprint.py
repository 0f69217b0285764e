"""Fingerprints of code: which statements a script runs, whatever their comments, docstrings and layout."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# Its values travel as parameters of the rules that use them, defaults included: a new key elsewhere concerns nobody.
NOT_COUNTED = "mammo/settings.py"


@cache
def code_fingerprint(script: Path, root: Path) -> str:
    """Digest of a script and of all modules of ours below `root` that it imports, at any depth and at any place.

    Comments, docstrings and formatting do not count. 16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    script, root = script.resolve(), root.resolve()
    for file in sorted(_reachable(script, root) - {root / NOT_COUNTED}):
        name = file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name
        digest.update(f"{name}\0{_statements(file)}\0".encode())
    return digest.hexdigest()[:16]


def _reachable(script: Path, root: Path) -> set[Path]:
    seen: set[Path] = set()
    waiting = [script]
    while waiting:
        file = waiting.pop()
        if file not in seen:
            seen.add(file)
            waiting.extend(_imports(file, root))
    return seen


@cache
def _imports(file: Path, root: Path) -> frozenset[Path]:
    return frozenset(path for name in _imported_names(_tree(file)) for path in _files_of(name, root))


def _imported_names(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _files_of(name: str, root: Path) -> Iterator[Path]:
    """The module's file, and the `__init__.py` of every package above it: importing it runs them too."""
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        base = root.joinpath(*parts[:depth])
        for candidate in (base / "__init__.py", base.with_suffix(".py")):
            if candidate.is_file():
                yield candidate


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_bytes(), filename=str(file))


@cache
def _statements(file: Path) -> str:
    tree = _tree(file)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            kept = [item for item in body if not _is_docstring(item)]
            node.body = kept or [ast.Pass()]
    return ast.dump(tree)


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
