"""`consilium audit verify`: whether the audit log is whole."""

from __future__ import annotations

import argparse

from core.audit import AuditLog
from core.settings import load_settings


def run(arguments: argparse.Namespace) -> int:
    """Print what was found; 2 when entries were changed, taken out, put in or cut off."""
    home = load_settings().home
    done = AuditLog(home).verify()
    if arguments.json:
        print(done.model_dump_json())
    else:
        print(f"{done.lines} entries in {home / 'audit.log'}; {'whole' if not done.faults else 'NOT WHOLE'}")
        for fault in done.faults:
            print(f"  fault: {fault}")
        for note in done.notes:
            print(f"  note: {note}")
    return 2 if done.faults else 0
