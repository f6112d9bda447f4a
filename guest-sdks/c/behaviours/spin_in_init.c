/* Never comes out of _initialize: refused at upload. */
#include "guesthouse.h"

__attribute__((constructor)) static void initialise(void) {
    for (volatile uint32_t turn = 0;; turn = turn + 1) continue;
}

static gh_reply on_track(gh_call call) {
    (void)call;
    return gh_done();
}

GH_DESTINATION(.on_track = on_track);
