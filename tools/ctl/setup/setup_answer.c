// SPDX-License-Identifier: BSD-3-Clause
#include "setup_answer.h"

#include "setup_change.h"
#include "setup_known.h"
#include "setup_machine.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <weir/bytes.h>

enum { WORDS_MAX = 16 };

// Cuts the answer at blanks and commas. Their number; WORDS_MAX + 1: there are more.
static unsigned words_cut(char *text, const char *words[WORDS_MAX])
{
	unsigned count = 0;
	char *rest = text, *word;
	while ((word = strtok_r(rest, " ,\t", &rest))) {
		if (count == WORDS_MAX)
			return WORDS_MAX + 1;
		words[count++] = word;
	}
	return count;
}

static bool refuse(char why[SETUP_WHY_MAX], const char *text, const char *which)
{
	snprintf(why, SETUP_WHY_MAX, text, which);
	return false;
}

static void interface_offer(const struct setup *s, char *out, size_t cap)
{
	if (s->is_serving)
		snprintf(out, cap, "keep");
	else
		setup_machine_interface(s->own, out, cap);
}

static bool interface_is_so(const struct setup *s, const struct config *c)
{
	const struct config_dataplane *dp = &c->dataplane;
	return dp->port_count == 1 && dp->ports[0].xdp
	       && strcmp(dp->ports[0].xdp, s->interface) == 0;
}

static bool interface_take(struct setup *s, const char *answer, char why[SETUP_WHY_MAX])
{
	char lines[SETUP_BLOCK_MAX];
	if (!setup_machine_has_interface(s->own, answer, why, SETUP_WHY_MAX))
		return false;
	snprintf(s->interface, sizeof(s->interface), "%s", answer);
	snprintf(lines, sizeof(lines), "ports:\n  - xdp: \"%s\"\n", answer);
	const struct setup_piece piece[] = {{"dataplane", "ports", lines}};
	if (!setup_change(s, piece, ARRAY_LEN(piece), interface_is_so, why)) {
		*s->interface = '\0';
		return false;
	}
	if (setup_machine_is_wifi(answer))
		printf("%s is Wi-Fi: frames go through the kernel's generic XDP, which is slower "
		       "than a cable's driver\n",
			answer);
	return true;
}

static void address_offer(const struct setup *s, char *out, size_t cap)
{
	struct ip_address own;
	char text[SOCKET_ADDRESS_TEXT_MAX];
	*out = '\0';
	if (!*s->interface || s->keeps_addresses)
		snprintf(out, cap, "keep");
	else if (setup_machine_addresses(s->interface, &own, 1) == 1)
		snprintf(out, cap, "%s", ip_address_text(&own, true, text));
}

static bool is_in(const struct ip_address *a, const struct ip_address *network)
{
	return a->version == network->version
	       && bits_same(a->bytes, network->bytes, network->prefix_len);
}

// An address, with the prefix length of the interface's network if the answer has none.
static bool address_read(
	const struct setup *s, const char *word, struct ip_address *out, char why[SETUP_WHY_MAX])
{
	struct ip_address own[CONFIG_ADDRESSES_MAX];
	if (ip_address_parse(word, out) != 0)
		return refuse(why, "\"%s\" is no IP address", word);
	if (strchr(word, '/'))
		return true;
	const unsigned count = setup_machine_addresses(s->interface, own, ARRAY_LEN(own));
	for (unsigned i = 0; i < count; i++)
		if (is_in(out, &own[i])) {
			out->prefix_len = own[i].prefix_len;
			return true;
		}
	return refuse(why,
		"%s is in no network of the interface; write it with its prefix length, such as "
		"/24",
		word);
}

static bool address_is_so(const struct setup *s, const struct config *c)
{
	return c->dataplane.address_count == s->address_count;
}

static bool address_take(struct setup *s, const char *answer, char why[SETUP_WHY_MAX])
{
	char copy[SETUP_ANSWER_MAX], lines[SETUP_BLOCK_MAX], text[SOCKET_ADDRESS_TEXT_MAX];
	const char *words[WORDS_MAX];
	struct ip_address address[WORDS_MAX];
	snprintf(copy, sizeof(copy), "%s", answer);
	const unsigned count = words_cut(copy, words);
	if (count == 0 || count > CONFIG_ADDRESSES_MAX || count > WORDS_MAX)
		return refuse(why, "answer with 1 to 16 addresses%s", "");
	size_t n = (size_t)snprintf(lines, sizeof(lines), "service_addresses:\n");
	for (unsigned i = 0; i < count; i++) {
		if (!address_read(s, words[i], &address[i], why))
			return false;
		n += (size_t)snprintf(lines + n, sizeof(lines) - n, "  - \"%s\"\n",
			ip_address_text(&address[i], true, text));
	}
	memcpy(s->address, address, count * sizeof(*address));
	s->address_count = count;
	const struct setup_piece piece[] = {{"dataplane", "service_addresses", lines}};
	return setup_change(s, piece, ARRAY_LEN(piece), address_is_so, why);
}

static void lists_offer(const struct setup *s, char *out, size_t cap)
{
	snprintf(out, cap, "%s", s->keeps_lists ? "keep" : "oisd-small");
}

static bool lists_are_so(const struct setup *s, const struct config *c)
{
	return c->blocking.list_count == s->list_count;
}

static bool lists_take(struct setup *s, const char *answer, char why[SETUP_WHY_MAX])
{
	char copy[SETUP_ANSWER_MAX], lines[SETUP_BLOCK_MAX] = "lists:\n";
	const char *words[WORDS_MAX];
	size_t n = strlen(lines);
	snprintf(copy, sizeof(copy), "%s", answer);
	const bool is_none = strcmp(answer, "none") == 0;
	const unsigned count = is_none ? 0 : words_cut(copy, words);
	if ((count == 0 && !is_none) || count > WORDS_MAX)
		return refuse(why, "answer with 1 to 16 lists, or with `none`%s", "");
	for (unsigned i = 0; i < count; i++) {
		const char *word = words[i], *url = setup_known_list(word);
		const bool is_url =
			strncmp(word, "https://", 8) == 0 || strncmp(word, "http://", 7) == 0;
		if (!url && !is_url && word[0] != '/')
			return refuse(why,
				"\"%s\" is no list that setup knows, no URL, and no absolute path",
				word);
		if (!url && !is_url && access(word, R_OK) < 0)
			return refuse(why, "%s: there is no such file to read", word);
		if (url)
			n += (size_t)snprintf(lines + n, sizeof(lines) - n,
				"  - name: %s\n    url: \"%s\"\n", word, url);
		else
			n += (size_t)snprintf(lines + n, sizeof(lines) - n, "  - %s: \"%s\"\n",
				is_url ? "url" : "path", word);
	}
	s->list_count = count;
	const struct setup_piece piece[] = {{"blocking", "lists", count ? lines : "lists: []\n"}};
	return setup_change(s, piece, ARRAY_LEN(piece), lists_are_so, why);
}

static void upstreams_offer(const struct setup *s, char *out, size_t cap)
{
	*out = '\0';
	if (s->keeps_upstreams)
		snprintf(out, cap, "keep");
	else
		setup_machine_servers(s->address, s->address_count, out, cap);
	if (!*out)
		snprintf(out, cap, "quad9");
}

static bool upstreams_are_so(const struct setup *s, const struct config *c)
{
	const enum upstream_mode mode = c->upstreams.mode;
	const unsigned count = s->server_count + (mode == UPSTREAM_FORWARD_FIRST); // recursion
	return mode == s->mode_next && (mode == UPSTREAM_RECURSIVE || c->upstreams.count == count);
}

static bool upstreams_take(struct setup *s, const char *answer, char why[SETUP_WHY_MAX])
{
	char copy[SETUP_ANSWER_MAX], lines[SETUP_BLOCK_MAX] = "servers:\n";
	const char *words[WORDS_MAX];
	size_t n = strlen(lines);
	snprintf(copy, sizeof(copy), "%s", answer);
	const unsigned count = words_cut(copy, words);
	if (count == 0 || count > WORDS_MAX)
		return refuse(why, "answer with 1 to 16 servers, or with `recursion`%s", "");
	const bool is_ipv6 = setup_machine_is_ipv6_only(),
		   is_recursive = strcmp(answer, "recursion") == 0;
	s->mode_next = is_recursive                    ? UPSTREAM_RECURSIVE
		       : s->mode == UPSTREAM_RECURSIVE ? UPSTREAM_FORWARD
						       : s->mode;
	s->server_count = 0;
	for (unsigned i = 0; i < count; i++) {
		const char *const one[] = {words[i], NULL};
		const char *const *server = setup_known_resolver(words[i], is_ipv6);
		for (server = server ? server : one; *server; server++, s->server_count++)
			n += (size_t)snprintf(
				lines + n, sizeof(lines) - n, "  - address: \"%s\"\n", *server);
	}
	const struct setup_piece piece[] = {{"upstreams", "servers", is_recursive ? "" : lines},
		{"upstreams", "mode", is_recursive ? "mode: recursive\n" : ""}};
	// Servers go with each mode but recursion alone.
	return setup_change(s, piece, s->mode_next == s->mode ? 1 : 2, upstreams_are_so, why);
}

const struct setup_question setup_questions[SETUP_QUESTIONS] = {
	{"Interface that the clients reach", NULL, interface_offer, interface_take},
	{"Address on which weir answers", NULL, address_offer, address_take},
	{"Block lists, of a URL, a file, `none`, or of", setup_known_lists, lists_offer,
		lists_take},
	{"Upstream servers: addresses, `recursion`, or over TLS", setup_known_resolvers,
		upstreams_offer, upstreams_take},
};

void setup_answer_network(struct ip_address *a)
{
	for (unsigned bit = a->prefix_len; bit < 128; bit++)
		a->bytes[bit / 8] &= (uint8_t) ~(0x80 >> bit % 8);
}

static bool page_is_so(const struct setup *s, const struct config *c)
{
	return c->control.page && c->control.listen_count > 0
	       && (s->has_listen || c->control.allow_count == s->address_count + 2);
}

bool setup_answer_page(struct setup *s, char why[SETUP_WHY_MAX])
{
	char listen[SETUP_BLOCK_MAX], allow[SETUP_BLOCK_MAX] = "allow: [127.0.0.0/8, \"::1\"",
				      certificates[2 * PATH_MAX + 100],
				      text[SOCKET_ADDRESS_TEXT_MAX];
	size_t n = 0, a = strlen(allow);
	for (unsigned i = 0; i < s->address_count; i++) {
		struct ip_address network = s->address[i];
		setup_answer_network(&network);
		a += (size_t)snprintf(allow + a, sizeof(allow) - a, ", \"%s\"",
			ip_address_text(&network, true, text));
		if (i < CONFIG_CONTROL_LISTEN_MAX)
			n += (size_t)snprintf(listen + n, sizeof(listen) - n, "%s\"%s\"",
				i ? ", " : "listen: [",
				ip_address_text(&s->address[i], false, text));
	}
	snprintf(allow + a, sizeof(allow) - a, "]\n");
	snprintf(listen + n, sizeof(listen) - n, "]\n");
	snprintf(certificates, sizeof(certificates),
		"certificates:\n  - {cert: \"%s/control.pem\", key: \"%s/control.key\"}\n",
		s->folder, s->folder);
	const struct setup_piece piece[] = {{"control", "page", "page: true\n"},
		{"control", "listen", listen}, {"control", "allow", allow},
		{"control", "certificates", certificates}};
	if (!s->has_listen)
		socket_address_text(&(struct socket_address){s->address[0], 9953}, s->page_at);
	return setup_change(s, piece, s->has_listen ? 1 : ARRAY_LEN(piece), page_is_so, why);
}
