/* Writing MessagePack into a growing buffer, each value in its shortest form.
 *
 *     gh_writer out = {0};
 *     gh_begin_map(&out);
 *     gh_key(&out, "event"), gh_put_str(&out, name);
 *     gh_end(&out);
 *     gh_value map = gh_finish(&out);
 *
 * The writer counts a container's items itself. Misuse (an end without a begin, a key without a value) panics.
 */
#ifndef GUESTHOUSE_WRITE_H
#define GUESTHOUSE_WRITE_H

#include "read.h"

#define GH_MAX_DEPTH 32

typedef struct gh_writer {
    uint8_t *data;
    size_t size, capacity;
    size_t depth;
    struct {
        size_t start; /* where the container's head will stand */
        uint32_t items;
        bool is_map;
    } open[GH_MAX_DEPTH];
} gh_writer;

/* Room for size more bytes at the end; the caller fills them. */
GH__SHARED uint8_t *gh__extend(gh_writer *out, size_t size) {
    if (size > out->capacity - out->size) {
        size_t capacity = 2 * out->capacity + size + 64;
        out->data = gh_realloc(out->data, capacity);
        out->capacity = capacity;
    }
    out->size += size;
    return out->data + out->size - size;
}

static inline void gh__put_bytes(gh_writer *out, const void *data, size_t size) {
    if (size) memcpy(gh__extend(out, size), data, size);
}

GH__SHARED void gh__store(uint8_t *at, uint8_t first, uint64_t field, size_t field_size) {
    at[0] = first;
    for (size_t byte = field_size; byte > 0; byte--, field >>= 8) at[byte] = (uint8_t)field;
}

GH__SHARED void gh__put_head(gh_writer *out, uint8_t first, uint64_t field, size_t field_size) {
    gh__store(gh__extend(out, 1 + field_size), first, field, field_size);
}

static inline void gh__count_item(gh_writer *out) {
    if (out->depth) out->open[out->depth - 1].items++;
}

static inline void gh_put_nil(gh_writer *out) {
    gh__count_item(out);
    gh__put_head(out, 0xc0, 0, 0);
}

static inline void gh_put_bool(gh_writer *out, bool value) {
    gh__count_item(out);
    gh__put_head(out, value ? 0xc3 : 0xc2, 0, 0);
}

static inline void gh_put_uint(gh_writer *out, uint64_t value) {
    gh__count_item(out);
    if (value < 0x80) gh__put_head(out, (uint8_t)value, 0, 0);
    else if (value <= UINT8_MAX) gh__put_head(out, 0xcc, value, 1);
    else if (value <= UINT16_MAX) gh__put_head(out, 0xcd, value, 2);
    else if (value <= UINT32_MAX) gh__put_head(out, 0xce, value, 4);
    else gh__put_head(out, 0xcf, value, 8);
}

static inline void gh_put_int(gh_writer *out, int64_t value) {
    uint64_t bits = (uint64_t)value;
    if (value >= 0) {
        gh_put_uint(out, bits);
        return;
    }
    gh__count_item(out);
    if (value >= -32) gh__put_head(out, (uint8_t)bits, 0, 0);
    else if (value >= INT8_MIN) gh__put_head(out, 0xd0, bits, 1);
    else if (value >= INT16_MIN) gh__put_head(out, 0xd1, bits, 2);
    else if (value >= INT32_MIN) gh__put_head(out, 0xd2, bits, 4);
    else gh__put_head(out, 0xd3, bits, 8);
}

static inline void gh_put_float(gh_writer *out, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    gh__count_item(out);
    gh__put_head(out, 0xcb, bits, 8);
}

static inline void gh__check_size(uint64_t size) {
    if (size > UINT32_MAX) gh_panic("guesthouse: too long for MessagePack");
}

GH__SHARED void gh_put_str(gh_writer *out, gh_string text) {
    gh__count_item(out);
    gh__check_size(text.size);
    if (text.size < 32) gh__put_head(out, (uint8_t)(0xa0 | text.size), 0, 0);
    else if (text.size <= UINT8_MAX) gh__put_head(out, 0xd9, text.size, 1);
    else if (text.size <= UINT16_MAX) gh__put_head(out, 0xda, text.size, 2);
    else gh__put_head(out, 0xdb, text.size, 4);
    gh__put_bytes(out, text.data, text.size);
}

static inline void gh_put_text(gh_writer *out, const char *text) {
    gh_put_str(out, gh_text(text));
}

static inline void gh_put_bin(gh_writer *out, gh_string bytes) {
    gh__count_item(out);
    gh__check_size(bytes.size);
    if (bytes.size <= UINT8_MAX) gh__put_head(out, 0xc4, bytes.size, 1);
    else if (bytes.size <= UINT16_MAX) gh__put_head(out, 0xc5, bytes.size, 2);
    else gh__put_head(out, 0xc6, bytes.size, 4);
    gh__put_bytes(out, bytes.data, bytes.size);
}

/* A copy of a value read elsewhere or finished by another writer; nil where it is missing. */
static inline void gh_put_value(gh_writer *out, gh_value value) {
    if (value.size == 0) {
        gh_put_nil(out);
        return;
    }
    gh__count_item(out);
    gh__put_bytes(out, value.data, value.size);
}

static inline void gh__begin(gh_writer *out, bool is_map) {
    if (out->depth == GH_MAX_DEPTH) gh_panic("guesthouse: a message is nested too deeply");
    gh__count_item(out);
    out->open[out->depth].start = out->size;
    out->open[out->depth].items = 0;
    out->open[out->depth].is_map = is_map;
    out->depth++;
    gh__extend(out, 1);
}

static inline void gh_begin_map(gh_writer *out) {
    gh__begin(out, true);
}

static inline void gh_begin_array(gh_writer *out) {
    gh__begin(out, false);
}

/* A map's key; its value must follow. */
static inline void gh_key(gh_writer *out, const char *key) {
    gh_put_text(out, key);
}

/* Ends the innermost map or array: now that its items are counted, its head is written before them. */
static inline void gh_end(gh_writer *out) {
    if (out->depth == 0) gh_panic("guesthouse: gh_end without a beginning");
    out->depth--;
    size_t start = out->open[out->depth].start;
    bool is_map = out->open[out->depth].is_map;
    uint32_t count = out->open[out->depth].items;
    if (is_map && count % 2) gh_panic("guesthouse: a key without a value");
    if (is_map) count /= 2;
    size_t field_size = count < 16 ? 0 : count <= UINT16_MAX ? 2 : 4;
    if (field_size) {
        gh__extend(out, field_size);
        uint8_t *body = out->data + start + 1;
        memmove(body + field_size, body, out->size - field_size - start - 1);
    }
    unsigned first = is_map ? 0x80 : 0x90, wide = is_map ? 0xde : 0xdc;
    unsigned head = field_size == 0 ? first | count : field_size == 2 ? wide : wide + 1;
    gh__store(out->data + start, (uint8_t)head, count, field_size);
}

/* What was written: exactly one value, or a panic. It lives in the writer's buffer, so write no more. */
static inline gh_value gh_finish(gh_writer *out) {
    if (out->depth) gh_panic("guesthouse: a map or array was not ended");
    gh_value value = gh_parse(out->data, out->size);
    if (!value.data) gh_panic("guesthouse: a message must be exactly one value");
    return value;
}

#endif
