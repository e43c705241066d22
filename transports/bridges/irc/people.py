"""What IRC asks of people and lets them do beside talking: prompts, preferences, and the commands of all modules in one list.

    configure   what is set, at each kind of place
    networks    a user's networks, connecting and leaving
    acting      nicks, raw lines, channels, ignoring, logging in
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
from transports.describe import Description, Field, Prompt, Registration
from transports.words import say

if TYPE_CHECKING:
    from transports.bridges.irc.bridge import IrcBridge

#: What IRC servers show as the real name of those who have chosen none.
REAL_NAME: Final = "XMPP user"


def description(bridge: IrcBridge) -> Description:
    """All that IRC has people do."""
    configure = Configure(bridge)
    modules = (Networks(bridge, configure), configure, Acting(bridge), Operators(bridge))
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
    prompt = Prompt(say("irc.prompt"), say("irc.prompt-fixed" if bridge.fixed else "irc.prompt-help"))
    registration = Registration(instructions=say("irc.registration"))
    return Description(prompt, registration, [name, marks, codes], [command for module in modules for command in module.all()])
