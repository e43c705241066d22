"""What the shell's commands print for people, of answers as `answers` and `direct` give them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from transports.log import clean
from transports.shell.tables import moment, size, span, table

Answer = Mapping[str, Any]

#: The journal's states and ways, in words.
STATES: Final = {
    ("in", "queued"): "on its way to XMPP",
    ("in", "waiting"): "waits for its user",
    ("in", "taken"): "delivered to XMPP",
    ("out", "queued"): "to be sent",
    ("out", "sent"): "sent, not confirmed",
    ("out", "done"): "sent",
    ("out", "failed"): "given up, its sender will be told",
    ("in", "dead"): "dead letter",
    ("out", "dead"): "dead letter",
}
WAYS: Final = {"in": "to XMPP", "out": "from XMPP"}


# The gateway ----------------------------------------------------------------------------------------------------------


def status(answer: Answer, now: Callable[[], float] = time.time) -> str:
    up, memory = span(now() - answer["started"]), size(answer["memory"])
    lines = [f"Transports {answer['version']}: running for {up}, {memory} of memory, process {answer['pid']}"]
    for bridge in answer["bridges"]:
        lines += ["", *_bridge(bridge, now())]
    return "\n".join([*lines, *_stored(answer, now())])


def stopped(answer: Answer, now: Callable[[], float] = time.time) -> str:
    lines = [f"Transports {answer['version']}: not running.", ""]
    lines += [
        f"{bridge['name']}: {bridge['domain']}, {bridge['registered']} registered" for bridge in answer["bridges"]
    ]
    return "\n".join([*lines, *_stored(answer, now())])


def _bridge(bridge: Answer, now: float) -> list[str]:
    lines = [f"{bridge['name']}: {bridge['domain']}"]
    if bridge["connected"]:
        lines.append(f"  connected to the XMPP server for {span(now - bridge['since'])}")
    else:
        lines.append(f"  not connected to the XMPP server: {clean(bridge['error'] or 'not yet')}")
        lines += [f"  {bridge['advice']}"] if bridge["advice"] else []
    lines.append(f"  {bridge['registered']} registered, {bridge['sessions']} in sessions")
    links = sorted(bridge["connections"].items(), key=lambda item: (-item[1], item[0]))
    lines += [f"  connections: {', '.join(f'{clean(name)} {count}' for name, count in links)}"] if links else []
    return lines + (_privileges(bridge["privileges"]) if bridge["connected"] else [])


def _privileges(servers: list[Answer]) -> list[str]:
    """What each server lets the gateway do (XEP-0356), and what it could."""
    lines = []
    for server in servers:
        given = [f"{name} {server[name]}" for name in ("roster", "message", "presence") if server[name]]
        given += [f"iq {namespace} {kind}" for namespace, kind in server["iq"].items()]
        lines.append(f"  privileges from {clean(server['server'])}: {clean(', '.join(given) or 'none')}")
        lines += [f"    not granted: {words}" for words in server["missing"]]
    return lines or ["  privileges: none (transports check --privileges says what they give)"]


def _stored(answer: Answer, now: float) -> list[str]:
    lines = []
    if answer["queue"]:
        rows = [(one["bridge"], _state(one), one["letters"], span(now - one["oldest"])) for one in answer["queue"]]
        lines += ["", table(("bridge", "messages", "count", "oldest"), rows)]
    files = answer.get("files")
    if files and files["count"]:
        lines += ["", f"{files['count']} files stored, {size(files['size'])}"]
    return lines


def _state(one: Answer) -> str:
    return STATES.get((one["direction"], one["state"])) or str(one["state"])


# Users ----------------------------------------------------------------------------------------------------------------


def users(answer: Answer) -> str:
    rows = [
        (
            user["bridge"],
            user["user"],
            moment(user["since"]),
            user["contacts"],
            "yes" if user["session"] else "",
            user["queue"],
        )
        for user in answer["users"]
    ]
    if not rows:
        return "Nobody is registered."
    more = ["", "There are more; ask for one bridge, or for one user."] if answer["more"] else []
    return "\n".join([table(("bridge", "user", "since", "contacts", "session", "queue"), rows), *more])


def user(answer: Answer) -> str:
    return "\n\n".join("\n".join(_registration(answer["user"], one)) for one in answer["registrations"])


def _registration(name: str, one: Answer) -> list[str]:
    lines = [f"{clean(name)} on {one['bridge']}, registered {moment(one['since'])}"]
    lines += [f"  language: {clean(one['language'])}"] if one["language"] else []
    for part in ("answers", "preferences"):
        lines += [f"  {clean(var)}: {_value(value)}" for var, value in one[part].items()]
    lines.append(f"  contacts: {one['contacts']}")
    if one.get("roster"):
        rows = [(contact["address"], contact["name"], _subscription(contact)) for contact in one["roster"]]
        lines += ["", table(("contact", "name", "subscription"), rows)]
    return [*lines, "", _letters(one["letters"])] if one["letters"] else lines


def _value(value: Any) -> str:
    """What a user gave; None is secret."""
    if value is None:
        return "(secret)"
    if isinstance(value, list):
        return clean(", ".join(map(str, value)))
    return clean({True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value))


def _subscription(contact: Answer) -> str:
    """RFC 6121's word, as the user's roster has it."""
    state = {(True, True): "both", (True, False): "to", (False, True): "from"}.get(
        (contact["hears"], contact["heard"]), "none"
    )
    return f"{state}, blocked" if contact["blocked"] else state


def removed(answer: Answer) -> str:
    return f"{clean(answer['user'])} is no longer registered with {', '.join(answer['removed'])}."


def sessions(answer: Answer) -> str:
    rows = [(session["bridge"], session["user"], session["rooms"]) for session in answer["sessions"]]
    return table(("bridge", "user", "rooms"), rows) if rows else "Nobody is there."


# The queue ------------------------------------------------------------------------------------------------------------


def queue(answer: Answer) -> str:
    return _letters(answer["letters"]) if answer["letters"] else "Nothing waits, and there are no dead letters."


def _letters(letters: list[Answer], now: Callable[[], float] = time.time) -> str:
    rows = [
        (
            letter["id"],
            letter["bridge"],
            WAYS[letter["direction"]],
            letter["user"],
            letter["contact"],
            span(now() - letter["created"]),
            _state(letter),
            letter["attempts"],
            letter["error"],
        )
        for letter in letters
    ]
    return table(("id", "bridge", "way", "user", "contact", "age", "state", "attempts", "error"), rows)


def letter(answer: Answer) -> str:
    facts = {
        "id": answer["id"],
        "bridge": answer["bridge"],
        "way": WAYS[answer["direction"]],
        "user": answer["user"],
        "contact": answer["contact"],
        "state": _state(answer),
        "attempts": answer["attempts"],
        "stored": moment(answer["created"]),
        "error": answer["error"],
        "text": "is here: --body shows it" if answer["whole"] else "is gone",
    }
    if "body" in answer:
        facts["text"] = _body(answer["body"])
    return "\n".join(f"{name}: {clean(str(value))}" for name, value in facts.items() if value != "")


def _body(body: Answer | None) -> str:
    """The words of a message; of what has none, all that it is."""
    if body is None:
        return "is gone"
    [(kind, fields)] = body.items()
    return str(fields["text"]) if "text" in fields else f"{kind} {json.dumps(fields)}"


def retried(answer: Answer) -> str:
    return f"{_count(answer['letters'])} will be tried again."


def dropped(answer: Answer) -> str:
    return f"{_count(answer['letters'])} dropped."


def _count(letters: list[Answer]) -> str:
    return f"{len(letters)} dead letter{'' if len(letters) == 1 else 's'}"
