"""The peers: the same workload trained by other libraries, as their own users would write it; one file a library.

To add one: write a file with functions ``(workload's name) -> Reading`` that run once and time themselves, and put
them in `PEERS`. They run in a process of their own, on one core.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec


@dataclass(frozen=True, slots=True)
class Reading:
    """One run of a peer.

    Attributes
    ----------
    ms : float
        A trial, without compiling.
    accuracy : float
        On the validation part at the end, mean over the trials: whether it has really learnt.
    compile_seconds : float
        What compiling took, once; 0 where nothing is compiled.
    """

    ms: float
    accuracy: float
    compile_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Peer:
    """One way to train the workload.

    Parameters
    ----------
    package : str
        To be imported.
    function : str
        ``module:name`` inside this package.
    note : str
        What to know when the times are compared.
    """

    package: str
    function: str
    note: str


PEERS: dict[str, Peer] = {
    "scikit-learn": Peer(
        "sklearn", "scikit_learn:one_at_a_time", "MLPClassifier, Adam (it has no RMSProp), one model after the other"
    ),
    "PyTorch": Peer("torch", "pytorch:one_at_a_time", "nn.Sequential, optim.RMSprop, one model after the other"),
    "PyTorch, stacked": Peer("torch", "pytorch:stacked", "32 models: baddbmm, RMSProp by foreach operations"),
    "JAX vmap": Peer("jax", "jax:stacked", "32 models: vmap, scan over minibatches and epochs, one jitted call"),
}

ASKERS: dict[str, Peer] = {
    "sweep TPE": Peer("optuna", "asks:sweep_ask", "a whole generation, shared out; in memory"),
    "Optuna TPE": Peer("optuna", "asks:optuna_ask", "TPESampler as it comes, in memory"),
    "Rustuna TPE": Peer("rustuna", "asks:rustuna_ask", "TPESampler as it comes, in memory"),
}


def installed(peers: dict[str, Peer]) -> list[str]:
    """The names of those whose package is there."""
    return [name for name, peer in peers.items() if find_spec(peer.package) is not None]


def missing() -> list[str]:
    """The packages of peers that are not installed."""
    return sorted({p.package for p in (*PEERS.values(), *ASKERS.values()) if find_spec(p.package) is None})
