/* Posts each event; asks for a retry when the API is busy, and leaves it to the host when. */
#include "guesthouse.h"

static gh_reply on_track(gh_call call) {
    gh_response answer = gh_http((gh_request){
        .method = "POST",
        .url = gh_str(gh_get(call.settings, "url")),
        .headers = GH_HEADERS({"content-type", GH_S("application/json")}),
        .body = gh_to_json(call.payload),
    });
    if (answer.status == 200) return gh_done();
    return gh_retry(-1, "the API answered %d", (int)answer.status);
}

GH_DESTINATION(.on_track = on_track, .settings = GH_SETTINGS({"url", .required = true}, {"behaviour", .required = false}));
