"""Questions and tables as words of a chat, and typed words as answers: what `forms` is for clients with forms.

Answers are checked by `forms`; here is only what a person types for each type of field. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from transports.describe import Answers, Field, Table, Value
from transports.words import in_language, say

#: What stands for `as it is`, and for `nothing`.
KEEP: Final = "-"
EMPTY: Final = "--"
#: Rows and characters of a table, and options of a choice, that a chat shows.
MOST_ROWS: Final = 200
MOST_TEXT: Final = 6_000
MOST_OPTIONS: Final = 100

_between: Final = re.compile(r"[\s,;]+")
_words: Final = re.compile(r'"([^"]*)"|“([^”]*)”|(\S+)')
_EXTRA: Final = {
    "secret": "talk.secret", "switch": "talk.yes-or-no", "lines": "talk.lines", "choices": "talk.choices", "jids": "talk.jids",
}  # fmt: skip


def means(text: str, key: str, language: str) -> bool:
    """Whether `text` is one of the words of `key`, in the reader's language or in English, in any case."""
    words = say(key)
    return text.strip().casefold() in f"{words} {in_language(words, language)}".casefold().split()


# Asking -----------------------------------------------------------------------------------------------------------


def asked(field: Field, language: str, now: Value | None = None, wrong: str = "") -> str:
    """The question for one field. now: what stands there; wrong: what was wrong with the last answer."""
    lines = [f"⚠ {in_language(wrong, language)}"] if wrong else []
    lines += [in_language(words, language) for words in (field.label, field.help) if words]
    if field.type == "note":
        return "\n".join(lines)
    if field.type in ("choice", "choices"):
        lines += _options(field, language)
    if field.type in _EXTRA:
        lines.append(in_language(say(_EXTRA[field.type]), language))
    return "\n".join([*lines, *_standing(field, language, now)])


def _options(field: Field, language: str) -> list[str]:
    labels = [in_language(label, language) or value for value, label in field.options.items()][:MOST_OPTIONS]
    more = [in_language(say("form.left", count=left), language)] if (left := len(field.options) - len(labels)) else []
    if not _numbered(field):
        return [f"• {label}" for label in labels] + more
    return [f"{number}. {label}" for number, label in enumerate(labels, 1)] + more


def _numbered(field: Field) -> bool:
    """Options that are numbers themselves have none."""
    return not any(text.isdigit() for option in field.options.items() for text in option)


def _standing(field: Field, language: str, now: Value | None) -> list[str]:
    """What stands there, and how to let it stand or empty it."""
    if field.type == "secret":
        key = "talk.keep-secret" if now else ""
    elif now is None or now in ("", ()):
        key = ""
    else:
        key = "talk.keep" if field.required or field.type in ("switch", "choice") else "talk.keep-or-empty"
    if not key:
        return [] if field.required else [in_language(say("talk.leave"), language)]
    return [in_language(say(key, now=_shown(field, now, language)), language)]


def _shown(field: Field, now: Value | None, language: str) -> str:
    if field.type == "secret" or now is None:
        return ""
    if isinstance(now, bool):
        return say("talk.yes" if now else "talk.no")
    labels = {value: in_language(label, language) for value, label in field.options.items()}
    return ", ".join(labels.get(one, one) for one in now) if isinstance(now, tuple) else labels.get(now, now)


# Answers ----------------------------------------------------------------------------------------------------------


def heard(field: Field, text: str, language: str) -> list[str] | None:
    """The values that a person means by `text`, for `forms.answer`; None for what shall stay as it is."""
    typed = text.strip()
    if typed == KEEP:
        return None
    if typed == EMPTY and field.type != "secret":
        return []
    if field.type in ("lines", "secret"):
        return text.splitlines() if field.type == "lines" else [text]
    if field.type == "jids":
        return _between.split(typed)
    if field.type == "switch":
        return [_switched(typed, language)]
    if field.type == "choice":
        return [_option(field, typed, language) or typed]
    return _chosen(field, typed, language) if field.type == "choices" else [typed]


def _switched(typed: str, language: str) -> str:
    if means(typed, "talk.words-yes", language):
        return "1"
    return "0" if means(typed, "talk.words-no", language) else typed


def _option(field: Field, typed: str, language: str) -> str | None:
    """The option of this value, label or number."""
    wanted = typed.casefold()
    for value, label in field.options.items():
        if wanted in (value.casefold(), label.casefold(), in_language(label, language).casefold()):
            return value
    if typed.isascii() and typed.isdigit() and len(typed) < 6 and _numbered(field):
        return dict(enumerate(field.options, 1)).get(int(typed))
    return None


def _chosen(field: Field, typed: str, language: str) -> list[str]:
    """Labels may have blanks in them: so commas alone divide, unless blanks make sense of all."""
    for parts in ([part.strip() for part in typed.split(",")], _between.split(typed)):
        options = [_option(field, part, language) for part in parts if part]
        if None not in options:
            return [option for option in options if option is not None]
    return [typed]


def filled(fields: Sequence[Field], text: str, language: str) -> dict[str, list[str]]:
    """What was typed behind a command's word, for its fields in their order: a word or "some words" for each, and what is
    left for the last."""
    asked = [field for field in fields if field.type != "note"]
    found: dict[str, list[str]] = {}
    rest = text.strip()
    for number, field in enumerate(asked):
        if not rest:
            break
        one = _words.match(rest)
        if number == len(asked) - 1 or one is None:
            whole = one is not None and one.end() == len(rest)
            part, rest = (_quoted(one) if one is not None and whole else rest), ""
        else:
            part, rest = _quoted(one), rest[one.end() :].lstrip()
        values = heard(field, part, language)
        if values is not None:
            found[field.var] = values
    return found


def _quoted(found: re.Match[str]) -> str:
    return next(group for group in found.groups() if group is not None)


def needs(fields: Sequence[Field], given: Mapping[str, Sequence[str]], before: Answers) -> bool:
    """Whether a required field has no answer yet."""
    return any(
        field.required and field.type not in ("note", "switch") and field.var not in given and not before.get(field.var)
        for field in fields
    )


# Telling ----------------------------------------------------------------------------------------------------------


def table(table: Table, language: str, most: int = MOST_ROWS, mark: str = "") -> str:
    """A table as lines: chats have no columns, and phones no width. '' for no rows.

    mark: what each row begins with
    """
    if not table.rows:
        return ""
    lines = [" · ".join(in_language(label, language) for _var, label in table.columns)] if len(table.columns) > 1 else []
    size = 0
    for number, row in enumerate(table.rows):
        line = mark + " · ".join(" ".join(in_language(cell, language).split()) or "–" for cell in row)
        size += len(line)
        if number == most or size > MOST_TEXT:
            lines.append(in_language(say("form.left", count=len(table.rows) - number), language))
            break
        lines.append(line)
    return "\n".join(lines)
