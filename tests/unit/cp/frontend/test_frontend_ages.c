// SPDX-License-Identifier: BSD-3-Clause
// How long questions have waited, as the tables tell it.

#include "controlplane/base/table_registry.h"
#include "frontend_rig.h"
#include "tests/unit/clock_still.h"

struct ages {
	uint64_t pending_ms, queries_ms, stream_ms;
};

static void ages_look(void *arg)
{
	struct ages *a = arg;
	struct table_registry tables = {0};
	frontend_tables(rig.frontend, &tables);
	for (unsigned i = 0; i < tables.count; i++) {
		const struct table_info *t = &tables.table[i];
		if (strcmp(t->name, "frontend_pending") == 0)
			a->pending_ms = t->oldest_ms;
		if (strcmp(t->name, "frontend_queries") == 0)
			a->queries_ms = t->oldest_ms;
	}
	a->stream_ms = table_age(frontend_streams_since(rig.frontend), clock_mono_ms());
}

static void ages_are(uint64_t all_ms, uint64_t stream_ms)
{
	struct ages a = {0};
	on_loop(ages_look, &a);
	assert_in_range(a.pending_ms, all_ms, all_ms + 1);
	assert_int_equal(a.queries_ms, a.pending_ms);
	assert_in_range(a.stream_ms, stream_ms, stream_ms + 1);
}

// Slow answers fill tables with questions as old as that; streams have a table of their own.
TEST_WITH(test_ages_of_questions, frontend_rig_setup, frontend_rig_teardown)
{
	static const struct frontend_rig_query first = {.name = "one.example", .type = DNS_TYPE_A},
					       next = {.name = "two.example", .type = DNS_TYPE_A};
	fake[0].held = true;
	ages_are(0, 0);
	assert_int_equal(frontend_rig_ask(FRONTEND_UDP, &first), FRONTEND_LATER);
	clock_pass_ms(100);
	ages_are(100, 0);
	assert_int_equal(frontend_rig_ask(FRONTEND_TCP, &next), FRONTEND_LATER);
	clock_pass_ms(50);
	assert_int_equal(frontend_rig_ask(FRONTEND_DOT, &first), FRONTEND_LATER);
	ages_are(150, 50);
	frontend_rig_end(FRONTEND_TCP);
	ages_are(150, 0);
	frontend_rig_end(FRONTEND_UDP);
	clock_pass_ms(20);
	ages_are(20, 20);
	frontend_rig_end(FRONTEND_DOT);
	ages_are(0, 0);
	fake[0].held = false;
}
