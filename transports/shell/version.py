"""Which Transports this is."""

from __future__ import annotations

from importlib import metadata


def version() -> str:
    try:
        return metadata.version("xmpp-transports")
    except metadata.PackageNotFoundError:
        return "(not installed)"
