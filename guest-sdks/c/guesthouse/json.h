/* MessagePack to JSON text, for request bodies. Needs a C library (for floats). */
#ifndef GUESTHOUSE_JSON_H
#define GUESTHOUSE_JSON_H

#if __STDC_HOSTED__

#include "write.h"

static inline void gh__json_text(gh_writer *out, const char *text) {
    gh__put_bytes(out, text, strlen(text));
}

static inline void gh__json_letter(gh_writer *out, char letter) {
    unsigned code = (unsigned char)letter;
    if (letter == '"' || letter == '\\') gh__put_bytes(out, "\\", 1);
    if (code >= 32) gh__put_bytes(out, &letter, 1);
    else if (letter == '\n') gh__json_text(out, "\\n");
    else {
        char escape[7];
        snprintf(escape, sizeof escape, "\\u%04x", code);
        gh__json_text(out, escape);
    }
}

static inline void gh__json_str(gh_writer *out, gh_string text) {
    gh__put_bytes(out, "\"", 1);
    for (size_t at = 0; at < text.size; at++) gh__json_letter(out, text.data[at]);
    gh__put_bytes(out, "\"", 1);
}

/* The shortest of 15 to 17 digits that reads back as the same number; JSON has no infinities and no NaN. */
static inline void gh__json_float(gh_writer *out, double number) {
    char text[40] = "null";
    bool is_finite = number - number == 0;
    for (int digits = 15; is_finite && digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (!(strtod(text, NULL) < number) && !(strtod(text, NULL) > number)) break;
    }
    gh__json_text(out, text);
}

static inline void gh__json(gh_writer *out, gh_value value, unsigned depth);

static inline void gh__json_items(gh_writer *out, gh_value value, unsigned depth) {
    bool is_map = gh_kind_of(value) == GH_MAP;
    const char *separator = is_map ? "{" : "[";
    for (gh_walk walk = gh_each(value); gh_next(&walk); separator = ",") {
        gh__json_text(out, separator);
        if (is_map) gh__json_str(out, gh_str(walk.key)), gh__json_text(out, ":");
        gh__json(out, walk.value, depth);
    }
    if (gh_count(value) == 0) gh__json_text(out, separator);
    gh__json_text(out, is_map ? "}" : "]");
}

static inline void gh__json(gh_writer *out, gh_value value, unsigned depth) {
    char text[24];
    switch (gh_kind_of(value)) {
    case GH_STR:
    case GH_BIN: gh__json_str(out, gh_str(value)); break;
    case GH_BOOL: gh__json_text(out, gh_bool(value, false) ? "true" : "false"); break;
    case GH_INT:
        snprintf(text, sizeof text, "%lld", (long long)gh_int(value, 0));
        gh__json_text(out, text);
        break;
    case GH_UINT:
        snprintf(text, sizeof text, "%llu", (unsigned long long)gh_uint(value, 0));
        gh__json_text(out, text);
        break;
    case GH_FLOAT: gh__json_float(out, gh_float(value, 0)); break;
    case GH_ARRAY:
    case GH_MAP:
        if (depth == 0) gh_panic("guesthouse: JSON nested too deeply");
        gh__json_items(out, value, depth - 1);
        break;
    default: gh__json_text(out, "null"); break;
    }
}

/* JSON text of a value: missing values, infinities and extensions are null; a bin is taken for text. */
static inline gh_string gh_to_json(gh_value value) {
    gh_writer out = {0};
    gh__json(&out, value, 128);
    return (gh_string){(const char *)out.data, out.size};
}

#endif
#endif
