/* Counts in _initialize what each call then adds one to: a snapshot must keep the one and no call may see another's. */
#include "guesthouse.h"

static volatile int64_t initialised, called;
static char *volatile kept;

__attribute__((constructor)) static void initialise(void) {
    initialised = initialised + 1;
    kept = malloc(100 * 1000);
    memset(kept, 'k', 100 * 1000);
}

static gh_reply on_track(gh_call call) {
    (void)call;
    called = called + 1;
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "initialised"), gh_put_int(&out, initialised);
    gh_key(&out, "called"), gh_put_int(&out, called);
    gh_key(&out, "kept"), gh_put_bool(&out, kept[0] == 'k' && kept[100 * 1000 - 1] == 'k');
    gh_end(&out);
    gh_reply reply = gh_done();
    reply.event = gh_finish(&out);
    return reply;
}

GH_DESTINATION(.on_track = on_track);
