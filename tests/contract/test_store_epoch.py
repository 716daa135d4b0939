"""The epoch of a store names one history. A store from a copy begins another."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract.stores import Home, log_in, send_texts, sign_up, texts


def test_a_store_keeps_its_epoch_when_it_is_opened_again(home: Home) -> None:
    epochs = set()
    for name in ("ann", "bob", "cat"):
        store = home.open()
        send_texts(store, sign_up(store, name), name, "hello")
        epochs.add(store.epoch)
        store.close()
    assert len(epochs) == 1
    assert len(epochs.pop()) == 16


def test_each_new_store_has_an_epoch_of_its_own(new_home: Callable[[], Home]) -> None:
    stores = [new_home().open() for _ in range(3)]
    assert len({store.epoch for store in stores}) == 3
    for store in stores:
        store.close()


def test_a_store_that_was_put_back_begins_a_new_epoch_and_keeps_it(home: Home) -> None:
    store = home.open()
    ann = sign_up(store, "ann")
    send_texts(store, ann, "ann", "one", "two")
    store.close()
    put_back = home.back_up()
    store = home.open()
    epoch = store.epoch
    send_texts(store, ann, "ann", "three", "four")
    store.close()
    put_back()
    epochs = set()
    for _ in range(2):
        store = home.open()
        epochs.add(store.epoch)
        assert texts(store, log_in(store, "ann")) == ["one", "two"]
        store.close()
    assert len(epochs) == 1
    assert epoch not in epochs


def test_a_copy_that_lacks_nothing_begins_a_new_epoch_too(home: Home) -> None:
    """The original may still run somewhere else."""
    store = home.open()
    sign_up(store, "ann")
    epoch = store.epoch
    store.close()
    home.back_up()()
    store = home.open()
    assert store.epoch != epoch
    store.close()
