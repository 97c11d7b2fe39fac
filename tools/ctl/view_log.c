// SPDX-License-Identifier: BSD-3-Clause

#include "table_out.h"
#include "view.h"

#include <stdio.h>
#include <weir/text.h>

void view_print_store(const struct json_node *store)
{
	char a[COUNT_TEXT_MAX], b[COUNT_TEXT_MAX], c[COUNT_TEXT_MAX], shown[512];
	const char *state = json_text(store, "state");
	if (!*state)
		return;
	printf("query store     %s, %s in %s files of at most %s",
		text_escape(state, shown, sizeof shown), octets_text(json_count(store, "bytes"), a),
		count_text(json_count(store, "files"), b),
		octets_text(json_count(store, "max_bytes"), c));
	if (json_count(store, "keeps_one_in") > 1)
		printf(", keeps one row in %s", count_text(json_count(store, "keeps_one_in"), a));
	if (json_count(store, "lost_rows"))
		printf(", %s rows lost", count_text(json_count(store, "lost_rows"), a));
	if (*json_text(store, "why"))
		printf(" (%s; next try in %s)",
			text_escape(json_text(store, "why"), shown, sizeof shown),
			duration_text(json_count(store, "retry_in_ms"), a));
	printf("\n");
}
