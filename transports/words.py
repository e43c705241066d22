"""What people read at their client, in their language. The texts are in `english`; `languages/de.toml` and its like have others.

A text is made by `say(key, **values)`. It is an ordinary `str`, the English one, that remembers its key, so that whoever
writes it out may say it again in the reader's language (`in_language`). Words of the far side are plain `str` and stay as
they are. Keys are `room.what`; `{name}` in a text is a value. Logs and the command line speak English and are not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from transports.english import ENGLISH

#: Language (RFC 5646, lower case) -> key -> text; filled by `catalogs.load`. English is ENGLISH.
CATALOGS: Final[dict[str, Mapping[str, str]]] = {}


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


def _catalog(language: str) -> Mapping[str, str] | None:
    """The catalog of a language tag, or of its primary subtag."""
    language = language.lower()
    return CATALOGS.get(language) or CATALOGS.get(language.partition("-")[0])
