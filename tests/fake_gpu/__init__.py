"""A stand-in for NVIDIA GPUs: it shows on any Linux machine with gcc whether a MindSpore program exists for GPUs.

    python -m tests.fake_gpu [--devices N] [--finite yes|no] [--log FILE] COMMAND ...

It makes libraries with the names that MindSpore's GPU part is linked with (driver, CUDA runtime, cuBLAS, cuDNN, cuFFT,
cuRAND, cuSOLVER, cuSPARSE, NVRTC, NCCL, and MindSpore's own CUDA kernels) and runs a command with them preloaded.
MindSpore then really builds its graphs for GPU, selects kernels, plans memory, copies and launches.

It shows: whether every operator has a GPU kernel for its types; whether graphs compile, on several ranks too; sizes and
data types of cuDNN's convolutions, poolings and norms, which are refused if they do not fit together; and, in the
record, what is copied, waited for and launched in a step, in which order and precision, and what is exchanged between
ranks.

It cannot show: numbers (kernels compute nothing, so a result is whatever lay in the memory), speed, how much memory of
a card is needed, what else the real libraries refuse, and errors by a missing order between streams. Determined are
truth values only (comparisons, "is NaN" and "is infinite" give False, "is finite" gives what is asked for, and and, or,
not, all, any of these along neighbouring axes are computed), and elementwise results of up to 16 numbers, which are 0.
Ranks exchange nothing: each takes its own values for those of all.

build.py makes the libraries from the C files, stand_in.py gives the environment to run in, record.py reads the record.
"""
