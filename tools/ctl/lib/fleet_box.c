// SPDX-License-Identifier: BSD-3-Clause
#include "fleet_box.h"

#include <string.h>

const struct json_node *fleet_box_find(const struct json_node *boxes, const char *name, size_t len)
{
	const struct json_node *found = NULL;
	for (size_t i = 0; i < json_length(boxes); i++) {
		const struct json_node *n = json_at(boxes, i);
		const char *text = json_text(n, "name");
		if (strlen(text) != len || memcmp(text, name, len) != 0)
			continue;
		if (!json_flag(n, "away"))
			return n;
		found = found ? found : n;
	}
	return found;
}

size_t fleet_name_next(const char **names, const char **name)
{
	const size_t len = strcspn(*names, ",");
	*name = *names;
	*names += len + ((*names)[len] == ',');
	return len;
}
