"""Read variables of NASA's Common Data Format, in which Human3.6M keeps its joints."""

from pathlib import Path

import numpy as np

from utils.errors import UserError
from utils.files import require_file
from utils.optional_packages import import_package


def load_cdf(path: Path, name: str, advice: str) -> np.ndarray:
    """The variable `name` of a .cdf: [records, ...]. UserError, with `advice`, if it is missing or damaged."""
    cdflib = import_package("cdflib", str(path))
    require_file(path, advice)
    try:
        file = cdflib.CDF(path)
        if name in file.cdf_info().zVariables + file.cdf_info().rVariables:
            return np.asarray(file.varget(name))
    except Exception as error:  # cdflib raises many types on damaged files
        reason = str(error) or type(error).__name__
        raise UserError(f"{path} cannot be read as a .cdf file: {reason}. {advice}") from error
    raise UserError(f"{path} has no variable {name}. {advice}")
