"""Fingerprints of code: the statements that a script runs, whatever their comments and layout, and its templates."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

# Its values travel as parameters of the rules that use them, defaults included: a new key elsewhere concerns nobody.
NOT_COUNTED = "mammo/settings.py"
# A module that imports the one has its pages in the other, beside it.
RENDERER, TEMPLATES = "jinja2", "templates"


@cache
def code_fingerprint(script: Path, root: Path) -> str:
    """Digest of a script and of all modules of ours below `root` that it imports, at any depth and at any place.

    Comments, docstrings and formatting do not count. The files of a folder `templates` beside a module that imports
    Jinja2 do, byte for byte. 16 hexadecimal digits.
    """
    digest = hashlib.sha256()
    script, root = script.resolve(), root.resolve()
    modules = code_behind(script, root)
    for file in sorted(modules - {root / NOT_COUNTED}):
        digest.update(f"{_name(file, root)}\0{_statements(file)}\0".encode())
    for file in sorted({template for module in modules for template in _templates(module)}):
        digest.update(f"{_name(file, root)}\0".encode() + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _name(file: Path, root: Path) -> str:
    return file.relative_to(root).as_posix() if file.is_relative_to(root) else file.name


def code_behind(script: Path, root: Path) -> set[Path]:
    """The script and all modules of ours below `root` that it imports, at any depth and at any place."""
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


def _templates(module: Path) -> list[Path]:
    """What a module may fill in. Its neighbours, which use the package but render nothing, do not depend on it."""
    folder = module.parent / TEMPLATES
    if not folder.is_dir() or not any(
        name.split(".")[0] == RENDERER for name in _imported_names(_tree(module))
    ):
        return []
    return [path for path in folder.rglob("*") if path.is_file()]


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
