"""The OpenAI chat protocol as far as it is spoken here, with our extension in the field `consilium`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.types import Artifact, CallRecord, Evidence, Sentence, Table, Turn

MODEL = "consilium"


class TextPart(BaseModel):
    """Words."""

    type: Literal["text"]
    text: str


class ImageUrl(BaseModel):
    """An image as a data URL; addresses are not fetched."""

    url: str
    detail: str = "auto"


class ImagePart(BaseModel):
    """A picture: taken in as an attachment of the conversation."""

    type: Literal["image_url"]
    image_url: ImageUrl


class FileData(BaseModel):
    """A file as a data URL or plain base64: DICOM (zip), NIfTI, FHIR JSON, an image."""

    file_data: str
    filename: str = "file"


class FilePart(BaseModel):
    """A file: taken in as an attachment of the conversation."""

    type: Literal["file"]
    file: FileData


Part = Annotated[TextPart | ImagePart | FilePart, Field(discriminator="type")]


class ChatMessage(BaseModel):
    """One message of the list."""

    role: Literal["system", "developer", "user", "assistant"]
    content: str | list[Part] | None = None


class StreamOptions(BaseModel):
    """How to stream."""

    include_usage: bool = False


class RequestExtension(BaseModel):
    """What a client may ask of us beyond the protocol.

    `conversation`: ask in this conversation (of /api); only the last message counts then. `sources`: whether the text ends
    with the list of sources and of sentences that did not pass their check (default yes).
    """

    model_config = ConfigDict(extra="forbid")

    conversation: str | None = None
    sources: bool = True


class ChatRequest(BaseModel):
    """A chat completion request. Sampling parameters are taken and have no effect; the reply names them."""

    model_config = ConfigDict(extra="allow")

    model: str
    messages: list[ChatMessage] = Field(min_length=1, max_length=1000)
    stream: bool = False
    stream_options: StreamOptions | None = None
    n: int | None = 1
    store: bool | None = Field(default=None, description="false: the conversation is deleted when the answer is complete.")
    tools: list[Any] | None = None
    functions: list[Any] | None = None
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = None
    consilium: RequestExtension = RequestExtension()


class TokenUsage(BaseModel):
    """Tokens of all model calls of the turn, as the endpoint counted them; zero where none were generated."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0


class ReplyExtension(BaseModel):
    """What an answer stands on. Evidence ids are the numbers in the text's square brackets."""

    conversation: str
    turn: str
    model: str
    sentences: tuple[Sentence, ...]
    evidence: tuple[Evidence, ...]
    calls: tuple[CallRecord, ...]
    tables: tuple[Table, ...]
    artifacts: tuple[Artifact, ...]
    figures: tuple[str, ...]
    abstained: bool
    why: str
    limits: tuple[str, ...]
    ignored: tuple[str, ...]


class ReplyMessage(BaseModel):
    """The answer as text."""

    role: Literal["assistant"] = "assistant"
    content: str
    refusal: None = None


class Choice(BaseModel):
    """The one choice."""

    index: Literal[0] = 0
    message: ReplyMessage
    finish_reason: Literal["stop", "length"]
    logprobs: None = None


class ChatReply(BaseModel):
    """A chat completion."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: tuple[Choice]
    usage: TokenUsage
    consilium: ReplyExtension


class ModelCard(BaseModel):
    """A line of the list of models."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: Literal["consilium"] = "consilium"


class ModelList(BaseModel):
    """The models: ours is one, whatever drives it."""

    object: Literal["list"] = "list"
    data: tuple[ModelCard, ...]


def extension(turn: Turn, conversation: str, ignored: tuple[str, ...]) -> ReplyExtension:
    """What the turn's answer stands on. The turn has an answer."""
    answer = turn.answer
    if answer is None:
        raise ValueError("the turn has no answer")
    return ReplyExtension(
        conversation=conversation,
        turn=turn.id,
        model=answer.provenance.model if answer.provenance else "",
        sentences=answer.sentences,
        evidence=turn.evidence,
        calls=turn.calls,
        tables=answer.tables,
        artifacts=turn.artifacts,
        figures=answer.figures,
        abstained=answer.abstained,
        why=answer.why,
        limits=answer.limits,
        ignored=ignored,
    )


def usage_of(turn: Turn) -> TokenUsage:
    """The turn's tokens."""
    used = turn.answer.provenance.model_use if turn.answer and turn.answer.provenance else None
    if used is None:
        return TokenUsage()
    return TokenUsage(
        prompt_tokens=used.prompt_tokens,
        completion_tokens=used.completion_tokens,
        total_tokens=used.prompt_tokens + used.completion_tokens,
    )
