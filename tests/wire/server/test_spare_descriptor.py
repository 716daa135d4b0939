"""The descriptor that is kept back is free while it is lent, and held again afterwards."""

from __future__ import annotations

import os

import pytest

from chatbooth_grpc.wire.server import spare_descriptor as module
from chatbooth_grpc.wire.server.spare_descriptor import SpareDescriptor


def _open_descriptors() -> int:
    return len(os.listdir("/dev/fd"))  # noqa: PTH208  # a Path's iterdir would hold one more


def test_it_is_free_while_it_is_lent_and_held_otherwise() -> None:
    before = _open_descriptors()
    spare = SpareDescriptor()
    assert _open_descriptors() == before + 1
    with spare.lent():
        assert _open_descriptors() == before
    assert _open_descriptors() == before + 1
    spare.close()
    spare.close()
    assert _open_descriptors() == before


def test_one_that_was_taken_meanwhile_is_held_again_once_there_is_another(monkeypatch: pytest.MonkeyPatch) -> None:
    spare, allowed = SpareDescriptor(), module._open

    def none_left() -> int:
        raise OSError

    with spare.lent():
        monkeypatch.setattr(module, "_open", none_left)
    with pytest.raises(OSError), spare.lent():  # noqa: PT011  # any that opening raises
        pass
    monkeypatch.setattr(module, "_open", allowed)
    with spare.lent():
        pass
    before = _open_descriptors()
    spare.close()
    assert _open_descriptors() == before - 1
