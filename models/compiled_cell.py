"""The outermost cell of a graph."""

from mindspore import nn

from utils.memory import return_freed_memory


class CompiledCell(nn.Cell):
    """A cell that gives the memory that compiling it has freed back to the system."""

    def compile(self, *args, **kwargs):
        """As nn.Cell.compile, which a call does in GRAPH mode."""
        known = len(self.compile_cache)
        super().compile(*args, **kwargs)
        if len(self.compile_cache) > known:
            return_freed_memory()
