// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A row of the query log as a dnstap message, and the control frames of frame streams around it
// (dnstap.info; fstrm's control.h). Pure; writes to and reads from the caller's octets.
//
// Why not fstrm and protobuf-c: what we send is a dozen fields of one message type, and four
// control frames. fstrm_iothr has a queue of its own that drops without a word of the row.
//
// A row is one message: CLIENT_RESPONSE with the query and the reply, or CLIENT_QUERY where nothing
// was answered. A row without the messages (querylog_whole) has in their place header and question
// as they will have been, with id 0 and without records: the reply's, or the query's where there
// was none. `extra` is the row as JSON (row_text.h), its weight included. A client that is hidden
// by hashing has no address; one that is cut has its network; neither has messages.

#include "querylog/querylog.h"

#define DNSTAP_CONTENT_TYPE "protobuf:dnstap.Dnstap"

enum {
	DNSTAP_FRAME_MAX = 12 * 1024 + 2 * UINT16_MAX, // with its length; no row's is longer
	DNSTAP_CONTROL_MAX = 512, // of a control frame behind its escape and length
};

enum dnstap_control { // values on the wire
	DNSTAP_ACCEPT = 1,
	DNSTAP_START,
	DNSTAP_STOP,
	DNSTAP_READY,
	DNSTAP_FINISH,
};

// Has the row all the messages that there were?
bool dnstap_frame_is_whole(const struct querylog_row *row);
// A data frame. Octets, or 0: it does not fit, or the row is of no single query.
size_t dnstap_frame_row(const struct querylog_row *row, const char *box, uint8_t *out, size_t cap);
// A control frame, with our content type where it has one. Octets, or 0.
size_t dnstap_frame_control(enum dnstap_control type, uint8_t *out, size_t cap);

// What the receiver has sent so far. 0: a whole control frame of that type, in *used octets; of
// ACCEPT, READY and START one that has our content type or none at all. -EAGAIN: more is needed;
// -EBADMSG: no control frame, one over DNSTAP_CONTROL_MAX, or of another content type.
ATTR_MUST_CHECK int dnstap_control_read(
	const uint8_t *octets, size_t len, enum dnstap_control *type, size_t *used);
