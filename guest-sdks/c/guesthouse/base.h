/* Strings, memory, formatted text and panics: what every other part stands on.
 *
 * A guest lives for one event and its memory dies with it, so nothing here is ever freed.
 */
#ifndef GUESTHOUSE_BASE_H
#define GUESTHOUSE_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "imports.h"

#if __STDC_HOSTED__
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#else
#include "freestanding.h"
#endif

/* Bytes with a length: text as UTF-8, or anything else. Not always followed by a zero byte. */
typedef struct gh_string {
    const char *data;
    size_t size;
} gh_string;

/* A literal as a gh_string: GH_S("hello"). */
#define GH_S(literal) ((gh_string){"" literal, sizeof(literal) - 1})

/* Prints a gh_string: gh_log(GH_INFO, "user " GH_FMT, GH_ARG(user)). */
#define GH_FMT "%.*s"
#define GH_ARG(string) (int)(string).size, (string).data

typedef enum gh_level { GH_DEBUG, GH_INFO, GH_WARN, GH_ERROR } gh_level;

static inline gh_string gh_text(const char *text) {
    return (gh_string){text, text ? strlen(text) : 0};
}

static inline bool gh_equal(gh_string one, gh_string other) {
    return one.size == other.size && (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

/* Whether string is the zero-terminated text: gh_is(type, "track"). */
static inline bool gh_is(gh_string string, const char *text) {
    return gh_equal(string, gh_text(text));
}

/* Logs why and traps: the attempt ends as dead. For what must never happen; failures are verdicts (reply.h). */
_Noreturn static inline void gh_panic(const char *why) {
    gh_import_log(GH_ERROR, why, (uint32_t)strlen(why));
    __builtin_trap();
}

/* size bytes, never NULL: a guest that is out of memory panics, and the host says so. */
static inline void *gh_alloc(size_t size) {
    void *memory = size <= INT32_MAX ? malloc(size ? size : 1) : NULL;
    if (!memory) gh_panic("guesthouse: out of memory");
    return memory;
}

static inline void *gh_realloc(void *old, size_t size) {
    void *memory = size <= INT32_MAX ? realloc(old, size ? size : 1) : NULL;
    if (!memory) gh_panic("guesthouse: out of memory");
    return memory;
}

static inline gh_string gh_vprintf(const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    if (size < 0) gh_panic("guesthouse: bad format string");
    char *text = gh_alloc((size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, again);
    va_end(again);
    return (gh_string){text, (size_t)size};
}

/* New text, as printf would print it; a zero byte follows it. */
__attribute__((format(printf, 1, 2))) static inline gh_string gh_printf(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    gh_string text = gh_vprintf(format, arguments);
    va_end(arguments);
    return text;
}

#endif
