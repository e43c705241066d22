"""What Prosody and ejabberd of the lab have in common: names, secrets, ports, and how a test asks either of them.

Both serve `localhost`, the rooms of `rooms.localhost`, uploads at `upload.localhost`, and an external component per domain.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.process import Server, unprivileged

DOMAIN = "localhost"
ROOMS = "rooms.localhost"
UPLOAD = "upload.localhost"
SECRET = "secret"
COMPONENTS: Mapping[str, str] = {f"{name}.localhost": SECRET for name in ("irc", "fixed", "test", "sms", "mail")}
ACCOUNTS: Mapping[str, str] = {name: f"{name}pw" for name in ("alice", "bob", "carol", "dave")}


class XmppServer(Server):
    """An XMPP server with component domains.

    components  component domain -> secret
    accounts    local part -> password, at `localhost`
    """

    start_timeout = 30.0

    def __init__(
        self,
        directory: Path,
        components: Mapping[str, str] = COMPONENTS,
        accounts: Mapping[str, str] = ACCOUNTS,
        *,
        log_level: str = "info",
    ) -> None:
        super().__init__(directory, user=unprivileged())
        self.domain = DOMAIN
        self.components = dict(components)
        self.accounts = dict(accounts)
        self.log_level = log_level
        self.c2s_port = self.component_port = self.http_port = 0

    def jid(self, name: str, resource: str = "") -> str:
        """The JID of an account, full when a resource is given."""
        return f"{name}@{self.domain}" + (f"/{resource}" if resource else "")

    @property
    def http_url(self) -> str:
        """Where the HTTP listener answers, without a slash at the end."""
        return f"http://{self.host}:{self.http_port}"

    def component_logins(self) -> int:
        """How many component streams were authenticated since the directory was made."""
        raise NotImplementedError

    def stream_errors(self) -> list[str]:
        """Log lines about component streams that the server closed with an error, or that were not well-formed."""
        raise NotImplementedError

    def stream_restarts(self, domains: int = 1) -> int:
        """Component streams opened beyond the first of each of `domains` domains: 0 when no stream ever broke."""
        return max(0, self.component_logins() - domains)
