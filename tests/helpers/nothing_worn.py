"""People without clothes and hair, whose outlines in photographs are those of the annotated bodies."""

import numpy as np

from synthetic.photographs.attire import Attire, RestBody


def nothing_worn(outfit, body: RestBody) -> Attire:
    """What stands in for `make_attire`."""
    return Attire(np.zeros_like(body.vertices), [], np.zeros(0, int))
