/* NCCL: no rank hears of another. What a rank would receive is made of its own values, so that they stay finite. */
#include "common.h"

typedef struct {
    int ranks, rank;
} Communicator;

/* NCCL passes it by value. */
typedef struct {
    char bytes[128];
} UniqueId;

static const struct {
    size_t bytes;
    const char *name;
} TYPES[] = {{1, "int8"},   {1, "uint8"},   {4, "int32"},   {4, "uint32"},  {8, "int64"},
             {8, "uint64"}, {2, "float16"}, {4, "float32"}, {8, "float64"}, {2, "bfloat16"}};

static size_t record(const char *function, size_t numbers, int type) {
    fake_gpu_event("collective\t%s\t%zu\t%s", function, numbers, TYPES[type].name);
    return numbers * TYPES[type].bytes;
}

EXPORT int ncclGetUniqueId(UniqueId *id) {
    CALLED();
    memset(id, 0, sizeof *id);
    id->bytes[0] = 1;
    return 0;
}

EXPORT int ncclCommInitRank(Communicator **communicator, int ranks, UniqueId id, int rank) {
    CALLED();
    *communicator = malloc(sizeof(Communicator));
    **communicator = (Communicator){.ranks = ranks, .rank = rank};
    return 0;
}

/* Not the sum over the ranks: this rank's own values. */
EXPORT int ncclAllReduce(const void *from, void *to, size_t numbers, int type, int reduction, Communicator *all,
                         void *stream) {
    memmove(to, from, record(__func__, numbers, type));
    return 0;
}

/* The root's values stay unknown: this rank keeps its own. */
EXPORT int ncclBroadcast(const void *from, void *to, size_t numbers, int type, int root, Communicator *all,
                         void *stream) {
    memmove(to, from, record(__func__, numbers, type));
    return 0;
}

/* Every rank's place in the result gets this rank's values. `numbers` counts those of one rank. */
EXPORT int ncclAllGather(const void *from, void *to, size_t numbers, int type, Communicator *all, void *stream) {
    size_t bytes = record(__func__, numbers, type);
    char *own_place = (char *)to + all->rank * bytes;
    memmove(own_place, from, bytes);
    for (int rank = 0; rank < all->ranks; rank++)
        if (rank != all->rank) memcpy((char *)to + rank * bytes, own_place, bytes);
    return 0;
}

/* This rank's part of its own values. `numbers` counts those of the part. */
EXPORT int ncclReduceScatter(const void *from, void *to, size_t numbers, int type, int reduction, Communicator *all,
                             void *stream) {
    size_t bytes = record(__func__, numbers, type);
    memmove(to, (const char *)from + all->rank * bytes, bytes);
    return 0;
}

EXPORT int ncclSend(const void *from, size_t numbers, int type, int peer, Communicator *all, void *stream) {
    record(__func__, numbers, type);
    return 0;
}

/* Nothing arrives: zeros. */
EXPORT int ncclRecv(void *to, size_t numbers, int type, int peer, Communicator *all, void *stream) {
    memset(to, 0, record(__func__, numbers, type));
    return 0;
}

static int release(Communicator *communicator) {
    free(communicator);
    return 0;
}

EXPORT int ncclCommDestroy(Communicator *communicator) {
    CALLED();
    return release(communicator);
}

EXPORT int ncclCommAbort(Communicator *communicator) {
    CALLED();
    return release(communicator);
}

EXPORT const char *ncclGetErrorString(int error) { return error ? "an error of the stand-in" : "no error"; }
EXPORT const char *ncclGetLastError(Communicator *communicator) {
    return "no error";
}
