/* What every guest may ask of its host: log lines, waiting, clocks, random bytes, digests. */
#ifndef GUESTHOUSE_HOST_H
#define GUESTHOUSE_HOST_H

#include "write.h"

/* One log line, printed as printf would. */
__attribute__((format(printf, 2, 3))) static inline void gh_log(gh_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    gh_string line = gh_vprintf(format, arguments);
    va_end(arguments);
    gh_import_log((int32_t)level, line.data, (uint32_t)line.size);
}

/* Suspends the guest until one of the handles is ready, and answers its index. */
static inline size_t gh_wait_any(const int32_t *handles, size_t count) {
    return (size_t)gh_import_wait(handles, (uint32_t)count);
}

/* Waits for one handle, reads its result and closes it. Missing where the handle is negative or its result is empty. */
static inline gh_value gh_await(int32_t handle) {
    if (handle < 0) return (gh_value){0};
    while (gh_import_result_size(handle) < 0) gh_wait_any(&handle, 1);
    int32_t size = gh_import_result_size(handle);
    void *result = gh_alloc((size_t)size);
    gh_import_result_read(handle, result);
    return gh_parse(result, (size_t)size);
}

/* Starts a timer; a handle, or -1 when too many are open. */
static inline int32_t gh_sleep_start(int32_t milliseconds) {
    return gh_import_sleep(milliseconds);
}

/* Suspends the guest, while the host serves others; false, at once, when too many handles are open. */
static inline bool gh_sleep(int32_t milliseconds) {
    int32_t handle = gh_sleep_start(milliseconds);
    gh_await(handle);
    return handle > 0;
}

/* Milliseconds since 1970, UTC. */
static inline int64_t gh_now(void) {
    return gh_import_now();
}

#define GH_RANDOM_AT_ONCE 65536

/* Fills out with random bytes that nobody can guess. */
static inline void gh_random(void *out, size_t size) {
    for (char *at = out; size > 0;) {
        size_t part = size < GH_RANDOM_AT_ONCE ? size : GH_RANDOM_AT_ONCE;
        gh_import_random(at, (uint32_t)part);
        at += part;
        size -= part;
    }
}

typedef enum gh_algorithm {
    GH_MD5 = 1,
    GH_SHA1,
    GH_SHA224,
    GH_SHA256,
    GH_SHA384,
    GH_SHA512,
} gh_algorithm;

/* The digest of data, at most 1 MiB of it: 16 to 64 bytes, computed by the host. */
static inline gh_string gh_digest(gh_algorithm algorithm, gh_string data) {
    char *out = gh_alloc(64);
    int32_t size = gh_import_digest((int32_t)algorithm, data.data, (uint32_t)data.size, out);
    return (gh_string){out, size > 0 ? (size_t)size : 0};
}

/* Bytes as lower-case hexadecimal digits. */
static inline gh_string gh_hex(gh_string bytes) {
    char *out = gh_alloc(2 * bytes.size);
    for (size_t at = 0; at < bytes.size; at++) {
        unsigned byte = (unsigned char)bytes.data[at];
        out[2 * at] = "0123456789abcdef"[byte >> 4];
        out[2 * at + 1] = "0123456789abcdef"[byte & 15];
    }
    return (gh_string){out, 2 * bytes.size};
}

/* An expected refusal or failure of a host operation; the code is empty where there is none. */
typedef struct gh_error {
    gh_string code, message;
} gh_error;

static inline gh_error gh__error(gh_string code, gh_string message) {
    return (gh_error){code, message};
}

/* Whether the same request may succeed in another attempt; a code that the SDK doesn't know is final. */
static inline bool gh_is_temporary(gh_error error) {
    static const char *const codes[] = {
        "too_many_calls", "timed_out",  "dns_failed",  "connect_failed",   "tls_failed",
        "protocol_error", "cache_full", "unavailable", "too_many_handles",
    };
    for (size_t at = 0; at < sizeof codes / sizeof *codes; at++) {
        if (gh_is(error.code, codes[at])) return true;
    }
    return false;
}

static inline gh_error gh__error_in(gh_value result) {
    gh_value error = gh_get(result, "error");
    if (!error.data) return (gh_error){0};
    return gh__error(gh_str(gh_get(error, "code")), gh_str(gh_get(error, "message")));
}

/* Sends a request to an import that answers a handle, and waits for the result. */
static inline gh_value gh__ask(int32_t (*import)(const void *, uint32_t), gh_writer *request) {
    gh_value message = gh_finish(request);
    return gh_await(import(message.data, (uint32_t)message.size));
}

#endif
