/* Outgoing HTTP: gh_http sends and waits; gh_http_start and gh_http_finish have many requests under way at once.
 *
 *     gh_response answer = gh_http((gh_request){
 *         .method = "POST",
 *         .url = gh_str(gh_get(call.settings, "url")),
 *         .headers = GH_HEADERS({"content-type", GH_S("application/json")}),
 *         .body = gh_to_json(call.payload),
 *     });
 *     if (answer.status == 0) return gh_refused(answer.error);
 */
#ifndef GUESTHOUSE_HTTP_H
#define GUESTHOUSE_HTTP_H

#include "host.h"

typedef struct gh_header {
    const char *name;
    gh_string value;
} gh_header;

/* Headers for a request or a response: GH_HEADERS({"accept", GH_S("text/plain")}, {"x-user", user}). */
#define GH_HEADERS(...) ((const gh_header[]){__VA_ARGS__, {NULL, {NULL, 0}}})

typedef struct gh_request {
    const char *method;       /* GET where it is NULL */
    gh_string url;
    const gh_header *headers; /* GH_HEADERS(...) or NULL */
    gh_string body;
    int64_t timeout_ms;       /* 0 leaves it to the host's limits */
    bool keeps_redirects;     /* answer a redirect as it came, instead of following it */
} gh_request;

typedef struct gh_response {
    int64_t status; /* 0 where no response came: error says why */
    gh_string url;  /* the last one, after redirects */
    gh_value headers;
    gh_string body;
    gh_error error;
} gh_response;

static inline void gh_put_headers(gh_writer *out, const gh_header *headers) {
    gh_begin_array(out);
    for (; headers && headers->name; headers++) {
        gh_begin_array(out);
        gh_put_text(out, headers->name);
        gh_put_str(out, headers->value);
        gh_end(out);
    }
    gh_end(out);
}

/* Starts a request; a handle for gh_wait_any and gh_http_finish, or -1 when too many are open. */
static inline int32_t gh_http_start(gh_request request) {
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "method"), gh_put_text(&out, request.method ? request.method : "GET");
    gh_key(&out, "url"), gh_put_str(&out, request.url);
    gh_key(&out, "headers"), gh_put_headers(&out, request.headers);
    gh_key(&out, "body"), gh_put_bin(&out, request.body);
    if (request.timeout_ms) gh_key(&out, "timeout_ms"), gh_put_int(&out, request.timeout_ms);
    if (request.keeps_redirects) gh_key(&out, "redirect"), gh_put_bool(&out, false);
    gh_end(&out);
    gh_value message = gh_finish(&out);
    return gh_import_http_send(message.data, (uint32_t)message.size);
}

/* Waits for a request that was started; a negative handle gives an error response, as a refusal does. */
static inline gh_response gh_http_finish(int32_t handle) {
    gh_value result = gh_await(handle);
    gh_response response = {
        .status = gh_int(gh_get(result, "status"), 0),
        .url = gh_str(gh_get(result, "url")),
        .headers = gh_get(result, "headers"),
        .body = gh_str(gh_get(result, "body")),
        .error = gh__error_in(result),
    };
    if (handle < 0) response.error = gh__error(GH_S("too_many_handles"), GH_S("too many handles are open"));
    return response;
}

/* Sends a request and waits for its response. */
static inline gh_response gh_http(gh_request request) {
    return gh_http_finish(gh_http_start(request));
}

static inline char gh__lower(char letter) {
    return letter >= 'A' && letter <= 'Z' ? (char)(letter + 32) : letter;
}

static inline bool gh__same_name(gh_string one, gh_string other) {
    if (one.size != other.size) return false;
    for (size_t at = 0; at < one.size; at++) {
        if (gh__lower(one.data[at]) != gh__lower(other.data[at])) return false;
    }
    return true;
}

/* The first header of that name, in any case, from a response or a webhook's request; empty where there is none. */
static inline gh_string gh_header_of(gh_value headers, const char *name) {
    for (gh_walk walk = gh_each(headers); gh_next(&walk);) {
        if (gh__same_name(gh_str(gh_item(walk.value, 0)), gh_text(name))) return gh_str(gh_item(walk.value, 1));
    }
    return GH_S("");
}

#endif
