// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A row of the query log as a dnstap message, and the control frames of frame streams around it
// (dnstap.info; fstrm's control.h). Pure; writes to and reads from the caller's bytes.
//
// Why not fstrm and protobuf-c: weir sends a dozen fields of one message type, and four control
// frames. fstrm_iothr has a queue of its own that drops rows without reporting them.
//
// A row is one message: CLIENT_RESPONSE with the query and the reply, or CLIENT_QUERY where nothing
// was answered. A row without the messages (querylog_whole) has a header and question made from the
// row, with id 0 and without records: those of the reply, or of the query if there was no reply.
// `extra` is the row as JSON (row_text.h), its weight included. A client hidden by a hash has no
// address; with `truncate` it has its network; neither has messages.

#include "querylog/querylog.h"

#define DNSTAP_CONTENT_TYPE "protobuf:dnstap.Dnstap"

enum {
	DNSTAP_FRAME_MAX =
		12 * 1024
		+ 2 * UINT16_MAX, // bytes of the largest frame of a row, its length included
	DNSTAP_CONTROL_MAX = 512, // bytes of a control frame behind its escape and length
};

enum dnstap_control { // values on the wire
	DNSTAP_ACCEPT = 1,
	DNSTAP_START,
	DNSTAP_STOP,
	DNSTAP_READY,
	DNSTAP_FINISH,
};

// Whether the row has all its messages.
bool dnstap_frame_is_whole(const struct querylog_row *row);
// Writes a data frame. Returns its bytes; 0: it does not fit, or the row is of no single query.
size_t dnstap_frame_row(const struct querylog_row *row, const char *box, uint8_t *out, size_t cap);
// Writes a control frame, with dnstap's content type where the frame has one. Returns its bytes; 0:
// it does not fit.
size_t dnstap_frame_control(enum dnstap_control type, uint8_t *out, size_t cap);

// Reads what the receiver has sent so far. 0: a whole control frame of *type, in *used bytes; an
// ACCEPT, READY or START has dnstap's content type or no content type. -EAGAIN: more is needed;
// -EBADMSG: not a control frame, over DNSTAP_CONTROL_MAX, or with another content type.
ATTR_MUST_CHECK int dnstap_control_read(
	const uint8_t *bytes, size_t len, enum dnstap_control *type, size_t *used);
