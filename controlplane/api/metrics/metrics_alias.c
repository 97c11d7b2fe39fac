// SPDX-License-Identifier: BSD-3-Clause
#include "metrics.h"

#include <stdio.h>
#include <string.h>
#include <weir/attr.h>

// Prefixes of names, and what they were before. The first prefix that matches a name counts.
static const struct {
	const char *name, *former;
} aliases[] = {
	{"weir_frontend_", "weir_front_"},
	{"weir_resolver_answer_policy_rechecked_", "weir_resolver_judge_rejudged_"},
	{"weir_resolver_answer_policy_", "weir_resolver_judge_"},
	{"weir_resolver_worker_rings", "weir_resolver_lanes"},
	{"weir_dataplane_dedup_replaced_", "weir_dataplane_recent_replaced_"},
	{"weir_dataplane_rule_image_generation", "weir_dataplane_names_generation"},
};

// Length of the word at `at`: up to a blank, a brace or the end of the line.
static size_t word_length(const char *at)
{
	return strcspn(at, " {\n");
}

// Writes the former name of the metric `name`. False: the metric was not renamed.
static bool former_of(const char *name, size_t len, char out[METRICS_NAME_MAX])
{
	for (unsigned i = 0; i < ARRAY_LEN(aliases); i++) {
		size_t n = strlen(aliases[i].name);
		if (len < n || strncmp(name, aliases[i].name, n) != 0)
			continue;
		snprintf(out, METRICS_NAME_MAX, "%s%.*s", aliases[i].former, (int)(len - n),
			name + n);
		return true;
	}
	return false;
}

// Adds a copy of a line under the former name. The line is `# HELP name text`, `# TYPE name type`
// or `name{labels} value`.
static void line_alias(struct metrics_text *t, const char *line, size_t len)
{
	static const char help[] = "# HELP ", type[] = "# TYPE ";
	const bool is_help = strncmp(line, help, sizeof(help) - 1) == 0;
	const bool is_type = strncmp(line, type, sizeof(type) - 1) == 0;
	const char *name = is_help || is_type ? line + sizeof(help) - 1 : line;
	const size_t name_len = word_length(name);
	char former[METRICS_NAME_MAX];

	if (!former_of(name, name_len, former))
		return;
	if (is_help)
		metrics_line(t, "%s%s Deprecated: use %.*s.\n", help, former, (int)name_len, name);
	else
		metrics_line(t, "%s%s%.*s\n", is_type ? type : "", former,
			(int)(line + len - name - name_len), name + name_len);
}

void metrics_aliases(struct metrics_text *t)
{
	const size_t end = t->len; // the copies come after it

	for (size_t at = 0; at < end;) {
		const size_t len = strcspn(t->data + at, "\n");
		line_alias(t, t->data + at, len);
		at += len + 1;
	}
}
