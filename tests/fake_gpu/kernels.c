/* MindSpore's own CUDA kernels with truth values: they decide which branch of a program runs. */
#include "kernels.h"

enum { SMALL = 16 };  /* numbers */
enum { REDUCE_ANY = 5, REDUCE_ALL = 6 };  /* in MindSpore's enumeration of reductions */

static size_t product(const Numbers *sizes) {
    size_t all = 1;
    for (const int64_t *size = sizes->first; size != sizes->last; size++) all *= *size;
    return all;
}

/* Greater, equal and so on: False, whatever the values. */
int fill_false(const Numbers *shape, char *out) {
    memset(out, 0, product(shape));
    return 0;
}

/* Sums, products and so on of float32: 0 where they are few, since a program may act on what it reads back. */
int zero_if_small(const Numbers *shape, char *out) {
    size_t count = product(shape);
    if (count <= SMALL) memset(out, 0, count * sizeof(float));
    return 0;
}

/* "Is finite": what FAKE_GPU_FINITE says. */
int fill_finite(size_t count, char *out) {
    const char *answer = getenv("FAKE_GPU_FINITE");
    memset(out, !answer || strcmp(answer, "no") != 0, count);
    return 0;
}

/* The operand's value that takes part in element `index` of the result. */
static int truth_at(size_t index, Operand operand, const Numbers *result) {
    size_t offset = 0, step = 1;
    long axes = result->last - result->first;
    long missing = axes - (operand.shape->last - operand.shape->first);
    for (long axis = axes - 1; axis >= missing; axis--) {
        size_t size = operand.shape->first[axis - missing];
        if (size != 1) offset += index % result->first[axis] * step;
        index /= result->first[axis];
        step *= size;
    }
    return operand.values[offset] != 0;
}

int logical_and_or(int is_or, Operand a, Operand b, const Numbers *shape, char *out) {
    size_t count = product(shape);
    for (size_t i = 0; i < count; i++) {
        int left = truth_at(i, a, shape), right = truth_at(i, b, shape);
        out[i] = is_or ? left || right : left && right;
    }
    return 0;
}

int logical_not(size_t count, const char *in, char *out) {
    for (size_t i = 0; i < count; i++) out[i] = !in[i];
    return 0;
}

/* "All" and "any". MindSpore merges neighbouring axes, so that axes that are reduced and axes that stay alternate. */
int reduce_truth(const char *in, const Numbers *shape, int reduces_first, int type, char *out) {
    if (type != REDUCE_ALL && type != REDUCE_ANY) return 0;
    long axes = shape->last - shape->first;
    size_t count = product(shape), kept = 1;
    for (long axis = reduces_first; axis < axes; axis += 2) kept *= shape->first[axis];
    memset(out, type == REDUCE_ALL, kept);
    for (size_t i = 0; i < count; i++) {
        size_t rest = i, place = 0, step = 1;
        for (long axis = axes - 1; axis >= 0; axis--) {
            if (axis % 2 == reduces_first) {
                place += rest % shape->first[axis] * step;
                step *= shape->first[axis];
            }
            rest /= shape->first[axis];
        }
        out[place] = type == REDUCE_ALL ? out[place] && in[i] : out[place] || in[i];
    }
    return 0;
}
