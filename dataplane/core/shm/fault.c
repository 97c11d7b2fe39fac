// SPDX-License-Identifier: BSD-3-Clause

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/fault.h>

// Global, because a fault point must not cost its callers an argument. Written at start, then only
// counted.
static enum fault_site armed_site = FAULT_SITES_COUNT;
static unsigned armed_passage;
static const char *armed_file; // passages count while it is there; NULL: they always count
static _Atomic unsigned passages;

static const char *const site_name[FAULT_SITES_COUNT] = {
#define X(name, group) [FAULT_AT_##name] = #name,
	FAULT_SITES(X)
#undef X
};

void fault_arm(enum fault_site site, unsigned passage)
{
	armed_site = site;
	armed_passage = passage;
	atomic_store(&passages, 0);
}

// A campaign that names a site wrongly must not pass for one that survived it.
static void refuse(const char *text)
{
	fprintf(stderr, "WEIR_FAULT=%s: not <site>:<passage>[:<file>]\n", text);
	_exit(2);
}

// Before main: a point may be passed by any thread, at any time after.
__attribute__((constructor)) static void read_environment(void)
{
	const char *text = getenv("WEIR_FAULT");
	if (!text || !text[0])
		return;
	const char *colon = strchr(text, ':');
	char *end = NULL;
	unsigned long passage = colon ? strtoul(colon + 1, &end, 10) : 0;
	if (passage == 0 || passage > UINT32_MAX || (*end && *end != ':'))
		refuse(text);
	armed_file = *end ? end + 1 : NULL;
	size_t len = (size_t)(colon - text);
	for (unsigned i = 0; i < FAULT_SITES_COUNT; i++) {
		if (strlen(site_name[i]) == len && memcmp(site_name[i], text, len) == 0) {
			fault_arm((enum fault_site)i, (unsigned)passage);
			return;
		}
	}
	refuse(text);
}

void fault_pass(enum fault_site site)
{
	if (site == armed_site && (!armed_file || access(armed_file, F_OK) == 0)
		&& atomic_fetch_add_explicit(&passages, 1, memory_order_relaxed) + 1
			   == armed_passage)
		_exit(FAULT_EXIT);
}
