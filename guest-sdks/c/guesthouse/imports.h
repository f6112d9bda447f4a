/* The host's side of contract v1, import by import, as the host declares them. Authors rarely need these: host.h,
 * http.h, secrets.h and cache.h wrap them all.
 *
 * In a WebAssembly build each function is an import of the module "guesthouse_v1". In a native build (unit tests of a
 * guest's own logic) they are plain functions that the test defines.
 */
#ifndef GUESTHOUSE_IMPORTS_H
#define GUESTHOUSE_IMPORTS_H

#include <stdint.h>

/* A function that callers share rather than copy: it keeps guests small. */
#define GH__SHARED __attribute__((noinline, unused)) static

#ifdef __wasm__
#define GH_IMPORT(name) __attribute__((import_module("guesthouse_v1"), import_name(#name))) extern
#define GH_EXPORT(name) __attribute__((export_name(#name)))
#else
#define GH_IMPORT(name) extern
#define GH_EXPORT(name)
#endif

/* One line of UTF-8; level is 0 debug, 1 info, 2 warn, 3 error. */
GH_IMPORT(log) void gh_import_log(int32_t level, const void *text, uint32_t size);

/* These answer a handle (> 0), or -1 when too many are open. */
GH_IMPORT(http_send) int32_t gh_import_http_send(const void *request, uint32_t size);
GH_IMPORT(sleep) int32_t gh_import_sleep(int32_t milliseconds);
GH_IMPORT(hmac_sign) int32_t gh_import_hmac_sign(const void *request, uint32_t size);
GH_IMPORT(hmac_verify) int32_t gh_import_hmac_verify(const void *request, uint32_t size);
GH_IMPORT(cache_get) int32_t gh_import_cache_get(const void *request, uint32_t size);
GH_IMPORT(cache_set) int32_t gh_import_cache_set(const void *request, uint32_t size);
GH_IMPORT(cache_delete) int32_t gh_import_cache_delete(const void *request, uint32_t size);

/* Suspends the guest until one of the handles is ready, and answers its index. */
GH_IMPORT(wait) int32_t gh_import_wait(const int32_t *handles, uint32_t count);

/* The size of a handle's result, -1 while it isn't ready; reading copies that many bytes and closes the handle. */
GH_IMPORT(result_size) int32_t gh_import_result_size(int32_t handle);
GH_IMPORT(result_read) int32_t gh_import_result_read(int32_t handle, void *out);

/* Milliseconds since 1970, UTC. */
GH_IMPORT(now) int64_t gh_import_now(void);
GH_IMPORT(random) void gh_import_random(void *out, uint32_t size);

/* Writes the digest to out and answers its size; algorithm is a gh_algorithm. */
GH_IMPORT(digest) int32_t gh_import_digest(int32_t algorithm, const void *data, uint32_t size, void *out);

#endif
