/* The part of WASI preview 1 that the host answers, reached through the C library as ordinary programs do. */
#define _GNU_SOURCE 1 /* clocks and getentropy, under -std=c11 */

#include "behaviours.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

static gh_reply standard_output(gh_call call) {
    (void)call;
    printf("first line\nsecond line\n");
    fprintf(stderr, "an error line\n");
    printf("no newline at the end");
    return gh_done();
}

static int64_t milliseconds_of(struct timespec moment) {
    return (int64_t)moment.tv_sec * 1000 + moment.tv_nsec / 1000000;
}

static gh_reply wasi_clock(gh_call call) {
    (void)call;
    struct timespec real, before, after;
    clock_gettime(CLOCK_REALTIME, &real);
    clock_gettime(CLOCK_MONOTONIC, &before);
    nanosleep(&(struct timespec){.tv_nsec = 5 * 1000000}, NULL);
    clock_gettime(CLOCK_MONOTONIC, &after);
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "now_ms"), gh_put_int(&out, milliseconds_of(real));
    gh_key(&out, "slept_ms"), gh_put_int(&out, milliseconds_of(after) - milliseconds_of(before));
    return answer(&out);
}

static gh_string draw(void) {
    char *bytes = gh_alloc(16);
    if (getentropy(bytes, 16) != 0) gh_panic("getentropy failed");
    return gh_hex((gh_string){bytes, 16});
}

static gh_reply wasi_random(gh_call call) {
    (void)call;
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "first"), gh_put_str(&out, draw());
    gh_key(&out, "second"), gh_put_str(&out, draw());
    return answer(&out);
}

static gh_reply wasi_file(gh_call call) {
    (void)call;
    FILE *file = fopen("/etc/passwd", "r");
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "opened"), gh_put_bool(&out, file != NULL);
    gh_key(&out, "has_home"), gh_put_bool(&out, getenv("HOME") != NULL);
    return answer(&out);
}

const behaviour wasi_behaviours[] = {
    {"stdout", standard_output},
    {"wasi_clock", wasi_clock},
    {"wasi_random", wasi_random},
    {"wasi_file", wasi_file},
    {NULL, NULL},
};
