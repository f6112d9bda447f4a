/* Reading MessagePack in place: a gh_value is a window on one encoded value and copies nothing.
 *
 * A missing key, a wrong type or malformed bytes give the missing value, whose every reading is the fallback, so
 * lookups chain without checks: gh_str(gh_get(gh_get(event, "context"), "ip")). No length in the bytes is trusted: every window
 * ends inside its parent's. Nothing here recurses, so nesting costs no stack.
 */
#ifndef GUESTHOUSE_READ_H
#define GUESTHOUSE_READ_H

#include "base.h"

typedef enum gh_kind {
    GH_MISSING,
    GH_NIL,
    GH_BOOL,
    GH_INT,
    GH_UINT, /* only what is too large for GH_INT */
    GH_FLOAT,
    GH_STR,
    GH_BIN,
    GH_ARRAY,
    GH_MAP,
    GH_EXT,
} gh_kind;

/* One encoded value and nothing after it; {0} is the missing value. */
typedef struct gh_value {
    const uint8_t *data;
    size_t size;
} gh_value;

/* What a value's first bytes say. */
typedef struct gh__head {
    gh_kind kind;
    size_t size;     /* of the head itself */
    uint64_t number; /* an integer's or float's bits, a boolean */
    uint64_t body;   /* bytes of a string, bin or ext that follow the head */
    uint64_t items;  /* encoded values that follow the head: a map's keys count */
} gh__head;

static inline uint64_t gh__big_endian(const uint8_t *data, size_t size) {
    uint64_t number = 0;
    for (size_t at = 0; at < size; at++) number = number << 8 | data[at];
    return number;
}

/* Kinds and sizes of what follows the first byte, for 0xc0 to 0xdf; see the MessagePack specification. */
static inline gh__head gh__wide_head(uint8_t first) {
    static const struct { uint8_t kind, field; } table[32] = {
        {GH_NIL, 0}, {GH_MISSING, 0}, {GH_BOOL, 0}, {GH_BOOL, 0},
        {GH_BIN, 1}, {GH_BIN, 2}, {GH_BIN, 4}, {GH_EXT, 1}, {GH_EXT, 2}, {GH_EXT, 4},
        {GH_FLOAT, 4}, {GH_FLOAT, 8},
        {GH_UINT, 1}, {GH_UINT, 2}, {GH_UINT, 4}, {GH_UINT, 8},
        {GH_INT, 1}, {GH_INT, 2}, {GH_INT, 4}, {GH_INT, 8},
        {GH_EXT, 0}, {GH_EXT, 0}, {GH_EXT, 0}, {GH_EXT, 0}, {GH_EXT, 0},
        {GH_STR, 1}, {GH_STR, 2}, {GH_STR, 4},
        {GH_ARRAY, 2}, {GH_ARRAY, 4}, {GH_MAP, 2}, {GH_MAP, 4},
    };
    return (gh__head){.kind = (gh_kind)table[first - 0xc0].kind, .size = 1 + (size_t)table[first - 0xc0].field};
}

static inline void gh__fill_head(gh__head *head, uint8_t first, uint64_t field) {
    size_t unused_bits = 64 - 8 * (head->size - 1);
    head->number = field;
    switch (head->kind) {
    case GH_BOOL: head->number = first & 1; break;
    case GH_UINT: head->kind = field > INT64_MAX ? GH_UINT : GH_INT; break;
    case GH_INT: head->number = (uint64_t)((int64_t)(field << unused_bits) >> unused_bits); break;
    case GH_STR:
    case GH_BIN: head->body = field; break;
    case GH_EXT: head->body = 1 + (head->size == 1 ? (uint64_t)1 << (first - 0xd4) : field); break;
    case GH_ARRAY: head->items = field; break;
    case GH_MAP: head->items = 2 * field; break;
    default: break;
    }
}

/* Decodes the head of the value at data; false where the bytes are malformed or end too early. */
GH__SHARED bool gh__read_head(const uint8_t *data, size_t size, gh__head *head) {
    if (size == 0) return false;
    uint8_t first = data[0];
    *head = (gh__head){.kind = GH_INT, .size = 1};
    if (first < 0x80) head->number = first;
    else if (first >= 0xe0) head->number = (uint64_t)(int64_t)(int8_t)first;
    else if (first < 0x90) head->kind = GH_MAP, head->items = 2 * (uint64_t)(first & 15);
    else if (first < 0xa0) head->kind = GH_ARRAY, head->items = first & 15;
    else if (first < 0xc0) head->kind = GH_STR, head->body = first & 31;
    else {
        *head = gh__wide_head(first);
        if (head->kind == GH_MISSING || head->size > size) return false;
        gh__fill_head(head, first, gh__big_endian(data + 1, head->size - 1));
    }
    return head->body <= size - head->size && head->items <= size - head->size;
}

/* The bytes that the first value takes, everything in it included; 0 where it is malformed. */
GH__SHARED size_t gh__extent(const uint8_t *data, size_t size) {
    size_t at = 0;
    for (uint64_t pending = 1; pending > 0; pending--) {
        gh__head head;
        if (!gh__read_head(data + at, size - at, &head)) return 0;
        at += head.size + (size_t)head.body;
        pending += head.items;
    }
    return at;
}

/* The value that the bytes encode; missing where they are malformed or something follows. */
static inline gh_value gh_parse(const void *data, size_t size) {
    bool is_whole = size > 0 && gh__extent(data, size) == size;
    return is_whole ? (gh_value){data, size} : (gh_value){0};
}

GH__SHARED gh__head gh__head_of(gh_value value) {
    gh__head head;
    bool is_sound = gh__read_head(value.data, value.size, &head);
    return is_sound ? head : (gh__head){.kind = GH_MISSING};
}

static inline gh_kind gh_kind_of(gh_value value) {
    return gh__head_of(value).kind;
}

static inline bool gh_bool(gh_value value, bool fallback) {
    gh__head head = gh__head_of(value);
    return head.kind == GH_BOOL ? head.number != 0 : fallback;
}

static inline int64_t gh_int(gh_value value, int64_t fallback) {
    gh__head head = gh__head_of(value);
    return head.kind == GH_INT ? (int64_t)head.number : fallback;
}

static inline uint64_t gh_uint(gh_value value, uint64_t fallback) {
    gh__head head = gh__head_of(value);
    bool fits = head.kind == GH_UINT || (head.kind == GH_INT && (int64_t)head.number >= 0);
    return fits ? head.number : fallback;
}

static inline double gh__float_of_bits(gh__head head) {
    double wide = 0;
    float narrow = 0;
    uint32_t half = (uint32_t)head.number;
    memcpy(&wide, &head.number, sizeof wide);
    memcpy(&narrow, &half, sizeof narrow);
    return head.size == 5 ? (double)narrow : wide;
}

/* Any number as a double. */
static inline double gh_float(gh_value value, double fallback) {
    gh__head head = gh__head_of(value);
    if (head.kind == GH_INT) return (double)(int64_t)head.number;
    if (head.kind == GH_UINT) return (double)head.number;
    return head.kind == GH_FLOAT ? gh__float_of_bits(head) : fallback;
}

/* The text or bytes of a str or bin, in place; empty otherwise. */
static inline gh_string gh_str(gh_value value) {
    gh__head head = gh__head_of(value);
    if (head.kind != GH_STR && head.kind != GH_BIN) return GH_S("");
    return (gh_string){(const char *)value.data + head.size, (size_t)head.body};
}

/* An array's items or a map's entries; 0 otherwise. */
static inline size_t gh_count(gh_value value) {
    gh__head head = gh__head_of(value);
    return (size_t)(head.kind == GH_MAP ? head.items / 2 : head.items);
}

/* A walk over an array or a map: for (gh_walk walk = gh_each(value); gh_next(&walk);) ... walk.key ... walk.value */
typedef struct gh_walk {
    gh_value key; /* missing in an array */
    gh_value value;
    size_t left;
    bool has_keys;
    gh_value rest;
} gh_walk;

static inline gh_walk gh_each(gh_value value) {
    gh__head head = gh__head_of(value);
    gh_walk walk = {.left = gh_count(value), .has_keys = head.kind == GH_MAP};
    if (walk.left) walk.rest = (gh_value){value.data + head.size, value.size - head.size};
    return walk;
}

static inline gh_value gh__take(gh_value *rest) {
    size_t size = gh__extent(rest->data, rest->size);
    gh_value taken = {size ? rest->data : NULL, size};
    *rest = (gh_value){rest->data + size, rest->size - size};
    return taken;
}

static inline bool gh_next(gh_walk *walk) {
    if (walk->left == 0) return false;
    walk->left--;
    if (walk->has_keys) walk->key = gh__take(&walk->rest);
    walk->value = gh__take(&walk->rest);
    return walk->value.size > 0;
}

/* The value under a key of a map; missing where there is none. */
static inline gh_value gh_get(gh_value map, const char *key) {
    gh_string wanted = gh_text(key);
    if (gh_kind_of(map) != GH_MAP) return (gh_value){0};
    for (gh_walk walk = gh_each(map); gh_next(&walk);) {
        if (gh_equal(gh_str(walk.key), wanted)) return walk.value;
    }
    return (gh_value){0};
}

/* The item of an array at a position counted from 0; missing where there is none. */
static inline gh_value gh_item(gh_value array, size_t position) {
    if (gh_kind_of(array) != GH_ARRAY) return (gh_value){0};
    for (gh_walk walk = gh_each(array); gh_next(&walk); position--) {
        if (position == 0) return walk.value;
    }
    return (gh_value){0};
}

#endif
