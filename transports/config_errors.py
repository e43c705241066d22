"""What is wrong with a configuration, as data: section, key, what was found, what was wanted, a suggestion.

Turns pydantic's errors into these. A value is repeated only where it cannot be a secret: never for an unknown key
(a misspelt `secret`), never for the keys in SECRET_KEYS. Opens no file.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from transports.config_values import Wanted
from transports.log import clean

#: Keys whose values are never shown.
SECRET_KEYS: Final = frozenset({"secret", "key", "password", "sasl_password", "webirc", "proxy", "auth_token", "api_secret"})


class Problem(NamedTuple):
    """One thing that is wrong.

    section      "irc.networks.irc.demo"; "" when the file as a whole is meant
    key          "tls"; "" when the section as a whole is meant
    found        what stands there, in words: `got "yes"`, `missing`, `unknown key`
    wanted       what would be right; "" when the finding says it all
    suggestion   what to do about it; may be ""
    """

    section: str
    key: str
    found: str
    wanted: str = ""
    suggestion: str = ""

    def __str__(self) -> str:
        place = " ".join(part for part in (f"[{self.section}]" if self.section else "", self.key) if part)
        finding = f"{self.found}, wanted {self.wanted}" if self.wanted else self.found
        said = f"{finding}; {self.suggestion}" if self.suggestion else finding
        return clean(f"{place}: {said}" if place else said)


class ConfigErrors(Exception):
    """Everything that is wrong with a configuration, at once."""

    def __init__(self, path: Path, problems: Iterable[Problem]) -> None:
        self.path = path
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__(path, self.problems)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """One line per problem, each with the file's name before it."""
        return [f"{clean(self.path.name)}: {problem}" for problem in self.problems]


def quoted(value: object) -> str:
    """A value as it would stand in TOML, short."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else text[:79] + "…"


def unknown(section: str, key: str, known: Iterable[str]) -> Problem:
    """A key nobody knows; suggests the nearest that somebody does."""
    near = difflib.get_close_matches(key, list(known), n=1)
    return Problem(section, key, "unknown key", "", f"did you mean {quoted(near[0])}?" if near else "")


def unknown_section(name: str, known: Iterable[str]) -> Problem:
    near = difflib.get_close_matches(name, list(known), n=1)
    return Problem(name, "", "unknown section", "", f"did you mean [{near[0]}]?" if near else "")


def problems_of(section: str, model: type[BaseModel], error: ValidationError) -> list[Problem]:
    """Pydantic's errors about one section, in its order; its keys hold no tables (a table is a section of its own)."""
    return [_problem(section, model, details) for details in error.errors(include_url=False)]


def _problem(section: str, model: type[BaseModel], details: ErrorDetails) -> Problem:
    key = str(details["loc"][0]) if details["loc"] else ""
    match details["type"]:
        case "extra_forbidden":
            return unknown(section, key, model.model_fields)
        case "missing":
            return Problem(section, key, "missing", _description(model, key))
    hidden = key in SECRET_KEYS or (key == "url" and "@" in str(details["input"]))
    found = "its value (not shown) does not fit" if hidden else f"got {quoted(details['input'])}"
    return Problem(section, key, found, _wanted(details) or _description(model, key))


def _description(model: type[BaseModel], key: str) -> str:
    """The words of a key's kind; in `Kind | None` they stand at the kind."""
    field = model.model_fields.get(key)
    if field is None:
        return "something else"
    found = (
        getattr(extra, "description", None)
        for part in get_args(field.annotation)
        for extra in getattr(part, "__metadata__", ())
    )
    return field.description or next(filter(None, found), "something else")


def _wanted(details: ErrorDetails) -> str:
    """Words that the validator found itself, or the choices of a literal."""
    context = details.get("ctx", {})
    if details["type"] == "literal_error":
        return "one of " + str(context["expected"]).replace("'", "").replace(" or ", ", ")
    error = context.get("error")
    return str(error) if isinstance(error, Wanted) else ""
