"""Solved questions to learn from: read from a file, found by nearness, with reasoning that the model made itself."""

from __future__ import annotations

import gzip
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from agent.strategies.contract import Option, Question
from core.errors import FileError
from core.ports import Encoder
from core.types import Frozen

_SHAPE = '{"question": "...", "options": {"A": "...", "B": "..."}, "answer": "A"}'


class Solved(Frozen):
    """A closed question whose answer is known. `group` is the set it came from, when the file has several."""

    id: str
    group: str = ""
    text: str
    options: tuple[Option, ...]
    answer: str

    def asked(self) -> Question:
        """The question without its answer."""
        return Question(text=self.text, options=self.options)


class _Line(Frozen):
    """A question of the file; other fields, such as PMID, are not used."""

    question: str
    options: dict[str, str]
    answer: str


def read_solved(path: Path) -> list[Solved]:
    """Read questions: MIRAGE's layout ({set: {id: question}}), one set of it ({id: question}), or JSON lines; .gz too.

    Raises:
        FileError: unreadable, of another shape, or an answer that is not among the options; the message has the place.
    """
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        text = content.decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise FileError(f"The questions {path.name!r} cannot be read: {error}.") from error
    found = [_solved(path, group, key, value) for group, key, value in _items(path, text)]
    if not found:
        raise FileError(f"The file {path.name!r} has no question.")
    return found


def _items(path: Path, text: str) -> Iterator[tuple[str, str, object]]:
    try:
        if path.name.removesuffix(".gz").endswith(".jsonl"):
            for number, line in enumerate(text.splitlines(), start=1):
                if line.strip():
                    value = json.loads(line)
                    yield "", str(value.pop("id", number)) if isinstance(value, dict) else str(number), value
            return
        whole = json.loads(text)
    except ValueError as error:
        raise FileError(f"The file {path.name!r} is not JSON: {error}.") from error
    if not isinstance(whole, dict):
        raise FileError(f"The file {path.name!r} must be an object of questions, or of sets of questions.")
    for key, value in whole.items():
        if isinstance(value, dict) and "question" not in value:
            yield from ((key, str(inner), item) for inner, item in value.items())
        else:
            yield "", str(key), value


def _solved(path: Path, group: str, key: str, value: object) -> Solved:
    where = f"{path.name!r}, question {key!r}"
    fields = {name: value.get(name) for name in _Line.model_fields} if isinstance(value, Mapping) else value
    try:
        line = _Line.model_validate(fields)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise FileError(f"{where}: {place}: {fault['msg']}. Each question is {_SHAPE}.") from error
    if line.answer not in line.options or len(line.options) < 2 or any(len(letter) != 1 for letter in line.options):
        raise FileError(
            f"{where}: the answer {line.answer!r} must be one of at least two lettered options, got {list(line.options)}."
        )
    options = tuple(Option(letter=letter, text=text) for letter, text in line.options.items())
    return Solved(id=key, group=group, text=line.question, options=options, answer=line.answer)


@dataclass
class ExamplePool:
    """Solved questions and their vectors. `folder` keeps the vectors and the reasoning that was made, between runs."""

    solved: Sequence[Solved]
    encoder: Encoder
    folder: Path
    _vectors: NDArray[np.float32] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def nearest(self, text: str) -> Iterator[Solved]:
        """From the nearest on, by cosine; the question itself, should it be in the file, is left out."""
        query = self.encoder.encode([text])[0]
        order = np.argsort(-(self._matrix() @ query), kind="stable")
        same = _words(text)
        return (self.solved[int(row)] for row in order if _words(self.solved[int(row)].text) != same)

    def _matrix(self) -> NDArray[np.float32]:
        with self._lock:
            if self._vectors is None:
                self._vectors = self._kept() if self._path().exists() else self._encoded()
            return self._vectors

    def _path(self) -> Path:
        content = "\n".join(item.text for item in self.solved)
        digest = hashlib.sha256(f"{self.encoder.identity}\n{content}".encode()).hexdigest()[:24]
        return self.folder / f"vectors-{digest}.npy"

    def _kept(self) -> NDArray[np.float32]:
        try:
            kept: NDArray[np.float32] = np.load(self._path(), allow_pickle=False)
        except (OSError, ValueError):
            return self._encoded()
        return kept if kept.shape == (len(self.solved), self.encoder.dimension) else self._encoded()

    def _encoded(self) -> NDArray[np.float32]:
        vectors = self.encoder.encode([item.text for item in self.solved])
        self.folder.mkdir(parents=True, exist_ok=True)
        np.save(self._path(), vectors, allow_pickle=False)
        return vectors

    def thoughts(self, model: str, prompt_hash: str) -> Thoughts:
        """The reasoning that a model made with a prompt."""
        digest = hashlib.sha256(f"{model}\n{prompt_hash}".encode()).hexdigest()[:24]
        return Thoughts(self.folder / f"reasoning-{digest}.jsonl")


class Thoughts:
    """Reasoning by question, appended as it is made. "" stands for a question that the model got wrong: not tried again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._known: dict[str, str] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").splitlines():
                try:
                    entry = json.loads(line)
                    self._known[entry["key"]] = entry["text"]
                except (ValueError, KeyError, TypeError):
                    continue  # a line that was cut off is made anew

    def get(self, item: Solved) -> str | None:
        """The reasoning, "" when there is none that led to the right answer, None when it was not tried."""
        return self._known.get(_key(item))

    def keep(self, item: Solved, text: str) -> None:
        """Remember it."""
        with self._lock:
            self._known[_key(item)] = text
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"key": _key(item), "text": text}, ensure_ascii=False) + "\n")


def _key(item: Solved) -> str:
    said = json.dumps([item.text, [option.text for option in item.options], item.answer], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()[:24]


def _words(text: str) -> str:
    return " ".join(text.lower().split())
