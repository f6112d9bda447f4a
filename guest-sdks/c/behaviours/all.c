/* One module with every behaviour, chosen by the setting "behaviour". */
#include "behaviours.h"

static const behaviour *const themes[] = {
    verdict_behaviours, http_behaviours,  host_behaviours, secret_behaviours,
    fault_behaviours,   flood_behaviours, wasi_behaviours,
};

static gh_reply run(gh_call call) {
    gh_string name = gh_str(setting(call, "behaviour"));
    for (size_t theme = 0; theme < sizeof themes / sizeof *themes; theme++) {
        for (const behaviour *each = themes[theme]; each->name; each++) {
            if (gh_is(name, each->name)) return each->run(call);
        }
    }
    return gh_fail("unknown_behaviour", "no behaviour '" GH_FMT "'", GH_ARG(name));
}

GH_DESTINATION(
    .on_track = run, .on_identify = run, .on_page = run, .on_screen = run, .on_group = run, .on_alias = run,
    .on_delete = run, .on_set = run, .on_batch = run, .on_request = run,
    .settings = GH_SETTINGS(
        {"behaviour", .label = "What to do; see behaviours.md", .required = true},
        {"url", .label = "Where to send requests"},
        {"signing_key", .label = "For hmac", .secret = true}));
