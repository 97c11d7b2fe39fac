// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Distinguishes boxes of one name in TABLE_limits: the machine's id (machine-id(5)), hashed with
// the folder of the spool, as several control planes may run on one machine.

enum { CLICKHOUSE_INSTANCE_MAX = 17 };

// 16 hexadecimal digits; "": the machine has no id.
void clickhouse_instance(
	const char *machine_file, const char *folder, char out[CLICKHOUSE_INSTANCE_MAX]);
