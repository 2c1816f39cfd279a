"""Tuning curves as a sceptic would check them: exact, simultaneous, like a published tool's, refused where unfair."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np
import opda.nonparametric  # type: ignore[import-untyped, unused-ignore]
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sweep.errors import UsageError
from sweep.learning.hyper import Array
from sweep.results.statistics.probability_best import probability_best
from sweep.results.statistics.tuning_curves import (
    LEVELS,
    MOST_EXACT,
    bounds,
    coverage,
    independent,
    scores_of,
    tuning_curve,
    tuning_curves,
)
from sweep.search.space.space import Arm
from tests.studies import laws

COUNTS = (1, 2, 5, 20, 64)
SGD, ADAM, RMSPROP = Arm("sgd", "constant"), Arm("adam", "constant"), Arm("rmsprop", "step")


def error(level: float, samples: int) -> float:
    """The standard error of a share that is `level`, counted in so many samples."""
    return math.sqrt(level * (1 - level) / samples)


def steck(low: Array, high: Array) -> float:
    """P(low_i <= U_(i) <= high_i): Steck's determinant (1971), expanded in exact fractions."""
    n = len(low)
    a, b = [Fraction(float(x)) for x in low], [Fraction(float(x)) for x in high]
    minors = [Fraction(1)]  # of a matrix with ones below its diagonal and zeros below these
    for j in range(n):
        terms = ((-1) ** (j - i) * max(b[i] - a[j], Fraction(0)) ** (j - i + 1) for i in range(j + 1))
        entries = (term / math.factorial(j - i + 1) for i, term in enumerate(terms))
        minors.append(sum((entry * minors[i] for i, entry in enumerate(entries)), Fraction(0)))
    return float(math.factorial(n) * minors[n])


@laws
@given(data=st.data(), n=st.integers(1, 12))
def test_coverage_is_that_of_stecks_determinant(data: st.DataObject, n: int) -> None:
    points = st.lists(st.floats(0.0, 1.0), min_size=n, max_size=n)
    one, other = np.sort(data.draw(points)), np.sort(data.draw(points))
    low, high = np.minimum(one, other), np.maximum(one, other)
    assert coverage(low, high) == pytest.approx(steck(low, high), abs=1e-12)


@pytest.mark.parametrize("level", [*LEVELS, 0.01, 0.5, 0.999])
@pytest.mark.parametrize("n", [*COUNTS, 3, 37])
def test_the_bounds_hold_together_with_exactly_the_level(n: int, level: float) -> None:
    assert steck(*bounds(n, level)) == pytest.approx(level, abs=1e-10)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("n", COUNTS)
def test_as_many_samples_as_the_level_says_lie_within_the_bounds(n: int, level: float) -> None:
    samples = 50_000
    uniform = np.sort(np.random.default_rng(n).random((samples, n)), axis=1)
    low, high = bounds(n, level)
    inside = ((low <= uniform) & (uniform <= high)).all(axis=1).mean()
    assert inside == pytest.approx(level, abs=4 * error(level, samples))


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("n", COUNTS)
def test_every_bound_leaves_out_the_same_share_at_each_end(n: int, level: float) -> None:
    low, high = bounds(n, level)
    law = stats.beta(np.arange(1, n + 1), np.arange(n, 0, -1))
    np.testing.assert_allclose(law.cdf(low), law.cdf(low)[0], rtol=1e-8)
    np.testing.assert_allclose(law.sf(high), law.cdf(low)[0], rtol=1e-8)


def test_above_the_exact_ones_the_bounds_are_wider_but_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    exact = bounds(300, 0.95)
    monkeypatch.setattr("sweep.results.statistics.tuning_curves.MOST_EXACT", 299)
    low, high = bounds.__wrapped__(300, 0.95)
    assert ((low < exact[0]) & (high > exact[1])).all()
    assert 0.95 < coverage(low, high) < 1


def test_a_large_study_is_served() -> None:
    for n in (1000, MOST_EXACT + 1):
        low, high = bounds(n, 0.8)
        assert (np.diff(low) > 0).all()
        assert coverage(low, high) == pytest.approx(0.8, abs=1e-9) if n == 1000 else (low < high).all()


def test_bounds_that_are_remembered_cannot_be_spoilt() -> None:
    with pytest.raises(ValueError, match="read-only"):
        bounds(5, 0.8)[0][0] = 0.5


@pytest.mark.parametrize("n", [1, 2, 5, 8, 37, 64])
def test_the_median_is_opdas(n: int) -> None:
    scores = np.random.default_rng(n).lognormal(size=n)
    curve = tuning_curve(scores)
    theirs = opda.nonparametric.EmpiricalDistribution(scores).quantile_tuning_curve(curve.k, q=0.5, minimize=True)
    np.testing.assert_array_equal(curve.median, theirs)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("n", [1, 5, 20, 64])
def test_the_bands_are_opdas_up_to_the_error_of_its_simulation(n: int, level: float) -> None:
    scores = np.random.default_rng(n).lognormal(size=n)
    below, _, above = opda.nonparametric.EmpiricalDistribution.confidence_bands(
        scores, level, a=0.0, method="ld_equal_tailed", n_jobs=1, generator=np.random.default_rng(0)
    )
    # It takes a quantile of 100,000 simulated samples, so it hits the level up to that error: ours, for levels four
    # errors lower and higher, enclose it.
    off = 4 * error(level, 100_000)
    inner, outer = (tuning_curve(scores, levels=[level + side]).bands[level + side] for side in (-off, off))
    k = np.arange(1, n + 1)
    low = above.quantile_tuning_curve(k, q=0.5, minimize=True)
    high = below.quantile_tuning_curve(k, q=0.5, minimize=True)
    assert ((outer[0] <= low) & (low <= inner[0])).all()
    assert ((inner[1] <= high) & (high <= outer[1])).all()
    ours = tuning_curve(scores, levels=[level]).bands[level]
    assert ((ours[0] == low) & (ours[1] == high)).mean() > 0.9  # or one score off, where p is that close to a bound


SAMPLES = 2000
LAWS: dict[str, Any] = {
    "lognormal": stats.lognorm(1.5),
    "uniform": stats.uniform(0.2, 0.5),
    "heavy tail": stats.pareto(0.7),  # it has no mean
    "ties": stats.binom(10, 0.3),
}


def true_curve(law: Any, n: int) -> Array:
    """The median of the best of k: half of such samples have one as low, ``1 - (1 - F) ** k = 1/2``."""
    return np.asarray(law.isf(np.exp2(-1 / np.arange(1, n + 1))), dtype=float)


def exact_coverage(n: int, level: float) -> float:
    """How often the band has the whole curve of a continuous law: a matter of ranks alone.

    It is not above the score of rank h at k if that score's F is at least p; and so for the low side.
    """
    curve = tuning_curve(np.arange(1, n + 1), levels=[level])
    low, high = np.zeros(n), np.ones(n)
    for k, first, last in zip(curve.k, *curve.bands[level], strict=True):
        p = 1 - 0.5 ** (1 / k)
        if first > 0:
            high[: int(first)] = np.minimum(high[: int(first)], p)
        if last <= n:
            low[int(last) - 1 :] = np.maximum(low[int(last) - 1 :], p)
    return steck(low, high)


@pytest.mark.parametrize("name", LAWS)
@pytest.mark.parametrize("n", [7, 24])
def test_the_bands_cover_the_whole_true_curve_at_least_as_often_as_they_say(name: str, n: int) -> None:
    truth = true_curve(LAWS[name], n)
    samples = np.asarray(LAWS[name].rvs((SAMPLES, n), random_state=n), dtype=float)
    covered = dict.fromkeys(LEVELS, 0)
    for scores in samples:
        for level, (low, high) in tuning_curve(scores).bands.items():
            covered[level] += bool(((low <= truth) & (truth <= high)).all())
    for level in LEVELS:
        share, expected = covered[level] / SAMPLES, exact_coverage(n, level)
        assert expected >= level  # above it, for the curve is only a part of F: below its median, at n values of k
        if name == "ties":
            assert share >= expected - 3 * error(expected, SAMPLES)
        else:
            assert share == pytest.approx(expected, abs=4 * error(expected, SAMPLES))


def percentile_bootstrap(scores: Array, level: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """The band that most papers draw: at each k the middle of the medians that resampled scores give."""
    n = len(scores)
    ranks = np.ceil(n * (1 - np.exp2(-1 / np.arange(1, n + 1)))).astype(int) - 1
    curves = np.sort(rng.choice(scores, (300, n)), axis=1)[:, ranks]
    low, high = np.quantile(curves, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return low, high


def test_a_bootstrap_band_misses_its_level_by_far_where_ours_does_not() -> None:
    n, samples, level = 24, 300, 0.95
    truth, rng = true_curve(LAWS["lognormal"], n), np.random.default_rng(0)

    def share(band: Callable[[Array], tuple[Array, Array]]) -> float:
        bands = [band(LAWS["lognormal"].rvs(n, random_state=rng)) for _ in range(samples)]
        return float(np.mean([((low <= truth) & (truth <= high)).all() for low, high in bands]))

    assert share(lambda scores: tuning_curve(scores).bands[level]) >= level - 3 * error(level, samples)
    assert share(lambda scores: percentile_bootstrap(scores, level, rng)) < 0.5  # measured: 0.36


scores_lists = st.lists(st.floats(0.0, 10.0), min_size=1, max_size=70)


@laws
@given(scores=scores_lists)
def test_curves_fall_and_the_bands_enclose_the_median_and_one_another(scores: list[float]) -> None:
    curve = tuning_curve(np.array(scores))
    (low, high), (lower, higher) = curve.bands[0.8], curve.bands[0.95]
    assert curve.k.tolist() == list(range(1, len(scores) + 1))
    for line in (curve.median, low, high, lower, higher):
        assert (line[1:] <= line[:-1]).all()
    lines = [np.zeros(len(scores)), lower, low, curve.median, high, higher]
    assert all((one <= other).all() for one, other in itertools.pairwise(lines))


@laws
@given(scores=scores_lists, most=st.integers(1, 70))
def test_a_shorter_curve_is_the_beginning_of_the_whole_one_and_the_order_of_trials_is_nothing(
    scores: list[float], most: int
) -> None:
    most = min(most, len(scores))
    whole, short = tuning_curve(np.array(scores)), tuning_curve(np.array(scores[::-1]), most)
    np.testing.assert_array_equal(short.median, whole.median[:most])
    for level, band in short.bands.items():
        np.testing.assert_array_equal(band, np.array(whole.bands[level])[:, :most])


@laws
@given(scores=st.lists(st.integers(0, 1000), min_size=1, max_size=40))
def test_rescaled_scores_give_the_rescaled_curve(scores: list[int]) -> None:
    plain = tuning_curve(np.array(scores), lowest=-1.0)
    cubed = tuning_curve(np.array(scores) ** 3, lowest=-1.0)
    np.testing.assert_array_equal(cubed.median, plain.median**3)
    for level, band in plain.bands.items():
        np.testing.assert_array_equal(cubed.bands[level], np.array(band) ** 3)


def test_too_few_trials_bound_the_curve_by_the_lowest_possible_score_and_infinity() -> None:
    low, high = tuning_curve(np.array([0.3]), lowest=0.1).bands[0.95]
    assert (low.tolist(), high.tolist()) == ([0.1], [math.inf])


def row(number: int, arm: Arm = SGD, state: str = "complete", **values: Any) -> dict[str, Any]:
    """A trial with a configuration of its own; it has no decay, unless given."""
    names = {"number": number, "state": state, "optimizer": arm.optimizer, "schedule": arm.schedule}
    rest = {"objective": number / 10 + 0.1, "learning_rate": 0.01 * (number + 1), "optimizer.decay": np.nan}
    return names | rest | values


def test_every_arm_gets_its_curve_diverged_trials_count_and_running_ones_do_not() -> None:
    rows = [row(0), row(1, RMSPROP), row(2, objective=7.0, state="diverged"), row(3, objective=0.05)]
    trials = pd.DataFrame([*rows, row(4, state="running", objective=np.nan), row(5, ADAM, state="running")])
    curves = tuning_curves(trials)
    assert {str(arm): scores.tolist() for arm, scores in scores_of(trials).items()} == {
        "sgd x constant": [0.1, 7.0, 0.05],
        "rmsprop x step": [0.2],
    }
    assert list(curves) == [SGD, RMSPROP]
    assert curves[SGD].median.tolist() == [0.1, 0.05, 0.05]
    assert len(tuning_curves(trials, most=1)[SGD].k) == 1


@pytest.mark.parametrize("state", ["complete", "diverged"])
def test_a_configuration_may_come_again_in_another_arm_or_with_another_constant_only(state: str) -> None:
    one = row(0, learning_rate=0.5) | {"optimizer.decay": 0.9}
    for change in ({"optimizer": "adam"}, {"schedule": "step"}, {"optimizer.decay": 0.8}, {"learning_rate": 0.4}):
        independent(pd.DataFrame([one, one | {"number": 1, "state": state} | change]))
    with pytest.raises(UsageError, match=r"trials 0 and 1 \(sgd x constant\): the same configuration: .*compare"):
        independent(pd.DataFrame([one, one | {"number": 1, "state": state, "objective": 3.0}]))


REFUSED: dict[str, tuple[Sequence[Mapping[str, Any]], int | None, str]] = {
    "no trial": ([row(0, state="running")], None, r"trials: none is finished: .*run the study"),
    "pruned": ([row(0), row(7, state="pruned")], None, r"trial 7 \(sgd x constant\): state = 'pruned': .*compare"),
    "failed": ([row(0), row(7, state="failed")], None, r"trial 7 \(sgd x constant\): state = 'failed': .*--workers"),
    "same": (
        [row(2, learning_rate=0.5), row(3), row(9, learning_rate=0.5)],
        None,
        r"trials 2 and 9 \(sgd x constant\): the same conf",
    ),
    "k": ([row(0), row(1), row(2, RMSPROP)], 2, r"rmsprop x step: k = 2: must be from 1 to 1, .*run more trials"),
    "k = 0": ([row(0)], 0, r"sgd x constant: k = 0: must be from 1 to 1"),
    "unknown score": ([row(0, objective=np.nan)], None, r"sgd x constant: a score is nan: must be a finite number"),
}


@pytest.mark.parametrize(("rows", "most", "message"), REFUSED.values(), ids=REFUSED)
def test_trials_that_make_no_fair_curve_are_refused_in_one_line(
    rows: Sequence[Mapping[str, Any]], most: int | None, message: str
) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        tuning_curves(pd.DataFrame(list(rows)), most)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: tuning_curve(np.array([])), "scores: no score"),
        (lambda: tuning_curve(np.array([0.1, -0.2])), "scores: a score is -0.2: must be at least 0"),
        (lambda: tuning_curve(np.array([0.1, np.inf])), "scores: a score is inf: must be a finite number"),
        (lambda: tuning_curve(np.array([0.1]), levels=[95]), "level = 95: must lie between 0 and 1"),
        (lambda: bounds(0, 0.5), "0 trials: there must be one"),
        (lambda: probability_best({}, [1]), "no arm"),
        (lambda: probability_best({SGD: np.ones(3), ADAM: np.ones(2)}, [1, 3]), "adam x constant: k = 3: .* 1 to 2"),
        (lambda: probability_best({SGD: np.array([])}, []), "sgd x constant: no score"),
        (lambda: probability_best({SGD: np.ones(1)}, [1], level=0), "level = 0: must lie between 0 and 1"),
    ],
)
def test_scores_and_numbers_that_make_no_sense_are_refused(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()
