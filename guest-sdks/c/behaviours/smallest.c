/* The smallest guest worth measuring: it reads its event, waits once and says so. Builds without a C library. */
#include "guesthouse.h"

static gh_reply on_track(gh_call call) {
    gh_string event = gh_str(gh_get(call.payload, "event"));
    gh_sleep((int32_t)gh_int(gh_get(call.settings, "milliseconds"), 0));
    gh_reply reply = gh_done();
    reply.message = event;
    return reply;
}

GH_DESTINATION(.on_track = on_track);
