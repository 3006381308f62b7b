"""Commands of earlier versions go on working under their names."""

import pytest

from tests.conftest import run_script

SAME = {"datasets.synthetic.generate": "synthetic.generate", "utils.unwrap": "atlas.unwrap"}


@pytest.mark.parametrize("earlier, now", SAME.items())
def test_an_earlier_name_starts_the_command_of_now(earlier, now):
    before, after = (run_script("-m", module, "--help").stdout for module in (earlier, now))
    assert before == after
