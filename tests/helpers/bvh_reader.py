"""Read a .bvh of any joints and channel order, by its grammar, and pose its joints."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Joint:
    name: str
    parent: "Joint | None"
    offset: np.ndarray = field(default_factory=lambda: np.zeros(3))
    channels: list = field(default_factory=list)
    ends: list = field(default_factory=list)


def axis_turn(axis: str, degrees: float) -> np.ndarray:
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    first, second = {"X": (1, 2), "Y": (2, 0), "Z": (0, 1)}[axis]
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = cosine
    turn[first, second], turn[second, first] = -sine, sine
    return turn


def read_bvh(text: str) -> tuple[list[Joint], float, np.ndarray]:
    """Joints in the order of the file, seconds a frame, and the numbers of each frame [T, C]."""
    words = iter(text.split())
    joints: list[Joint] = []
    stack: list = []
    assert next(words) == "HIERARCHY"
    for word in words:
        if word in ("ROOT", "JOINT"):
            joint = Joint(next(words), stack[-1] if stack else None)
            joints.append(joint)
            assert next(words) == "{"
            stack.append(joint)
        elif word == "End":
            assert [next(words), next(words), next(words)] == ["Site", "{", "OFFSET"]
            stack[-1].ends.append([float(next(words)) for _ in range(3)])
            assert next(words) == "}"
        elif word == "OFFSET":
            stack[-1].offset = np.array([float(next(words)) for _ in range(3)])
        elif word == "CHANNELS":
            stack[-1].channels = [next(words) for _ in range(int(next(words)))]
        elif word == "}":
            stack.pop()
        else:
            assert word == "MOTION" and not stack
            break
    assert next(words) == "Frames:"
    count = int(next(words))
    assert [next(words), next(words)] == ["Frame", "Time:"]
    seconds = float(next(words))
    return joints, seconds, np.array([float(word) for word in words]).reshape(count, -1)


def place_joints(joints: list[Joint], row: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places [J, 3] and rotations in space [J, 3, 3] of the joints in a frame."""
    values = iter(row.tolist())
    places: dict = {}
    turns: dict = {}
    for joint in joints:
        local, turn = joint.offset.copy(), np.eye(3)
        for channel in joint.channels:
            if channel.endswith("position"):
                local["XYZ".index(channel[0])] += next(values)
            else:
                turn = turn @ axis_turn(channel[0], next(values))
        above, start = (turns[joint.parent.name], places[joint.parent.name]) if joint.parent else (np.eye(3), 0)
        places[joint.name], turns[joint.name] = start + above @ local, above @ turn
    assert not list(values)
    return np.stack(list(places.values())), np.stack(list(turns.values()))
