// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The sections of the configuration file, each read by the file that is named like it: from texts
// (config_schema.h) into struct config. config.c knows their order.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// The section `dataplane`: cores, ports, service addresses. -EINVAL by config_refuse, -ENOMEM;
// `out` may then be half filled, config_dataplane_free frees that.
ATTR_MUST_CHECK int config_dataplane_apply(const struct config_doc *doc, struct config *out);
void config_dataplane_free(struct config *c);

// The section `upstreams`, after config_dataplane_apply. The same.
ATTR_MUST_CHECK int config_upstreams_apply(const struct config_doc *doc, struct config *out);
void config_upstreams_free(struct config *c);
// One more server of a list named `list` ("upstreams.servers"), of an `out` that has its service
// addresses. -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_server_apply(const struct config_doc *doc,
	const struct config_node *node, const char *list, const struct config *out,
	struct config_upstream *servers, unsigned *count);
// The name of a certificate, in lower case. False: it is none of a host's in ASCII.
bool config_tls_name_take(const char *text, size_t len, char out[CONFIG_TLS_NAME_MAX + 1]);
// Pins from text, CONFIG_PINS_MAX at most. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_pins_take(const struct config_doc *doc, const char *key,
	const struct config_node *items, uint8_t (*out)[CONFIG_PIN_LEN]);
// A list of DNS servers by their addresses, of a key: each the address of a host, none of this
// service, none twice. -EINVAL.
ATTR_MUST_CHECK int config_bootstrap_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, const struct config *out, struct socket_address *servers,
	unsigned *count);
// At most CONFIG_HOSTS_MAX of them, those of groups and zones included. -EINVAL.
ATTR_MUST_CHECK int config_hosts_check(const struct config_doc *doc, const struct config *c);
// With `upstreams.strict` no server of the list may be asked in clear text. -EINVAL.
ATTR_MUST_CHECK int config_servers_strict(const struct config_doc *doc, const char *list,
	const struct config *c, const struct config_upstream *servers, unsigned count);
// What the mapping `owner` ("groups[3]") says of its list of servers, by keys with a prefix;
// `upstreams` have what it does not give. -EINVAL.
ATTR_MUST_CHECK int config_pick_apply(const struct config_doc *doc, const char *owner,
	const char *prefix, const struct config_node *node,
	const struct config_upstreams *upstreams, struct config_pick *out);
bool config_address_equal(const struct ip_address *a, const struct ip_address *b);

// VLANs: those of which a port takes frames, and those whose clients are in a group.

// The section `access`: clients that may ask, and clients without limits.

// After config_upstreams_apply: `local` means the networks of the service addresses. -EINVAL by
// config_refuse, -ENOMEM. `out` may then be half filled.
ATTR_MUST_CHECK int config_access_apply(const struct config_doc *doc, struct config *out);
void config_access_free(struct config *c);

// The lists of the section `limits`: clients and zones without its bounds.

// -EINVAL by config_refuse, -ENOMEM. `out` may then be half filled.
ATTR_MUST_CHECK int config_limits_apply(const struct config_doc *doc, struct config *out);
void config_limits_free(struct config *c);

// The list `clients`, and the entries of `groups[].clients`: addresses, prefixes, MACs and names of
// clients, none in two groups.

// -EINVAL by config_refuse, -ENOMEM. `out` may then be half filled.
ATTR_MUST_CHECK int config_clients_apply(const struct config_doc *doc, struct config *out);
void config_clients_free(struct config *c);

ATTR_MUST_CHECK int config_mac_check(
	const struct config_doc *doc, const char *key, const struct config_mac *mac);

// Pointers to all clients, in order of their names; free(3) it. NULL: no memory.
const struct config_client **config_clients_sorted(const struct config *c);

// The list `groups`: clients by prefix, and what applies to them.

// After config_upstreams_apply and config_lists_apply. -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_groups_apply(const struct config_doc *doc, struct config *out);
void config_groups_free(struct config *c);
// The number of the group of that name, from 1. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_group_find(const struct config_doc *doc, const char *key,
	const char *name, const struct config *c, unsigned *out);

// The block lists and entries of the configuration file, and what every key with a list needs.
// config_sections.h has the other lists, config_keys.h the keys that hold one value.

// -EINVAL by config_refuse, -ENOMEM. `out` may then be half filled; config_lists_free frees that.
ATTR_MUST_CHECK int config_lists_apply(const struct config_doc *doc, struct config *out);
void config_lists_free(struct config *c);

// `entries`, all of them into `out->dated`, and those that have not ended to the entries of
// `blocking` and of groups too. After config_groups_apply. -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_dated_apply(const struct config_doc *doc, struct config *out);
void config_dated_free(struct config *c);

// How blocked names are answered: the addresses of `blocking`, and the section `block` of groups.

// `owner`: "groups[3]". After config_blocking_reply_apply.
ATTR_MUST_CHECK int config_block_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, const struct config_blocking *everyone,
	struct config_block *out);

// The section `ipv6`, and the same keys of a group.

// -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_ipv6_apply(const struct config_doc *doc, struct config *out);
// The prefix of group `i`.
ATTR_MUST_CHECK int config_group_ipv6_apply(const struct config_doc *doc,
	const struct config_node *node, unsigned i, struct config *out);

// The section blocking.rebinding.

// What of blocking.update is more than one value, and how its values go together.

// -EINVAL by config_refuse. After the service addresses.
ATTR_MUST_CHECK int config_update_apply(const struct config_doc *doc, struct config *out);

// The section `local` and `groups[].local_records`: the operator's own records and zones.

// After config_keys_apply. All return -EINVAL by config_refuse, or -ENOMEM; `out` may then be half
// filled, config_local_free frees that, groups' records as well.
ATTR_MUST_CHECK int config_local_apply(const struct config_doc *doc, struct config *out);
ATTR_MUST_CHECK int config_group_records_apply(const struct config_doc *doc,
	const struct config_node *node, unsigned group, struct config *out);
void config_local_free(struct config *c); // before config_groups_free

// What records must be together, when all are there: no two alike, no CNAME beside another record
// of its name (RFC 1034 3.6.2), none that leads in a circle.
ATTR_MUST_CHECK int config_records_check(const struct config_doc *doc, struct config *c);

// The list `forward_zones`, everyone's and groups': zones and their servers.

// After config_upstreams_apply and config_groups_apply. -EINVAL by config_refuse, -ENOMEM; `out`
// may then be half filled, config_forwards_free frees that, groups' zones as well.
ATTR_MUST_CHECK int config_forwards_apply(const struct config_doc *doc, struct config *out);
void config_forwards_free(struct config *c); // before config_groups_free

// The lists of section query_log. Its single values are in config_keys.h.

// -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_query_log_apply(const struct config_doc *doc, struct config *out);
void config_query_log_free(struct config *c);

// The lists of section client_names. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_client_sources_apply(const struct config_doc *doc, struct config *out);

// -EINVAL by config_refuse, -ENOMEM. `out` has its keys of one value.
ATTR_MUST_CHECK int config_events_apply(const struct config_doc *doc, struct config *out);
void config_events_free(struct config *c);

// The section `updates`: the key from its text, and what `check` needs. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_updates_apply(const struct config_doc *doc, struct config *out);

// The section `metrics` of the configuration file: where they are served, and to whom.

// -EINVAL by config_refuse. Nothing to be freed but what config_keys_free does.
ATTR_MUST_CHECK int config_metrics_apply(const struct config_doc *doc, struct config *out);

// The section `control`: where the control API is on the network, to whom, and by which
// certificates.

// After config_tls_apply. -EINVAL by config_refuse. Nothing to be freed.
ATTR_MUST_CHECK int config_control_apply(const struct config_doc *doc, struct config *out);
// An absolute path of a file for `out`. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_certificate_path_take(const struct config_doc *doc, const char *key,
	const char *path, char out[CONFIG_CERTIFICATE_PATH_MAX + 1]);

// The section `redis`: its list of addresses, the password file, and what its values must be
// together. The password is in no message.

// After config_keys_apply. -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_redis_apply(const struct config_doc *doc, struct config *out);
// Overwrites the passwords; before config_keys_free.
void config_redis_wipe(struct config *c);

// The section `dnssec`.
ATTR_MUST_CHECK int config_dnssec_apply(const struct config_doc *doc, struct config *out);
void config_dnssec_free(struct config *c);

// The section `cookies`: the secrets, from the file itself or from one beside it.

ATTR_MUST_CHECK int config_cookies_apply(const struct config_doc *doc, struct config *out);
void config_cookies_wipe(struct config *c);

// The sections `tls`, `dot` and `doh`: certificates, secrets of session tickets, where they are
// served. The certificates themselves are not read here.

// After config_keys_apply. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_tls_apply(const struct config_doc *doc, struct config *out);
void config_tls_wipe(struct config *c);

// The section `proxy_protocol`: balancers.

// -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_proxy_protocol_apply(const struct config_doc *doc, struct config *out);

// Relations between the values of a configuration. -EINVAL by config_refuse.

// Of single values, once every one is good.
ATTR_MUST_CHECK int config_values_check(const struct config_doc *doc, struct config *c);
// The packet buffers, also after config_upstreams_apply.
ATTR_MUST_CHECK int config_mbufs_check(const struct config_doc *doc, struct config *c);
// Of sections, once all is good.
ATTR_MUST_CHECK int config_check(const struct config_doc *doc, const struct config *c);

// Checks a document that was read, and makes a configuration of it. -EINVAL, -ENOMEM: with an
// error.
ATTR_MUST_CHECK int config_from_doc(struct config_doc *doc, struct config **out);
