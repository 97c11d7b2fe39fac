// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The steps that read the configuration file, from texts (config_schema.h) into struct config, and
// the functions that their files share. Any thread.

#include "config_doc.h"
#include "config_schema.h"

#include <weir/config.h>

// A step reads a section of the configuration file, or checks values that earlier steps read.
struct config_step {
	// -EINVAL by config_refuse, -ENOMEM; `out` may then be half filled.
	int (*apply)(const struct config_doc *doc, struct config *out);
	// Frees memory of `apply`, and overwrites its secrets; the configuration may be half
	// filled. NULL: the step allocates nothing, or config_keys_step frees its texts.
	void (*free)(struct config *c);
};

// The steps in their order, with the steps that each needs; config_NAME_step is at the end of its
// file. A step is behind the steps whose values it reads. It is left out if a step that it needs
// refused its input, as its errors would only follow from that. config_free frees in the reverse
// order: the records and zones of groups before the groups.
#define CONFIG_STEPS(X)                                      \
	X(keys, 0)                                           \
	X(limits, 0)                                         \
	X(cookies, 0)                                        \
	X(tls, 0)                                            \
	X(dnssec, 0)                                         \
	X(metrics, 0)                                        \
	X(control, 0)                                        \
	X(redis, 0)                                          \
	X(ipv6, 0)                                           \
	X(proxy_protocol, 0)                                 \
	X(client_sources, 0)                                 \
	X(events, 0)                                         \
	X(query_log, 0)                                      \
	X(updates, 0)                                        \
	X(sync, 0)                                           \
	X(dataplane, 0)                                      \
	X(upstreams, 0)                                      \
	X(access, 0)                                         \
	X(lists, 0)                                          \
	X(update, 0)                                         \
	X(local, 0)                                          \
	X(clients, 0)                                        \
	X(groups, CONFIG_STEP(clients))                      \
	X(dated, CONFIG_STEP(groups))                        \
	X(records, CONFIG_STEP(groups) | CONFIG_STEP(local)) \
	X(forwards, 0)                                       \
	X(house, CONFIG_STEP(local) | CONFIG_STEP(forwards)) \
	X(values, CONFIG_STEP(keys))                         \
	X(mbufs, CONFIG_STEP(keys) | CONFIG_STEP(dataplane) | CONFIG_STEP(upstreams))
#define X(name, needs) extern const struct config_step config_##name##_step;
CONFIG_STEPS(X)
#undef X

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

ATTR_MUST_CHECK int config_mac_check(
	const struct config_doc *doc, const char *key, const struct config_mac *mac);

// Pointers to all clients, ordered by name, for free(). NULL: no memory.
const struct config_client **config_clients_sorted(const struct config *c);

// Finds the number of the group of that name, from 1. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_group_find(const struct config_doc *doc, const char *key,
	const char *name, const struct config *c, unsigned *out);

// The reply for blocked names of a group: its section `block`. `owner`: "groups[3]".
ATTR_MUST_CHECK int config_block_apply(const struct config_doc *doc, const char *owner,
	const struct config_node *node, const struct config_blocking *everyone,
	struct config_block *out);

// Reads `dns64` of group `i`. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_group_ipv6_apply(const struct config_doc *doc,
	const struct config_node *node, unsigned i, struct config *out);

// Reads `groups[].local_records`. -EINVAL by config_refuse, -ENOMEM; config_records_step frees
// them.
ATTR_MUST_CHECK int config_group_records_apply(const struct config_doc *doc,
	const struct config_node *node, unsigned group, struct config *out);

// Copies an absolute path of a file. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_certificate_path_take(const struct config_doc *doc, const char *key,
	const char *path, char out[CONFIG_CERTIFICATE_PATH_MAX + 1]);

// Checks relations between sections, once all steps are made. -EINVAL by config_refuse.
ATTR_MUST_CHECK int config_check(const struct config_doc *doc, const struct config *c);

// Checks a document that was read, and makes a configuration of it. -EINVAL and -ENOMEM, both with
// an error.
ATTR_MUST_CHECK int config_from_doc(struct config_doc *doc, struct config **out);
