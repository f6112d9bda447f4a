/* Registration: one macro in one source file names the handlers and makes the module's exports.
 *
 *     GH_DESTINATION(.on_track = on_track, .settings = GH_SETTINGS({"url", .label = "URL", .required = true}));
 */
#ifndef GUESTHOUSE_FUNCTION_H
#define GUESTHOUSE_FUNCTION_H

#include "reply.h"

typedef struct gh_context {
    gh_string function, version, source, destination;
    int64_t attempt; /* counted from 1 */
    int64_t deadline_ms;
} gh_context;

typedef struct gh_call {
    gh_string handler; /* "onTrack", "onBatch", "onRequest" ... */
    gh_value payload;  /* an event, an array of events, or {method, url, headers, query, body} */
    gh_value settings;
    gh_context context;
} gh_call;

typedef gh_reply (*gh_handler)(gh_call call);

/* A setting that the function declares; type is string, boolean, number, array or map, and string where it is NULL. */
typedef struct gh_setting {
    const char *name, *type, *label, *description;
    bool required, secret;
} gh_setting;

#define GH_SETTINGS(...) ((const gh_setting[]){__VA_ARGS__, {.name = NULL}})

typedef struct gh_function {
    const char *kind;
    gh_handler on_track, on_identify, on_page, on_screen, on_group, on_alias, on_delete, on_set;
    gh_handler on_batch;   /* several events in one call: payload is an array */
    gh_handler on_request; /* source functions: a webhook's request */
    const gh_setting *settings;
} gh_function;

#define GH__HANDLERS 10

typedef struct gh__entry {
    const char *name;
    gh_handler handler;
} gh__entry;

static inline gh__entry gh__handler_at(const gh_function *function, size_t position) {
    const gh__entry entries[GH__HANDLERS] = {
        {"onTrack", function->on_track},   {"onIdentify", function->on_identify}, {"onPage", function->on_page},
        {"onScreen", function->on_screen}, {"onGroup", function->on_group},       {"onAlias", function->on_alias},
        {"onDelete", function->on_delete}, {"onSet", function->on_set},           {"onBatch", function->on_batch},
        {"onRequest", function->on_request},
    };
    return entries[position];
}

static inline gh_call gh__decode_call(const void *data, size_t size) {
    gh_value message = gh_parse(data, size);
    gh_value context = gh_get(message, "context");
    if (!message.data) gh_panic("guesthouse: the host's call is not MessagePack");
    return (gh_call){
        .handler = gh_str(gh_get(message, "handler")),
        .payload = gh_get(message, "payload"),
        .settings = gh_get(message, "settings"),
        .context = {
            .function = gh_str(gh_get(context, "function")),
            .version = gh_str(gh_get(context, "version")),
            .source = gh_str(gh_get(context, "source")),
            .destination = gh_str(gh_get(context, "destination")),
            .attempt = gh_int(gh_get(context, "attempt"), 0),
            .deadline_ms = gh_int(gh_get(context, "deadline_ms"), 0),
        },
    };
}

static inline gh_reply gh__dispatch(const gh_function *function, gh_call call) {
    for (size_t position = 0; position < GH__HANDLERS; position++) {
        gh__entry entry = gh__handler_at(function, position);
        if (entry.handler && gh_is(call.handler, entry.name)) return entry.handler(call);
    }
    return (gh_reply){.verdict = "unsupported", .message = GH_S("the function has no such handler")};
}

#ifdef __wasi__
/* Flushes what printf has buffered; weak, so that guests without stdio don't carry it. */
__attribute__((weak)) void __stdio_exit(void);
#define GH__FLUSH() (__stdio_exit ? __stdio_exit() : (void)0)
#else
#define GH__FLUSH() ((void)0)
#endif

/* Decodes a call, runs its handler and encodes the reply. Native tests call this. */
static inline gh_value gh_handle(const gh_function *function, const void *call, size_t size) {
    gh_value reply = gh__encode_reply(gh__dispatch(function, gh__decode_call(call, size)));
    GH__FLUSH();
    return reply;
}

static inline void gh__put_setting(gh_writer *out, const gh_setting *setting) {
    gh_begin_map(out);
    gh_key(out, "name"), gh_put_text(out, setting->name);
    gh_key(out, "type"), gh_put_text(out, setting->type ? setting->type : "string");
    if (setting->label) gh_key(out, "label"), gh_put_text(out, setting->label);
    if (setting->description) gh_key(out, "description"), gh_put_text(out, setting->description);
    gh_key(out, "required"), gh_put_bool(out, setting->required);
    gh_key(out, "secret"), gh_put_bool(out, setting->secret);
    gh_end(out);
}

/* The description that guesthouse_describe answers. */
static inline gh_value gh_describe(const gh_function *function) {
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "abi"), gh_put_int(&out, 1);
    gh_key(&out, "sdk"), gh_put_text(&out, "guesthouse-c " GH_VERSION);
    gh_key(&out, "language"), gh_put_text(&out, "c");
    gh_key(&out, "kind"), gh_put_text(&out, function->kind);
    gh_key(&out, "handlers"), gh_begin_array(&out);
    for (size_t position = 0; position < GH__HANDLERS; position++) {
        gh__entry entry = gh__handler_at(function, position);
        if (entry.handler) gh_put_text(&out, entry.name);
    }
    gh_end(&out);
    gh_key(&out, "settings"), gh_begin_array(&out);
    for (const gh_setting *setting = function->settings; setting && setting->name; setting++) {
        gh__put_setting(&out, setting);
    }
    gh_end(&out);
    gh_end(&out);
    return gh_finish(&out);
}

static inline uint64_t gh__packed(gh_value value) {
    return (uint64_t)(uintptr_t)value.data << 32 | value.size;
}

#ifdef __wasm__
#define GH__EXPORTS(function)                                                                   \
    GH_EXPORT(guesthouse_alloc) void *guesthouse_alloc(uint32_t size);                           \
    void *guesthouse_alloc(uint32_t size) { return gh_alloc(size); }                             \
    GH_EXPORT(guesthouse_describe) uint64_t guesthouse_describe(void);                           \
    uint64_t guesthouse_describe(void) { return gh__packed(gh_describe(&function)); }            \
    GH_EXPORT(guesthouse_call) uint64_t guesthouse_call(const void *call, uint32_t size);        \
    uint64_t guesthouse_call(const void *call, uint32_t size) {                                  \
        return gh__packed(gh_handle(&function, call, size));                                     \
    }
#else
#define GH__EXPORTS(function)
#endif

#define GH__FUNCTION(kind_, ...)                                          \
    extern const gh_function gh_registered;                               \
    const gh_function gh_registered = {.kind = kind_, __VA_ARGS__};       \
    GH__EXPORTS(gh_registered)                                            \
    extern const gh_function gh_registered

/* A destination function carries events out to an API. */
#define GH_DESTINATION(...) GH__FUNCTION("destination", __VA_ARGS__)

/* A source function makes events of a webhook's request. */
#define GH_SOURCE(...) GH__FUNCTION("source", __VA_ARGS__)

/* An insert function changes events on their way to a destination. */
#define GH_INSERT(...) GH__FUNCTION("insert", __VA_ARGS__)

#endif
