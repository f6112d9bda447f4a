/* Guests that break, each in its own way, and two that look for traces of the call before. */
#include "behaviours.h"

static volatile int32_t zero;
static volatile uint32_t depth;
static void *volatile block; /* seen by nobody, but the compiler can't know: otherwise it leaves out the allocation */

static gh_reply panic(gh_call call) {
    (void)call;
    gh_panic("panicked, as asked");
}

static gh_reply abort_call(gh_call call) {
    (void)call;
    abort();
}

static gh_reply exit_call(gh_call call) {
    exit((int)gh_int(setting(call, "code"), 3));
}

static gh_reply spin(gh_call call) {
    (void)call;
    for (;;) depth = depth + 1;
}

static gh_reply hog(gh_call call) {
    (void)call;
    for (;;) block = memset(gh_alloc(1 << 20), 0xa5, 1 << 20);
}

/* No local of it lives in memory: what runs out is the engine's stack, not the guest's own. */
__attribute__((noinline)) static uint32_t recurse(uint32_t level) {
    if (zero) return level;
    uint32_t below = recurse(level + 1);
    depth = level;
    return below + level;
}

static gh_reply deep_recursion(gh_call call) {
    (void)call;
    depth = recurse(0);
    return gh_done();
}

static gh_reply divide_by_zero(gh_call call) {
    (void)call;
    zero = 1000 / zero;
    return gh_done();
}

static gh_reply bad_pointer(gh_call call) {
    (void)call;
    volatile char *beyond = (volatile char *)(uintptr_t)(0xfffffff0u + (uint32_t)zero);
    *beyond = 1;
    return gh_done();
}

static gh_reply state(gh_call call) {
    static volatile int64_t count;
    (void)call;
    count = count + 1;
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "count"), gh_put_int(&out, count);
    return answer(&out);
}

static gh_reply memory_state(gh_call call) {
    static volatile unsigned char buffer[256 * 1024];
    int64_t dirty = 0;
    (void)call;
    for (size_t at = 0; at < sizeof buffer; at++) {
        dirty += buffer[at] != 0;
        buffer[at] = 0xa5;
    }
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "dirty_bytes"), gh_put_int(&out, dirty);
    return answer(&out);
}

const behaviour fault_behaviours[] = {
    {"panic", panic},
    {"abort", abort_call},
    {"exit", exit_call},
    {"spin", spin},
    {"hog", hog},
    {"deep_recursion", deep_recursion},
    {"divide_by_zero", divide_by_zero},
    {"bad_pointer", bad_pointer},
    {"state", state},
    {"memory_state", memory_state},
    {NULL, NULL},
};
