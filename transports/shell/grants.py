"""What an operator puts into the XMPP server's configuration to grant privileges (XEP-0356). Text to copy, nothing else.

mod_privilege of prosody-modules; of ejabberd 23.01 and newer, which has no iq privileges and takes access rules only.
"""

from __future__ import annotations

from collections.abc import Sequence

from transports.xmpp.privilege import advice

_PROSODY = """\
-- Prosody, within VirtualHost "{host}", where "privilege" is among modules_enabled:
privileged_entities = {{
{entities}
}}
-- and within each {components}:
modules_enabled = {{ "privilege" }}"""

_ENTITY = """\
  ["{domain}"] = {{
    roster = "both"; message = "outgoing"; presence = "managed_entity";
    iq = {{ ["http://jabber.org/protocol/pubsub"] = "both"; ["urn:xmpp:http:upload:0"] = "get"; }};
  }};"""

_EJABBERD = """\
# ejabberd: added to what acl, access_rules and modules hold already
acl:
  gateways:
    server:
{servers}
access_rules:
  gateways:
    allow: gateways
modules:
  mod_privilege:
    roster: {{both: gateways}}
    message: {{outgoing: gateways}}
    presence: {{managed_entity: gateways}}"""


def lines(domains: Sequence[str], host: str) -> str:
    """The lines for both servers, and what each privilege gives. `host`: the users' domain."""
    gains = "\n".join(f"  {line}" for line in advice())
    entities = "\n".join(_ENTITY.format(domain=domain) for domain in domains)
    servers = "\n".join(f"      - {domain}" for domain in domains)
    components = ", ".join(f'Component "{domain}"' for domain in domains)
    blocks = (_PROSODY.format(host=host, entities=entities, components=components), _EJABBERD.format(servers=servers))
    return "\n\n".join((f"What each privilege gives:\n{gains}", *blocks))
