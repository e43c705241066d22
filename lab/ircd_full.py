"""What InspIRCd is given when a test wants all of it: the rest of IRCv3, accounts, WEBIRC, a link for services.

Only configuration; `lab.ircd.Inspircd(directory, full=True)` uses it. Names as in InspIRCd 3; those a version lacks are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

SERVICES_NAME = "services.test"
LINK_PASSWORD = "linkpw"
WEBIRC_PASSWORD = "webircpw"

# Beside those that every InspIRCd of the lab has (Inspircd.MODULES).
MODULES: Sequence[str] = (
    "spanningtree", "sasl", "servprotect", "svshold", "globops", "hostchange", "cloaking", "cgiirc",
    "allowinvite", "auditorium", "autoop", "banredirect", "blockcaps", "callerid", "chanfilter", "chanhistory",
    "channelban", "classban", "commonchans", "cycle", "deaf", "delayjoin", "delaymsg", "exemptchanops", "gecosban",
    "hidelist", "hidemode", "namedmodes", "nonotice", "nopartmsg", "override", "permchannels", "regex_glob",
    "remove", "repeat", "serverban", "sethost", "setident", "showwhois", "shun", "silence", "starttls", "stripcolor",
    "swhois", "timedbans", "topiclock", "uninvite", "vhost", "watch",
)  # fmt: skip


def configuration(*, services_port: int, sts_port: int | None) -> str:
    """Tags for inspircd.conf. sts_port: the TLS port that the STS policy names, None for no policy."""
    sts = f'<module name="ircv3_sts">\n<sts host="*" duration="1h" port="{sts_port}" preload="no">' if sts_port else ""
    return f"""\
<bind address="127.0.0.1" port="{services_port}" type="servers">
<link name="{SERVICES_NAME}" ipaddr="127.0.0.1" port="{services_port}" allowmask="127.0.0.0/8"
 sendpass="{LINK_PASSWORD}" recvpass="{LINK_PASSWORD}">
<uline server="{SERVICES_NAME}" silent="yes">
<sasl target="{SERVICES_NAME}" requiressl="no">
<cgihost type="webirc" password="{WEBIRC_PASSWORD}" mask="127.0.0.0/8">
<cloak mode="full" method="hmac-sha256" key="the lab keeps this key no secret, but it is long enough" prefix="lab-">
<chanhistory bots="yes" maxlines="50" enableumode="no" prefixmsg="yes">
<callerid maxaccepts="30" tracknick="no" cooldown="1s">
<silence maxentries="32">
<repeat maxbacklog="20" maxlines="20" maxtime="0" size="512">
<vhost user="lab" pass="vhostpw" host="vhost.lab">
{sts}
"""
