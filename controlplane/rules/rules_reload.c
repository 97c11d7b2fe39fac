// SPDX-License-Identifier: BSD-3-Clause
// What starts a build: somebody asks, a configuration is read again, lists were fetched.
#include "rules_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int rules_build_for(struct rules *r, bool force, bool urgent, rules_done done, void *arg)
{
	struct rules_waiters w = {0};
	if (done && rules_waiters_full(r))
		return -EAGAIN;
	rules_add_waiter(&w, done, arg);
	return rules_build(r, force, urgent, &w);
}

// A round of fetching is over.
void rules_fetched(void *arg)
{
	struct rules *r = arg;
	struct rules_fetch_status f;
	rules_fetch_status(r->fetch, &f);
	if (r->kept.held && r->fetch_waiting.count) {
		rules_note_held(r);
		rules_tell(r, &r->fetch_waiting);
	}
	// Those who wait for the round that comes now are not told yet.
	struct rules_waiters none = {0};
	bool all = f.by_hand || !f.running;
	struct rules_waiters *told = all ? &r->fetch_waiting : &none;
	if (!r->kept.held && (f.by_hand || f.changed)) {
		int err = rules_build(r, f.force, false, told);
		if (err) {
			r->status.outcome = RULES_FAILED;
			snprintf(r->status.error, sizeof(r->status.error), "cannot build: %s",
				strerror(-err));
			rules_tell(r, told);
		}
	}
	rules_start_look(r);
}

int rules_follow(struct rules *r, const struct config *config)
{
	r->config = config;
	return rules_fetch_configure(r->fetch, config);
}

int rules_configure(struct rules *r, const struct config *config, rules_done done, void *arg)
{
	int err = rules_follow(r, config);
	if (err)
		return err;
	if (!r->kept.held)
		return rules_build_for(r, false, true, done, arg);
	struct rules_waiters w = {0};
	rules_note_held(r);
	rules_add_waiter(&w, done, arg);
	rules_tell(r, &w);
	return 0;
}

int rules_reload(
	struct rules *r, const struct config *config, bool force, rules_done done, void *arg)
{
	if (done && rules_waiters_full(r))
		return -EAGAIN;
	int err = rules_follow(r, config);
	if (err)
		return err;
	if (r->kept.held)
		rules_hold(r, false);
	if (!rules_fetch_all(r->fetch, force))
		return rules_build_for(r, force, false, done, arg);
	rules_add_waiter(&r->fetch_waiting, done, arg);
	return 0;
}
