// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// For test_http_api: the directory of a publisher, and the calls to it.

#include <weir/shm_abi.h>

struct directory *publisher_directory(struct publisher *)
{
	static struct directory dir;
	return &dir;
}

#define API_DROPS_ASSERT()                                                                        \
	do {                                                                                      \
		assert_reply("POST /drops/add?source=198.18.0.9/24&minutes=2", 200,               \
			"{\"source\":\"198.18.0.0/24\",\"left_ms\":120000}");                     \
		assert_reply("GET /drops", 200,                                                   \
			"{\"drops\":[{\"source\":\"198.18.0.0/24\",\"left_ms\":1");               \
		assert_reply("POST /drops/add?source=198.0.0.0/7&minutes=2", 400, "at least /8"); \
		assert_reply(                                                                     \
			"POST /drops/add?source=nobody&minutes=2", 400, "is not an IP address");  \
		assert_reply("POST /drops/add?minutes=2", 400, "is missing");                     \
		assert_reply("POST /drops/add?source=198.18.0.9&minutes=1441", 400,               \
			"must be 1 to 1440");                                                     \
		assert_reply("POST /drops/remove?source=198.18.0.9/24", 200, "\"left_ms\":0");    \
		assert_reply("POST /drops/remove?source=198.18.0.9/24", 409, "is not dropped");   \
	} while (0)
