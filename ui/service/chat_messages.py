"""From a client's list of messages to a question, its files, and the conversation that the list continues.

The protocol has no conversations: every request tells the whole history. We keep conversations (a memory with tool results,
and files), so a list is matched with the conversation that it continues:

* After an answer, the list with the answer appended is noted as a digest, per owner: "led to conversation C, n turns".
* A request whose messages before the question have such a digest continues C, if C still has n turns.
* Any other list (edited, branched, from another program) is a new conversation that is told the history as the client gives
  it. So the history given always counts, two branches never meet, and what was said by other means is not assumed.

System messages are no part of the digest: many programs put the time of day into them.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import mimetypes
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from agent.turns import Said
from ui.service.chat_text import without_closing
from ui.service.chat_types import ChatMessage, ChatRequest, FilePart, ImagePart, TextPart
from ui.service.errors import BadRequest

_DATA_URL = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w=.+-]+)*?;base64,", re.ASCII)
_SAFE_NAME = re.compile(r"[^\w.-]+", re.ASCII)
_PICTURES = {"image/png": ".png", "image/jpeg": ".jpg", "image/jpg": ".jpg", "application/dicom": ".dcm"}
_MAX_FILES = 64


@dataclass(frozen=True)
class GivenFile:
    """A file inside a message."""

    name: str
    content: bytes


@dataclass(frozen=True)
class Request:
    """A list of messages, read."""

    question: str
    files: tuple[GivenFile, ...]
    earlier: tuple[Said, ...]
    earlier_files: tuple[GivenFile, ...]
    instructions: str
    history_digest: str
    question_entry: tuple[str, ...]

    def digest_with(self, answer: str) -> str:
        """What the next list will begin with, if the conversation goes on."""
        return _chain(_chain(self.history_digest, self.question_entry), ("assistant", _same(answer)))


def read_messages(request: ChatRequest) -> Request:
    """Read and check the list.

    Raises:
        BadRequest: it does not end with a question, or a part of it cannot be used.
    """
    spoken = [(place, message) for place, message in enumerate(request.messages) if message.role in ("user", "assistant")]
    if not spoken or request.messages[-1].role != "user":
        raise BadRequest("The last message must be the user's question.", "messages")
    *before, (last_place, last) = spoken
    question, files = _words(last), _files(last, last_place)
    if not question.strip():
        if not files:
            raise BadRequest("The question is empty.", f"messages.{last_place}.content")
        question = "What can be seen here?"
    digest = ""
    said: list[Said] = []
    earlier_files: list[GivenFile] = []
    for place, message in before:
        given = _files(message, place)
        digest = _chain(digest, _entry(message, given))
        earlier_files += given
        if text := _words(message).strip():
            said.append(
                Said(role="user", text=text)
                if message.role == "user"
                else Said(role="assistant", text=without_closing(text))
            )
    if len(files) + len(earlier_files) > _MAX_FILES:
        raise BadRequest(f"At most {_MAX_FILES} files fit into one list of messages.", "messages")
    return Request(
        question=question,
        files=tuple(files),
        earlier=tuple(said),
        earlier_files=tuple(earlier_files),
        instructions="\n".join(_words(m) for m in request.messages if m.role in ("system", "developer")).strip(),
        history_digest=digest,
        question_entry=_entry(last, files),
    )


def _words(message: ChatMessage) -> str:
    if message.content is None or isinstance(message.content, str):
        return message.content or ""
    return "\n".join(part.text for part in message.content if isinstance(part, TextPart))


def _files(message: ChatMessage, place: int) -> list[GivenFile]:
    if message.content is None or isinstance(message.content, str):
        return []
    found = []
    for number, part in enumerate(message.content):
        where = f"messages.{place}.content.{number}"
        if isinstance(part, ImagePart):
            found.append(_picture(part, where))
        elif isinstance(part, FilePart):
            found.append(_file(part, where))
    if found and message.role != "user":
        raise BadRequest("Only the user's messages may have files.", f"messages.{place}.content")
    return found


def _picture(part: ImagePart, where: str) -> GivenFile:
    url = part.image_url.url
    match = _DATA_URL.match(url)
    if match is None:
        raise BadRequest(
            "An image must be a data URL with base64 (data:image/png;base64,...). Addresses are not fetched: nothing is "
            "loaded from elsewhere.", f"{where}.image_url.url", "invalid_image_url",
        )  # fmt: skip
    kind = (match["type"] or "").lower()
    if kind not in _PICTURES:
        raise BadRequest(
            f"An image must be one of {', '.join(_PICTURES)}, got {kind or 'no type'}.", f"{where}.image_url.url",
            "invalid_image_format",
        )  # fmt: skip
    content = _decoded(url[match.end() :], f"{where}.image_url.url")
    return GivenFile(f"image{_PICTURES[kind]}", content)


def _file(part: FilePart, where: str) -> GivenFile:
    match = _DATA_URL.match(part.file.file_data)
    content = _decoded(part.file.file_data[match.end() if match else 0 :], f"{where}.file.file_data")
    name = _SAFE_NAME.sub("_", part.file.filename)[-80:].lstrip(".") or "file"
    if "." not in name and match and match["type"]:
        name += mimetypes.guess_extension(match["type"]) or ""
    return GivenFile(name, content)


def _decoded(text: str, where: str) -> bytes:
    try:
        content = base64.b64decode(re.sub(r"\s+", "", text), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest(f"Not valid base64: {error}.", where, "invalid_base64") from error
    if not content:
        raise BadRequest("The file is empty.", where, "empty_file")
    return content


def _entry(message: ChatMessage, files: Sequence[GivenFile]) -> tuple[str, ...]:
    return (message.role, _same(_words(message)), *(hashlib.sha256(file.content).hexdigest() for file in files))


def _same(text: str) -> str:
    """Programs trim and re-wrap what they send back; that makes no other history."""
    return " ".join(text.split())


def _chain(digest: str, entry: tuple[str, ...]) -> str:
    return hashlib.sha256(json.dumps([digest, *entry], ensure_ascii=False).encode()).hexdigest()


@contextmanager
def on_disk(files: Sequence[GivenFile]) -> Iterator[list[Path]]:
    """The files in a folder that is removed afterwards, each in one of its own so that equal names do not meet."""
    with tempfile.TemporaryDirectory(prefix="consilium-") as folder:
        paths = []
        for number, file in enumerate(files):
            place = Path(folder) / str(number)
            place.mkdir()
            path = place / file.name
            path.write_bytes(file.content)
            paths.append(path)
        yield paths
