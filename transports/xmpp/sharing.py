"""Files as XML, both ways: links with what is known of what lies behind them.

XEP-0447 (stateless file sharing) with XEP-0446 (metadata), XEP-0300 (hashes) and XEP-0264 (thumbnails); XEP-0066 (a URL out of
band) for those who know only that; XEP-0428 says that the body is there for them. XEP-0385 is read, not written. Values in,
values out: nothing here opens a link. What is read is hostile: each value is bounded, and one that does not fit is left out.
"""

from __future__ import annotations

import math
import re
from base64 import b64decode
from collections.abc import Iterator, Sequence
from typing import Final
from xml.etree.ElementTree import Element

from transports.events import File
from transports.files.media import media_type, name_in, safe_name
from transports.words import say
from transports.xmpp import xml

OOB: Final = "jabber:x:oob"
SFS: Final = "urn:xmpp:sfs:0"
METADATA: Final = "urn:xmpp:file:metadata:0"
HASHES: Final = "urn:xmpp:hashes:2"
THUMBS: Final = "urn:xmpp:thumbs:1"
URL_DATA: Final = "http://jabber.org/protocol/url-data"
SIMS: Final = "urn:xmpp:sims:1"
REFERENCE: Final = "urn:xmpp:reference:0"
#: What disco#info says of an address that takes files.
FEATURES: Final = (OOB, SFS, METADATA, HASHES, "urn:xmpp:hash-function-text-names:sha-256")

#: Files read of one message; characters of one URL, description, thumbnail.
MOST: Final = 20
LONGEST_URL: Final = 2_000
LONGEST_DESC: Final = 1_000
LONGEST_THUMBNAIL: Final = 12_000
_MOST_HASHES: Final = 6
#: Of what the far side tells: characters of a URL (signed ones are long) and of a hash, bytes of a name or a type.
_LONGEST_OUT, _LONGEST_HASH, _LONGEST_NAME = 4_000, 200, 500

#: A link to a file. Others (geo:, xmpp:, tel:) may be out of band too, and are no files.
_LINK: Final = re.compile(r"(?i:https?|ftps?|aesgcm)://[^\s\x00-\x20\x7f-\x9f<>\"{}|\\^`\ud800-\udfff]+")
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
_ALGORITHM: Final = re.compile(r"[a-z0-9-]{1,32}")
_DIGEST: Final = re.compile(r"[A-Za-z0-9+/]{16,88}={0,2}")
_THUMBNAIL: Final = re.compile(r"data:image/(png|jpeg|webp|gif);base64,[A-Za-z0-9+/]+={0,2}")


# Out ------------------------------------------------------------------------------------------------------------------


def messages(text: str, files: Sequence[File]) -> list[tuple[str, str]]:
    """A message with files as one for its text and one for each file: (body, not escaped; what else, finished XML).

    COMPAT: Conversations, Gajim and others show a link as a file only where the body is nothing else (XEP-0066).
    """
    return ([(text, "")] if text else []) + [render(file) for file in files]


def render(file: File) -> tuple[str, str]:
    """One file: the body, not escaped, and the elements beside it (XEP-0447 3.1). A file that nobody can get is words."""
    url = xml.clean(file.url)
    if not url or len(url) > _LONGEST_OUT:
        return say("files.lost", name=xml.clip(file.name, _LONGEST_NAME) or "?"), ""
    shown = "inline" if file.type.partition("/")[0] in ("image", "audio", "video") else "attachment"
    desc = f"<desc>{xml.text(xml.clip(file.desc, LONGEST_DESC))}</desc>" if file.desc else ""
    return url, (
        f"<file-sharing xmlns='{SFS}' disposition='{shown}'>{metadata(file)}"
        f"<sources><url-data xmlns='{URL_DATA}' target='{xml.attr(url)}'/></sources></file-sharing>"
        f"<fallback xmlns='urn:xmpp:fallback:0' for='{SFS}'><body/></fallback>"
        f"<x xmlns='{OOB}'><url>{xml.text(url)}</url>{desc}</x>"
    )


def metadata(file: File) -> str:
    """XEP-0446's `<file/>`: what is known, nothing else."""
    name, desc = xml.clip(file.name, _LONGEST_NAME), xml.clip(file.desc, LONGEST_DESC)
    texts = (("media-type", xml.clip(file.type, _LONGEST_NAME)), ("name", name), ("desc", desc))
    numbers = (
        ("size", file.size),
        ("width", file.width),
        ("height", file.height),
        ("length", round(file.length * 1_000) if math.isfinite(file.length) else 0),
    )
    inner = [f"<{tag}>{xml.text(value)}</{tag}>" for tag, value in texts if value]
    inner += [f"<{tag}>{number}</{tag}>" for tag, number in numbers if number > 0]
    inner += [
        f"<hash xmlns='{HASHES}' algo='{xml.attr(algorithm)}'>{xml.text(digest)}</hash>"
        for algorithm, digest in file.hashes[:_MOST_HASHES]
        if len(algorithm) + len(digest) <= _LONGEST_HASH
    ]
    if 0 < len(file.thumbnail) <= LONGEST_THUMBNAIL:
        kind = xml.attr(file.thumbnail.partition(";")[0].removeprefix("data:"))
        inner.append(f"<thumbnail xmlns='{THUMBS}' uri='{xml.attr(file.thumbnail)}' media-type='{kind}'/>")
    return f"<file xmlns='{METADATA}'>{''.join(inner)}</file>"


# In -------------------------------------------------------------------------------------------------------------------


def files(stanza: Element, bare: bool = False) -> tuple[File, ...]:
    """The files that a message carries, each once, what most is known of; at most MOST.

    bare: a body that is a link and nothing else is a file too
    A link may be of any kind that `_LINK` knows: whether it can be fetched is another's question.
    """
    found: dict[str, File] = {}
    for child in stanza:
        for file in _read(child):
            before = found.get(file.url)
            if len(found) < MOST if before is None else _known(file) > _known(before):
                found[file.url] = file
    if not found and bare:
        body = (stanza.findtext(f"{stanza.tag.rpartition('}')[0]}}}body") or "").strip()
        if _link(body):
            return (File(body, name_in(body)),)
    return tuple(found.values())


def caption(body: str, files: Sequence[File]) -> str:
    """What a body says beside the files: '' when it is but the link of one of them."""
    return "" if body.strip() in {file.url for file in files} else body


def _known(file: File) -> int:
    return sum(map(bool, file))


def _read(child: Element) -> Iterator[File]:
    """What one child of a message tells of files."""
    tag = child.tag
    if tag == f"{{{OOB}}}x":
        url = (child.findtext(f"{{{OOB}}}url") or "").strip()
        if _link(url):
            yield File(url, name_in(url), desc=_text(child.findtext(f"{{{OOB}}}desc")))
    elif tag == f"{{{SFS}}}file-sharing":
        yield from _shared(child.find(f"{{{METADATA}}}file"), _targets(child.find(f"{{{SFS}}}sources")))
    elif tag == f"{{{SFS}}}sources":
        yield from _shared(None, _targets(child))
    elif tag == f"{{{REFERENCE}}}reference":
        for media in child.findall(f"{{{SIMS}}}media-sharing"):
            described = next((inner for inner in media if inner.tag.endswith("}file")), None)
            sources = media.findall(f"{{{SIMS}}}sources/{{{REFERENCE}}}reference")
            yield from _shared(described, [inner.get("uri", "") for inner in sources])


def _targets(sources: Element | None) -> list[str]:
    return [data.get("target", "") for data in sources.findall(f"{{{URL_DATA}}}url-data")] if sources is not None else []


def _shared(described: Element | None, urls: Sequence[str]) -> Iterator[File]:
    """One file with its first usable source; https before all others (XEP-0447 7)."""
    links = [url.strip() for url in urls if _link(url.strip())]
    if links:
        url = next((link for link in links if link.lower().startswith("https:")), links[0])
        yield _described(described, url) if described is not None else File(url, name_in(url))


def _described(file: Element, url: str) -> File:
    """XEP-0446's element, and XEP-0234's, which has the same children."""
    ns = f"{file.tag.rpartition('}')[0]}}}"
    name = (file.findtext(f"{ns}name") or "").strip()
    type = media_type(file.findtext(f"{ns}media-type") or "")
    return File(
        url,
        safe_name(name, type) if name else name_in(url),
        type,
        _number(file.findtext(f"{ns}size")),
        _number(file.findtext(f"{ns}width"), 1_000_000),
        _number(file.findtext(f"{ns}height"), 1_000_000),
        _number(file.findtext(f"{ns}length"), 10**10) / 1_000,
        _text(file.findtext(f"{ns}desc")),
        _hashes(file),
        _thumbnail(file),
    )


def _hashes(file: Element) -> tuple[tuple[str, str], ...]:
    """The first of each algorithm (XEP-0300 3)."""
    found: dict[str, str] = {}
    for child in file.iterfind(f"{{{HASHES}}}hash"):
        algorithm, digest = child.get("algo", ""), (child.text or "").strip()
        if len(found) < _MOST_HASHES and _ALGORITHM.fullmatch(algorithm) and _DIGEST.fullmatch(digest):
            found.setdefault(algorithm, digest)
    return tuple(found.items())


def _thumbnail(file: Element) -> str:
    """The first picture that came with the message itself; one behind another link is not fetched."""
    for child in file.iterfind(f"{{{THUMBS}}}thumbnail"):
        uri = child.get("uri", "")
        if len(uri) <= LONGEST_THUMBNAIL and _THUMBNAIL.fullmatch(uri):
            try:
                b64decode(uri.partition(",")[2], validate=True)
            except ValueError:
                continue
            return uri
    return ""


def _link(text: str) -> bool:
    return len(text) <= LONGEST_URL and _LINK.fullmatch(text) is not None


def _number(text: str | None, most: int = 10**15) -> int:
    text = (text or "").strip()
    return min(int(text), most) if _NUMBER.fullmatch(text) else 0


def _text(text: str | None) -> str:
    return (text or "").strip()[:LONGEST_DESC]
