/* Tells an HTTP API which user did what: one POST for each track event. */
#include "guesthouse.h"

static gh_value body_for(gh_value event) {
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "event"), gh_put_value(&out, gh_get(event, "event"));
    gh_key(&out, "user"), gh_put_value(&out, gh_get(event, "userId"));
    gh_end(&out);
    return gh_finish(&out);
}

/* What Retry-After wishes, in milliseconds; negative where it says nothing. */
static int64_t wished_delay(gh_response answer) {
    gh_string seconds = gh_header_of(answer.headers, "retry-after");
    return seconds.size ? 1000 * atoll(gh_printf(GH_FMT, GH_ARG(seconds)).data) : -1;
}

static gh_reply on_track(gh_call call) {
    gh_response answer = gh_http((gh_request){
        .method = "POST",
        .url = gh_str(gh_get(call.settings, "url")),
        .headers = GH_HEADERS({"content-type", GH_S("application/json")}),
        .body = gh_to_json(body_for(call.payload)),
    });
    int status = (int)answer.status;
    if (status == 0) return gh_refused(answer.error);
    gh_log(GH_INFO, "the API answered %d", status);
    if (status == 429 || status >= 500) return gh_retry(wished_delay(answer), "the API answered %d", status);
    if (status >= 300) return gh_fail("refused", "the API answered %d", status);
    return gh_done();
}

GH_DESTINATION(
    .on_track = on_track,
    .settings = GH_SETTINGS({"url", .label = "Where to send events", .required = true}));
