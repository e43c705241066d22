"""The languages that texts are said in: files read at the start, the package's own and the operator's.

A file is `<language>.toml` (RFC 5646 tag): a table for each section of `english`, in it name = "text". The operator's folder
is `languages/` beside the configuration file; what stands there replaces the package's text of that key, and adds languages.
A text must have the placeholders of the English one, exactly: what does not is refused here, in the log, so that nobody who
reads a text ever meets a KeyError. What a file lacks is said in English.
"""

from __future__ import annotations

import logging
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Final, NamedTuple, Protocol

from transports.english import ENGLISH
from transports.log import kv
from transports.words import CATALOGS

log = logging.getLogger(__name__)

#: Refused texts that a log line names.
NAMED: Final = 5


class Readable(Protocol):
    """A file of a folder or of a package that may be zipped."""

    @property
    def name(self) -> str: ...

    def read_bytes(self) -> bytes: ...


class Catalog(NamedTuple):
    """What a file held: texts that can be said, and why others cannot (key -> why)."""

    texts: Mapping[str, str]
    refused: Mapping[str, str]


def load(folder: Path | None = None) -> None:
    """Read the package's languages, then those of the operator's folder if it is there. Never raises for what a file holds."""
    found: dict[str, dict[str, str]] = {}
    for place, files in (("package", _own()), ("operator", _others(folder))):
        for file in files:
            catalog = _read(file, place)
            if catalog is not None:
                found.setdefault(file.name.removesuffix(".toml").lower(), {}).update(catalog.texts)
    CATALOGS.clear()
    CATALOGS.update(found)
    for language, texts in found.items():
        if len(texts) < len(ENGLISH) and language.partition("-")[0] != "en":
            log.info(kv("a language is incomplete", language=language, missing=len(ENGLISH) - len(texts)))


def parse(data: bytes) -> Catalog:
    """A file's texts. ValueError when it is no TOML in UTF-8."""
    texts: dict[str, str] = {}
    refused: dict[str, str] = {}
    for section, table in tomllib.loads(data.decode()).items():
        if not isinstance(table, dict):
            refused[section] = "not in a section"
            continue
        for name, text in table.items():
            key = f"{section}.{name}"
            why = _wrong(key, text)
            if why:
                refused[key] = why
            else:
                texts[key] = text
    return Catalog(texts, refused)


def placeholders(text: str) -> frozenset[str]:
    """The names in braces. ValueError for anything but plain names: no attributes, no formats."""
    names = set()
    for _, name, form, conversion in Formatter().parse(text):
        if name is None:
            continue
        if not name.isidentifier() or form or conversion:
            raise ValueError(f"{{{name}}} is no plain name")
        names.add(name)
    return frozenset(names)


def _wrong(key: str, text: object) -> str:
    """Why a text cannot be said; '' when it can."""
    english = ENGLISH.get(key)
    if english is None:
        return "no such key"
    if not isinstance(text, str) or not text.strip():
        return "no text"
    try:
        same = placeholders(text) == placeholders(english)
    except ValueError:
        same = False
    return "" if same else "placeholders differ"


def _read(file: Readable, place: str) -> Catalog | None:
    try:
        catalog = parse(file.read_bytes())
    except (OSError, ValueError) as error:  # tomllib's and UTF-8's errors are ValueErrors
        log.warning(kv("a language cannot be read", file=file.name, of=place, error=f"{type(error).__name__}: {error}"))
        return None
    if catalog.refused:
        named = "; ".join(f"{key}: {why}" for key, why in list(catalog.refused.items())[:NAMED])
        log.warning(kv("texts are refused", file=file.name, of=place, count=len(catalog.refused), first=named))
    return catalog


def _own() -> Iterable[Readable]:
    folder = resources.files("transports").joinpath("languages")
    return sorted((file for file in folder.iterdir() if file.name.endswith(".toml")), key=lambda file: file.name)


def _others(folder: Path | None) -> Iterable[Readable]:
    return sorted(folder.glob("*.toml")) if folder is not None and folder.is_dir() else ()
