/* A guest whose initialisation is work: it fills a table of 1 MiB. With UNSNAPSHOTTED it also holds an instruction that
 * changes its table, which no snapshot keeps, and which is never reached. */
#include "guesthouse.h"

enum { ENTRIES = (1 << 20) / sizeof(uint32_t) };
static uint32_t table[ENTRIES];

__attribute__((constructor)) static void fill(void) {
    uint32_t value = 1;
    for (size_t index = 0; index < ENTRIES; index++) {
        value = value * 1664525u + 1013904223u;
        table[index] = value;
    }
}

#ifdef UNSNAPSHOTTED
__attribute__((used, export_name("change_table"))) void change_table(void);
void change_table(void) { __asm__ volatile("i32.const 0\n ref.null_func\n table.set __indirect_function_table\n"); }
#endif

static gh_reply on_track(gh_call call) {
    (void)call;
    gh_reply reply = gh_done();
    reply.message = gh_printf("%u", table[ENTRIES - 1]);
    return reply;
}

GH_DESTINATION(.on_track = on_track);
