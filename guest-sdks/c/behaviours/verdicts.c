/* What a guest can say at the end: every verdict, batches, answers to webhooks. */
#include "behaviours.h"

static gh_reply echo(gh_call call) {
    gh_reply reply = gh_done();
    reply.event = call.payload;
    return reply;
}

static gh_reply context(gh_call call) {
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "handler"), gh_put_str(&out, call.handler);
    gh_key(&out, "function"), gh_put_str(&out, call.context.function);
    gh_key(&out, "version"), gh_put_str(&out, call.context.version);
    gh_key(&out, "source"), gh_put_str(&out, call.context.source);
    gh_key(&out, "destination"), gh_put_str(&out, call.context.destination);
    gh_key(&out, "attempt"), gh_put_int(&out, call.context.attempt);
    gh_key(&out, "deadline_ms"), gh_put_int(&out, call.context.deadline_ms);
    gh_key(&out, "settings"), gh_put_value(&out, call.settings);
    return answer(&out);
}

static gh_reply done(gh_call call) {
    (void)call;
    return gh_done();
}

static gh_reply retry(gh_call call) {
    return gh_retry(gh_int(setting(call, "retry_after_ms"), -1), "retry, as asked");
}

static gh_reply fail(gh_call call) {
    (void)call;
    return gh_fail("as_asked", "failed, as asked");
}

static gh_reply drop(gh_call call) {
    (void)call;
    return gh_drop("dropped, as asked");
}

static gh_reply unsupported(gh_call call) {
    (void)call;
    return gh_unsupported("unsupported, as asked");
}

/* The verdict that an event names in properties.verdict. */
static gh_reply verdict_of(gh_value event) {
    gh_value properties = gh_get(event, "properties");
    gh_string verdict = gh_str(gh_get(properties, "verdict"));
    if (gh_is(verdict, "retry")) return gh_retry(gh_int(gh_get(properties, "retry_after_ms"), -1), "retry, as asked");
    if (gh_is(verdict, "fail")) return gh_fail("as_asked", "failed, as asked");
    if (gh_is(verdict, "drop")) return gh_drop("dropped, as asked");
    if (gh_is(verdict, "unsupported")) return gh_unsupported("unsupported, as asked");
    return gh_done();
}

static gh_reply results_for(gh_value events, size_t count) {
    gh_writer results = {0};
    gh_begin_array(&results);
    for (gh_walk walk = gh_each(events); count > 0 && gh_next(&walk); count--) {
        gh_put_result(&results, verdict_of(walk.value));
    }
    gh_end(&results);
    gh_reply reply = gh_done();
    reply.results = gh_finish(&results);
    return reply;
}

static gh_reply batch_partial(gh_call call) {
    if (gh_kind_of(call.payload) != GH_ARRAY) return verdict_of(call.payload);
    return results_for(call.payload, gh_count(call.payload));
}

static gh_reply batch_short(gh_call call) {
    size_t count = gh_count(call.payload);
    return results_for(call.payload, count ? count - 1 : 0);
}

static bool is_poisonous(gh_value event) {
    return gh_bool(gh_get(gh_get(event, "properties"), "poison"), false);
}

static gh_reply batch_poison(gh_call call) {
    bool is_batch = gh_kind_of(call.payload) == GH_ARRAY;
    if (!is_batch && is_poisonous(call.payload)) gh_panic("poisoned, as asked");
    for (gh_walk walk = gh_each(call.payload); is_batch && gh_next(&walk);) {
        if (is_poisonous(walk.value)) gh_panic("poisoned, as asked");
    }
    return gh_done();
}

static gh_reply webhook_reply(gh_call call) {
    gh_value request = call.payload;
    const gh_header headers[] = {
        {"content-type", gh_header_of(gh_get(request, "headers"), "content-type")},
        {"x-method", gh_str(gh_get(request, "method"))},
        {"x-url", gh_str(gh_get(request, "url"))},
        {NULL, {NULL, 0}},
    };
    gh_reply reply = gh_done();
    reply.response = gh_respond(gh_int(setting(call, "status"), 200), headers, gh_str(gh_get(request, "body")));
    return reply;
}

static void put_event(gh_writer *out, gh_string name) {
    gh_begin_map(out);
    gh_key(out, "type"), gh_put_text(out, "track");
    gh_key(out, "event"), gh_put_str(out, name);
    gh_key(out, "userId"), gh_put_text(out, "webhook");
    gh_end(out);
}

static gh_reply webhook_events(gh_call call) {
    gh_string body = gh_str(gh_get(call.payload, "body"));
    gh_writer events = {0};
    gh_begin_array(&events);
    size_t start = 0;
    for (size_t at = 0; at <= body.size; at++) {
        if (at < body.size && body.data[at] != '\n') continue;
        if (at > start) put_event(&events, (gh_string){body.data + start, at - start});
        start = at + 1;
    }
    gh_end(&events);
    gh_reply reply = gh_done();
    reply.events = gh_finish(&events);
    return reply;
}

const behaviour verdict_behaviours[] = {
    {"echo", echo},
    {"context", context},
    {"done", done},
    {"retry", retry},
    {"fail", fail},
    {"drop", drop},
    {"unsupported", unsupported},
    {"batch_partial", batch_partial},
    {"batch_short", batch_short},
    {"batch_poison", batch_poison},
    {"webhook_reply", webhook_reply},
    {"webhook_events", webhook_events},
    {NULL, NULL},
};
