// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A record of the query log (log_msg.h) with both ends of the exchange and both messages, on a log
// ring as MSG_LOG_WHOLE: the record, its name, a log_whole, then with LOG_HAS_QUERY the record's
// `query_len` bytes of the query as it came, and with LOG_HAS_REPLY its `reply_len` of the reply
// as it went. For dnstap; dp_config.log_detail says whether they are written.

#include "attr.h"
#include "log_msg.h"

#include <stddef.h>

enum { LOG_HAS_QUERY = 1, LOG_HAS_REPLY = 2 };

struct log_whole {
	uint8_t service[16];   // the queried service address; IPv4 in the first 4
	uint16_t service_port; // 0: neither is known
	uint8_t has;           // LOG_HAS_*
	uint8_t reserved[5];
};
static_assert(sizeof(struct log_whole) == 24);

enum { LOG_WHOLE_MAX = LOG_MESSAGE_MAX + sizeof(struct log_whole) + 2 * UINT16_MAX };

// The parts that a whole record adds. A NULL message is left out.
struct log_parts {
	const uint8_t *service; // 4 or 16 bytes by the version
	unsigned ip_version;
	uint16_t service_port;
	uint16_t query_len, reply_len; // as in the record
	const uint8_t *query, *reply;
};

// Bytes behind record and name.
ATTR_MUST_CHECK uint32_t log_whole_len(const struct log_parts *p);
// Writes them, behind a record with its `name_len`.
void log_writer_whole_put(struct log_record *r, const struct log_parts *p);

// A parsed record. The pointers lead into the message.
struct log_whole_view {
	size_t record_len;            // of record and name, with which the message begins
	struct log_whole ends;        // with `has` reduced to valid parts
	const uint8_t *query, *reply; // NULL: left out
};
// Of `len` bytes at `msg`, which may be anything. -EBADMSG: lengths that do not fit.
ATTR_MUST_CHECK int log_whole_read(const uint8_t *msg, size_t len, struct log_whole_view *out);
