"""Which tools there are: an explicit list, looked up by name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.errors import CallError
from core.ports import AttachedSearch, ImageSearcher, Retriever
from tools.base import Tool


class Registry:
    """Tools by name, in the order given. Two of one name are an error when it is built."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = {tool.spec.name: tool for tool in tools}
        names = [tool.spec.name for tool in tools]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"Tool names must be unique, got twice: {', '.join(twice)}")

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def extended(self, tools: Sequence[Tool]) -> Registry:
        """Another registry with more tools after these."""
        return Registry([*self, *tools])

    def names(self) -> tuple[str, ...]:
        """All tool names."""
        return tuple(self._tools)

    def get(self, name: str) -> Tool:
        """The tool of that name.

        Raises:
            CallError: there is none; the message lists the names.
        """
        if name not in self._tools:
            raise CallError(f"There is no tool {name!r}. The tools are: {', '.join(self._tools)}.")
        return self._tools[name]


def standard_tools(retriever: Retriever, images: ImageSearcher, attached: AttachedSearch | None = None) -> Registry:
    """Every tool that ships, in the order a person meets them. `attached` searches a conversation's own documents."""
    from tools.ehr.find_similar_patients import FindSimilarPatients
    from tools.ehr.predict_outcome import PredictOutcome
    from tools.ehr.read_record import ReadRecord
    from tools.imaging.fractures.tool import GradeFractures
    from tools.imaging.generation.film_tool import SynthesizeFilm
    from tools.imaging.generation.volume_tool import SynthesizeVolume
    from tools.imaging.healthivert.tool import SynthesizeHealthySpine
    from tools.imaging.labelling.tool import Segment
    from tools.imaging.show_image import ShowImage
    from tools.imaging.similar import FindSimilarImages
    from tools.imaging.xray.tool import SynthesizeXray
    from tools.literature.check_claim import CheckClaim
    from tools.literature.search import SearchLiterature
    from tools.text.deidentify.tool import Deidentify

    return Registry(
        [
            GradeFractures(),
            Segment(),
            SynthesizeHealthySpine(),
            SynthesizeXray(),
            SynthesizeVolume(),
            SynthesizeFilm(),
            ShowImage(),
            SearchLiterature(retriever, attached),
            CheckClaim(retriever, attached=attached),
            ReadRecord(),
            PredictOutcome(),
            FindSimilarPatients(),
            FindSimilarImages(images),
            Deidentify(),
        ]
    )
