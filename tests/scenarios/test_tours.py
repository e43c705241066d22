"""The tours of clients that are quick and steady; those with windows of their own are for scripts/tour alone."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from lab import tours


@pytest.mark.parametrize("client", ["converse", "profanity", "poezio"])
def test_what_a_person_does_with_the_gateway_works_in(client: str, tmp_path: Path) -> None:
    if missing := tours.lacks(client):
        pytest.skip(f"missing: {missing}")
    asyncio.run(tours.run(client, tmp_path))
    pictures = list(tmp_path.glob(f"{client}-*.png"))
    assert pictures and all(0 < picture.stat().st_size <= tours.MOST for picture in pictures)
