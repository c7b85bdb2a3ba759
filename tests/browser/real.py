"""The real page with the embedded model and nothing else: python -m tests.browser.real PORT HOME."""

from __future__ import annotations

import sys
from pathlib import Path

from core.settings import Settings


def serve(port: int, home: Path) -> None:
    import uvicorn

    from agent.assemble import build_assistant
    from ui.app import mount_page
    from ui.service.app import build_service

    settings = Settings(home=home)
    assistant = build_assistant(settings)
    app = build_service(assistant, settings)
    mount_page(app, assistant, settings)
    uvicorn.run(app, port=port, log_level="error")


if __name__ == "__main__":
    serve(int(sys.argv[1]), Path(sys.argv[2]))
