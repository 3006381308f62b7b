"""The libraries of the stand-in, built before a test counts its seconds."""

import pytest

from tests.fake_npu import build


@pytest.fixture(scope="session", autouse=True)
def libraries():
    """Tests are skipped where the libraries cannot be made."""
    try:
        return build.built()
    except build.StandInUnavailable as reason:
        pytest.skip(f"no stand-in for NPUs: {reason}")
