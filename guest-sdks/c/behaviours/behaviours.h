/* The behaviours of guest-sdks/behaviours.md in C, one file a theme; all.c chooses by settings.behaviour. */
#ifndef BEHAVIOURS_H
#define BEHAVIOURS_H

#include "guesthouse.h"

typedef struct behaviour {
    const char *name;
    gh_handler run;
} behaviour;

/* Each ends with a name that is NULL. */
extern const behaviour verdict_behaviours[], http_behaviours[], host_behaviours[], secret_behaviours[];
extern const behaviour fault_behaviours[], flood_behaviours[], wasi_behaviours[];

/* A setting of the behaviour. */
static inline gh_value setting(gh_call call, const char *name) {
    return gh_get(call.settings, name);
}

/* Done, with a map that the behaviour began and filled. */
static inline gh_reply answer(gh_writer *map) {
    gh_end(map);
    gh_reply reply = gh_done();
    reply.event = gh_finish(map);
    return reply;
}

#endif
