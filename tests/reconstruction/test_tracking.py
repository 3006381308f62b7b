"""Following people: each keeps one identity at any frame rate, over crossings and gaps, and flicker is no person."""

import numpy as np
import pytest

from reconstruction.tracking import LEAST_SECONDS, MAX_GAP, Detection, Tracker, overlaps

RATES = [10, 24, 30, 60]
SIDE = 200.0  # px
NOISE = 0.02 * SIDE  # px
POSES = np.random.default_rng(7).normal(0, 0.3, (3, 40, 3))  # of three people, metres


class Walker:
    """Someone whose square's centre is start + speed * t px; in view from `first` to `last` seconds."""

    def __init__(self, start, speed, pose=0, side=SIDE, first=0.0, last=np.inf, hidden=(np.inf, np.inf)):
        self.start, self.speed, self.side, self.pose = np.array(start, float), np.array(speed, float), side, pose
        self.first, self.last, self.hidden = first, last, hidden

    def seen(self, time: float, rng) -> Detection | None:
        if not self.first <= time <= self.last or self.hidden[0] < time < self.hidden[1]:
            return None
        centre = self.start + self.speed * time + rng.normal(0, NOISE, 2)
        points = POSES[self.pose] + rng.normal(0, 0.02, POSES[self.pose].shape)
        return Detection(np.array([*centre, self.side * np.exp(rng.normal(0, 0.02))]), points)


def follow(people: list, rate: float, seconds: float = 4.0, seed: int = 0) -> tuple[list[list[int]], Tracker]:
    """The identities that each person got, frame after frame; the detections of a frame come in random order."""
    rng, tracker = np.random.default_rng(seed), Tracker()
    found: list[list[int]] = [[] for _ in people]
    for frame in range(round(seconds * rate)):
        seen = [(index, person.seen(frame / rate, rng)) for index, person in enumerate(people)]
        shuffled = [seen[place] for place in rng.permutation(len(seen)) if seen[place][1] is not None]
        for (index, _), identity in zip(shuffled, tracker(frame / rate, [d for _, d in shuffled]), strict=True):
            found[index].append(identity)
    return found, tracker


def one_each(found: list[list[int]]) -> bool:
    """True if every person has one identity of their own."""
    return all(len(set(ids)) == 1 for ids in found) and len({ids[0] for ids in found}) == len(found)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seed", range(5))
def test_people_who_cross_keep_their_identities(rate, seed):
    """Three of them, in one place at two seconds."""
    people = [
        Walker((100, 300), (150, 0), pose=0), Walker((700, 300), (-150, 0), pose=1),
        Walker((400, 100), (0, 100), pose=2, side=180),
    ]  # fmt: skip
    assert one_each(follow(people, rate, seed=seed)[0])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seed", range(5))
def test_motion_alone_tells_people_who_cross_in_the_same_pose(rate, seed):
    """In the frames in which they are nearer to each other than boxes waver nothing tells them apart."""
    people = [Walker((100, 300), (150, 0)), Walker((700, 300), (-150, 0))]
    found, _ = follow(people, rate, seed=seed)
    apart = [abs(frame / rate - 2) > 0.1 for frame in range(round(4 * rate))]
    assert one_each([[one for one, is_apart in zip(ids, apart, strict=True) if is_apart] for ids in found])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("seed", range(5))
def test_people_who_are_hidden_while_they_cross_keep_their_identities(rate, seed):
    """The one behind is unseen for 0.4 s around the moment when both are in one place."""
    people = [Walker((100, 300), (150, 0)), Walker((700, 300), (-150, 0), hidden=(1.8, 2.2))]
    assert one_each(follow(people, rate, seed=seed)[0])


@pytest.mark.parametrize("rate", RATES)
def test_where_two_stand_in_one_place_the_pose_tells_who_is_who(rate):
    people = [Walker((300, 300), (0, 0), pose=0), Walker((303, 300), (0, 0), pose=1)]
    assert one_each(follow(people, rate)[0])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize(("gap", "identities"), [(MAX_GAP - 0.15, 1), (MAX_GAP + 0.25, 2)])
def test_a_gap_of_half_a_second_is_survived_and_a_longer_one_is_not(rate, gap, identities):
    (found,), _ = follow([Walker((100, 300), (150, 0), hidden=(1.5, 1.5 + gap))], rate)
    assert len(set(found)) == identities


@pytest.mark.parametrize("rate", RATES)
def test_people_enter_and_leave(rate):
    people = [
        Walker((100, 300), (150, 0), last=2.0),
        Walker((900, 300), (0, 0), pose=1),
        Walker((100, 300), (150, 0), first=2.7),  # the same place as the first, but later
    ]
    found, _ = follow(people, rate)
    assert one_each(found)
    assert found[2][0] == 2  # numbers are given once, in order


@pytest.mark.parametrize("rate", RATES)
def test_a_detection_of_one_frame_is_no_person_and_takes_nobody_s_identity(rate):
    flicker = Walker((500, 200), (0, 0), pose=2, first=1.0, last=1.0 + 0.5 / rate)
    found, tracker = follow([Walker((300, 300), (20, 0)), flicker], rate)
    assert one_each(found)
    assert tracker.drop_brief() == found[1][:1]
    assert tracker.drop_brief(is_over=True) == []


def test_what_is_seen_for_less_than_the_least_time_is_named_as_soon_as_it_is_gone_or_the_video_ends():
    rng, tracker, person = np.random.default_rng(0), Tracker(), Walker((300, 300), (0, 0))
    frames = round(60 * LEAST_SECONDS)
    for frame in range(frames):
        tracker(frame / 60, [person.seen(0, rng)])
    assert tracker.drop_brief() == [] and tracker.drop_brief(is_over=True) == [0]
    tracker = Tracker()
    for frame in range(frames + 1):
        tracker(frame / 60, [person.seen(0, rng)])
    assert tracker.drop_brief(is_over=True) == []


def test_frames_further_apart_than_a_gap_still_belong_together():
    """As with --every 30: nobody was missing in between."""
    assert one_each(follow([Walker((100, 300), (20, 0)), Walker((500, 300), (20, 0), pose=1)], 1.0, 12.0)[0])


def test_memory_is_that_of_the_people_in_view():
    tracker, rng = Tracker(), np.random.default_rng(0)
    for visit in range(200):
        for frame in range(10):
            tracker(visit + frame / 25, [Walker((300, 300), (0, 0)).seen(0, rng)])
    assert len(tracker._tracks) == 1
    assert tracker.drop_brief() == []


def test_overlaps_are_those_of_counted_pixels():
    squares = np.array([[20, 20, 20], [30, 25, 20], [22, 18, 8], [60, 60, 10]], float)
    grid = np.stack(np.meshgrid(np.arange(80) + 0.5, np.arange(80) + 0.5), -1)
    masks = [(np.abs(grid - square[:2]) < square[2] / 2).all(-1) for square in squares]
    expected = [[(a & b).sum() / (a | b).sum() for b in masks] for a in masks]
    np.testing.assert_allclose(overlaps(squares, squares), expected, atol=1e-12)
