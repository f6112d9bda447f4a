/* Replies: a verdict, and what goes with it.
 *
 * gh_done() and gh_drop(...) end the delivery; gh_retry(...) asks for another attempt later; gh_fail(...) says that no
 * attempt will help; gh_unsupported(...) that this function has nothing to do with the event; gh_refused(error) makes a
 * retry or a fail of what a host operation answered.
 */
#ifndef GUESTHOUSE_REPLY_H
#define GUESTHOUSE_REPLY_H

#include "http.h"

typedef struct gh_reply {
    const char *verdict;
    gh_string message;
    gh_string code;
    int64_t retry_after_ms; /* negative leaves it to the host's policy; read with the verdict retry only */
    gh_value results;       /* a batch: an array with a reply for each event, in order; see gh_put_result */
    gh_value events;        /* a source function: an array of the events that it emits */
    gh_value response;      /* a source function: its answer to the webhook's sender; see gh_respond */
    gh_value event;         /* an insert function: the changed event */
} gh_reply;

#define GH__PRINTED(format, message) \
    va_list arguments;               \
    va_start(arguments, format);     \
    gh_string message = gh_vprintf(format, arguments); \
    va_end(arguments)

static inline gh_reply gh_done(void) {
    return (gh_reply){.verdict = "done"};
}

/* Try again in retry_after_ms milliseconds, or when the host's policy says, where that is negative. */
__attribute__((format(printf, 2, 3))) static inline gh_reply gh_retry(int64_t retry_after_ms, const char *format, ...) {
    GH__PRINTED(format, message);
    return (gh_reply){.verdict = "retry", .message = message, .retry_after_ms = retry_after_ms};
}

/* No attempt will help; code is a short word for machines, such as "bad_request". */
__attribute__((format(printf, 2, 3))) static inline gh_reply gh_fail(const char *code, const char *format, ...) {
    GH__PRINTED(format, message);
    return (gh_reply){.verdict = "fail", .message = message, .code = gh_text(code)};
}

/* What a refused or failed host operation calls for: retry where that may help, fail otherwise. */
static inline gh_reply gh_refused(gh_error error) {
    const char *verdict = gh_is_temporary(error) ? "retry" : "fail";
    return (gh_reply){.verdict = verdict, .code = error.code, .message = error.message, .retry_after_ms = -1};
}

/* Nothing needs to be done for this event, on purpose. */
__attribute__((format(printf, 1, 2))) static inline gh_reply gh_drop(const char *format, ...) {
    GH__PRINTED(format, message);
    return (gh_reply){.verdict = "drop", .message = message};
}

/* This function doesn't know such events. */
__attribute__((format(printf, 1, 2))) static inline gh_reply gh_unsupported(const char *format, ...) {
    GH__PRINTED(format, message);
    return (gh_reply){.verdict = "unsupported", .message = message};
}

static inline void gh__put_verdict(gh_writer *out, const gh_reply *reply) {
    gh_key(out, "verdict"), gh_put_text(out, reply->verdict ? reply->verdict : "done");
    if (reply->message.size) gh_key(out, "message"), gh_put_str(out, reply->message);
    if (reply->code.size) gh_key(out, "code"), gh_put_str(out, reply->code);
    bool is_retry = reply->verdict && gh_is(gh_text(reply->verdict), "retry");
    if (is_retry && reply->retry_after_ms >= 0) gh_key(out, "retry_after_ms"), gh_put_int(out, reply->retry_after_ms);
}

/* A reply for one event of a batch, as an item of gh_reply.results; its verdict, message, code and delay count. */
static inline void gh_put_result(gh_writer *out, gh_reply reply) {
    gh_begin_map(out);
    gh__put_verdict(out, &reply);
    gh_end(out);
}

/* The answer to a webhook's sender, for gh_reply.response. */
static inline gh_value gh_respond(int64_t status, const gh_header *headers, gh_string body) {
    gh_writer out = {0};
    gh_begin_map(&out);
    gh_key(&out, "status"), gh_put_int(&out, status);
    gh_key(&out, "headers"), gh_put_headers(&out, headers);
    gh_key(&out, "body"), gh_put_bin(&out, body);
    gh_end(&out);
    return gh_finish(&out);
}

static inline void gh__put_part(gh_writer *out, const char *name, gh_value part) {
    if (part.data) gh_key(out, name), gh_put_value(out, part);
}

static inline gh_value gh__encode_reply(gh_reply reply) {
    gh_writer out = {0};
    gh_begin_map(&out);
    gh__put_verdict(&out, &reply);
    gh__put_part(&out, "results", reply.results);
    gh__put_part(&out, "events", reply.events);
    gh__put_part(&out, "response", reply.response);
    gh__put_part(&out, "event", reply.event);
    gh_end(&out);
    return gh_finish(&out);
}

#endif
