"""The worker that looks at one picture: bytes on stdin, one line of JSON on stdout, `{}` when it cannot be shown.

Run as a program of its own by `pictures`, never imported by the house: image decoders are where hostile bytes do harm. It has
little memory, little time, no files to write, and imports nothing of the house.

    {"width": …, "height": …, "type": "image/jpeg", "thumbnail": "<Base64>"}      width and height as shown (EXIF turns)
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import resource
import sys
import warnings
from typing import Final

#: Bytes of memory; seconds of work; open files.
MEMORY, SECONDS, OPEN = 768 * 2**20, 8, 32
#: Pixels of a picture; of a JPEG, which is decoded at a fraction of its size.
PIXELS, JPEG_PIXELS = 40_000_000, 250_000_000
FORMATS: Final = ("BMP", "GIF", "JPEG", "PNG", "WEBP")
#: Bytes of a thumbnail; its longest side (XEP-0264 names 128), smaller while it does not fit.
LARGEST: Final = 5_900
SIDES: Final = (128, 96, 64, 48, 32)


def confine() -> None:
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")  # where memory runs out, this goes first and not the gateway (proc(5))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN, OPEN))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def look(data: bytes) -> dict[str, object]:
    """What is to be said of a picture; raises whatever Pillow raises."""
    from PIL import Image, ImageOps

    warnings.simplefilter("error")
    Image.MAX_IMAGE_PIXELS = JPEG_PIXELS
    with Image.open(io.BytesIO(data), formats=FORMATS) as image:
        width, height = image.size
        if image.format != "JPEG" and width * height > PIXELS:
            return {}
        turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        image.draft("RGB", (2 * SIDES[0], 2 * SIDES[0]))
        image.thumbnail((2 * SIDES[0], 2 * SIDES[0]))
        small = ImageOps.exif_transpose(image)
        clear = small.mode in ("RGBA", "LA", "PA") or "transparency" in small.info
        type, made = small_enough(small.convert("RGBA" if clear else "RGB"))
    size = (height, width) if turned else (width, height)
    return {"width": size[0], "height": size[1], "type": type, "thumbnail": base64.b64encode(made).decode()}


def small_enough(image: object) -> tuple[str, bytes]:
    """The largest thumbnail that fits: (type, bytes)."""
    for side in SIDES:
        copy = image.copy()  # type: ignore[attr-defined]
        copy.thumbnail((side, side))
        out = io.BytesIO()
        if copy.mode == "RGBA":
            copy.save(out, "PNG", optimize=True)
        else:
            copy.save(out, "JPEG", quality=70, optimize=True)
        if out.tell() <= LARGEST:
            break
    return f"image/{'png' if copy.mode == 'RGBA' else 'jpeg'}", out.getvalue()


def main() -> None:
    confine()
    try:
        found = look(sys.stdin.buffer.read())
    except Exception:  # whatever a decoder says of hostile bytes: it cannot be shown
        found = {}
    sys.stdout.write(json.dumps(found) + "\n")
    sys.stdout.flush()
    os._exit(0)  # the decoders' own cleaning up is not wanted


if __name__ == "__main__":
    main()
