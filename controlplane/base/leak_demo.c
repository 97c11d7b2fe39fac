// SPDX-License-Identifier: BSD-3-Clause
#include "leak_demo.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct leaked {
	struct leaked *next;
};

// Global, because a leak has no owner. No installed build has this.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct leaked *all;

bool leak_demo_is_planted(enum leak_demo which)
{
	static const char *const names[] = {
#define X(name) #name,
		LEAK_DEMO_LIST(X)
#undef X
	};
	const char *wanted = getenv("WEIR_LEAK");
	if (!wanted)
		return false;
	return strcmp(wanted, "all") == 0 || strstr(wanted, names[which]) != NULL;
}

void leak_demo_keep(void *block, size_t bytes)
{
	struct leaked *l = block;
	if (!l)
		return;
	memset(l + 1, 1, bytes - sizeof(*l));
	pthread_mutex_lock(&lock);
	l->next = all;
	all = l;
	pthread_mutex_unlock(&lock);
}
