"""All words that people read at their client, in English: the one place. Other languages: `languages/*.toml`, with the same keys.

One section per room, keys in the order of the alphabet within it. Polite, short, one thing at a time: what happened, what to do.
tests/test_words.py holds that every key is used and complete in German.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ENGLISH: Final[Mapping[str, str]] = {
    # ask: questions of ours to servers and clients
    "ask.busy": "The gateway waits for too many answers; try again in a minute.",
    "ask.silent": "{who} gave no answer in time.",
    # contacts
    "contacts.full": "You have {count} contacts here, and the gateway keeps no more.",
    # files
    "files.none": "This gateway cannot hand on files.",
    # forms
    "form.required": "This is needed.",
    # gate: what the gateway refuses by itself
    "gate.busy": "You have asked for too many things at once; wait for an answer first.",
    "gate.failed": "The gateway has failed at this; its log says why.",
    "gate.forbidden": "{domain} is not open to your address; ask the people who run it.",
    "gate.unregistered": "Register with {domain} first: send “register” to it, or use your client's form.",
    # inlet: what goes back to the far side
    "inlet.blocked": "This address does not take messages from you.",
    # register
    "register.ended": "You have unregistered.",
    "register.not": "You are not registered with {domain}.",
}
