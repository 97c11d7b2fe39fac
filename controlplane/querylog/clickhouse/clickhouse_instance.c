// SPDX-License-Identifier: BSD-3-Clause
#include "clickhouse_instance.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <weir/keyhash.h>

void clickhouse_instance(
	const char *machine_file, const char *folder, char out[CLICKHOUSE_INSTANCE_MAX])
{
	char id[64] = "", text[PATH_MAX + 80];
	out[0] = '\0';
	FILE *f = fopen(machine_file, "re");
	if (!f)
		return;
	bool has_id = fgets(id, sizeof(id), f) && id[0] != '\n';
	fclose(f);
	if (!has_id)
		return;
	int len = snprintf(text, sizeof(text), "%s%s", id, folder);
	snprintf(out, CLICKHOUSE_INSTANCE_MAX, "%016" PRIx64, contenthash(text, (size_t)len));
}
