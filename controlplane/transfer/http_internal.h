// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// What http_transfer.c (handles, options, exchanges that block) and http_multi.c (exchanges on a
// loop, results of both kinds) share.

#include "http_multi.h"

#include <weir/http_coding.h>

struct curl_slist;

struct http_transfer {
	void *curl;                                  // CURL
	struct http_multi *multi;                    // NULL: blocks its thread
	_Atomic uint64_t *sockets;                   // of the multi
	const struct http_transfer_request *request; // NULL: none is in flight
	struct curl_slist *headers, *addresses;      // of it
	uint64_t sent;
	struct http_coding coding;     // of the reply
	bool is_packed_otherwise;      // so it was ended
	const char *ca_file, *ca_path; // of the system
	char error[256];               // of libcurl: CURL_ERROR_SIZE
};

void http_start(void); // libcurl; any number of times
ATTR_MUST_CHECK int http_handle_open(struct http_transfer **out, struct http_multi *m);
// Sets the handle up for the request; false: no memory. http_request_drop ends it.
bool http_request_take(struct http_transfer *t, const struct http_transfer_request *r);
void http_request_drop(struct http_transfer *t);
unsigned http_status_of(void *curl); // 0: no reply yet
// `code`: CURLcode
void http_result_write(const struct http_transfer *t, int code, struct http_transfer_result *out);
int http_error_of(const struct http_transfer *t, int code);
bool http_multi_options(const struct http_transfer *t); // beside those of any request
