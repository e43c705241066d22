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
    "files.lost": "A file, {name}, came with this; it could not be handed on.",
    "files.none": "This gateway cannot hand on files.",
    # forms
    "form.choice": "This is none of the choices.",
    "form.huge": "That is more than fits in a form.",
    "form.jid": "This is no address like somebody@example.org.",
    "form.kept": "Leave it empty to keep what is set.",
    "form.left": "({count} more are not shown)",
    "form.line": "Only one line fits here.",
    "form.number": "A whole number is needed here.",
    "form.required": "This is needed.",
    "form.switch": "Yes or no is needed here.",
    "form.wrong": "This cannot be used.",
    # gate: what the gateway refuses by itself
    "gate.busy": "You have asked for too many things at once; wait for an answer first.",
    "gate.failed": "The gateway has failed at this; its log says why.",
    "gate.forbidden": "{domain} is not open to your address; ask the people who run it.",
    "gate.no-rooms": "There are no rooms here.",
    "gate.unregistered": "Register with {domain} first: send “register” to it, or use your client's form.",
    # inlet: what goes back to the far side
    "inlet.blocked": "This address does not take messages from you.",
    # irc
    "irc.channels": "Channels",
    "irc.disconnect": "Leave an IRC network",
    "irc.disconnect-help": "Ends your connection to it and leaves all its channels.",
    "irc.disconnected": "You have left {server}.",
    "irc.goodbye": "Goodbye",
    "irc.networks": "Your IRC networks",
    "irc.networks-done": "IRC networks you are on: {count}",
    "irc.networks-help": "Lists the networks you are connected to.",
    "irc.nick": "Nickname",
    "irc.no-networks": "You are not connected to any IRC network; join a channel to connect.",
    "irc.not-connected": "You are not connected to {server}.",
    "irc.only": "This gateway reaches {server} and no other network.",
    "irc.prompt": "Nickname or channel",
    "irc.prompt-fixed": "A nickname, or a channel with its #.",
    "irc.prompt-help": "With its network: nick%irc.libera.chat, #channel%irc.libera.chat or irc://irc.libera.chat/channel",
    "irc.real-name": "A real name on IRC is one line of at most {most} bytes.",
    "irc.realname": "Real name",
    "irc.realname-help": "Everybody on IRC can see it. It counts from your next connection on.",
    "irc.registration": "IRC needs no registration: join a channel and you are there. These are your settings.",
    "irc.server": "Network",
    "irc.which": "On which network? Write {name}%irc.libera.chat, with the network's own name.",
    "irc.too-long": "This is too long for a name on IRC.",
    # register
    "register.ended": "You have unregistered.",
    "register.not": "You are not registered with {domain}.",
    # store: what is kept on disk
    "store.away": "The gateway cannot keep anything at the moment; try again later, or tell the people who run it.",
    "store.files-full": "Your files take all the space that you have here; wait until older ones expire.",
}
