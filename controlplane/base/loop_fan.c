// SPDX-License-Identifier: BSD-3-Clause
#include "loop_fan.h"

#include <errno.h>
#include <stdlib.h>

static void part_back(void *arg)
{
	struct loop_fan *f = arg;
	if (--f->left > 0)
		return;
	f->deliver(f);
	free(f);
}

static void part_work(void *arg)
{
	struct loop_fan_part *p = arg;
	struct loop_fan *f = p->fan;
	f->work(f, (unsigned)(p - f->part));
	loop_call_back(f->reply_to, &p->back, part_back, f);
}

// The last part is not back before it is sent, so the block lives until then.
int loop_fan(struct loop *const *loops, unsigned count, void *block)
{
	struct loop_fan *f = block;
	if (!f)
		return -ENOMEM;
	f->left = count;
	for (unsigned i = 0; i < count; i++)
		f->part[i].fan = f;
	int rc = loop_call(loops[0], part_work, &f->part[0]);
	if (rc < 0) {
		free(f);
		return rc;
	}
	for (unsigned i = 1; i < count; i++)
		loop_call_back(loops[i], &f->part[i].go, part_work, &f->part[i]);
	return 0;
}
