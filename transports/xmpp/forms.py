"""Questions and tables as XEP-0004 forms, and what comes back, checked.

Holds how a `describe.Form` looks on the wire, how a submitted form is read within bounds, and what makes an answer canonical:
the same check for ad-hoc commands, registration and chat. Pure; knows no session, no iq and nobody who asks.

XEP-0004; XEP-0068 (FORM_TYPE); XEP-0122 (datatypes, as hints only). Answers by type of field:
    text, secret, choice, number, jid   str, '' for none
    switch                              bool
    lines, choices, jids                tuple of str
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from transports.describe import Answers, Field, FieldType, Form, Table, Value, Wrong
from transports.errors import LegacyError
from transports.words import in_language, say
from transports.xmpp import address
from transports.xmpp.xml import MAX_STANZA, attr, clip, text

NS: Final = "jabber:x:data"
X: Final = f"{{{NS}}}x"
FIELD: Final = f"{{{NS}}}field"
_VALUE: Final = f"{{{NS}}}value"
_VALIDATE: Final = "http://jabber.org/protocol/xdata-validate"

#: What a submitted form may have: fields, values in all, bytes in all.
MOST_FIELDS: Final = 200
MOST_VALUES: Final = 1_000
MOST_BYTES: Final = 40_000
#: Bytes of a form or a table; the stanza around it and its notes have the rest.
_ROOM: Final = MAX_STANZA - 12_000
_LABEL: Final = 500
_WORDS: Final = 2_000

_WIRE: Final[Mapping[FieldType, str]] = {
    "text": "text-single",
    "lines": "text-multi",
    "secret": "text-private",
    "switch": "boolean",
    "choice": "list-single",
    "choices": "list-multi",
    "number": "text-single",
    "jid": "jid-single",
    "jids": "jid-multi",
}
_SEVERAL: Final = frozenset(("lines", "choices", "jids"))


# Asking -----------------------------------------------------------------------------------------------------------


def render(
    form: Form, language: str, before: Answers | None = None, wrong: Mapping[str, str] = {}, form_type: str = ""
) -> str:
    """The `<x type='form'>` of a question.

    before     what stands in the fields; secrets among it are never shown
    wrong      var -> what is wrong there: in its description, and in the instructions for clients that hide descriptions;
               COMPAT: poezio 0.14 hides both and shows the same form again, so the label has a mark as well
    form_type  FORM_TYPE, '' for none

    A field that the stanza has no room for is left out; `checked` lets it keep its value.
    """
    before = before or {}
    parts = [f"<x xmlns='{NS}' type='form'>", _heading(form, language, wrong)]
    if form_type:
        parts.append(f"<field var='FORM_TYPE' type='hidden'><value>{text(form_type)}</value></field>")
    size = sum(map(_size, parts))
    for field in form.fields:
        made = _field(field, language, before.get(field.var, field.default), wrong.get(field.var, ""))
        if size + _size(made) <= _ROOM:
            parts.append(made)
            size += _size(made)
    return "".join([*parts, "</x>"])


def _heading(form: Form, language: str, wrong: Mapping[str, str]) -> str:
    """One `<instructions/>` without line breaks: several clients show but the first."""
    labels = {field.var: field.label for field in form.fields}
    errors = [
        f"⚠ {in_language(labels.get(var, var), language)}: {in_language(words, language)}" for var, words in wrong.items()
    ]
    said = _line(" ".join([*errors, in_language(form.instructions, language)]), 2 * _WORDS)
    return _title(in_language(form.title, language)) + (f"<instructions>{said}</instructions>" if said else "")


def _title(title: str) -> str:
    return f"<title>{_line(title, _LABEL)}</title>" if title else ""


def _field(field: Field, language: str, value: Value | None, error: str) -> str:
    if field.type == "note":
        return _note(field, language)
    keeps = field.type == "secret" and bool(value)
    needed = field.required and not keeps and field.type != "switch"  # a switch says something either way
    label = ("⚠ " if error else "") + in_language(field.label, language)
    parts = [
        f"<field var='{attr(field.var)}' type='{_WIRE[field.type]}' label='{_attr(label)}'>",
        _help(field, language, keeps, error),
        "<required/>" if needed else "",
        f"<validate xmlns='{_VALIDATE}' datatype='xs:integer'><basic/></validate>" if field.type == "number" else "",
        *(f"<value>{text(shown)}</value>" for shown in _shown(field, value)),
    ]
    if field.type in ("choice", "choices"):
        parts += [
            f"<option label='{_attr(in_language(label, language))}'><value>{text(option)}</value></option>"
            for option, label in field.options.items()
        ]
    return "".join([*parts, "</field>"])


def _note(field: Field, language: str) -> str:
    """One fixed field for each line."""
    said = "\n".join(in_language(words, language) for words in (field.label, field.help) if words)
    return "".join(f"<field type='fixed'><value>{_line(line, _WORDS)}</value></field>" for line in said.splitlines())


def _help(field: Field, language: str, keeps: bool, error: str) -> str:
    said = [f"⚠ {in_language(error, language)}"] if error else []
    said.append(in_language(field.help, language))
    if keeps:
        said.append(in_language(say("form.kept"), language))
    words = _line(" ".join(said), _WORDS)
    return f"<desc>{words}</desc>" if words else ""


def _shown(field: Field, value: Value | None) -> Iterable[str]:
    """The values of a field as the wire has them."""
    if field.type == "secret" or value is None or value == "":
        return ()
    if field.type == "switch":
        return ("1" if value in (True, "1", "true") else "0",)
    return value if isinstance(value, tuple) else (str(value),)


# What came back ---------------------------------------------------------------------------------------------------


def submitted(x: Element) -> dict[str, list[str]]:
    """The values of a submitted form by their var; of a type that is not 'submit' too (XEP-0050 3.6.1). LegacyError when
    it is larger than anybody's answers are."""
    found: dict[str, list[str]] = {}
    values = size = 0
    for field in x.iterfind(FIELD):
        var = field.get("var", "")
        given = [value.text or "" for value in field.iterfind(_VALUE)]
        values += len(given)
        size += sum(len(value.encode("utf-8", "replace")) for value in (var, *given))
        if len(found) >= MOST_FIELDS or values > MOST_VALUES or size > MOST_BYTES:
            raise LegacyError("not-acceptable", say("form.huge"))
        if var:
            found.setdefault(var, []).extend(given)
    return found


def typed(fields: Iterable[Field], given: Mapping[str, Sequence[str]], before: Answers | None = None) -> Answers:
    """What to show in a form that is asked again: as it was typed, right or wrong; secrets only as `before` has them."""
    shown = dict(before or {})
    for field in fields:
        if field.var in given and field.type not in ("secret", "note"):
            values = given[field.var]
            shown[field.var] = tuple(values) if field.type in _SEVERAL else values[0] if values else ""
    return shown


def secrets(fields: Iterable[Field], given: Mapping[str, Sequence[str]], wrong: Mapping[str, str]) -> Answers:
    """The secrets among wrong answers that were right: so that nobody types them twice."""
    right = [field for field in fields if field.type == "secret" and field.var not in wrong and any(given.get(field.var, ()))]
    return {field.var: answer(field, given[field.var]) for field in right}


def checked(fields: Iterable[Field], given: Mapping[str, Sequence[str]], before: Answers | None = None) -> Answers:
    """Canonical answers for every field but notes; describe.Wrong with everything that is wrong.

    A field that was not submitted keeps its value (XEP-0004 3.5), and so does a secret left empty: that of `before`, else
    the default, else nothing. What nobody asked for is ignored.
    """
    answers: dict[str, Value] = {}
    wrong: dict[str, str] = {}
    for field in fields:
        if field.type == "note":
            continue
        try:
            answers[field.var] = answer(field, given.get(field.var), (before or {}).get(field.var))
        except (ValueError, LegacyError) as error:
            wrong[field.var] = fault(error)
    if wrong:
        raise Wrong(wrong)
    return answers


def answer(field: Field, values: Sequence[str] | None, old: Value | None = None) -> Value:
    """One field's canonical answer; `values` None: it was not asked. ValueError or LegacyError with words."""
    if values is None or (not any(values) and _never_empty(field)):
        value = old if old is not None else field.default
        given = value if value is not None else _NOTHING.get(field.type, "")
    else:
        given = _READERS[field.type](field, values)
    if field.required and (given == "" or given == ()):
        raise ValueError(say("form.required"))
    return given


def _never_empty(field: Field) -> bool:
    """Whether empty means `as before`: a secret is never shown, and of a list one cannot choose nothing."""
    return field.type == "secret" or (field.type == "choice" and "" not in field.options)


def fault(error: ValueError | LegacyError) -> str:
    """What a check that failed says."""
    if isinstance(error, LegacyError):
        return error.text or say("form.wrong")
    return error.args[0] if error.args and isinstance(error.args[0], str) and error.args[0] else say("form.wrong")


def _first(values: Sequence[str]) -> str:
    return values[0].strip() if values else ""


def _checked(field: Field, value: str) -> str:
    return field.check(value) if value and field.check is not None else value


def _text(field: Field, values: Sequence[str]) -> Value:
    value = _first(values)
    if len(value.splitlines()) > 1:
        raise ValueError(say("form.line"))
    return _checked(field, value)


def _secret(field: Field, values: Sequence[str]) -> Value:
    """Blanks belong to a secret; a line break at its end was pasted with it."""
    value = values[0].rstrip("\r\n")
    if len(value.splitlines()) > 1:
        raise ValueError(say("form.line"))
    return _checked(field, value)


def _lines(field: Field, values: Sequence[str]) -> Value:
    lines = [line.rstrip() for value in values for line in (value.splitlines() or [""])]
    while lines and not lines[-1]:
        lines.pop()
    return tuple(_checked(field, line) for line in lines)


def _switch(field: Field, values: Sequence[str]) -> Value:
    value = _first(values).lower()
    if value not in ("1", "true", "0", "false", ""):
        raise ValueError(say("form.switch"))
    return value in ("1", "true")


def _choice(field: Field, values: Sequence[str]) -> Value:
    value = values[0] if values else ""
    if value not in field.options:
        raise ValueError(say("form.choice"))
    return _checked(field, value)


def _choices(field: Field, values: Sequence[str]) -> Value:
    chosen = frozenset(value for value in values if value)
    if not chosen <= field.options.keys():
        raise ValueError(say("form.choice"))
    return tuple(_checked(field, option) for option in field.options if option in chosen)


_number_form = re.compile(r"[+-]?[0-9]{1,15}")


def _number(field: Field, values: Sequence[str]) -> Value:
    value = _first(values)
    if value and _number_form.fullmatch(value) is None:
        raise ValueError(say("form.number"))
    return _checked(field, str(int(value)) if value else "")


def _jid(field: Field, values: Sequence[str]) -> Value:
    value = _first(values)
    return _checked(field, _parsed(value)) if value else ""


def _jids(field: Field, values: Sequence[str]) -> Value:
    lines = [line.strip() for value in values for line in value.splitlines()]
    return tuple(dict.fromkeys(_checked(field, _parsed(line)) for line in lines if line))


def _parsed(jid: str) -> str:
    try:
        return address.parse(jid).full
    except address.JidError:
        raise ValueError(say("form.jid")) from None


_READERS: Final[Mapping[FieldType, Callable[[Field, Sequence[str]], Value]]] = {
    "text": _text,
    "lines": _lines,
    "secret": _secret,
    "switch": _switch,
    "choice": _choice,
    "choices": _choices,
    "number": _number,
    "jid": _jid,
    "jids": _jids,
}
_NOTHING: Final[Mapping[FieldType, Value]] = {"switch": False, "lines": (), "choices": (), "jids": ()}


# Telling ----------------------------------------------------------------------------------------------------------


def table(table: Table, title: str, language: str) -> str:
    """The `<x type='result'>` of a table (XEP-0004 3.4); the title says how many rows the stanza had no room for."""
    reported = "".join(
        f"<field var='{attr(var)}' type='text-single' label='{_attr(in_language(label, language))}'/>"
        for var, label in table.columns
    )
    opening = f"<x xmlns='{NS}' type='result'>"
    items: list[str] = []
    size = _size(reported) + 2 * _LABEL
    for row in table.rows:
        item = _item(table, row, language)
        size += _size(item)
        if size > _ROOM:
            break
        items.append(item)
    title = in_language(title, language)
    if left := len(table.rows) - len(items):
        title = clip(title, _LABEL // 2) + " " + in_language(say("form.left", count=left), language)
    return f"{opening}{_title(title)}<reported>{reported}</reported>{''.join(items)}</x>"


def _item(table: Table, row: Sequence[str], language: str) -> str:
    cells = (
        f"<field var='{attr(var)}'><value>{_line(in_language(cell, language), _WORDS)}</value></field>"
        for (var, _label), cell in zip(table.columns, row, strict=True)
    )
    return f"<item>{''.join(cells)}</item>"


def _line(s: str, size: int) -> str:
    """Escaped text without line breaks, of at most `size` bytes."""
    return text(clip(" ".join(s.split()), size))


def _attr(s: str) -> str:
    return attr(clip(" ".join(s.split()), _LABEL))


def _size(s: str) -> int:
    return len(s.encode("utf-8", "replace"))
