// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A response of DNS over HTTPS: its header fields (RFC 8484 4.2, 5.1).

#include "doh_http.h"

#include <stddef.h>
#include <time.h>

struct doh_response {
	enum doh_status status;
	const uint8_t *body;
	size_t len;
	uint32_t max_age_s; // for DOH_200: how long a cache may keep it
};

// How long a reply may be kept: the smallest TTL of its answer section, and of the SOA of a
// negative answer the smaller of TTL and MINIMUM (RFC 2308 5). 0: not at all, as an error or a
// reply that cannot be read.
uint32_t doh_max_age(const uint8_t *msg, size_t len);

struct doh_date { // the field `date`, made again each second (RFC 9110 6.6.1)
	time_t at;
	char text[32];
};

enum { DOH_FIELDS_MAX = 5, DOH_VALUE_MAX = 40 };
struct doh_field {
	const char *name; // lower case
	char value[DOH_VALUE_MAX];
};
// The header fields of a response, all but its status; how many. All have a length.
unsigned doh_response_fields(
	const struct doh_response *r, struct doh_date *date, struct doh_field out[DOH_FIELDS_MAX]);
