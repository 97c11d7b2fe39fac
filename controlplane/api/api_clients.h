// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// A client's name, the source of the name, and the MAC address. Service loop's thread.

#include "api_server.h"
#include "querylog/querylog_row.h"

struct frontend_neighbours;

// How all endpoints show addresses of clients: as the query log does.
void api_hiding(const struct api *a, struct querylog_hiding *out);
enum log_clients api_anonymize(const struct api *a);
// The text of an address for replies.
const char *api_hidden_text(const struct querylog_hiding *h, unsigned version,
	const uint8_t address[16], char out[QUERYLOG_CLIENT_TEXT_MAX]);

// The book of found client names; NULL: no name may be shown, because the log hides clients.
struct client_book *api_client_book(const struct api *a);

// Where a client's MAC address is known from: the kernel's neighbours before a lease.
enum api_mac_from { API_MAC_UNKNOWN, API_MAC_NEIGHBOUR, API_MAC_LEASE };
// Finds the MAC address of one client. It decides the client's group, so it is found while the log
// hides clients, too.
enum api_mac_from api_client_mac(
	const struct api *a, const struct ip_address *ip, struct config_mac *out);

// Adds `client_name` of the client at `address` (from the configuration, or else a found name),
// `name_from` ("clients", a word of client_from_names, or "" without a name) and `mac`, "" if not
// known. All are "" if `address` is no address. `neighbours`: asks the kernel for the MAC address;
// NULL: only leases have it.
void api_client_out(struct json_out *o, struct json_node *n, const struct api *a,
	struct frontend_neighbours *neighbours, const char *address);
