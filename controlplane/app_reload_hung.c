// SPDX-License-Identifier: BSD-3-Clause
// Threads that hang while a configuration is on its way to them.
//
// The first resolver has it first, and may refuse it. Once it has accepted, the change is made: a
// resolver or frontend that hangs then is left out (base/loop_wait.h), the others and the workers
// go over as a whole, and it follows when it is back. Until then the next change is refused, and
// the configuration before stays in memory. What no thread can be left out of, the first resolver's
// part and the rules' check of cached answers, is waited for, but the caller has its answer then.
#include "app_reload.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/log.h>

enum { LOOK_MS = 250, HUNG_LOOKS = 8 };

static void names_add(char *text, size_t cap, const char *what, unsigned bits)
{
	for (unsigned i = 0; bits >> i; i++) {
		const size_t used = strlen(text);
		if (bits >> i & 1)
			snprintf(text + used, cap - used, "%s%s %u", used ? ", " : "", what, i);
	}
}

// Those that hang, and those that are late; empty: none.
static void names_of(const struct app *a, char *text, size_t cap)
{
	unsigned resolvers = resolvers_late(&a->resolvers);
	unsigned frontends = frontends_late(&a->frontends);

	for (unsigned i = 0; i < a->resolvers.count; i++)
		resolvers |= (unsigned)publisher_resolver_hangs(a->publisher, i) << i;
	for (unsigned i = 0; i < a->frontends.count; i++)
		frontends |= (unsigned)publisher_frontend_hangs(a->publisher, i) << i;
	text[0] = '\0';
	names_add(text, cap, "resolver", resolvers);
	names_add(text, cap, "frontend", frontends);
}

int app_reload_hung(struct reload *r)
{
	char names[128];

	names_of(r->app, names, sizeof(names));
	if (!names[0])
		return 0;
	snprintf(r->why, sizeof(r->why), "%s hangs (weirctl profile threads); nothing has changed",
		names);
	return -ETIMEDOUT;
}

// The caller alone: the reload goes on, and is noted with what it comes to.
static void caller_tell(struct reload *r, int err, const char *why)
{
	if (!r->done)
		return;
	log_warning("configuration: %s", why);
	r->done(r->arg, err, why, "");
	r->done = NULL;
}

bool app_reload_is_late(struct reload *r)
{
	char names[128] = "";

	names_add(names, sizeof(names), "resolver", resolvers_late(&r->app->resolvers));
	names_add(names, sizeof(names), "frontend", frontends_late(&r->app->frontends));
	if (!names[0])
		return false;
	app_reload_wrong(r, -ETIMEDOUT, "; ",
		"in force, except in %s, which hangs and takes it when it is back; the blocking "
		"rules follow then",
		names);
	if (!r->of_toggles)
		caller_tell(r, ETIMEDOUT, r->why);
	return true;
}

static void look_again(struct reload *r);

static void on_look(void *arg)
{
	struct reload *r = arg;
	char names[128], why[sizeof(r->why)];

	names_of(r->app, names, sizeof(names));
	r->hung_looks = names[0] ? r->hung_looks + 1 : 0;
	if (r->hung_looks == HUNG_LOOKS) {
		snprintf(why, sizeof(why), "%s hangs; the change waits for %s", names, r->step);
		caller_tell(r, -ETIMEDOUT, why);
	}
	look_again(r);
}

static void look_again(struct reload *r)
{
	r->look.fn = on_look;
	r->look.arg = r;
	wheel_start(loop_wheel(r->app->service), &r->look, LOOK_MS, clock_mono_ms());
}

void app_reload_looks_begin(struct reload *r)
{
	r->hung_looks = 0;
	look_again(r);
}

void app_reload_looks_end(struct reload *r)
{
	wheel_stop(&r->look);
}
