"""The recommendation in words: what to use, how good it is, what it is better than, and whether tuning has paid."""

from __future__ import annotations

from sweep.learning.baselines import LINEAR, SAME
from sweep.learning.network.metrics import ERROR, METRICS, metric_of
from sweep.results.answer import Answer
from sweep.results.numbers import number, spread
from sweep.results.recommendation import BEST_DEFAULT, OWN_DEFAULT, Recommendation
from sweep.results.statistics.verdicts import Interval
from sweep.results.wording import constants, plain
from sweep.search.space.space import parameters_of


def recommended(answer: Answer) -> str:
    """What to use and how good it is, in one sentence; why there is none."""
    found = answer.recommendation
    if found is None:
        return f"No recommendation: {answer.why_no_verdict}."
    return f"Use {found.arm} {_how(answer, found)}: {good(answer, found)}."


def _how(answer: Answer, found: Recommendation) -> str:
    if found.kind == "default":
        return "with its default settings"
    return f"as tuned in trial {answer.leading[found.arm]}"


def good(answer: Answer, found: Recommendation) -> str:
    """How good it is, in words that people use, and as the objective."""
    metric = metric_of(answer.spec.study.objective)
    accuracy = _said(answer, ERROR, found.error)
    return accuracy if metric == ERROR else f"{accuracy}, {_said(answer, metric, found.score)}"


def _said(answer: Answer, metric: str, found: Interval) -> str:
    """A metric in the words that people use; by its column, if it is read as it stands."""
    words = METRICS[metric].words.get(answer.task or "")
    if words is None or not (words.percent or words.higher):
        return f"{plain(answer.column(metric))} {spread(found)}"
    return words.said(found.mean, found.low, found.high)


def why(answer: Answer) -> str:
    """Why this one."""
    found = answer.recommendation
    if found is None or len(found.alike) < 2:
        return ""
    leader = "it leads" if found.leader == found.arm else f"{found.leader} leads"
    return (
        f"On fresh validation parts {leader}; {len(found.alike)} arms cannot be told apart there, and of these it has "
        "the fewest constants to set"
    )


def paid(answer: Answer) -> str:
    """Whether tuning has paid, in one sentence."""
    found = answer.recommendation
    if found is None:
        return ""
    if found.paid == "not paid":
        return f"Tuning has not paid here: nothing tuned can be told from the default settings of {found.arm}."
    gain = found.beside.get(BEST_DEFAULT)
    name = f"the best default ({found.best_default})"
    if found.paid == "paid" and gain is not None:
        return f"Tuning has paid: {name} is worse by {_difference(answer, gain)}."
    if gain is None:
        return "Whether tuning has paid is not known: no default was trained."
    part = "the test part" if answer.spec.data.test else "fresh validation parts"
    return f"Whether tuning has paid is undecided: on {part} {name} is worse by {_difference(answer, gain)}."


def _difference(answer: Answer, found: Interval) -> str:
    """So much more or less of the score."""
    return f"{spread(found, sign=True)} {plain(answer.score)}"


def beside(answer: Answer) -> list[tuple[str, str, str]]:
    """What it is compared with: a name, by how much that is worse, and what this says of it; paired, 95 %."""
    found = answer.recommendation
    if found is None:
        return []
    same = {"classification": "always the most frequent class", "regression": "always the mean"}
    names = {
        OWN_DEFAULT: f"the default of {found.arm}",
        BEST_DEFAULT: f"the best default, {found.best_default}",
        LINEAR: f"a linear model of {found.steps} steps at the most" if found.steps else "a linear model",
        SAME: same.get(answer.task or "", "always the same answer"),
    }
    shown = [key for key in names if key in found.beside]
    if found.best_default == found.arm and OWN_DEFAULT in shown:
        shown.remove(OWN_DEFAULT)
    return [(names[key], spread(found.beside[key], sign=True), _word(found.beside[key])) for key in shown]


def _word(difference: Interval) -> str:
    """What a difference says of what is recommended."""
    if difference.low == difference.high == 0:
        return "the same"
    if difference.low > 0:
        return "it is better"
    return "it is worse" if difference.high < 0 else "undecided"


def divergence(answer: Answer) -> str:
    """How often it diverged, with what that is compatible with."""
    found = answer.recommendation
    if found is None:
        return ""
    times = round(found.diverged.mean * found.trainings)
    return f"{times} of {found.trainings} trainings diverged (at most {100 * found.diverged.high:.0f} % in truth)"


def of_the_dashboard(answer: Answer) -> str:
    """Why the best trial of the dashboard is not what is recommended; empty: it is."""
    best, chosen = answer.best, answer.chosen
    if answer.recommendation is None or best is None or chosen is None:
        return ""
    if best["number"] == chosen["number"]:
        return ""
    return (
        f"The best trial that the dashboard shows, {int(best['number'])}, is the luckiest of the search: on fresh "
        "splits others are as good or better"
    )


def settings(answer: Answer) -> dict[str, str]:
    """The constants of what is to be used, as text."""
    if answer.chosen is None:
        return {}
    configuration = answer.spec.space().configuration(parameters_of(answer.chosen.dropna().to_dict()))
    return {name: number(value) for name, value in constants(configuration).items()}
