// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The sections of the configuration file. The file with a section's name reads it, from texts
// (config_schema.h) into struct config. config.c has the order of the calls; "after F" means that F
// must have been called.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// The section `dataplane`: cores, ports, service addresses. -EINVAL by config_refuse, -ENOMEM;
// `out` may then be half filled, and config_dataplane_free frees it.
ATTR_MUST_CHECK int config_dataplane_apply(const struct config_doc *doc, struct config *out);
void config_dataplane_free(struct config *c);

// The section `upstreams`, after config_dataplane_apply. -EINVAL by config_refuse, -ENOMEM; `out`
// may then be half filled, and config_upstreams_free frees it.
ATTR_MUST_CHECK int config_upstreams_apply(const struct config_doc *doc, struct config *out);
void config_upstreams_free(struct config *c);
// Adds a server of the list named `list` ("upstreams.servers") to `servers`. `out` has its service
// addresses. -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_server_apply(const struct config_doc *doc,
	const struct config_node *node, const char *list, const struct config *out,
	struct config_upstream *servers, unsigned *count);
// Reads the name in a certificate, in lower case. False: it is no host name in ASCII.
bool config_tls_name_take(const char *text, size_t len, char out[CONFIG_TLS_NAME_MAX + 1]);
// Reads pins from `items`, CONFIG_PINS_MAX at most. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_pins_take(const struct config_doc *doc, const char *key,
	const struct config_node *items, uint8_t (*out)[CONFIG_PIN_LEN]);
// Reads a list of DNS servers by address: each is the address of a host, none is weir's own, none
// is given twice. -EINVAL.
ATTR_MUST_CHECK int config_bootstrap_apply(const struct config_doc *doc, const char *list,
	const struct config_node *items, const struct config *out, struct socket_address *servers,
	unsigned *count);
// Refuses more than CONFIG_HOSTS_MAX host names of servers, groups' and zones' included. -EINVAL.
ATTR_MUST_CHECK int config_hosts_check(const struct config_doc *doc, const struct config *c);
// Refuses servers in clear text if `upstreams.strict` is true. -EINVAL.
ATTR_MUST_CHECK int config_servers_strict(const struct config_doc *doc, const char *list,
	const struct config *c, const struct config_upstream *servers, unsigned count);
// Reads how servers of a list share its questions, by keys with a prefix of the mapping `owner`
// ("groups[3]"). A key that it does not give has the value of `upstreams`. -EINVAL.
ATTR_MUST_CHECK int config_pick_apply(const struct config_doc *doc, const char *owner,
	const char *prefix, const struct config_node *node,
	const struct config_upstreams *upstreams, struct config_pick *out);
bool config_address_equal(const struct ip_address *a, const struct ip_address *b);

// The section `access`: clients that may ask, and clients without limits.

// After config_upstreams_apply: `local` means the networks of the service addresses. -EINVAL by
// config_refuse, -ENOMEM. `out` may then be half filled.
ATTR_MUST_CHECK int config_access_apply(const struct config_doc *doc, struct config *out);
void config_access_free(struct config *c);

// The lists of the section `limits`: clients and zones that its bounds do not apply to.

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

// Pointers to all clients, ordered by name, for free(). NULL: no memory.
const struct config_client **config_clients_sorted(const struct config *c);

// The list `groups`: their clients, and settings for these.

// After config_upstreams_apply and config_lists_apply. -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_groups_apply(const struct config_doc *doc, struct config *out);
void config_groups_free(struct config *c);
// Finds the number of the group of that name, from 1. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_group_find(const struct config_doc *doc, const char *key,
	const char *name, const struct config *c, unsigned *out);

// The lists of the section `blocking`, its entries, and the reply for blocked names. config_keys.h
// has the keys with one value.

// -EINVAL by config_refuse, -ENOMEM. `out` may then be half filled; config_lists_free frees that.
ATTR_MUST_CHECK int config_lists_apply(const struct config_doc *doc, struct config *out);
void config_lists_free(struct config *c);

// The list `entries`: adds every item to `out->dated`, and an item that has not ended also to the
// entries of `blocking` or of its group. After config_groups_apply. -EINVAL by config_refuse,
// -ENOMEM.
ATTR_MUST_CHECK int config_dated_apply(const struct config_doc *doc, struct config *out);
void config_dated_free(struct config *c);

// The reply for blocked names of a group: its section `block`.

// `owner`: "groups[3]". After config_lists_apply.
ATTR_MUST_CHECK int config_block_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, const struct config_blocking *everyone,
	struct config_block *out);

// The section `ipv6`, and its keys in a group.

// -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_ipv6_apply(const struct config_doc *doc, struct config *out);
// Reads `dns64` of group `i`.
ATTR_MUST_CHECK int config_group_ipv6_apply(const struct config_doc *doc,
	const struct config_node *node, unsigned i, struct config *out);

// The list of blocking.update, and the relations between its values.

// After config_dataplane_apply. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_update_apply(const struct config_doc *doc, struct config *out);

// The section `local` and `groups[].local_records`: the operator's own records and zones.

// After config_keys_apply. Both return -EINVAL by config_refuse, or -ENOMEM; `out` may then be half
// filled, and config_local_free frees it, groups' records as well.
ATTR_MUST_CHECK int config_local_apply(const struct config_doc *doc, struct config *out);
ATTR_MUST_CHECK int config_group_records_apply(const struct config_doc *doc,
	const struct config_node *node, unsigned group, struct config *out);
void config_local_free(struct config *c); // call before config_groups_free

// Refuses, once all records are read, a duplicate, a CNAME beside another record of its name
// (RFC 1034 3.6.2), and a circle of CNAMEs.
ATTR_MUST_CHECK int config_records_check(const struct config_doc *doc, struct config *c);

// The lists `forward_zones` of everyone and of groups: zones and their servers.

// After config_upstreams_apply and config_groups_apply. -EINVAL by config_refuse, -ENOMEM; `out`
// may then be half filled, and config_forwards_free frees it, groups' zones as well.
ATTR_MUST_CHECK int config_forwards_apply(const struct config_doc *doc, struct config *out);
void config_forwards_free(struct config *c); // call before config_groups_free

// The lists of the section `query_log`; config_keys.h has its keys with one value.

// -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_query_log_apply(const struct config_doc *doc, struct config *out);
void config_query_log_free(struct config *c);

// The lists of the section `client_names`. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_client_sources_apply(const struct config_doc *doc, struct config *out);

// The lists and the syslog server of the section `events`, after config_keys_apply. -EINVAL by
// config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_events_apply(const struct config_doc *doc, struct config *out);
void config_events_free(struct config *c);

// The section `updates`: the public key, and the keys that `check` needs. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_updates_apply(const struct config_doc *doc, struct config *out);

// The section `metrics`: the address that serves them, and the clients that may read them.

// -EINVAL by config_refuse. config_keys_free frees its texts.
ATTR_MUST_CHECK int config_metrics_apply(const struct config_doc *doc, struct config *out);

// The section `control`: addresses, clients and certificates of the control API on the network.

// After config_tls_apply. -EINVAL by config_refuse. It allocates nothing.
ATTR_MUST_CHECK int config_control_apply(const struct config_doc *doc, struct config *out);
// Copies an absolute path of a file. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_certificate_path_take(const struct config_doc *doc, const char *key,
	const char *path, char out[CONFIG_CERTIFICATE_PATH_MAX + 1]);

// The section `redis`: its list of addresses, the password files, and the relations between its
// values. No message has a password.

// After config_keys_apply. -EINVAL by config_refuse, -ENOMEM.
ATTR_MUST_CHECK int config_redis_apply(const struct config_doc *doc, struct config *out);
// Overwrites the passwords; call before config_keys_free.
void config_redis_wipe(struct config *c);

// The section `dnssec`.
ATTR_MUST_CHECK int config_dnssec_apply(const struct config_doc *doc, struct config *out);
void config_dnssec_free(struct config *c);

// The section `cookies`: the secrets, from the configuration or from `secret_file`.

ATTR_MUST_CHECK int config_cookies_apply(const struct config_doc *doc, struct config *out);
void config_cookies_wipe(struct config *c);

// The sections `tls`, `dot` and `doh`: paths of certificates, secrets of session tickets, and
// ports. Does not read the certificates.

// After config_keys_apply. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_tls_apply(const struct config_doc *doc, struct config *out);
void config_tls_wipe(struct config *c);

// The section `proxy_protocol`: balancers.

// -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_proxy_protocol_apply(const struct config_doc *doc, struct config *out);

// Relations between the values of a configuration. -EINVAL by config_refuse.

// Checks keys with one value, once each is valid.
ATTR_MUST_CHECK int config_values_check(const struct config_doc *doc, struct config *c);
// Checks the number of packet buffers, after config_upstreams_apply.
ATTR_MUST_CHECK int config_mbufs_check(const struct config_doc *doc, struct config *c);
// Checks relations between sections, once all are valid.
ATTR_MUST_CHECK int config_check(const struct config_doc *doc, const struct config *c);

// Checks a document that was read, and makes a configuration of it. -EINVAL and -ENOMEM, both with
// an error.
ATTR_MUST_CHECK int config_from_doc(struct config_doc *doc, struct config **out);
