"""Registration (XEP-0077, XEP-0100 4.1): the bridge's fields as a form and as legacy fields; `register`, `preferences`,
`unregister` as commands over the same steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from transports.gateway import Service

if TYPE_CHECKING:
    from transports.xmpp.desk import Desk


class Register:
    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.table: Mapping[tuple[str, str], Service] = {}
