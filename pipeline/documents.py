"""YAML documents that people write: read with positions, validated, all problems told at once.

In: a file and the pydantic model that it should be. Out: the model, or a `DocumentError` with every problem
as `FILE:LINE: field: what is wrong; what would be right`, in the order of the file. Always holds: a document
with any problem is refused, and no problem is told twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from pipeline.complaints import Complaint, complaints
from pipeline.errors import ThroughlineError, shortened
from schemas.base import Place

Model = TypeVar("Model", bound=BaseModel)

_MOST_VALUES = 100_000  # aliases can make a small file expand without end
_MOST_DEPTH = 40
_FIELD_CHARACTERS, _MESSAGE_CHARACTERS = 200, 1000  # both may quote what the file has
_TOO_MUCH = "it is nested too deep, or too large; simplify it"
_BEYOND = 2**63
_MERGE = "tag:yaml.org,2002:merge"
_SCALARS = {"tag:yaml.org,2002:" + name for name in ("null", "bool", "int", "float")}


@dataclass(frozen=True)
class Problem:
    """`line` counts from 1; `field` is the dotted place, empty for the whole file."""

    file: str
    line: int
    field: str
    message: str

    def __str__(self) -> str:
        field = f"{shortened(self.field, _FIELD_CHARACTERS)}: " if self.field else ""
        return f"{self.file}:{self.line}: {field}{shortened(self.message, _MESSAGE_CHARACTERS)}"


class DocumentError(ThroughlineError):
    """What is wrong with a document: `problems`, at least one, in the order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(map(str, problems)))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class StandIn:
    """How to go on past a broken part, so that the checks across parts still run.

    `pattern` names the part, `*` standing for any key; `value` takes its place, None takes it out.
    """

    pattern: tuple[str, ...]
    value: Any = None

    def covers(self, place: Place) -> bool:
        head = place[: len(self.pattern)]
        return len(head) == len(self.pattern) and all(
            p in {"*", str(k)} for p, k in zip(self.pattern, head, strict=True)
        )


@dataclass
class Document:
    """A file's plain content and the line of each of its places."""

    file: str
    content: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def nearest(self, place: Place) -> Place:
        """The place as the file has it: without parts that a short form leaves out, or that are missing."""
        found: Place = ()
        for part in place:
            if (*found, part) in self.lines:
                found = (*found, part)
        return found

    def problem(self, place: Place, message: str) -> Problem:
        line = self.lines.get(self.nearest(place), 1)
        return Problem(self.file, line, ".".join(map(str, place)), message)

    def has(self, place: Place) -> bool:
        return place in self.lines


def load(
    path: Path,
    model: type[Model],
    stand_ins: Sequence[StandIn],
    unknown: Callable[[Any], Iterable[tuple[Place, str]]] = lambda _: (),
) -> tuple[Model, Document]:
    """Read and validate a document. Raises DocumentError with every problem in it.

    `unknown` says what of its content, which may be anything, names something that is not in the world: it is asked only
    where a document is loaded, so that one that was good stays good.
    """
    document = read(path)
    found = [*document.problems, *_check(document, model, stand_ins)]
    found += [document.problem(place, message) for place, message in unknown(document.content)]
    if found:
        raise DocumentError(sorted(dict.fromkeys(found), key=lambda problem: problem.line))
    return model.model_validate(document.content), document


def read(path: Path) -> Document:
    """The document's content; repeated keys are problems of it. Raises DocumentError if it is not YAML."""
    file = str(path)
    try:
        node = YAML(typ="safe", pure=True).compose(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as missing:
        raise DocumentError([Problem(file, 1, "", "there is no such file; check the path")]) from missing
    except (OSError, UnicodeDecodeError) as unreadable:
        raise DocumentError(
            [Problem(file, 1, "", f"it can't be read ({unreadable}); write it as UTF-8 text")]
        ) from None
    except MarkedYAMLError as broken:
        raise DocumentError([_syntax(file, broken)]) from None
    except RecursionError:
        raise DocumentError([Problem(file, 1, "", _TOO_MUCH)]) from None
    except YAMLError as broken:
        raise DocumentError([Problem(file, 1, "", f"it is not YAML: {_flat(str(broken))}")]) from None
    except Exception as broken:  # the parser's own: it trips over an unknown version of YAML, among others
        said = f"{type(broken).__name__}: {_flat(str(broken))}"
        message = f"it is not YAML that can be read ({said}); leave out directives (%) and tags (!)"
        raise DocumentError([Problem(file, 1, "", message)]) from broken
    document = Document(file)
    if not isinstance(node, MappingNode):
        raise DocumentError(
            [Problem(file, 1, "", "the file has to hold `key: value` lines at its top level")]
        )
    document.content = _Builder(document).build(node, ())
    return document


def _syntax(file: str, broken: MarkedYAMLError) -> Problem:
    mark = broken.problem_mark or broken.context_mark
    parts = [part for part in (broken.context, broken.problem) if part]
    remedy = "check the indentation, quotes and brackets around this line"
    line = mark.line + 1 if mark else 1
    return Problem(file, line, "", f"it is not YAML here: {_flat(', '.join(parts))}; {remedy}")


def _flat(text: str) -> str:
    return " ".join(text.split())


class _Builder:
    """Plain values out of YAML nodes, noting lines and repeated keys."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._constructor = YAML(typ="safe", pure=True).constructor
        self._values = 0
        self._entries_of: dict[int, list[tuple[Node, Node]]] = {}

    def build(self, node: Node, place: Place) -> Any:
        self._values += 1
        if self._values > _MOST_VALUES or len(place) > _MOST_DEPTH:
            raise DocumentError([Problem(self._document.file, node.start_mark.line + 1, "", _TOO_MUCH)])
        self._document.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, MappingNode):
            return self._mapping(node, place)
        if isinstance(node, SequenceNode):
            return [self.build(item, (*place, index)) for index, item in enumerate(node.value)]
        return self._scalar(node)

    def _scalar(self, node: Node) -> Any:
        # dates and times stay text: the contracts say what an instant looks like
        if str(node.tag) in _SCALARS:
            # a tag that the text does not fit, such as !!int x or !!bool x
            with suppress(ValueError, LookupError, TypeError, ArithmeticError, AttributeError):
                value = self._constructor.construct_object(node)
                # Python refuses to write a number of thousands of digits, and nobody else has one beyond 64 bits
                return value if not isinstance(value, int) or abs(value) < _BEYOND else node.value
        return node.value

    def _mapping(self, node: MappingNode, place: Place) -> dict[Any, Any]:
        built: dict[Any, Any] = {}
        for key_node, value_node in self._entries(node):
            if not isinstance(key_node, ScalarNode):
                self._complain(place, key_node, "a key has to be plain text; put text with braces in quotes")
                continue
            key = key_node.value
            inner = (*place, key)
            if key in built:
                self._complain(inner, key_node, f"{key!r} is given twice; keep one of the two")
                continue
            self._document.lines[inner] = key_node.start_mark.line + 1
            built[key] = self.build(value_node, inner)
        return built

    def _entries(self, node: MappingNode) -> list[tuple[Node, Node]]:
        """The entries of a mapping; those merged in by `<<` come last and give way to its own.

        Worked out once for each mapping: merges of merges would double with each line.
        """
        found = self._entries_of.get(id(node))
        if found is None:
            self._entries_of[id(node)] = []  # what a mapping that merges itself has to add
            found = self._entries_of[id(node)] = list(self._merge(node))
        return found

    def _merge(self, node: MappingNode) -> Iterator[tuple[Node, Node]]:
        own = [(key, value) for key, value in node.value if str(key.tag) != _MERGE]
        yield from own
        seen = {key.value for key, _ in own if isinstance(key, ScalarNode)}
        for merge in (value for key, value in node.value if str(key.tag) == _MERGE):
            for source in merge.value if isinstance(merge, SequenceNode) else [merge]:
                for key, value in self._entries(source) if isinstance(source, MappingNode) else ():
                    # a key that is no text is complained of where it stands
                    if isinstance(key, ScalarNode) and key.value not in seen:
                        seen.add(key.value)
                        yield key, value

    def _complain(self, place: Place, node: Node, message: str) -> None:
        where = ".".join(map(str, place))
        self._document.problems.append(Problem(self._document.file, node.start_mark.line + 1, where, message))


def _check(document: Document, model: type[BaseModel], stand_ins: Sequence[StandIn]) -> list[Problem]:
    """Validate; where parts are broken, validate again with stand-ins, for the checks across parts."""
    found = _complaints(document, document.content, model)
    content, whole = document.content, True
    for each in found:
        content, replaced = _mended(content, each, stand_ins)
        whole = whole and replaced
    if whole and not any(each.across for each in found):
        found += [each for each in _complaints(document, content, model) if each.across]
    return [
        document.problem(document.nearest(each.place) if each.across else each.place, each.message)
        for each in found
    ]


def _complaints(document: Document, content: Any, model: type[BaseModel]) -> list[Complaint]:
    try:
        model.model_validate(content)
    except ValidationError as error:
        return complaints(error, model, document.has)
    return []


def _mended(content: Any, complaint: Complaint, stand_ins: Sequence[StandIn]) -> tuple[Any, bool]:
    """The content with a stand-in for what is complained of; False if there is none."""
    if complaint.name:
        return _put(content, complaint.place, None), True
    for part in stand_ins:
        if part.covers(complaint.place):
            return _put(content, complaint.place[: len(part.pattern)], part.value), True
    return content, False


def _put(content: Any, place: Place, value: Any) -> Any:
    """A copy of `content` with `value` at `place`, or without that place when the value is None."""
    key, rest = place[0], place[1:]
    if isinstance(content, list):
        return [_put(item, rest, value) if i == key and rest else item for i, item in enumerate(content)]
    if not isinstance(content, dict) or (rest and key not in content):
        return content
    changed = {k: v for k, v in content.items() if k != key}
    if rest:
        changed[key] = _put(content[key], rest, value)
    elif value is not None:
        changed[key] = value
    return changed
