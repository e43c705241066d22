"""The tours of all clients: each in a house of its own, a line for each step, pictures of at most 100 kB.

    python -m lab.tours [--converse DIRECTORY] [--pictures DIRECTORY] [CLIENT …]
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import chromium
from lab.process import LabError, folder
from lab.tour import house

ROOT = Path(__file__).resolve().parents[1]
CONVERSE = ROOT / ".cache" / "converse" / "dist"
PICTURES = ROOT / "docs" / "clients"
MOST = 100_000  # bytes of a picture
#: client -> the programs without which its tour is left out
CLIENTS = {
    "converse": (),
    "gajim": ("gajim", "Xvfb", "xdotool", "import", "dbus-daemon"),
    "dino": ("dino-im", "Xvfb", "xdotool", "import", "dbus-daemon"),
    "profanity": ("profanity", "tmux"),
    "poezio": ("poezio", "tmux"),
}


def lacks(client: str, converse: Path = CONVERSE) -> str:
    """What is missing for a client's tour, '' when nothing is."""
    missing = [name for name in CLIENTS[client] if shutil.which(name) is None]
    if client == "converse":
        missing += [] if (converse.parent / "made").exists() else ["Converse.js"]
        missing += [] if chromium.find() else ["a Chromium that is not a snap"]
    return ", ".join(missing)


async def run(client: str, pictures: Path, converse: Path = CONVERSE) -> None:
    """One client's tour; LabError where a step does not come to its end. Its module may say more of Prosody in HOUSE."""
    module = importlib.import_module(f"lab.tour_{client}")
    options = {"tls": True, **getattr(module, "HOUSE", {})}
    await asyncio.to_thread(pictures.mkdir, parents=True, exist_ok=True)
    with folder("tour-") as path:
        (path / "client").mkdir()
        async with house(path / "house", converse if client == "converse" else None, **options) as running:
            await module.tour(running, path / "client", pictures)
    await asyncio.to_thread(slim_all, pictures, f"{client}-*.png")


def slim_all(folder: Path, names: str) -> None:
    for picture in sorted(folder.glob(names)):
        slim(picture)


def slim(path: Path) -> None:
    """Fewer colours, as many as fit in MOST bytes."""
    from PIL import Image

    with Image.open(path) as opened:
        picture = opened.convert("RGB")
    for colours in (256, 128, 64, 32, 16):
        picture.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= MOST:
            return
    raise LabError(f"{path.name} is too large a picture")


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/tour")
    parser.add_argument("clients", nargs="*", metavar="CLIENT", help=f"{', '.join(CLIENTS)}; default: all that are installed")
    parser.add_argument("--converse", type=Path, default=CONVERSE, metavar="DIRECTORY", help="where Converse.js is")
    parser.add_argument("--pictures", type=Path, default=PICTURES, metavar="DIRECTORY", help="where the pictures go")
    options = parser.parse_args(words)
    if unknown := set(options.clients) - set(CLIENTS):
        parser.error(f"there is no tour of {', '.join(sorted(unknown))}")
    return options


def main() -> int:
    options = arguments()
    failed = 0
    for client in options.clients or CLIENTS:
        if missing := lacks(client, options.converse):
            print(f"--  {client} is left out; missing: {missing}", flush=True)
            failed += client in options.clients
            continue
        try:
            asyncio.run(run(client, options.pictures, options.converse))
        except LabError as error:
            print(f"error: {client}: {error}", file=sys.stderr, flush=True)
            failed += 1
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
