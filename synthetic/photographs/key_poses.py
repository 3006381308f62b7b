"""The table of key poses and the joint limits, in degrees.

Angles are written for a person standing upright; `left` and `right` name the person's own sides.
    arm_out    angle between the arm and the body, sideways: 0 hangs, 90 is horizontal, 170 overhead
    arm_swing  the arm swung forwards about the shoulder axis, 90 points ahead
    arm_twist  the upper arm turned about itself: -90 makes the bent forearm of a raised arm point up
    leg_swing, leg_out, leg_turn  the thigh forwards, sideways, and turned outwards about itself
    knee, elbow  bend; ankle  toes down; wrist  palm towards the forearm
Limits are the everyday part of the human range of motion (American Academy of Orthopaedic Surgeons),
not its extremes.
"""

from dataclasses import dataclass, field

TRUNK = {
    "spine_bend": (-20, 60),
    "spine_side": (-28, 28),
    "spine_twist": (-35, 35),
    "head_nod": (-30, 35),
    "head_tilt": (-20, 20),
    "head_twist": (-55, 55),
}
ARM = {
    "arm_out": (-20, 168),
    "arm_swing": (-45, 165),
    "arm_twist": (-95, 80),
    "elbow": (0, 138),
    "forearm_turn": (-60, 60),
    "wrist": (-35, 45),
}
LEG = {
    "leg_swing": (-28, 112),
    "leg_out": (-8, 48),
    "leg_turn": (-15, 38),
    "knee": (0, 132),
    "ankle": (-22, 38),
}


@dataclass(frozen=True)
class KeyPose:
    """A named pose: angles that differ from standing at ease, its family (only relatives are mixed), its share."""

    name: str
    family: str
    left: dict = field(default_factory=dict)
    right: dict = field(default_factory=dict)
    trunk: dict = field(default_factory=dict)
    weight: float = 1.0
    seated: bool = False


def _arm(out=12, swing=0, twist=0, elbow=12, **more) -> dict:
    return {"arm_out": out, "arm_swing": swing, "arm_twist": twist, "elbow": elbow, **more}


def _leg(swing=0, out=3, turn=6, knee=2, ankle=0) -> dict:
    return {"leg_swing": swing, "leg_out": out, "leg_turn": turn, "knee": knee, "ankle": ankle}


def _both(name, family, limbs, weight=1.0, seated=False, **trunk) -> KeyPose:
    return KeyPose(name, family, limbs, limbs, trunk, weight, seated)


_SEAT = _leg(swing=86, out=10, turn=4, knee=84, ankle=0)

KEY_POSES = (
    # standing
    _both("at ease", "stand", _arm()),
    _both("soldier", "stand", {**_arm(out=8, elbow=5), **_leg(out=1, turn=4)}, 0.5),
    _both("legs apart", "stand", {**_arm(out=18, elbow=18), **_leg(out=13, turn=10)}),
    KeyPose(
        "weight on one leg",
        "stand",
        {**_arm(14), **_leg(out=-3)},
        {**_arm(20), **_leg(12, 12, 14, 22, 6)},
        {"spine_side": 6, "head_tilt": -4},
    ),
    _both("hands on hips", "hips", {**_arm(44, -24, 62, 94, wrist=-10), **_leg(out=6, turn=8)}, 1.2),
    KeyPose(
        "one hand on hip",
        "hips",
        {**_arm(44, -24, 62, 94, wrist=-10), **_leg(out=4)},
        {**_arm(14), **_leg(8, 10, 12, 16)},
        {"spine_side": -5},
    ),
    # arms
    _both("letter T", "arms", _arm(90, elbow=4), 0.7),
    _both("letter A", "arms", {**_arm(48, elbow=6), **_leg(out=8)}, 0.7),
    _both("letter Y", "arms", {**_arm(138, elbow=8), **_leg(out=8)}),
    _both("arms up", "arms", _arm(162, 0, 0, 12), 1.0, head_nod=-10),
    _both("hands up", "arms", _arm(88, 8, -82, 88)),
    _both("strong", "arms", _arm(92, 0, -75, 112)),
    _both("arms ahead", "arms", _arm(6, 86, 0, 8), 0.8),
    _both("carrying", "arms", _arm(10, 22, -10, 82)),
    _both("shrug", "arms", _arm(28, 10, -30, 88)),
    KeyPose("waving", "arms", _arm(96, 5, -84, 78), _arm(14), {"head_tilt": 4}, 1.6),
    KeyPose("waving high", "arms", _arm(142, 5, -40, 35), _arm(16), {"spine_side": -4}),
    KeyPose("pointing", "arms", _arm(88, 30, 0, 4), _arm(14), {"head_twist": 25}),
    KeyPose("pointing ahead", "arms", _arm(14, 84, 0, 6), _arm(12), {}),
    KeyPose("looking out", "arms", _arm(82, 38, -62, 122), _arm(14), {"head_twist": 10}, 0.6),
    KeyPose("at the telephone", "arms", _arm(26, 42, -16, 134), _arm(16), {"head_tilt": 5}),
    KeyPose("one up, one out", "arms", _arm(158, 0, 0, 8), _arm(88, 0, 0, 8), {}),
    KeyPose("reaching up", "arms", _arm(20, 150, 0, 10), {**_arm(18), **_leg(ankle=4)}, {"head_nod": -18}),
    # bending and stretching
    KeyPose(
        "side stretch",
        "bend",
        {**_arm(155, 0, -10, 25), **_leg(out=10)},
        {**_arm(20, 0, 30, 30), **_leg(out=10)},
        {"spine_side": -24, "head_tilt": -6},
    ),
    _both("bow", "bend", {**_arm(14, 20, elbow=14), **_leg(swing=24, knee=6)}, 0.8, spine_bend=40, head_nod=8),
    KeyPose(
        "picking up",
        "bend",
        {**_arm(10, 62, elbow=10), **_leg(52, 6, 8, 58, -12)},
        {**_arm(22, 30, elbow=20), **_leg(46, 10, 8, 48, -10)},
        {"spine_bend": 36},
    ),
    KeyPose("turned round", "bend", _arm(42, 26, 0, 30), _arm(36, -26, 0, 30), {"spine_twist": 30, "head_twist": 30}),
    # walking
    KeyPose(
        "stride",
        "walk",
        {**_arm(12, -26, elbow=16), **_leg(26, 2, 4, 6, -6)},
        {**_arm(12, 28, elbow=26), **_leg(-18, 2, 6, 14, 12)},
        {"spine_twist": -6},
        2.0,
    ),
    KeyPose(
        "mid step",
        "walk",
        {**_arm(12, -8, elbow=14), **_leg(22, 2, 4, 48, 4)},
        {**_arm(12, 12, elbow=20), **_leg(-2, 1, 4, 4, 0)},
        {},
        1.5,
    ),
    KeyPose(
        "long stride",
        "walk",
        {**_arm(16, -36, elbow=26), **_leg(36, 3, 4, 16, -8)},
        {**_arm(14, 40, elbow=46), **_leg(-24, 3, 6, 20, 18)},
        {"spine_bend": 6, "spine_twist": -8},
    ),
    KeyPose(
        "upstairs",
        "walk",
        {**_arm(14, -14, elbow=30), **_leg(62, 5, 4, 72, 0)},
        {**_arm(14, 28, elbow=48), **_leg(-6, 2, 4, 8, 6)},
        {"spine_bend": 10},
    ),
    # running and jumping
    KeyPose(
        "sprint",
        "run",
        {**_arm(18, -40, elbow=88), **_leg(72, 4, 2, 88, 4)},
        {**_arm(18, 46, elbow=92), **_leg(-22, 3, 4, 32, 28)},
        {"spine_bend": 12, "spine_twist": -10},
        1.6,
    ),
    KeyPose(
        "run, landing",
        "run",
        {**_arm(20, 24, elbow=84), **_leg(24, 2, 2, 24, -4)},
        {**_arm(20, -22, elbow=84), **_leg(-10, 3, 4, 88, 28)},
        {"spine_bend": 10},
        1.2,
    ),
    _both("star jump", "jump", {**_arm(128, elbow=10), **_leg(out=30, turn=14, knee=6, ankle=20)}),
    _both("jumping jack", "jump", {**_arm(96, elbow=10), **_leg(out=22, turn=12, knee=4, ankle=8)}),
    _both("landing", "jump", {**_arm(58, 30, elbow=34), **_leg(44, 12, 10, 62, -8)}, 0.7, spine_bend=18),
    # sport
    KeyPose(
        "kick",
        "sport",
        {**_arm(52, -18, elbow=24), **_leg(76, 4, 2, 14, 20)},
        {**_arm(58, 20, elbow=30), **_leg(-4, 3, 8, 10, 0)},
        {"spine_bend": -6},
        1.4,
    ),
    KeyPose(
        "low kick",
        "sport",
        {**_arm(38, -20, elbow=22), **_leg(42, 5, 4, 12, 22)},
        {**_arm(44, 26, elbow=30), **_leg(-6, 3, 8, 14, 0)},
        {},
    ),
    KeyPose(
        "lunge",
        "sport",
        {**_arm(34, 8, 30, 40), **_leg(74, 6, 2, 80, -4)},
        {**_arm(34, 4, 30, 40), **_leg(-22, 4, 4, 28, 26)},
        {"spine_bend": 6},
    ),
    KeyPose(
        "side lunge",
        "sport",
        {**_arm(74, 20, elbow=20), **_leg(52, 34, 22, 74, -10)},
        {**_arm(80, 10, elbow=10), **_leg(4, 34, 10, 3, 0)},
        {"spine_bend": 12},
    ),
    KeyPose(
        "throw",
        "sport",
        {**_arm(98, -12, -62, 86), **_leg(-12, 6, 12, 12, 8)},
        {**_arm(72, 48, 0, 18), **_leg(30, 4, 6, 14, -6)},
        {"spine_twist": 16, "spine_bend": -6},
        1.2,
    ),
    KeyPose(
        "forehand",
        "sport",
        {**_arm(62, 42, -10, 36), **_leg(24, 12, 10, 38, -8)},
        {**_arm(54, 34, 0, 62), **_leg(18, 16, 12, 34, -8)},
        {"spine_twist": -24, "spine_bend": 10},
    ),
    KeyPose(
        "boxing",
        "sport",
        {**_arm(22, 52, -30, 108), **_leg(20, 5, 8, 26, -6)},
        {**_arm(28, 38, -30, 120), **_leg(-8, 10, 20, 26, 8)},
        {"spine_bend": 8},
    ),
    KeyPose("tree", "sport", {**_arm(146, elbow=24), **_leg(52, 42, 34, 100, 20)}, {**_arm(146, elbow=24)}, {}, 0.7),
    KeyPose(
        "dancing",
        "sport",
        {**_arm(120, 10, -40, 40), **_leg(30, 14, 24, 50, 24)},
        {**_arm(64, -10, 10, 40), **_leg(-2, 2, 12, 6, 0)},
        {"spine_side": -10, "spine_twist": 12},
        1.2,
    ),
    # low
    _both("squat", "low", {**_arm(12, 80, elbow=12), **_leg(94, 20, 18, 104, -18)}, spine_bend=24),
    _both("half squat", "low", {**_arm(16, 62, elbow=20), **_leg(58, 14, 12, 70, -12)}, spine_bend=16),
    KeyPose(
        "kneeling",
        "low",
        {**_arm(20, 30, 0, 40), **_leg(88, 8, 4, 88, 0)},
        {**_arm(18), **_leg(2, 4, 4, 86, 34)},
        {"spine_bend": 4},
    ),
    # sitting: the lap is kept free for the hands, thighs carry them at most
    _both("seated, hands on knees", "sit", {**_arm(14, 34, -12, 36), **_SEAT}, 1.4, True, spine_bend=4),
    _both("seated, arms beside", "sit", {**_arm(26, -8, 0, 16), **_SEAT}, 1.0, True, spine_bend=-2),
    KeyPose(
        "seated, greeting",
        "sit",
        {**_arm(92, 8, -84, 84), **_SEAT},
        {**_arm(14, 34, -12, 36), **_SEAT},
        {"spine_bend": 2},
        1.0,
        True,
    ),
    KeyPose(
        "seated, one leg out",
        "sit",
        {**_arm(16, 30, -12, 40), **_SEAT},
        {**_arm(24, 0, 0, 30), **_leg(80, 8, 6, 40, 8)},
        {"spine_bend": -4},
        1.0,
        True,
    ),
    _both("seated, leaning on", "sit", {**_arm(20, 58, -10, 44), **_SEAT}, 0.8, True, spine_bend=34, head_nod=-14),
)
