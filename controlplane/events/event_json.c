// SPDX-License-Identifier: BSD-3-Clause
#include "event_json.h"

void event_json(struct json_out *o, struct json_node *n, const struct event_record *e)
{
	json_out_count(o, n, "number", e->number);
	json_out_signed(o, n, "unix_ms", e->unix_ms);
	json_out_text(o, n, "kind", event_kind_names[e->kind]);
	json_out_text(o, n, "severity", event_severity_names[e->severity]);
	json_out_text(o, n, "text", e->text);
	struct json_node *fields = json_out_object(o, n, "fields");
	for (unsigned i = 0; i < e->fields; i++)
		json_out_text(o, fields, e->name[i], e->value[i]);
}
