// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Rows in a query store's folder, for who searches it over the API: three of this hour, 1, 2 and 3
// us into it, of both families, with names that a reply has to escape.

#include "controlplane/querylog/store/query_file.h"
#include "controlplane/querylog/store/query_folder.h"
#include "tests/unit/cp/querylog/querylog_rig.h"

#include <time.h>

static inline struct querylog_row query_rows_row(int64_t hour, unsigned i)
{
	static const char *const names[] = {
		"a\\\"\\000\\255.example.", "=cmd|x.example.", "other.test."};
	return (struct querylog_row){.time_us = (uint64_t)(hour * INT64_C(3600000000)) + 1 + i,
		.weight = 1,
		.qname = querylog_rig_text(names[i]),
		.client = querylog_rig_text(i == 1 ? "fd53::1" : "198.18.0.2"),
		.client_name = querylog_rig_text("<b>\"Ann's\"</b>"),
		.group = querylog_rig_text(""),
		.verdict = querylog_rig_text("hit"),
		.list = querylog_rig_text(""),
		.upstream = querylog_rig_text(""),
		.qtype = i == 2 ? 65280 : 28,
		.ede = QUERYLOG_NO_EDE,
		.tier = QUERYLOG_TIER_L0,
		.validation = QUERYLOG_SECURE,
		.client_version = i == 1 ? 6 : 4,
		.is_answered = true};
}

// 0 or -errno.
static inline int query_rows_write(const char *folder)
{
	int64_t hour = (int64_t)time(NULL) / 3600;
	struct query_file *f;
	char file[PATH_MAX];
	int ret = query_file_new(&f);
	if (ret)
		return ret;
	ret = query_folder_path(folder, hour, 1, file);
	if (ret == 0)
		ret = query_file_open(f, file, hour);
	for (unsigned i = 0; ret == 0 && i < 3; i++) {
		const struct querylog_row row = query_rows_row(hour, i);
		ret = query_file_put(f, "box", &row, 1);
	}
	if (ret == 0)
		ret = query_file_commit(f);
	query_file_free(f);
	return ret;
}
