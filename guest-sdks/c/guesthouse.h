/* guesthouse.h: write Guesthouse functions in C.
 *
 * A function is a few handlers and one registration. This one is complete:
 *
 *     #include "guesthouse.h"
 *
 *     static gh_reply on_track(gh_call call) {
 *         gh_string event = gh_str(gh_get(call.payload, "event"));
 *         gh_log(GH_INFO, "saw " GH_FMT, GH_ARG(event));
 *         return gh_done();
 *     }
 *
 *     GH_DESTINATION(.on_track = on_track);
 *
 * Build it with any clang that has a WASI C library, such as PyPI's ziglang:
 *
 *     python -m ziglang cc -target wasm32-wasi -mexec-model=reactor -O2 -s -I guest-sdks/c -o hello.wasm hello.c
 *
 * Every call gets a fresh instance: globals begin anew for each event, and no memory needs to be freed.
 *
 *     base.h      gh_string, gh_printf, gh_panic, memory
 *     read.h      gh_value: reading MessagePack (events, settings, results)
 *     write.h     gh_writer: writing MessagePack
 *     json.h      gh_to_json
 *     host.h      gh_log, gh_sleep, gh_now, gh_random, gh_digest, gh_wait_any
 *     http.h      gh_http, and gh_http_start with gh_http_finish for many at once
 *     secrets.h   gh_hmac_sign, gh_hmac_verify
 *     cache.h     gh_cache_get, gh_cache_set, gh_cache_delete
 *     reply.h     gh_done, gh_retry, gh_fail, gh_drop, gh_unsupported, gh_refused, gh_respond
 *     function.h  GH_DESTINATION, GH_SOURCE, GH_INSERT
 *     imports.h   the host's functions themselves
 *
 * Names that begin with gh__ are the SDK's own. Natively (not for WebAssembly) everything compiles as well, against
 * imports that a test defines; it then calls gh_handle(&gh_registered, call, size).
 */
#ifndef GUESTHOUSE_H
#define GUESTHOUSE_H

#define GH_VERSION "0.1.0"

#include "guesthouse/cache.h"
#include "guesthouse/function.h"
#include "guesthouse/json.h"
#include "guesthouse/secrets.h"

#endif
