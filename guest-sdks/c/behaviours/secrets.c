/* Signatures under secrets that the guest never sees, and the function's cache. */
#include "behaviours.h"

static gh_reply hmac(gh_call call) {
    const char *secret = gh_printf(GH_FMT, GH_ARG(gh_str(setting(call, "secret")))).data;
    const char *algorithm = gh_printf(GH_FMT, GH_ARG(gh_str(setting(call, "algorithm")))).data;
    gh_string data = gh_str(setting(call, "data"));
    gh_error error = {0};
    gh_string signature = gh_hmac_sign(secret, algorithm, data, &error);
    if (error.code.size) return (gh_reply){.verdict = "fail", .code = error.code, .message = error.message};
    gh_string tampered = gh_printf(GH_FMT "!", GH_ARG(data));
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "signature"), gh_put_str(&out, gh_hex(signature));
    gh_key(&out, "valid"), gh_put_bool(&out, gh_hmac_verify(secret, algorithm, data, signature));
    gh_key(&out, "tampered"), gh_put_bool(&out, gh_hmac_verify(secret, algorithm, tampered, signature));
    return answer(&out);
}

static void put_cached(gh_writer *out, gh_string key) {
    gh_string value = GH_S("");
    gh_key(out, "found"), gh_put_bool(out, gh_cache_get(key, &value));
    gh_key(out, "value"), gh_put_str(out, value);
}

static gh_reply cache_get(gh_call call) {
    gh_writer out = {0};
    gh_begin_map(&out);
    put_cached(&out, gh_str(setting(call, "key")));
    return answer(&out);
}

static gh_reply cache_set(gh_call call) {
    gh_string key = gh_str(setting(call, "key"));
    gh_string value = gh_str(setting(call, "value"));
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "ok"), gh_put_bool(&out, gh_cache_set(key, value, gh_int(setting(call, "ttl_ms"), 60000)));
    return answer(&out);
}

static gh_reply cache_delete(gh_call call) {
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "ok"), gh_put_bool(&out, gh_cache_delete(gh_str(setting(call, "key"))));
    return answer(&out);
}

static gh_reply cache(gh_call call) {
    gh_string key = gh_str(setting(call, "key")), value = GH_S("");
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "before"), gh_put_bool(&out, gh_cache_get(key, &value));
    gh_key(&out, "set"), gh_put_bool(&out, gh_cache_set(key, GH_S("a value"), 60000));
    put_cached(&out, key);
    gh_key(&out, "deleted"), gh_put_bool(&out, gh_cache_delete(key));
    gh_key(&out, "after"), gh_put_bool(&out, gh_cache_get(key, &value));
    return answer(&out);
}

const behaviour secret_behaviours[] = {
    {"hmac", hmac},
    {"cache", cache},
    {"cache_get", cache_get},
    {"cache_set", cache_set},
    {"cache_delete", cache_delete},
    {NULL, NULL},
};
