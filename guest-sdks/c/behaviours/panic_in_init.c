/* Panics in _initialize: refused at upload. */
#include "guesthouse.h"

__attribute__((constructor)) static void initialise(void) {
    gh_panic("panicked in _initialize, as asked");
}

static gh_reply on_track(gh_call call) {
    (void)call;
    return gh_done();
}

GH_DESTINATION(.on_track = on_track);
