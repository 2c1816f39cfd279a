"""Some of the samples taken out at random, the classes in proportion: by scikit-learn where it can, else by our own.

scikit-learn refuses where a part has fewer samples than there are classes, or a class one sample only. Ours takes what
is nearest to the proportions, and leaves of each class what is to be kept.
"""

from __future__ import annotations

import numpy as np

from sweep.learning.hyper import Array


def stratified(indices: Array, count: int, classes: Array | None, state: int) -> tuple[Array, Array]:
    """Take so many by scikit-learn, which raises `ValueError` where it cannot: what is left, and what is taken."""
    from sklearn.model_selection import train_test_split

    strata = None if classes is None else classes[indices]
    left, taken = train_test_split(indices, test_size=count, random_state=state, stratify=strata)
    return left, taken


def sparing(indices: Array, count: int, classes: Array, state: int, most: Array) -> tuple[Array, Array]:
    """Take so many, of each class in proportion, but not more than `most` has for it; likewise.

    Raises
    ------
    ValueError
        That are not so many.
    """
    random = np.random.default_rng(state)
    order = random.permutation(indices)
    own = classes[order]
    there = np.bincount(own, minlength=len(most))
    shares = _shares(there, count, np.minimum(most, there), random)
    by_class = np.argsort(own, kind="stable")
    place = np.empty(len(order), int)  # among the samples of its class
    place[by_class] = np.arange(len(order)) - np.repeat(np.cumsum(there) - there, there)
    taken = place < shares[own]
    return order[~taken], order[taken]


def _shares(there: Array, count: int, most: Array, random: np.random.Generator) -> Array:
    """How many of each class to take: the proportions rounded, ties at random."""
    if most.sum() < count:
        raise ValueError(f"{most.sum()} samples can be taken, {count} are to be")
    exact = count * there / max(1, there.sum())
    shares = np.minimum(np.floor(exact).astype(int), most)
    order = random.permutation(len(there))
    for _ in range(count - int(shares.sum())):
        wanting = np.where(shares < most, exact - shares, -np.inf)
        shares[order[np.argmax(wanting[order])]] += 1
    return np.asarray(shares)


def leave_out(indices: Array, count: int, classes: Array | None, state: int, keep: int = 0) -> Array:
    """All but so many, the classes in proportion; of each class at least `keep` stay, or all that there are."""
    if not count:
        return indices
    own = np.zeros(int(indices.max()) + 1, int) if classes is None else classes
    there = np.bincount(own[indices], minlength=int(own.max()) + 1)
    return sparing(indices, count, own, state, np.maximum(there - keep, 0))[0]


def lost(classes: Array, before: Array, after: Array) -> bool:
    """Whether a class of the samples before has none among those after."""
    return len(np.setdiff1d(classes[before], classes[after])) > 0
