/* What the host lends: log lines, timers, clocks, random bytes, digests. */
#include "behaviours.h"

static gh_reply log_lines(gh_call call) {
    (void)call;
    char longest[5000];
    memset(longest, 'x', sizeof longest);
    gh_log(GH_DEBUG, "a debug line");
    gh_log(GH_INFO, "an info line");
    gh_log(GH_WARN, "a warn line");
    gh_log(GH_ERROR, "an error line");
    gh_log(GH_INFO, "gr\u00fc\u00df dich \U0001F30D");
    gh_log(GH_INFO, "two\nlines");
    gh_log(GH_INFO, "%.*s", (int)sizeof longest, longest);
    return gh_done();
}

static gh_reply sleep_for(gh_call call) {
    gh_sleep((int32_t)gh_int(setting(call, "milliseconds"), 0));
    return gh_done();
}

static gh_reply sleep_long(gh_call call) {
    (void)call;
    gh_sleep(3600 * 1000);
    return gh_done();
}

#define MAX_TIMERS 16

static gh_reply parallel_sleep(gh_call call) {
    int32_t handles[MAX_TIMERS];
    uint64_t positions[MAX_TIMERS];
    size_t open = 0;
    for (gh_walk walk = gh_each(setting(call, "milliseconds")); open < MAX_TIMERS && gh_next(&walk); open++) {
        handles[open] = gh_sleep_start((int32_t)gh_int(walk.value, 0));
        positions[open] = open;
    }
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "order"), gh_begin_array(&out);
    for (; open > 0; open--) {
        size_t first = gh_wait_any(handles, open);
        gh_await(handles[first]);
        gh_put_uint(&out, positions[first]);
        handles[first] = handles[open - 1];
        positions[first] = positions[open - 1];
    }
    gh_end(&out);
    return answer(&out);
}

static gh_reply clock_now(gh_call call) {
    (void)call;
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "now_ms"), gh_put_int(&out, gh_now());
    return answer(&out);
}

static gh_string draw(void) {
    char *bytes = gh_alloc(16);
    gh_random(bytes, 16);
    return gh_hex((gh_string){bytes, 16});
}

static gh_reply random_draws(gh_call call) {
    (void)call;
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "first"), gh_put_str(&out, draw());
    gh_key(&out, "second"), gh_put_str(&out, draw());
    return answer(&out);
}

static gh_reply digests(gh_call call) {
    static const char *const names[] = {"md5", "sha1", "sha224", "sha256", "sha384", "sha512"};
    gh_string data = gh_str(setting(call, "data"));
    gh_writer out = {0};
    gh_begin_map(&out);
    for (int algorithm = GH_MD5; algorithm <= GH_SHA512; algorithm++) {
        gh_key(&out, names[algorithm - 1]);
        gh_put_str(&out, gh_hex(gh_digest((gh_algorithm)algorithm, data)));
    }
    return answer(&out);
}

const behaviour host_behaviours[] = {
    {"log", log_lines},
    {"sleep", sleep_for},
    {"sleep_long", sleep_long},
    {"parallel_sleep", parallel_sleep},
    {"clock", clock_now},
    {"random", random_draws},
    {"digest", digests},
    {NULL, NULL},
};
