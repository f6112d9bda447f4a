/* Outgoing requests: one, many at once, the first of many, and whatever a test wants sent. */
#include "behaviours.h"

static gh_reply refused(gh_error error) {
    return (gh_reply){.verdict = "fail", .code = error.code, .message = error.message};
}

#define MAX_BODY 8192 /* an event, which the answer is, must stay below 32 KiB */

static gh_reply answer_response(gh_response response) {
    if (response.error.code.size) return refused(response.error);
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "status"), gh_put_int(&out, response.status);
    gh_key(&out, "url"), gh_put_str(&out, response.url);
    gh_key(&out, "headers"), gh_put_value(&out, response.headers);
    gh_key(&out, "size"), gh_put_uint(&out, response.body.size);
    if (response.body.size > MAX_BODY) response.body.size = MAX_BODY;
    gh_key(&out, "body"), gh_put_str(&out, response.body);
    return answer(&out);
}

static gh_reply http_get(gh_call call) {
    return answer_response(gh_http((gh_request){.url = gh_str(setting(call, "url"))}));
}

static gh_reply http_post(gh_call call) {
    return answer_response(gh_http((gh_request){
        .method = "POST",
        .url = gh_str(setting(call, "url")),
        .headers = GH_HEADERS({"content-type", GH_S("application/json")}, {"x-behaviour", GH_S("http_post")}),
        .body = gh_to_json(call.payload),
    }));
}

static gh_reply http_raw(gh_call call) {
    gh_value request = setting(call, "request");
    return answer_response(gh_http_finish(gh_import_http_send(request.data, (uint32_t)request.size)));
}

#define MAX_REQUESTS 256

/* Starts a request for each URL; answers how many. */
static size_t start_all(gh_value urls, int32_t handles[MAX_REQUESTS]) {
    size_t count = 0;
    for (gh_walk walk = gh_each(urls); count < MAX_REQUESTS && gh_next(&walk);) {
        handles[count++] = gh_http_start((gh_request){.url = gh_str(walk.value)});
    }
    return count;
}

static gh_reply parallel_http(gh_call call) {
    int32_t handles[MAX_REQUESTS];
    size_t count = start_all(setting(call, "urls"), handles);
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "statuses"), gh_begin_array(&out);
    for (size_t at = 0; at < count; at++) gh_put_int(&out, gh_http_finish(handles[at]).status);
    gh_end(&out);
    return answer(&out);
}

static gh_reply race_http(gh_call call) {
    int32_t handles[MAX_REQUESTS];
    size_t count = start_all(setting(call, "urls"), handles);
    size_t winner = gh_wait_any(handles, count);
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "winner"), gh_put_uint(&out, winner);
    gh_key(&out, "status"), gh_put_int(&out, gh_http_finish(handles[winner]).status);
    return answer(&out);
}

const behaviour http_behaviours[] = {
    {"http_get", http_get},
    {"http_post", http_post},
    {"http_raw", http_raw},
    {"parallel_http", parallel_http},
    {"race_http", race_http},
    {NULL, NULL},
};
