"""What people read at their client, in their language. The texts are in `english`; `languages/de.toml` and its like have others.

A text is made by `say(key, **values)`. It is an ordinary `str`, the English one, that remembers its key, so that whoever
writes it out may say it again in the reader's language (`in_language`). Words of the far side are plain `str` and stay as
they are. Keys are `room.what`; `{name}` in a text is a value. Logs and the command line speak English and are not here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from transports.english import ENGLISH

#: Language (RFC 5646, lower case) -> key -> text; filled by `catalogs.load`. English is ENGLISH.
CATALOGS: Final[dict[str, Mapping[str, str]]] = {}
#: Between the English of a packed text and what it is made of; no XML holds it, and no text of ours.
PACKED: Final = "\x1f"


class Text(str):
    """A text in English that can be said in other languages. `values` are str, int or Text."""

    __slots__ = ("key", "values")

    key: str
    values: Mapping[str, object]


def say(key: str, **values: object) -> Text:
    """The text of `key` with its values. KeyError for a key that is not in ENGLISH."""
    text = Text(ENGLISH[key].format_map(values) if values else ENGLISH[key])
    text.key = key
    text.values = values
    return text


def in_language(text: str, language: str) -> str:
    """`text` as a reader of `language` ('de', 'de-AT'; '' is English) wants it; English where nothing better is known."""
    if not isinstance(text, Text) or not language:
        return text
    catalog = _catalog(language)
    if catalog is None or text.key not in catalog:
        return text
    values = {
        name: in_language(value, language) if isinstance(value, str) else value for name, value in text.values.items()
    }
    return catalog[text.key].format_map(values) if values else catalog[text.key]


def packed(text: str) -> str:
    """`text` as it can be stored: in English, then what it was made of. The inverse is `unpacked`."""
    english = text.replace(PACKED, " ")
    return f"{english}{PACKED}{json.dumps(_parts(text), default=str)}" if isinstance(text, Text) else english


def unpacked(stored: str) -> str:
    """What was packed; plain English where no such text is known any more."""
    english, _, parts = stored.partition(PACKED)
    try:
        return _whole(json.loads(parts)) if parts else english
    except (ValueError, TypeError, LookupError, AttributeError):
        return english


def _parts(text: Text) -> list[object]:
    values = {name: _parts(value) if isinstance(value, Text) else value for name, value in text.values.items()}
    return [text.key, values]


def _whole(parts: Any) -> Text:
    key, values = parts
    ENGLISH[key].format_map(values)  # raises where the text needs other values by now
    return say(key, **{name: _whole(value) if isinstance(value, list) else value for name, value in values.items()})


def _catalog(language: str) -> Mapping[str, str] | None:
    """The catalog of a language tag, or of its primary subtag."""
    language = language.lower()
    return CATALOGS.get(language) or CATALOGS.get(language.partition("-")[0])
