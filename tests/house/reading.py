"""Reads the sources of the house as syntax trees: which names each function uses, under their full names."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("api", "exchange", "signing", "keys")


@dataclass(frozen=True)
class Use:
    """A name used in a function (`-` for the module itself): `os.environ`, `datetime.datetime.now`, `tx.begin`."""

    file: str
    within: str
    name: str
    called: bool
    line: int

    @property
    def place(self) -> tuple[str, str]:
        """Where, without the line: what a list of allowed places names."""
        return self.file, self.within


@cache
def sources() -> dict[str, ast.Module]:
    """Every Python file of the four rooms, by its path from the root."""
    files = [file for room in ROOMS for file in sorted((ROOT / room).rglob("*.py"))]
    return {str(file.relative_to(ROOT)): ast.parse(file.read_bytes(), str(file)) for file in files}


@cache
def uses() -> tuple[Use, ...]:
    """Every name used anywhere in the rooms."""
    return tuple(use for file, tree in sources().items() for use in _Reader(file, tree).found())


def imports(file: str) -> Iterator[str]:
    """Every module, and every name out of a module, that a file imports, at any depth."""
    for node in ast.walk(sources()[file]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def strings(file: str) -> Iterator[str]:
    """Every text constant of a file."""
    for node in ast.walk(sources()[file]):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


class _Reader(ast.NodeVisitor):
    def __init__(self, file: str, tree: ast.Module) -> None:
        self._file = file
        self._within = ["-"]
        self._found: list[Use] = []
        self._called: set[int] = set()
        self._full: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                self._full |= {a.asname: a.name for a in node.names if a.asname}
            elif isinstance(node, ast.ImportFrom) and node.module:
                self._full |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        self.visit(tree)

    def found(self) -> list[Use]:
        return self._found

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._within.append(node.name)
        self.generic_visit(node)
        self._within.pop()

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Call(self, node: ast.Call) -> None:
        self._called.add(id(node.func))
        self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> None:
        self._note(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._note(node)
        self.generic_visit(node)

    def _note(self, node: ast.Name | ast.Attribute) -> None:
        use = Use(self._file, self._within[-1], self._name(node), id(node) in self._called, node.lineno)
        self._found.append(use)

    def _name(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            return self._full.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            return f"{self._name(node.value)}.{node.attr}"
        return "?"
