"""Which IRCv3 capabilities we ask a server for: one line each. One is `ON` once what it changes in a line is dealt with.

Pure. Names as in https://ircv3.net/registry; a draft has its draft's name. `sasl` is not here: the login asks for it
(`caps`); `sts` neither, it must never be asked for (`sts`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ON: Final = True
OFF: Final = False

CAPABILITIES: Final[Mapping[str, bool]] = {
    "account-notify": ON,
    "account-tag": ON,
    "away-notify": ON,
    "batch": ON,
    "cap-notify": ON,
    "chghost": ON,
    "draft/channel-rename": OFF,
    "draft/chathistory": ON,
    "draft/event-playback": OFF,
    "draft/message-redaction": ON,
    "draft/metadata-2": OFF,
    "draft/multiline": ON,
    "draft/no-implicit-names": OFF,
    "draft/pre-away": ON,
    "draft/read-marker": ON,
    "echo-message": ON,
    "extended-join": ON,
    "extended-monitor": ON,
    "invite-notify": ON,
    "labeled-response": ON,
    "message-tags": ON,
    "multi-prefix": ON,
    "no-implicit-names": OFF,
    "server-time": ON,
    "setname": ON,
    "standard-replies": ON,
    "userhost-in-names": ON,
}

#: What a Registration is given.
WANTED: Final = frozenset(name for name, on in CAPABILITIES.items() if on)
