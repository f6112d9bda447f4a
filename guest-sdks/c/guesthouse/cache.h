/* The function's cache, shared by all its instances within a tenant: a hint that may vanish at any time. */
#ifndef GUESTHOUSE_CACHE_H
#define GUESTHOUSE_CACHE_H

#include "host.h"

static inline gh_writer gh__cache_request(gh_string key) {
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "key"), gh_put_str(&out, key);
    return out;
}

/* Whether the key is there; its value goes to *value. */
static inline bool gh_cache_get(gh_string key, gh_string *value) {
    gh_writer out = gh__cache_request(key);
    gh_end(&out);
    gh_value result = gh__ask(gh_import_cache_get, &out);
    *value = gh_str(gh_get(result, "value"));
    return gh_bool(gh_get(result, "found"), false);
}

/* Keeps a value for ttl_ms milliseconds; false where the host refuses, such as over the quota. */
static inline bool gh_cache_set(gh_string key, gh_string value, int64_t ttl_ms) {
    gh_writer out = gh__cache_request(key);
    gh_key(&out, "value"), gh_put_bin(&out, value);
    gh_key(&out, "ttl_ms"), gh_put_int(&out, ttl_ms);
    gh_end(&out);
    return gh_bool(gh_get(gh__ask(gh_import_cache_set, &out), "ok"), false);
}

/* Forgets a key; false where the host refuses. */
static inline bool gh_cache_delete(gh_string key) {
    gh_writer out = gh__cache_request(key);
    gh_end(&out);
    return gh_bool(gh_get(gh__ask(gh_import_cache_delete, &out), "ok"), false);
}

#endif
