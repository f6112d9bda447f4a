/* Makes the mistake that its argument names; each must end in a panic. Run by tests/unit/test_c_messages.py. */
#include "guesthouse/write.h"

void gh_import_log(int32_t level, const void *text, uint32_t size) {
    (void)level;
    fprintf(stderr, "%.*s\n", (int)size, (const char *)text);
}

static void make(const char *mistake) {
    gh_writer out = {0};
    gh_string name = gh_text(mistake);
    if (gh_is(name, "end")) gh_end(&out);
    if (gh_is(name, "key")) gh_begin_map(&out), gh_key(&out, "alone"), gh_end(&out);
    if (gh_is(name, "open")) gh_begin_array(&out), gh_finish(&out);
    if (gh_is(name, "twice")) gh_put_nil(&out), gh_put_nil(&out), gh_finish(&out);
    for (int depth = 0; gh_is(name, "deep") && depth <= GH_MAX_DEPTH; depth++) gh_begin_array(&out);
    if (gh_is(name, "memory")) gh_alloc((size_t)INT32_MAX + 1);
}

int main(int count, char **arguments) {
    if (count > 1) make(arguments[1]);
    return 0;
}
