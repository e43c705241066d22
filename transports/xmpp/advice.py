"""What an operator can do about a component stream that does not come about, in one line each.

Knows the words of RFC 6120 4.9 and of TLS, nothing of a connection. docs/operations.md has the same as a table.
"""

from __future__ import annotations

import ssl
from typing import Final

#: Stream errors that refuse a component for good.
REFUSED: Final = {
    "not-authorized": "[xmpp] secret must be the one that the server has for this domain; ejabberd also says this of a "
    "domain that is not among its listener's hosts",
    "host-unknown": "the server does not know this domain: add a component for it to the server's configuration",
    "conflict": "something else is already connected as this domain: end it, or give this gateway another domain",
}
HANDSHAKE: Final = "is this the server's component listener, and not its client or s2s port?"
STRAY: Final = "the server hands this component what is for others; on ejabberd the listener needs global_routes: false"
CLOSED: Final = "is this the server's component listener, and does it want TLS ([xmpp] tls)? its log may say more"

_UNREACHABLE: Final = "is the XMPP server running, and are [xmpp] host and port those of its component listener?"
_TLS: Final = "does the server's component listener speak TLS? [xmpp] tls must say the same"
_CERTIFICATE: Final = (
    "[xmpp] host must be a name in the server's certificate, and [xmpp] ca the file of the authority that issued it "
    "(without it: the system's authorities)"
)


def unconnected(error: Exception) -> str:
    """About a connection that could not be opened."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _CERTIFICATE
    return _TLS if isinstance(error, ssl.SSLError) else _UNREACHABLE
