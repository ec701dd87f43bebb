"""Single settings as somebody gave them, each with the place it came from."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edge.configuration.names import SettingPath, dotted

Tree = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Given:
    """One setting, not yet validated. Its value may be a secret and stays out of the repr."""

    path: SettingPath
    value: Any
    origin: str

    def __repr__(self) -> str:
        return f"Given({dotted(self.path)}, {self.origin})"


def leaves(tree: Mapping[str, Any], prefix: SettingPath = ()) -> Iterator[tuple[SettingPath, Any]]:
    """Walk a nested table; an empty table is a leaf, so that ``[cameras.cam1]`` alone declares a camera."""
    for key, value in tree.items():
        path = (*prefix, key)
        if isinstance(value, Mapping) and value:
            yield from leaves(value, path)
        else:
            yield path, value


def tree_of(givens: Iterable[Given]) -> Tree:
    """Nest settings by their paths; of two for one path the later counts."""
    tree: Tree = {}
    for given in givens:
        *sections, name = given.path
        node = tree
        for section in sections:
            if not isinstance(node.get(section), dict):
                node[section] = {}
            node = node[section]
        if not (given.value == {} and isinstance(node.get(name), dict)):
            node[name] = given.value
    return tree
