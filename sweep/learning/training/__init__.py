"""A population through its minibatches and epochs, and what it has on the test part."""
