"""Files in the format of SPIN's fits, with the true bodies of the generated people as fits."""

from pathlib import Path

import numpy as np

from synthetic.benchmarks.people import Person
from utils.files import write_npz


def write_fits(path: Path, people: list[Person]) -> None:
    """Write pose [N, 72], shape [N, 10] and fit_joint_error [N], which is 0, in the order of the table's rows."""
    write_npz(
        path,
        pose=np.array([person.pose for person in people]),
        shape=np.array([person.betas for person in people]),
        fit_joint_error=np.zeros(len(people)),
    )
