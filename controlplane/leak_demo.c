// SPDX-License-Identifier: BSD-3-Clause
#include "leak_demo.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct leaked {
	struct leaked *next;
};

// Global, because what leaks belongs to nobody; in no build that is installed.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct leaked *all;

static bool is_planted(enum leak_demo which)
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

void leak_demo_keep(enum leak_demo which, size_t octets)
{
	if (!is_planted(which))
		return;
	struct leaked *l = malloc(sizeof *l + octets);
	if (!l)
		return;
	memset(l + 1, 1, octets);
	pthread_mutex_lock(&lock);
	l->next = all;
	all = l;
	pthread_mutex_unlock(&lock);
}
