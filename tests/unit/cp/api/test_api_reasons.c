// SPDX-License-Identifier: BSD-3-Clause
// Reasons for not being ready: their bound, their severity, their names as alarms.

#include "controlplane/api/api_reasons.h"
#include "tests/unit/unit.h"

static struct api_reasons r;

FIXTURE(fresh, memset(&r, 0, sizeof(r)))

TEST_WITH(each_kind_says_what_to_do, fresh, NULL)
{
	for (unsigned i = 0; i < API_REASON_IDS; i++) {
		const struct api_reason_kind *k = &api_reason_kinds[i];
		const size_t len = strlen(k->advice);
		assert_true(len > 20 && k->advice[len - 1] == '.');
		assert_ptr_equal(api_reason_kind_of(k->id), k);
	}
	assert_null(api_reason_kind_of("rule"));
	assert_null(api_reason_kind_of(""));
}

TEST_WITH(a_name_is_the_id_and_what_it_is_about, fresh, NULL)
{
	char name[32];
	api_reason_add(&r, API_REASON_sink, "dnstap", "no reader of %d", 3);
	api_reason_add(&r, API_REASON_lists, "", "1 list");
	api_reason_name(&r.one[0], name, sizeof(name));
	assert_string_equal(name, "sink dnstap");
	assert_ptr_equal(api_reason_kind_of(name), &api_reason_kinds[API_REASON_sink]);
	api_reason_name(&r.one[1], name, sizeof(name));
	assert_string_equal(name, "lists");
	assert_string_equal(r.one[0].text, "no reader of 3");
}

TEST_WITH(one_that_blocks_is_an_error_but_for_the_operators_word, fresh, NULL)
{
	api_reason_add(&r, API_REASON_dataplane, "", "weak");
	api_reason_block(&r, API_REASON_dataplane, "gone");
	api_reason_block(&r, API_REASON_drained, "drained");
	assert_int_equal(api_reason_severity(&r.one[0]), EVENT_IS_warning);
	assert_int_equal(api_reason_severity(&r.one[1]), EVENT_IS_error);
	assert_int_equal(api_reason_severity(&r.one[2]), EVENT_IS_info);
	assert_int_equal(r.blocking, 2);
}

TEST_WITH(those_without_room_are_counted, fresh, NULL)
{
	for (unsigned i = 0; i < API_REASONS_MAX; i++)
		api_reason_add(&r, API_REASON_lists, "", "%u", i);
	assert_int_equal(r.left_out, 0);
	api_reason_add(&r, API_REASON_rules, "", "one more");
	api_reason_block(&r, API_REASON_upstreams, "it still blocks");
	assert_int_equal(r.count, API_REASONS_MAX);
	assert_int_equal(r.left_out, 2);
	assert_int_equal(r.blocking, 1);
}
