"""Data sets to train on, all in one form: features in [0, 1], integer labels, three parts.

::

    load("digits")                    bundled: digits, iris, wine;  toys: xor, blobs
    load("mnist", train_size=1000)    files: mnist, fashion-mnist, cifar10 (found or downloaded)
    from_arrays(x, y, x_test, y_test) your own arrays, checked in the same way

The test part is fixed by the data set; validation always comes out of the training part.
"""

from isingeq.tasks.dataset import NAMES, Dataset, from_arrays, load
from isingeq.tasks.toy import blobs, xor

__all__ = ["NAMES", "Dataset", "blobs", "from_arrays", "load", "xor"]
