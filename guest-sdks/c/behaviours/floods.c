/* Too much of everything that the host bounds. */
#include "behaviours.h"

static gh_reply big_reply(gh_call call) {
    size_t size = (size_t)gh_int(setting(call, "bytes"), 2 << 20);
    char *text = gh_alloc(size);
    memset(text, 'x', size);
    gh_reply reply = gh_done();
    reply.message = (gh_string){text, size};
    return reply;
}

static gh_reply log_flood(gh_call call) {
    int64_t lines = gh_int(setting(call, "lines"), 10000);
    for (int64_t line = 0; line < lines; line++) gh_log(GH_INFO, "line %lld", (long long)line);
    return gh_done();
}

static gh_reply answer_counts(int64_t started, int64_t refused) {
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "started"), gh_put_int(&out, started);
    gh_key(&out, "refused"), gh_put_int(&out, refused);
    return answer(&out);
}

static gh_reply handle_flood(gh_call call) {
    int64_t attempts = gh_int(setting(call, "attempts"), 200), started = 0;
    for (int64_t attempt = 0; attempt < attempts; attempt++) started += gh_sleep_start(3600 * 1000) > 0;
    return answer_counts(started, attempts - started);
}

static gh_reply http_flood(gh_call call) {
    int64_t attempts = gh_int(setting(call, "attempts"), 30), answered = 0;
    for (int64_t attempt = 0; attempt < attempts; attempt++) {
        answered += gh_http((gh_request){.url = gh_str(setting(call, "url"))}).status > 0;
    }
    return answer_counts(answered, attempts - answered);
}

const behaviour flood_behaviours[] = {
    {"big_reply", big_reply},
    {"log_flood", log_flood},
    {"handle_flood", handle_flood},
    {"http_flood", http_flood},
    {NULL, NULL},
};
