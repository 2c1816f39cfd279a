from __future__ import annotations

import pytest

from sweep.bench.measuring import run_ask, run_peer
from sweep.bench.peers import ASKERS, PEERS, asks, installed, missing
from sweep.bench.processes import Alone

pytestmark = pytest.mark.long

LEARNT = 0.9  # of the digits right: what 30 epochs of W1 reach with any of the learning rates


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_trains_the_workload_and_learns(name: str) -> None:
    if name not in installed(PEERS):
        pytest.skip(f"{PEERS[name].package} is not installed")
    process = Alone()
    try:
        reading = process.call(run_peer, name, "W1")
    finally:
        process.close()
    assert reading.ms > 0
    assert LEARNT < reading.accuracy <= 1
    assert (reading.compile_seconds > 0) == (PEERS[name].package == "jax")


@pytest.mark.parametrize("name", ASKERS)
def test_a_peer_proposes_on_the_space_of_a_shipped_study(name: str) -> None:
    if name not in installed(ASKERS):
        pytest.skip(f"{ASKERS[name].package} is not installed")
    process = Alone()
    try:
        assert process.call(run_ask, name, 60) > 0
    finally:
        process.close()


def test_the_finished_trials_that_peers_learn_from_are_trials_of_the_space() -> None:
    space = asks.space()
    arms = set()
    for parameters, value in asks.finished(space, 96):
        arms.add(space.configuration(parameters).arm)
        assert parameters.keys() <= space.distributions().keys()
        assert 0 <= value < 10
    assert len(arms) == len(space.arms)


def test_a_package_that_cannot_be_found_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweep.bench.peers.find_spec", lambda name: None if name in ("torch", "jax") else object())
    assert missing() == ["jax", "torch"]
    assert installed(PEERS) == ["scikit-learn"]
