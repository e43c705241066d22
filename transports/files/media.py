"""What files are: their names, their types, what may be shown in a browser. Values in, values out.

A name or a type that somebody gave is a claim. `sniff` looks at the bytes, and what it finds wins over what was said wherever
it matters. RFC 6838 (media types), WHATWG MIME Sniffing 6 (signatures).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import unquote, urlsplit

#: The longest name of a file, in characters and in bytes: file systems take 255 bytes.
LONGEST_NAME: Final = 120
UNKNOWN: Final = "application/octet-stream"

#: Type -> the extensions that go with it, the first is the one that we write.
EXTENSIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "application/gzip": ("gz", "tgz"),
    "application/json": ("json",),
    "application/msword": ("doc",),
    "application/ogg": ("ogx",),
    "application/pdf": ("pdf",),
    "application/rtf": ("rtf",),
    "application/vnd.android.package-archive": ("apk",),
    "application/vnd.ms-excel": ("xls",),
    "application/vnd.oasis.opendocument.presentation": ("odp",),
    "application/vnd.oasis.opendocument.spreadsheet": ("ods",),
    "application/vnd.oasis.opendocument.text": ("odt",),
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": ("pptx",),
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ("xlsx",),
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ("docx",),
    "application/xml": ("xml",),
    "application/zip": ("zip",),
    "audio/aac": ("aac",),
    "audio/amr": ("amr",),
    "audio/flac": ("flac",),
    "audio/mp4": ("m4a",),
    "audio/mpeg": ("mp3",),
    "audio/ogg": ("ogg", "oga", "opus"),
    "audio/wav": ("wav",),
    "image/avif": ("avif",),
    "image/bmp": ("bmp",),
    "image/gif": ("gif",),
    "image/heic": ("heic", "heif"),
    "image/jpeg": ("jpg", "jpeg", "jpe"),
    "image/png": ("png",),
    "image/svg+xml": ("svg",),
    "image/tiff": ("tiff", "tif"),
    "image/webp": ("webp",),
    "message/rfc822": ("eml",),
    "text/calendar": ("ics",),
    "text/css": ("css",),
    "text/csv": ("csv",),
    "text/html": ("html", "htm"),
    "text/plain": ("txt", "log", "md"),
    "text/vcard": ("vcf",),
    "video/3gpp": ("3gp",),
    "video/mp4": ("mp4", "m4v"),
    "video/mpeg": ("mpg", "mpeg"),
    "video/ogg": ("ogv",),
    "video/quicktime": ("mov",),
    "video/webm": ("webm",),
}
_TYPES: Final = {extension: type for type, extensions in EXTENSIONS.items() for extension in extensions}

#: Pictures, sound and video that a browser may show in place: nothing in them runs (SVG and HTML are not among them).
INLINE: Final = frozenset(
    type
    for type in EXTENSIONS
    if type.partition("/")[0] in ("audio", "image", "video") and type not in ("image/svg+xml", "image/tiff", "image/heic")
)
#: What Pillow is asked to make thumbnails of.
PICTURES: Final = frozenset(("image/bmp", "image/gif", "image/jpeg", "image/png", "image/tiff", "image/webp"))

_SIGNATURES: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"%PDF-", "application/pdf"),
    (b"OggS\x00", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"#!AMR", "audio/amr"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"{\\rtf", "application/rtf"),
)
#: Brands of ISO base media files (ISO/IEC 14496-12 4.3): what stands at byte 8, behind `ftyp`.
_BRANDS: Final = {
    b"3gp": "video/3gpp",
    b"M4A": "audio/mp4",
    b"avi": "image/avif",
    b"hei": "image/heic",
    b"mif": "image/heic",
    b"qt ": "video/quicktime",
}
#: Types that are signatures of containers -> the kinds of what may be in them.
_CONTAINERS: Final = {
    "application/gzip": ("application",),
    "application/zip": ("application",),
    "audio/ogg": ("audio", "video"),
    "video/3gpp": ("audio", "video"),
    "video/mp4": ("audio", "video"),
    "video/webm": ("audio", "video"),
}
_TYPE: Final = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,63}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
#: Controls, direction marks, what has no width, surrogates; and what some file system or shell takes for more than a letter.
_UNFIT: Final = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff\ufffe\uffff" r"/\\:*?\"<>|%]+"
)


def media_type(text: str) -> str:
    """A media type as it should be written, without parameters; '' for what is none."""
    type = text.partition(";")[0].strip().lower()
    return type if _TYPE.fullmatch(type) else ""


def sniff(data: bytes) -> str:
    """The type that the bytes show, '' when they show none."""
    for signature, type in _SIGNATURES:
        if data.startswith(signature):
            return type
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:11], "video/mp4")
    if data[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"WAVE": "audio/wav"}.get(data[8:12], "")
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0 and data[1] & 0x18 != 0x08:
        return "audio/mpeg"
    return ""


def type_of(data: bytes, said: str = "", name: str = "") -> str:
    """What a file is: what its bytes show, else what was said, else what its name says.

    The signature of a container does not contradict a type that is kept in one: a .docx is a ZIP.
    """
    claimed = media_type(said)
    if claimed in ("", UNKNOWN):
        claimed = of_name(name) or claimed
    found = sniff(data)
    if not found or claimed.partition("/")[0] in _CONTAINERS.get(found, ()):
        return claimed or UNKNOWN
    return found


def of_name(name: str) -> str:
    """The type that a file's name suggests, '' when none."""
    return _TYPES.get(name.rpartition(".")[2].lower(), "") if "." in name else ""


def safe_name(name: str, type: str = "") -> str:
    """`name` as a file may be called anywhere: no path, no control or direction marks, not hidden, not empty, an extension.

    type: gives the extension when there is none
    """
    base = _UNFIT.sub("_", name.replace("\\", "/").rstrip("/").rpartition("/")[2]).rstrip(" .\t")
    base = base.lstrip(" .\t-~")  # together: what stands behind a tilde may be a dot
    stem, dot, extension = base.rpartition(".")
    if not dot or not stem or not 0 < len(extension) <= 10 or " " in extension:
        stem, extension = base, EXTENSIONS.get(type, ("",))[0]
    room = LONGEST_NAME - len(extension.encode()) - 1
    stem = (stem or "file").encode()[:room].decode(errors="ignore").rstrip(" .")
    return f"{stem or 'file'}.{extension}" if extension else stem or "file"


def name_in(url: str) -> str:
    """The file's name that a URL ends with, made safe; '' when it has none."""
    try:
        last = unquote(urlsplit(url).path.rpartition("/")[2], errors="replace")
    except ValueError:
        return ""
    return safe_name(last) if last.strip(" ./") else ""
