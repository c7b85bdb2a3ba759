"""The real page: the embedded model, the sample case, and one PDF in an index. python -m tests.browser.real PORT HOME."""

from __future__ import annotations

import sys
from pathlib import Path

from core.settings import Settings
from tests.ui.viewer.pdf import write_pdf

# A page of our own words, so that no paper is copied into a picture of the docs.
PAGE = (
    "Kestrel bone cement was compared with plain cement in forty sheep vertebrae.",
    "After twelve weeks the Kestrel group had kept more of its anterior height.",
    "The difference in height was 1.9 mm, with a 95 % interval from 0.7 to 3.1 mm.",
    "No leak of cement into the canal was seen in either group.",
    "",
    "This note is invented: there is no such cement. It shows how a quote is boxed.",
)
QUESTION = "What does the literature say about Kestrel bone cement in sheep vertebrae?"


def serve(port: int, home: Path) -> None:
    import uvicorn

    from agent.assemble import build_assistant
    from retrieval.encoders import MiniLM
    from retrieval.index import Index
    from retrieval.readers.files import read_paths
    from ui.app import mount_page
    from ui.service.app import build_service

    paper = write_pdf(home / "kestrel-note.pdf", [PAGE])
    index = Index(home / "indexes" / "notes", MiniLM())
    index.create()
    index.add(read_paths([paper], []))
    settings = Settings(home=home, indexes=("starter", "notes"))
    assistant = build_assistant(settings)
    app = build_service(assistant, settings)
    mount_page(app, assistant, settings)
    uvicorn.run(app, port=port, log_level="error")


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
