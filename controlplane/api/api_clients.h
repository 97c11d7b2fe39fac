// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A client's name, its source, and the MAC address. Service loop's thread.

#include "api_server.h"
#include "querylog/querylog_row.h"

struct frontend_neighbours;

// How addresses of clients are shown, by everything that shows some: as the query log has them.
void api_hiding(const struct api *a, struct querylog_hiding *out);
enum log_clients api_anonymize(const struct api *a);
// The text of an address for replies.
const char *api_hidden_text(const struct querylog_hiding *h, unsigned version,
	const uint8_t address[16], char out[QUERYLOG_CLIENT_TEXT_MAX]);

// Names of clients that were found; NULL: there are none to show, as the log hides its clients.
struct client_book *api_client_book(const struct api *a);

// Adds `client_name` (that of the configuration, or else one that was found), `name_from`
// ("clients", or a word of client_from_names; "": it has no name) and `mac`, "" if it is not known,
// of an address as text; of a text that is none all are "". `neighbours`: asks the kernel for the
// MAC address; NULL: of leases alone.
void api_client_out(struct json_out *o, struct json_node *n, const struct api *a,
	struct frontend_neighbours *neighbours, const char *address);
