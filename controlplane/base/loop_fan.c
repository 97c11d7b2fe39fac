// SPDX-License-Identifier: BSD-3-Clause
#include "loop_fan.h"

#include <errno.h>
#include <weir/clock.h>
#include <weir/heap_site.h>

enum { LOOK_MS = 250 };

static void deliver(struct loop_fan *f)
{
	wheel_stop(&f->look);
	f->delivered = true;
	f->deliver(f);
}

// All that are not back hang. While none is back at all there is nothing to deliver.
static bool rest_hangs(const struct loop_fan *f)
{
	if (!f->hangs || f->back == 0)
		return false;
	for (unsigned i = 0; i < LOOP_FAN_MAX; i++)
		if ((f->asked & ~f->back) >> i & 1 && !f->hangs(f, i))
			return false;
	return true;
}

static void look_again(struct loop_fan *f);

static void on_look(void *arg)
{
	struct loop_fan *f = arg;
	if (rest_hangs(f))
		deliver(f);
	else
		look_again(f);
}

static void look_again(struct loop_fan *f)
{
	wheel_start(loop_wheel(f->reply_to), &f->look, LOOK_MS, clock_mono_ms());
}

static void reference_drop(struct loop_fan *f)
{
	if (--f->references == 0)
		heap_free(f);
}

static void part_back(void *arg)
{
	struct loop_fan_part *p = arg;
	struct loop_fan *f = p->fan;

	if (!f->delivered) {
		f->back |= 1U << (p - f->part);
		if (f->back == f->asked)
			deliver(f);
	}
	reference_drop(f);
}

// The loop that is replied to.
static void looks_begin(void *arg)
{
	struct loop_fan *f = arg;
	if (f->hangs && !f->delivered) {
		f->look.fn = on_look;
		f->look.arg = f;
		look_again(f);
	}
	reference_drop(f);
}

static void part_work(void *arg)
{
	struct loop_fan_part *p = arg;
	struct loop_fan *f = p->fan;
	f->work(f, (unsigned)(p - f->part));
	loop_call_back(f->reply_to, &p->back, part_back, p);
}

static int refused(struct loop_fan *f, int err)
{
	heap_free(f);
	return err;
}

// The first that does not hang. `looks_begin` holds a reference, and is sent last: until then the
// block lives.
int loop_fan(struct loop *const *loops, unsigned count, void *block)
{
	struct loop_fan *f = block;
	unsigned first = count;

	if (!f)
		return -ENOMEM;
	f->references = 1;
	for (unsigned i = count; i-- > 0;) {
		f->part[i].fan = f;
		if (f->hangs && f->hangs(f, i))
			continue;
		f->asked |= 1U << i;
		f->references++;
		first = i;
	}
	if (first == count)
		return refused(f, -ETIMEDOUT);
	const unsigned rest = f->asked & ~(1U << first);
	int rc = loop_call(loops[first], part_work, &f->part[first]);
	if (rc < 0)
		return refused(f, rc);
	for (unsigned i = first + 1; i < count; i++)
		if (rest >> i & 1)
			loop_call_back(loops[i], &f->part[i].go, part_work, &f->part[i]);
	loop_call_back(f->reply_to, &f->begin, looks_begin, f);
	return 0;
}
