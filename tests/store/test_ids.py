"""UUIDv7, RFC 9562."""

from __future__ import annotations

import uuid

from transports.store.ids import Ids, is_id


def test_the_specifications_example() -> None:
    """RFC 9562 appendix A.6: 2022-02-22 19:22:22.000 UTC is 017f22e2-79b0-7…"""
    assert Ids(lambda: 1645557742.0)().startswith("017f22e2-79b0-7")


def test_ids_sort_though_the_clock_stands_still_or_goes_back() -> None:
    times = iter([5.0] * 9000 + [4.0] * 10 + [6.0])
    new_id = Ids(lambda: next(times))
    ids = [new_id() for _ in range(9011)]
    assert ids == sorted(set(ids))
    assert all(uuid.UUID(id).version == 7 and uuid.UUID(id).variant == uuid.RFC_4122 for id in ids)


def test_shape() -> None:
    assert is_id(Ids()())
    assert not is_id(str(uuid.uuid4()))
    assert not is_id(Ids()() + "\n")
    assert not is_id("")
