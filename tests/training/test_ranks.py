"""What the ranks of a run exchange between steps."""

import utils.environment  # noqa: F401, I001  before MindSpore

from tests.helpers.thread_ranks import ThreeRanks, on_ranks
from training.ranks import Ranks, folder_of_rank_0


def test_large_numbers_arrive_whole():
    numbers = [2**39 + 12345, 0, 2**24 + 1]
    assert Ranks().gather(numbers[0]) == numbers[:1]
    assert ThreeRanks([numbers[0], numbers[2]]).gather(numbers[1]) == numbers


def test_ranks_put_lists_of_any_length_together():
    numbers = [[2**39 + 1], [], [5, 2**33]]
    assert on_ranks(3, lambda ranks: ranks.gather_all(numbers[ranks.rank])) == [[2**39 + 1, 5, 2**33]] * 3
    assert on_ranks(2, lambda ranks: ranks.gather_all([])) == [[], []]
    assert Ranks().gather_all([7, 8]) == [7, 8]


def test_a_rank_starts_from_rank_0_where_it_sees_it(tmp_path):
    assert folder_of_rank_0(tmp_path / "rank3") == tmp_path / "rank3"
    (tmp_path / "rank0").mkdir()
    assert folder_of_rank_0(tmp_path / "rank3") == tmp_path / "rank0"
