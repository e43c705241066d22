"""Where secrets come from: the configuration itself, a file of their own, or systemd's credentials; and the store's key.

A secret K of section S is given as `K = "…"`, as `K_file = "name"`, or as a credential called `S.K` (or
`transports_S.K`, as `LoadCredential=transports:/etc/transports/secrets` names the files of a folder; systemd.exec(5)).
Exactly one of them. No text of a secret leaves this file except as the value that was asked for.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final

from transports.config_errors import Problem
from transports.config_values import KEY_WANTED, SHORTEST_KEY

#: No secret is longer; a wrong file name should not read a disk into memory.
LONGEST: Final = 16_384


class Secrets:
    """Fills in the secrets of one configuration, gathering problems and notes on the way."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._folder = folder
        self._credentials = environ.get("CREDENTIALS_DIRECTORY", "")
        self.problems: list[Problem] = []
        self.notes: list[str] = []

    def fill(self, section: str, key: str, table: MutableMapping[str, Any]) -> None:
        """Give `table` its `key` from wherever it stands; its `key_file` stays as it is."""
        sources = [name for name in (key, f"{key}_file") if name in table]
        name = f"{section}.{key}".replace('"', "")
        credential = self._credential(name)
        if len(sources) + (credential is not None) > 1:
            given = [*sources, *([f"the systemd credential {name}"] if credential else [])]
            self.problems.append(Problem(section, key, f"given twice: {' and '.join(given)}", "", "keep one of them"))
        elif credential is not None:
            self._read(section, key, table, credential)
        elif sources == [f"{key}_file"] and isinstance(table[f"{key}_file"], str):
            self._read(section, key, table, Path(self._folder, table[f"{key}_file"]))

    def _credential(self, name: str) -> Path | None:
        if not self._credentials or "/" in name:
            return None
        paths = (Path(self._credentials, prefix + name) for prefix in ("", "transports_"))
        return next((path for path in paths if path.is_file()), None)

    def _read(self, section: str, key: str, table: MutableMapping[str, Any], path: Path) -> None:
        try:
            table[key] = read_secret(path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self.problems.append(
                Problem(
                    section, f"{key}_file", f"cannot read {path}: {reason}", "a file with the secret on its only line"
                )
            )
        else:
            self.notes.extend(exposed(path, "the secret in it"))


def read_secret(path: Path) -> str:
    """The text of `path` without the line break at its end; ValueError when that is no secret, OSError as open raises it."""
    with path.open("rb") as file:
        data = file.read(LONGEST + 1)
    if len(data) > LONGEST:
        raise ValueError("too long for a secret")
    try:
        text = data.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise ValueError("not UTF-8") from None
    if not text:
        raise ValueError("empty")
    return text


def exposed(path: Path, what: str) -> Iterator[str]:
    """A note when users of this machine beside owner and group can read `path`."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return
    if mode & stat.S_IRWXO:
        yield f"{path}: other users of this machine can read {what} (mode {stat.S_IMODE(mode):04o}); chmod o-rwx"


def open_key(path: Path) -> str:
    """The store's key in `path`; made there at first use: 256 random bits, mode 0600, on disk when this returns.

    Raises OSError, or ValueError when the file is there and holds no key.
    """
    if not path.exists():
        _make_key(path)
    text = read_secret(path)
    if len(text) < SHORTEST_KEY:
        raise ValueError(f"{path} holds no key: wanted {KEY_WANTED}")
    return text


def _make_key(path: Path) -> None:
    """Written aside and linked into place: a crash leaves no empty key, a second process keeps the first one's."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(aside, path)
    finally:
        aside.unlink()
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
