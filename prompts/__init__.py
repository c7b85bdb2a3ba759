"""Versioned prompt texts. `load(name, **variables)` renders strictly: a missing or unknown variable is an error."""

from __future__ import annotations

import hashlib
import string
from importlib.resources import files

from core.types import Frozen


class Prompt(Frozen):
    """A rendered prompt and the hash of its template, for provenance."""

    name: str
    text: str
    template_hash: str


def load(name: str, /, **variables: str) -> Prompt:
    """Render `templates/<name>.md`, whose variables are written `$variable`.

    Raises:
        FileNotFoundError: there is no such template; the message lists them.
        ValueError: a variable is missing or unknown; both are named.
    """
    folder = files(__name__) / "templates"
    path = folder / f"{name}.md"
    if not path.is_file():
        known = sorted(item.name.removesuffix(".md") for item in folder.iterdir() if item.name.endswith(".md"))
        raise FileNotFoundError(f"There is no prompt {name!r}. The prompts are: {', '.join(known)}.")
    source = path.read_text(encoding="utf-8")
    template = string.Template(source)
    wanted, given = set(template.get_identifiers()), set(variables)
    if wanted != given:
        faults = f"missing {sorted(wanted - given)}, unknown {sorted(given - wanted)}"
        raise ValueError(f"Prompt {name!r} takes {sorted(wanted)}: {faults}.")
    digest = hashlib.sha256(source.encode()).hexdigest()[:16]
    return Prompt(name=name, text=template.substitute(variables), template_hash=digest)
