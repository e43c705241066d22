"""Pictures as they come and as an enemy makes them: a look at each costs no more than it may, and harms nobody."""

from __future__ import annotations

import asyncio
import io
import os
import resource
import struct
import sys
import zlib
from base64 import b64decode
from pathlib import Path

import pytest
from PIL import Image

from transports.files import pictures, thumbnail
from transports.files.pictures import Look, Pictures


def picture(kind: str, size: tuple[int, int] = (400, 300), mode: str = "RGB", **options: object) -> bytes:
    image = Image.linear_gradient("L").resize(size).convert(mode)
    if mode == "RGBA":
        image.putalpha(128)
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def png(width: int, height: int, data: bytes = b"") -> bytes:
    """A PNG that says how large it is, with data that need not be so."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def bomb(width: int, height: int) -> bytes:
    """A PNG of zeros, complete: a few hundred kilobytes that become gigabytes."""
    deflate = zlib.compressobj(9)
    row = bytes(1 + 3 * width)
    packed = b"".join(deflate.compress(row) for _ in range(height))
    return png(width, height, packed + deflate.flush())


def frames(count: int) -> bytes:
    first, *more = (Image.new("P", (8, 8), number % 255) for number in range(count))
    out = io.BytesIO()
    first.save(out, "GIF", save_all=True, append_images=more)
    return out.getvalue()


def shown(look: Look | None) -> tuple[str, tuple[int, int]]:
    """The format and size of a thumbnail, as it decodes."""
    assert look is not None
    head, _, data = look.thumbnail.partition(",")
    assert len(look.thumbnail) < 8_192
    with Image.open(io.BytesIO(b64decode(data))) as image:
        assert head == f"data:image/{str(image.format).lower()};base64"
        return str(image.format), image.size


@pytest.mark.parametrize(
    ("data", "kind", "size"),
    [
        (picture("JPEG"), "JPEG", (128, 96)),
        (picture("PNG"), "JPEG", (128, 96)),
        (picture("PNG", mode="RGBA"), "PNG", (128, 96)),
        (picture("PNG", mode="P"), "JPEG", (128, 96)),
        (picture("GIF"), "JPEG", (128, 96)),
        (picture("WEBP"), "JPEG", (128, 96)),
        (picture("BMP"), "JPEG", (128, 96)),
        (picture("PNG", (5, 4)), "JPEG", (5, 4)),
        (picture("JPEG", (6000, 4000)), "JPEG", (128, 86)),
    ],
)
async def test_a_picture_has_its_size_and_a_small_one(data: bytes, kind: str, size: tuple[int, int]) -> None:
    look = await Pictures().look(data)
    assert shown(look) == (kind, size)
    with Image.open(io.BytesIO(data)) as image:
        assert look is not None and (look.width, look.height) == image.size


async def test_a_photo_is_turned_as_its_camera_says_and_says_nothing_else() -> None:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "where I live"
    look = await Pictures().look(picture("JPEG", (400, 300), exif=exif))
    assert look is not None and (look.width, look.height) == (300, 400)
    assert shown(look)[1] == (96, 128)
    assert b"where I live" not in b64decode(look.thumbnail.partition(",")[2])


async def test_noise_becomes_a_thumbnail_that_fits() -> None:
    noise = Image.effect_noise((512, 512), 200)
    out = io.BytesIO()
    Image.merge("RGBA", (noise, noise.rotate(90), noise.rotate(180), noise.rotate(270))).save(out, "PNG")
    assert shown(await Pictures().look(out.getvalue()))[0] == "PNG"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no picture at all",
        png(50_000, 50_000),
        png(2**31 - 1, 2**31 - 1),
        bomb(20_000, 3_000),
        picture("PNG")[:200],
        picture("JPEG")[:200],
        picture("GIF")[:60],
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        picture("TIFF"),
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    ],
    ids=["empty", "text", "huge", "hugest", "bomb", "cut-png", "cut-jpeg", "cut-gif", "svg", "tiff", "postscript"],
)
async def test_what_cannot_be_shown_has_no_thumbnail(data: bytes) -> None:
    assert await Pictures().look(data) is None


async def test_of_ten_thousand_frames_one_is_looked_at() -> None:
    assert shown(await Pictures().look(frames(10_000)))[1] == (8, 8)


def program(text: str) -> Pictures:
    return Pictures((sys.executable, "-I", "-c", text))


@pytest.mark.parametrize(
    "text",
    [
        "import sys; sys.exit(3)",
        "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
        "print('no JSON')",
        "print('[1]')",
        "print('x' * 100000)",
        'print(\'{"width": 1, "height": 1, "type": "text/html", "thumbnail": "AAAA"}\')',
        'print(\'{"width": 1, "height": 1, "type": "image/png", "thumbnail": "<script>"}\')',
        'print(\'{"width": -1, "height": 1, "type": "image/png", "thumbnail": "AAAA"}\')',
    ],
)
async def test_a_worker_that_fails_or_lies_only_costs_the_thumbnail(text: str) -> None:
    assert await program(text).look(picture("PNG")) is None


async def test_a_worker_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(pictures, "WITHIN", 0.5)
    pid = tmp_path / "pid"
    text = f"import os, time; open({str(pid)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    assert await program(text).look(b"x" * 1_000_000) is None
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)


async def test_more_than_a_few_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "WAITING", 1)
    looking = Pictures()
    first, second = await asyncio.gather(looking.look(picture("PNG")), looking.look(picture("PNG")))
    assert first is not None and second is None


def test_the_worker_confines_itself() -> None:
    code = f"import sys; sys.path.insert(0, {str(Path(thumbnail.__file__).parent)!r}); import thumbnail, resource as r\n"
    code += "thumbnail.confine(); first = int(open('/proc/self/oom_score_adj').read())\n"
    code += "print([first] + [r.getrlimit(n) for n in (r.RLIMIT_AS, r.RLIMIT_CPU, r.RLIMIT_FSIZE)])"

    async def run() -> bytes:
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-I", "-c", code, stdout=asyncio.subprocess.PIPE
        )
        return (await worker.communicate())[0]

    limits = eval(asyncio.run(run()))
    assert limits == [1000, (thumbnail.MEMORY,) * 2, (thumbnail.SECONDS,) * 2, (0, 0)]
    assert resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY  # not us
