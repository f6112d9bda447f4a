/* HMAC under a secret that the guest names but never sees. Algorithms by name: "sha256", "sha1", "sha512" ... */
#ifndef GUESTHOUSE_SECRETS_H
#define GUESTHOUSE_SECRETS_H

#include "host.h"

static inline gh_writer gh__hmac_request(const char *secret, const char *algorithm, gh_string data) {
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "secret"), gh_put_text(&out, secret);
    gh_key(&out, "algorithm"), gh_put_text(&out, algorithm);
    gh_key(&out, "data"), gh_put_bin(&out, data);
    return out;
}

/* The raw signature of data; empty where the host refuses, with the reason in *error unless that is NULL. */
static inline gh_string gh_hmac_sign(const char *secret, const char *algorithm, gh_string data, gh_error *error) {
    gh_writer out = gh__hmac_request(secret, algorithm, data);
    gh_end(&out);
    gh_value result = gh__ask(gh_import_hmac_sign, &out);
    if (error) *error = gh__error_in(result);
    return gh_str(gh_get(result, "signature"));
}

/* Whether the raw signature is right, compared in constant time; false where the host refuses. */
static inline bool gh_hmac_verify(const char *secret, const char *algorithm, gh_string data, gh_string signature) {
    gh_writer out = gh__hmac_request(secret, algorithm, data);
    gh_key(&out, "signature"), gh_put_bin(&out, signature);
    gh_end(&out);
    return gh_bool(gh_get(gh__ask(gh_import_hmac_verify, &out), "valid"), false);
}

#endif
