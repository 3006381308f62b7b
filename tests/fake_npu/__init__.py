"""A stand-in for Huawei's NPUs (Ascend) and their software (CANN), on a Linux machine that has neither.

It makes a folder like that of CANN, with libraries of the same names, and runs a program with them. MindSpore's Ascend
part then works as on an NPU: it compiles graphs, selects an operator for every node, plans memory, copies and launches,
operator by operator (jit_level O0, the default). Every call is recorded with types and shapes (record.py).

    .venv/bin/python -m tests.fake_npu --log calls.txt .venv/bin/python train.py --device_target Ascend ...

What it shows: whether a program exists for the NPU at all (graphs compile, every operator has an implementation, types
fit together in MindSpore's eyes); which operators a step launches, and of which kind; how often and how much it copies;
where the host waits; which values the ranks exchange.

What it cannot show: numbers (kernels do nothing, results are whatever memory held; those of type bool are False but for
aclnnIsFinite, and sums and products of up to 16 numbers are 0); speed; how much memory fits; whether CANN knows an
operator or takes its types (every name is found); which of CANN's own operators of the older kind run on the NPU's slow
processor, the AICPU; arguments of aclnn functions that are floating-point numbers; a real exchange between ranks (each
takes its own values for those of the others); the graph engine (jit_level O2).

Files: build.py compiles, stand_in.py makes the environment, __main__.py is the command, record.py reads the record. In
C++: calls.cc has the functions that are found by name, objects.cc what they are given, old_operators.cc the older kind,
runtime.cc memory, streams and copies, hccl.cc the exchange between ranks, graph_engine.cc what MindSpore needs to load,
record.cc writes the record.
"""
