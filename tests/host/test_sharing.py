"""Replica ids: what a share of a device is called, and whose share an id is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devbay.sharing import device_id, device_ids, replica_ids

IDS = st.text("abc:-/0123456789", min_size=1, max_size=20).filter(
    lambda text: "::" not in text and not text.endswith(":")
)


def test_unshared() -> None:
    """A device that is not shared is advertised once, under its own id."""
    assert replica_ids("gpu-0") == ("gpu-0",)


@pytest.mark.parametrize(("count", "ids"), [(0, ()), (1, ("gpu-0::0",)), (3, ("gpu-0::0", "gpu-0::1", "gpu-0::2"))])
def test_shares_are_counted_from_zero(count: int, ids: tuple[str, ...]) -> None:
    """P16: as many shares as were asked for, each with an id of its own; one share is still a share."""
    assert replica_ids("gpu-0", count) == ids


@given(IDS, st.none() | st.integers(1, 50))
def test_an_id_says_whose_share_it_is(device: str, count: int | None) -> None:
    """P16: from every advertised id one comes back to the device, and the shares' ids are distinct."""
    ids = replica_ids(device, count)

    assert {device_id(share) for share in ids} == {device}
    assert len(set(ids)) == (count or 1)


@given(st.lists(st.tuples(IDS, st.integers(0, 5)).map(lambda share: f"{share[0]}::{share[1]}")))
def test_devices_behind_shares(shares: list[str]) -> None:
    """P14: the devices behind a request come once each, in the order of their first share."""
    behind = device_ids(shares)

    assert list(behind) == sorted(set(behind), key=[device_id(share) for share in shares].index)
    assert set(behind) == {device_id(share) for share in shares}
