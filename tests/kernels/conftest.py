"""The modes in which MindSpore calls an operator."""

import pytest


@pytest.fixture(params=["pynative", "graph"])
def mode(request):
    return request.param
