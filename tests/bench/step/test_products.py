from __future__ import annotations

import numpy as np
import pytest

from sweep.bench.step.products import LAYOUTS, measure, run
from sweep.learning.training.machine import steady

SIZES, ROWS, BATCH = (5, 7, 4, 3), 6, 8

every_layout = pytest.mark.parametrize("layout", LAYOUTS)


def multiply_adds_of_a_step() -> int:
    """Counted unit by unit: forward and for the gradient every weight and bias once a sample; back, every weight."""
    count = 0
    for layer, (inputs, outputs) in enumerate([(5, 7), (7, 4), (4, 3)]):
        for _ in range(outputs):
            count += 2 * (inputs + 1)
            count += inputs if layer else 0  # nothing is passed back to the data
    return ROWS * BATCH * count


@every_layout
def test_the_products_are_those_of_a_step_of_the_network(layout: str) -> None:
    products = LAYOUTS[layout](SIZES, ROWS, BATCH)
    assert len(products) == 3 * 3 - 1  # forward, gradient, and back to all layers but the first
    assert sum(product.result.size * product.left.shape[-1] for product in products) == multiply_adds_of_a_step()


@every_layout
def test_every_product_can_be_made_and_stays_finite(layout: str) -> None:
    products = LAYOUTS[layout](SIZES, ROWS, BATCH)
    with steady():
        for _ in range(3):
            run([products])
    for product in products:
        assert np.allclose(product.result, product.left @ product.right, rtol=1e-4)
        assert np.isfinite(product.result).all()
        assert product.result.dtype == np.float32


@every_layout
def test_the_smaller_last_minibatch_is_measured_too(layout: str) -> None:
    assert measure(layout, SIZES, ROWS, [BATCH, BATCH, 3], epochs=2) > 0
