"""One channel as one user sees it: members, topic, and how far its joining is. Members of a channel live here, once."""

from __future__ import annotations

from transports.events import Address, Rank, SetSubject, Subject


class Channel:
    """`name` as the server spells it, `address` as the user first asked for it.

    entered   the whole member list has arrived (366) and the gateway was told
    present   our own JOIN came back
    asked     somebody of the user's clients wants to be here (False: the server put us in, or we are leaving)
    ban       the last one that was set: who, mask, when
    head      the start of our PRIVMSGs to it, and `room`, how many bytes may follow whatever our prefix is
    spelled   when the names of the members were folded last, and the members by those: for servers that write them oddly
    parts     our PARTs that are not answered yet: until then nothing that comes is about a new stay
    """

    __slots__ = (
        "address",
        "asked",
        "ban",
        "entered",
        "head",
        "key",
        "members",
        "name",
        "parts",
        "present",
        "room",
        "spelled",
        "subject",
        "topics",
    )

    def __init__(self, name: str, address: Address, key: str = "", asked: bool = True) -> None:
        self.name = name
        self.address = address
        self.key = key
        self.asked = asked
        self.present = False
        self.entered = False
        self.parts = 0
        self.head = ""
        self.room = 0
        self.members: dict[str, Rank] = {}
        self.subject = Subject("")
        self.ban = ("", "", 0.0)
        self.spelled: tuple[float, dict[str, str]] = (0.0, {})
        self.topics: list[SetSubject] = []
