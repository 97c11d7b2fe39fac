// SPDX-License-Identifier: BSD-3-Clause

#include "config_entries.h"
#include "config_sections.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int config_rebinding_apply(const struct config_doc *doc, const struct config_raw_rebinding *raw,
	struct config_rebinding *out)
{
	if (!raw)
		return 0;
	const char *enabled = raw->enabled ? raw->enabled : "false";
	if (strcmp(enabled, "true") != 0 && strcmp(enabled, "false") != 0)
		return config_refuse(doc, "blocking.rebinding.enabled", "must be true or false");
	out->enabled = strcmp(enabled, "true") == 0;
	if (raw->allow_count == 0)
		return 0;
	out->allow = calloc(raw->allow_count, sizeof(*out->allow));
	if (!out->allow)
		return -ENOMEM;
	for (unsigned i = 0; i < raw->allow_count; i++) {
		char key[CONFIG_PATH_MAX];
		int rc = config_entry_name(doc,
			config_item_key(key, "blocking.rebinding.allow", i, NULL), raw->allow[i],
			&out->allow[i]);
		if (rc < 0)
			return rc;
		out->allow_count++;
	}
	return 0;
}

void config_rebinding_free(struct config_rebinding *r)
{
	FREE_AND_NULL(r->allow);
}
