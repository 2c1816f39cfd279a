"""One network with one configuration as a scikit-learn estimator: what a sweep has found, used elsewhere.

The estimators take raw features, an array or a DataFrame with numbers and text, and do their own scaling; they train
with the trainer of a sweep, as a population of one.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted, column_or_1d

from sweep.errors import CheckFailed, DataError, Problem, UsageError, shortened
from sweep.learning.configuration import Configuration
from sweep.learning.data import weighing
from sweep.learning.data.source import GIVEN, DataSource
from sweep.learning.data.splits import split, whole
from sweep.learning.data.table import Table, Task
from sweep.learning.data.tables.reading import from_memory
from sweep.learning.data.tables.understanding import features_only
from sweep.learning.hyper import Array
from sweep.learning.network.stacked import StackedNetwork
from sweep.learning.optimizers.rules import Momentum
from sweep.learning.training.loop import train
from sweep.learning.training.settings import Settings


class _Network(BaseEstimator):  # type: ignore[misc]  # scikit-learn is not typed
    """What both estimators share.

    Parameters
    ----------
    configuration : Configuration, optional
        Optimizer, schedule and learning rate; left out: momentum 0.9 with rate 0.01.
    hidden : tuple of int
        Sizes of the hidden layers; may be empty.
    activation, initial_weights, dtype, epochs, batch_size, loss
        As in `sweep.learning.training.settings.Settings`.
    scale : bool
        Standardise the features; the targets of a regression always are.
    validation : float
        Share of the samples held out to watch the loss, ``0 <= validation < 1``; with 0 the training part is watched.
    seed : int
        Decides everything random.
    class_weight : "balanced" or mapping, optional
        How much each class counts in the loss, beside the weights of the samples; a class that is not named counts 1.
        For classes only.

    Attributes
    ----------
    parameters_ : array, shape (parameters,)
    diverged_ : bool
        The training ended early because its loss had climbed above its start.
    loss_curve_, validation_loss_curve_ : array, shape (epochs + 1,)
    """

    _task: Task

    def __init__(
        self,
        configuration: Configuration | None = None,
        *,
        hidden: tuple[int, ...] = (32,),
        activation: str = "relu",
        initial_weights: str = "he",
        dtype: str = "float32",
        epochs: int = 30,
        batch_size: int = 32,
        scale: bool = True,
        validation: float = 0.1,
        seed: int = 0,
        loss: str | None = None,
        class_weight: Literal["balanced"] | Mapping[Any, float] | None = None,
    ) -> None:
        self.configuration = configuration
        self.hidden = hidden
        self.activation = activation
        self.initial_weights = initial_weights
        self.dtype = dtype
        self.epochs = epochs
        self.batch_size = batch_size
        self.scale = scale
        self.validation = validation
        self.seed = seed
        self.loss = loss
        self.class_weight = class_weight

    def _fit(self, features: Any, target: Any, sample_weight: Any) -> None:
        if not 0 <= self.validation < 1:
            raise UsageError(f"validation = {self.validation}: must obey 0 <= validation < 1")
        self._check()
        if hasattr(features, "columns"):
            features = from_memory(features)
        table = self._table(features, target)
        if sample_weight is not None:
            check_consistent_length(features, sample_weight)
            table = replace(table, weights=column_or_1d(sample_weight, dtype=np.float64))
        self.fit_table(table)
        self.n_features_in_ = np.shape(features)[1]
        if self.diverged_:
            epochs = len(self.loss_curve_) - 1
            warnings.warn(
                f"{type(self).__name__}: the training diverged, before {epochs} epochs were through: lower the "
                "learning rate of the configuration",
                ConvergenceWarning,
                stacklevel=3,
            )

    def _check(self) -> None:
        """Raise `UsageError` for parameters that are not of their kind."""
        if not isinstance(self.configuration, Configuration | None):
            kind = type(self.configuration).__name__
            raise UsageError(
                f"configuration of type {kind}: must be a Configuration, such as Configuration(0.01, Adam())"
            )
        if not isinstance(self.hidden, tuple | list | np.ndarray):
            raise UsageError(f"hidden = {self.hidden!r}: must be a tuple of whole numbers, such as (32,)")
        if not isinstance(self.seed, int | np.integer) or self.seed < 0:
            raise UsageError(f"seed = {self.seed!r}: must be a whole number, at least 0")

    def fit_table(self, table: Table) -> Self:
        """Train on a table that has been understood: its columns are read alike in new rows."""
        source = self._source()
        data = split(table, source, self.seed) if self.validation else whole(table, source)
        settings = Settings(
            tuple(self.hidden), self.activation, self.initial_weights, self.dtype, self.epochs, self.batch_size,
            loss=self.loss,
        )  # fmt: skip
        chosen = self.configuration or Configuration(0.01, Momentum())
        training = train([chosen], data, settings, self.seed)
        self.encoder_, self.scaler_, self.classes_ = data.encoder, data.scaler, data.classes
        self.architecture_ = settings.architecture(data)
        self.parameters_ = training.parameters[0, 0]
        self.diverged_ = bool(training.diverged_at[0] > 0)
        self.loss_curve_, self.validation_loss_curve_ = training.train_loss[0, 0], training.validation_loss[0, 0]
        self._flat, self.n_features_in_ = table.target.ndim == 1, len(table.columns) or np.shape(table.features)[1]
        self._columns = tuple(column.name for column in table.columns)
        if self._columns:
            self.feature_names_in_ = np.array(self._columns, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        return self

    def _source(self) -> DataSource:
        """How the samples given are divided and weighed."""
        if self.class_weight is not None and (rule := weighing.misfit(self.class_weight)):
            raise UsageError(Problem(rule, weighing.KEY, self.class_weight, type(self).__name__))
        return DataSource(
            name=GIVEN, validation=self.validation, test=0.0, scale=self.scale, weight="sample_weight",
            class_weight=weighing.hashable(self.class_weight),
        )  # fmt: skip

    def _table(self, features: Any, target: Any) -> Table:
        check_consistent_length(features, target)
        if self._task == "classification":
            wanted = column_or_1d(target)
            check_classification_targets(wanted)
        else:
            wanted = check_array(target, ensure_2d=False, dtype=np.float64)
        if not hasattr(features, "columns"):
            return Table(check_array(features, dtype=np.float64), wanted, self._task)
        return features_only(features, wanted, self._task)

    def _outputs(self, features: Any) -> Array:
        """The network's linear outputs, shape ``(samples, outputs)``."""
        check_is_fitted(self, "parameters_")
        inputs = np.asarray(self.encoder_.transform(self._rows(features)), dtype=np.float64)
        inputs = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1).astype(self.architecture_.dtype)
        network = StackedNetwork(self.architecture_, self.parameters_[None])
        with np.errstate(all="ignore"):
            outputs = np.asarray(network.outputs(inputs[None])[:, 0].T)
        if self.diverged_ and not np.isfinite(outputs).all():
            raise CheckFailed(
                f"{type(self).__name__}: predicts no numbers, for its training diverged: fit it again with a lower "
                "learning rate"
            )
        return outputs

    def _rows(self, features: Any) -> Any:
        """New rows as what was fitted: a table, in which the columns may stand in any order, or an array.

        Raises
        ------
        DataError
            An array has other columns than the table that was fitted, or a table has one of them twice.
        """
        name = type(self).__name__
        if not self._columns:
            if hasattr(features, "columns"):
                warnings.warn(f"X has feature names, but {name} was fitted without feature names", stacklevel=4)
                features = from_memory(features)
            return check_array(features, dtype=np.float64)
        if not hasattr(features, "columns"):
            features = np.asarray(features)
            if features.ndim != 2 or features.shape[1] != len(self._columns):
                raise DataError(
                    f"X is an array of the shape {features.shape}, and {name} was fitted on a table: must be a "
                    f"DataFrame with the columns {shortened(', '.join(self._columns))}"
                )
            warnings.warn(
                f"X does not have valid feature names, but {name} was fitted with feature names", stacklevel=4
            )
        frame = from_memory(features, self._columns)
        names = [str(each).strip() for each in frame.columns]
        for column in self._columns:
            if names.count(column) > 1:
                raise DataError(f"column {shortened(column)!r} is there twice: rename one")
        return frame


class NetworkClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """A multilayer perceptron for classes.

    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> bool(NetworkClassifier(epochs=20, seed=1).fit(X, y).score(X, y) > 0.9)
    True
    """

    _task: Task = "classification"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetworkClassifier:  # noqa: N803  # scikit-learn's names
        """Train on samples `X`, shape ``(samples, features)``, and their classes `y`; weights are 0 or more."""
        self._fit(X, y, sample_weight)
        return self

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """The probability of each class, shape ``(samples, classes)``, in the order of ``classes_``."""
        from scipy.special import softmax

        return np.asarray(softmax(self._outputs(X).astype(np.float64), axis=1))

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The likeliest class of each sample."""
        best = np.argmax(self._outputs(X), axis=1)
        return np.asarray(self.classes_[best])


class NetworkRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A multilayer perceptron for numbers, one or several targets.

    >>> from sklearn.datasets import load_diabetes
    >>> X, y = load_diabetes(return_X_y=True)
    >>> bool(NetworkRegressor(hidden=(), epochs=20, seed=1).fit(X, y).score(X, y) > 0.4)
    True
    """

    _task: Task = "regression"

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> NetworkRegressor:  # noqa: N803
        """Train on samples `X`, ``(samples, features)``, and targets `y`, ``(samples,)`` or ``(samples, targets)``.

        Weights are 0 or more.
        """
        self._fit(X, y, sample_weight)
        return self

    def predict(self, X: Any) -> Array:  # noqa: N803
        """The predicted targets, of the shape that `fit` was given."""
        outputs = self._outputs(X).astype(np.float64)
        numbers = self.scaler_.inverse_transform(outputs)
        return np.asarray(numbers[:, 0] if self._flat else numbers)
