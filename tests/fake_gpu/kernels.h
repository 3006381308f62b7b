/* How the generated source of libcuda_ops defines kernels with a truth value as their result. */
#ifndef FAKE_GPU_KERNELS_H
#define FAKE_GPU_KERNELS_H

#include "common.h"

/* std::vector<long> and std::vector<unsigned long> as they lie in memory. */
typedef struct {
    const int64_t *first, *last, *end;
} Numbers;

/* An operand of an operator that broadcasts. */
typedef struct {
    const char *values;
    const Numbers *shape;
} Operand;

/* Defined in kernels.c; all give 0, CUDA's code for success. */
int fill_false(const Numbers *shape, char *out);
int zero_if_small(const Numbers *shape, char *out);
int fill_finite(size_t count, char *out);
int logical_and_or(int is_or, Operand a, Operand b, const Numbers *shape, char *out);
int logical_not(size_t count, const char *in, char *out);
int reduce_truth(const char *in, const Numbers *shape, int reduces_first, int type, char *out);

/* Define the function `name` with the arguments of a kind of kernel: it records its call and gives `result`. */
#define UNARY(name, result)                                                    \
    EXPORT int name(size_t count, const char *in, char *out, void *stream) {   \
        CALLED();                                                              \
        return result;                                                         \
    }
#define BINARY(name, result)                                                                            \
    EXPORT int name(int broadcasts, const Numbers *shape_a, const Numbers *shape_b, const Numbers *shape, \
                    const char *a, const char *b, char *out, size_t index, void *stream) {              \
        CALLED();                                                                                       \
        return result;                                                                                  \
    }
#define REDUCTION(name, result)                                                                      \
    EXPORT int name(const char *in, const Numbers *shape, int reduces_first, int type, char *workspace, \
                    char *out, void *stream) {                                                       \
        CALLED();                                                                                    \
        return result;                                                                               \
    }

#define COMPARISON(name) BINARY(name, fill_false(shape, out))
#define ARITHMETIC(name) BINARY(name, zero_if_small(shape, out))
#define AND(name) BINARY(name, logical_and_or(0, (Operand){a, shape_a}, (Operand){b, shape_b}, shape, out))
#define OR(name) BINARY(name, logical_and_or(1, (Operand){a, shape_a}, (Operand){b, shape_b}, shape, out))
#define NOT(name) UNARY(name, logical_not(count, in, out))
#define FINITE(name) UNARY(name, fill_finite(count, out))
#define NOT_A_NUMBER(name) UNARY(name, (memset(out, 0, count), 0))
#define TRUTH_REDUCTION(name) REDUCTION(name, reduce_truth(in, shape, reduces_first & 1, type, out))

#endif
