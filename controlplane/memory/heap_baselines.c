// SPDX-License-Identifier: BSD-3-Clause
#include "heap_baselines.h"

#include "base/file_write.h"
#include "base/loop.h"
#include "base/wheel.h"
#include "heap.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/heap_site.h>
#include <weir/log.h>
#include <weir/thread.h>

// The first one is taken early: an incident may begin with the program.
enum { FIRST_MS = 60000 };

struct heap_baselines {
	struct loop *service;
	struct wheel_timer timer;
	pthread_t thread;
	bool runs;
	char folder[PATH_MAX - 32];
};

static void path_of(const struct heap_baselines *b, unsigned number, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/heap-auto-%u", b->folder, number);
}

// Number 0 becomes number 1, and so on; the last one goes.
static void files_shift(const struct heap_baselines *b)
{
	char from[PATH_MAX], to[PATH_MAX];
	for (unsigned i = HEAP_BASELINES; i > 0; i--) {
		path_of(b, i - 1, from);
		path_of(b, i, to);
		(void)!rename(from, to);
	}
}

static void *take(void *arg)
{
	const struct heap_baselines *b = arg;
	char path[PATH_MAX], why[FILE_WRITE_WHY_MAX], *text;
	size_t len;
	thread_background();
	int rc = heap_dump(&text, &len);
	if (rc < 0) {
		if (rc != -ENOTSUP)
			log_warning(
				"heap baseline not taken (error %d); the earlier ones stay", -rc);
		return NULL;
	}
	path_of(b, 0, path);
	if (file_write(path, text, len, why) < 0)
		log_warning("heap baseline not kept: %s", why);
	else
		files_shift(b);
	heap_free(text);
	return NULL;
}

static void finish(struct heap_baselines *b)
{
	if (b->runs)
		pthread_join(b->thread, NULL);
	b->runs = false;
}

static void start(struct heap_baselines *b)
{
	finish(b);
	b->runs = thread_start(&b->thread, "weir-heap", take, b) == 0;
}

void heap_baselines_take(struct heap_baselines *b)
{
	start(b);
	finish(b);
}

static void on_timer(void *arg)
{
	struct heap_baselines *b = arg;
	start(b);
	wheel_start(loop_wheel(b->service), &b->timer, HEAP_BASELINES_MS, clock_mono_ms());
}

int heap_baselines_open(struct heap_baselines **out, struct loop *service, const char *folder)
{
	struct heap_baselines *b = heap_calloc(1, sizeof(*b));
	if (!b)
		return -ENOMEM;
	b->service = service;
	snprintf(b->folder, sizeof(b->folder), "%s", folder);
	b->timer.fn = on_timer;
	b->timer.arg = b;
	wheel_start(loop_wheel(service), &b->timer, FIRST_MS, clock_mono_ms());
	*out = b;
	return 0;
}

void heap_baselines_close(struct heap_baselines *b)
{
	if (!b)
		return;
	wheel_stop(&b->timer);
	finish(b);
	heap_free(b);
}
