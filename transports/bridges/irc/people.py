"""What IRC asks of people and lets them do beside talking: prompts, preferences, and the commands of all modules in one list.

    configure   what is set, at each kind of place
    lookups     who somebody is
    networks    a user's networks, connecting and leaving
    acting      nicks, raw lines, channels, ignoring, logging in
    roomcommands   looking for channels, lists of masks
    staying     leaving a room for good
    operators   what the people who run the gateway do

Registration is not needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from transports.bridges.irc.acting import Acting
from transports.bridges.irc.chosen import real_name
from transports.bridges.irc.configure import Configure
from transports.bridges.irc.formatting import FORMATTING, FORMATTING_OUT, MARKS, PLAIN
from transports.bridges.irc.networks import Networks
from transports.bridges.irc.operators import Operators
from transports.bridges.irc.pastes import PASTE, PASTE_LINES, REFUSE, SEND, UPLOAD, USUAL_LINES, lines
from transports.bridges.irc.roomcommands import RoomCommands
from transports.bridges.irc.staying import Staying
from transports.describe import Description, Field, Prompt, Registration
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.bridge import IrcBridge

#: What IRC servers show as the real name of those who have chosen none.
REAL_NAME: Final = "XMPP user"


def description(bridge: IrcBridge) -> Description:
    """All that IRC has people do."""
    configure = Configure(bridge)
    modules = (
        Networks(bridge, configure),
        configure,
        bridge.lookups,
        Acting(bridge),
        RoomCommands(bridge),
        Staying(bridge),
        Operators(bridge),
    )
    prompt = Prompt(say("irc.prompt"), say("irc.prompt-fixed" if bridge.fixed else "irc.prompt-help"))
    registration = Registration(instructions=say("irc.registration"))
    commands = [command for module in modules for command in module.all()]
    return Description(prompt, registration, preferences(), commands)


def preferences() -> list[Field]:
    """What holds on all networks: how one is called, and how text goes in and out."""
    name = Field("realname", say("irc.realname"), default=REAL_NAME, check=real_name, help=say("irc.realname-help"))
    marks = Field(
        FORMATTING,
        say("irc.formatting"),
        "choice",
        say("irc.formatting-help"),
        default=MARKS,
        options={MARKS: say("irc.formatting-marks"), PLAIN: say("irc.formatting-plain")},
    )
    codes = Field(FORMATTING_OUT, say("irc.formatting-out"), "switch", say("irc.formatting-out-help"), default=False)
    pastes = Field(
        PASTE,
        say("irc.paste"),
        "choice",
        say("irc.paste-help"),
        default=UPLOAD,
        options={UPLOAD: say("irc.paste-upload"), SEND: say("irc.paste-send"), REFUSE: say("irc.paste-refuse")},
    )
    long = Field(PASTE_LINES, say("irc.paste-lines"), "number", default=str(USUAL_LINES), check=lines)
    return [name, marks, codes, pastes, long]
