/* The few functions of the C library that this SDK needs, for builds without one (-target wasm32-freestanding): the
 * smallest guests. Formatted text knows %s %.*s %c %d %i %u %x with l, ll and z, and %%; nothing else, no widths.
 */
#ifndef GUESTHOUSE_FREESTANDING_H
#define GUESTHOUSE_FREESTANDING_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *one, const void *other, size_t size);
size_t strlen(const char *text);

extern unsigned char __heap_base; /* where the linker says that free memory begins */

/* The end of what was handed out; weak, so that every source file of a guest shares it. */
__attribute__((weak)) uintptr_t gh_heap_end;

static inline void *malloc(size_t size) {
    const uintptr_t page = 65536;
    uintptr_t start = gh_heap_end ? gh_heap_end : (uintptr_t)&__heap_base;
    start = (start + 15) & ~(uintptr_t)15;
    uintptr_t held = __builtin_wasm_memory_size(0) * page;
    if (size > UINTPTR_MAX - page - start) return NULL;
    uintptr_t end = start + size;
    if (end > held && __builtin_wasm_memory_grow(0, (end - held + page - 1) / page) == SIZE_MAX) return NULL;
    gh_heap_end = end;
    return (void *)start;
}

/* Copies up to size bytes: an old block's size isn't known, and the bytes after it are readable. */
static inline void *realloc(void *old, size_t size) {
    char *fresh = malloc(size);
    if (fresh && old) {
        size_t readable = (size_t)(fresh - (char *)old);
        memcpy(fresh, old, readable < size ? readable : size);
    }
    return fresh;
}

typedef struct gh__sink {
    char *out;
    size_t room, size;
} gh__sink;

static inline void gh__emit(gh__sink *sink, char letter) {
    if (sink->size + 1 < sink->room) sink->out[sink->size] = letter;
    sink->size++;
}

static inline void gh__emit_number(gh__sink *sink, uint64_t number, unsigned base) {
    char digits[20];
    int count = 0;
    do digits[count++] = "0123456789abcdef"[number % base];
    while (number /= base);
    while (count) gh__emit(sink, digits[--count]);
}

static inline void gh__emit_integer(gh__sink *sink, char letter, uint64_t number) {
    bool negative = (letter == 'd' || letter == 'i') && (int64_t)number < 0;
    if (negative) gh__emit(sink, '-');
    gh__emit_number(sink, negative ? 0 - number : number, letter == 'x' ? 16 : 10);
}

static inline void gh__emit_text(gh__sink *sink, const char *text, int limit) {
    for (int at = 0; (limit < 0 ? text[at] != 0 : at < limit); at++) gh__emit(sink, text[at]);
}

static inline int vsnprintf(char *out, size_t room, const char *format, va_list list) {
    gh__sink sink = {out, room, 0};
    for (; *format; format++) {
        if (*format != '%') {
            gh__emit(&sink, *format);
            continue;
        }
        int limit = -1, longs = 0;
        format++;
        if (format[0] == '.' && format[1] == '*') limit = va_arg(list, int), format += 2;
        while (*format == 'l' || *format == 'z') longs += *format++ == 'l';
        bool is_signed = *format == 'd' || *format == 'i';
        if (*format == '%') gh__emit(&sink, '%');
        else if (*format == 's') gh__emit_text(&sink, va_arg(list, const char *), limit);
        else if (*format == 'c') gh__emit(&sink, (char)va_arg(list, int));
        else if (!is_signed && *format != 'u' && *format != 'x') return -1;
        else if (longs > 1) gh__emit_integer(&sink, *format, va_arg(list, uint64_t));
        else if (is_signed) gh__emit_integer(&sink, *format, (uint64_t)(int64_t)va_arg(list, int));
        else gh__emit_integer(&sink, *format, va_arg(list, unsigned));
    }
    if (room) out[sink.size < room ? sink.size : room - 1] = 0;
    return (int)sink.size;
}

#endif
