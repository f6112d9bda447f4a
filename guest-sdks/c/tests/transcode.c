/* Reads messages from stdin, and writes for each what the SDK makes of it: the message encoded anew, then as JSON.
 *
 * Both ways a message is its length, 32 bits little-endian, then its bytes. Where the SDK refuses the bytes, both
 * answers have the length 0xffffffff. Compiled natively, with sanitizers where the compiler has them, and fed golden
 * vectors, random values and random bytes by tests/unit/test_c_messages.py.
 */
#include <stdlib.h>

#include "guesthouse/json.h"

void gh_import_log(int32_t level, const void *text, uint32_t size) {
    fprintf(stderr, "%d: %.*s\n", level, (int)size, (const char *)text);
}

static void transcode(gh_writer *out, gh_value value);

static void transcode_items(gh_writer *out, gh_value value) {
    bool is_map = gh_kind_of(value) == GH_MAP;
    if (is_map) gh_begin_map(out);
    else gh_begin_array(out);
    for (gh_walk walk = gh_each(value); gh_next(&walk);) {
        if (is_map) transcode(out, walk.key);
        transcode(out, walk.value);
    }
    gh_end(out);
}

static void transcode(gh_writer *out, gh_value value) {
    switch (gh_kind_of(value)) {
    case GH_NIL: gh_put_nil(out); break;
    case GH_BOOL: gh_put_bool(out, gh_bool(value, false)); break;
    case GH_INT: gh_put_int(out, gh_int(value, 0)); break;
    case GH_UINT: gh_put_uint(out, gh_uint(value, 0)); break;
    case GH_FLOAT: gh_put_float(out, gh_float(value, 0)); break;
    case GH_STR: gh_put_str(out, gh_str(value)); break;
    case GH_BIN: gh_put_bin(out, gh_str(value)); break;
    case GH_ARRAY:
    case GH_MAP:
        if (out->depth < GH_MAX_DEPTH) transcode_items(out, value);
        else gh_put_value(out, value);
        break;
    default: gh_put_value(out, value); break;
    }
}

static size_t depth_of(gh_value value, size_t limit) {
    size_t deepest = 0;
    for (gh_walk walk = gh_each(value); limit && gh_next(&walk);) {
        size_t depth = 1 + depth_of(walk.value, limit - 1);
        if (depth > deepest) deepest = depth;
    }
    return deepest;
}

static void answer(const void *data, size_t size) {
    unsigned char length[4] = {(unsigned char)size, (unsigned char)(size >> 8), (unsigned char)(size >> 16),
                               (unsigned char)(size >> 24)};
    fwrite(length, 1, 4, stdout);
    if (data && size) fwrite(data, 1, size, stdout);
}

static void answer_message(const unsigned char *data, size_t size) {
    gh_value value = gh_parse(data, size);
    if (!value.data) {
        answer(NULL, 0xffffffff);
        answer(NULL, 0xffffffff);
        return;
    }
    gh_writer out = {0};
    transcode(&out, value);
    gh_value copy = gh_finish(&out);
    answer(copy.data, copy.size);
    gh_string json = depth_of(value, 100) < 100 ? gh_to_json(value) : GH_S("");
    answer(json.data, json.size);
    free(out.data);
    if (json.size) free((void *)(uintptr_t)json.data);
}

int main(void) {
    unsigned char length[4];
    while (fread(length, 1, 4, stdin) == 4) {
        size_t size = gh__big_endian((unsigned char[]){length[3], length[2], length[1], length[0]}, 4);
        unsigned char *data = malloc(size); /* exactly: a sanitizer sees any step beyond */
        if (size && fread(data, 1, size, stdin) != size) return 1;
        answer_message(data, size);
        free(data);
    }
    return 0;
}
