// SPDX-License-Identifier: BSD-3-Clause
// The way back to the image before, and the hold on it.
#include "rules_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void rules_hold(struct rules *r, bool held)
{
	r->kept.held = held;
	(void)rules_kept_save(r);
	rules_fetch_hold(r->fetch, held);
}

// Nothing was done, and the status says why.
void rules_note_held(struct rules *r)
{
	r->status.outcome = RULES_HELD;
	snprintf(r->status.error, sizeof(r->status.error),
		"a rollback holds its rule image; reload the lists to release it");
}

int rules_rollback(struct rules *r, rules_done done, void *arg)
{
	if (r->job || r->next || r->fetch_waiting.count) {
		rules_hurry(r);
		return -EBUSY;
	}
	if (access(r->previous_path, R_OK))
		return -ENOENT;
	struct rules_sources *sources = calloc(1, sizeof(*sources));
	struct rules_job *j = sources ? rules_job_new(r, sources) : NULL;
	if (!j) {
		rules_sources_free(sources);
		return -ENOMEM;
	}
	j->rollback = true;
	// Before the files are swapped: whatever happens then, no start builds over the old image.
	j->was_held = r->kept.held;
	rules_hold(r, true);
	rules_add_waiter(&r->waiting, done, arg);
	rules_run_job(r, j);
	return 0;
}
