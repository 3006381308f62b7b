"""Read variables of NASA's Common Data Format, in which Human3.6M keeps its joints."""

from pathlib import Path

import numpy as np

from utils.array_files.limits import OverLimit, limited
from utils.errors import UserError
from utils.files import require_file
from utils.optional_packages import import_package

# bytes of memory and seconds of processor time for one file; Human3.6M's take 20 MiB and a tenth of a second. cdflib
# goes through as many variables as a file states, and unpacks a compressed file into memory
MEMORY, SECONDS = 1 << 29, 2.0


def load_cdf(path: Path, name: str, advice: str) -> np.ndarray:
    """The variable `name` of a .cdf: [records, ...]. UserError, with `advice`, if it is missing or damaged."""
    cdflib = import_package("cdflib", str(path))
    require_file(path, advice)
    try:
        with limited(MEMORY, SECONDS):
            file = cdflib.CDF(path)
            if name in file.cdf_info().zVariables + file.cdf_info().rVariables:
                return np.asarray(file.varget(name))
    except OverLimit as error:
        raise UserError(f"{path} cannot be read as a .cdf file: that {error}. {advice}") from error
    except Exception as error:  # cdflib raises many types on damaged files
        reason = str(error) or type(error).__name__
        raise UserError(f"{path} cannot be read as a .cdf file: {reason}. {advice}") from error
    raise UserError(f"{path} has no variable {name}. {advice}")
