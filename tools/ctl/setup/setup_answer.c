// SPDX-License-Identifier: BSD-3-Clause
#include "lib/sysroot.h"
#include "setup.h"
#include "setup_text.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <limits.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <weir/attr.h>
#include <weir/bytes.h>
#include <weir/config_tools.h>
#include <weir/known.h>

// `own`: the names of weir's interfaces, a blank before and after each.
static bool is_own(const char *own, const char *name)
{
	char word[IF_NAMESIZE + 2];
	snprintf(word, sizeof(word), " %.15s ", name);
	return strstr(own, word) != NULL;
}

// Is it an Ethernet interface? Also true if /sys cannot be read.
static bool is_ethernet(const char *name)
{
	char type[16];
	return sysroot_line(type, sizeof(type), "/sys/class/net/%s/type", name) < 0
	       || strcmp(type, "1") == 0;
}

static bool is_fit(const char *own, const char *name)
{
	return if_nametoindex(name) != 0 && strcmp(name, "lo") != 0 && !is_own(own, name)
	       && is_ethernet(name);
}

// Finds the interface of the best default route. `own` NULL: any interface.
static bool of_route(bool is_ipv6, const char *own, char *out, size_t cap)
{
	char real[SYSROOT_PATH_MAX], line[512], name[IF_NAMESIZE];
	unsigned long best = ULONG_MAX, metric;
	FILE *f = fopen(
		sysroot_path(real, is_ipv6 ? "/proc/net/ipv6_route" : "/proc/net/route"), "re");
	while (f && fgets(line, sizeof(line), f)) {
		int end = 0; // set if the whole line matches, with mask 0
		if (is_ipv6)
			(void)sscanf(line,
				"00000000000000000000000000000000 00 %*s %*s %*s %lx %*s %*s %*s "
				"%15s%n",
				&metric, name, &end);
		else
			(void)sscanf(line, "%15s 00000000 %*8s %*s %*s %*s %lu 00000000%n", name,
				&metric, &end);
		if (end == 0 || metric >= best || strcmp(name, "lo") == 0
			|| (own && !is_fit(own, name)))
			continue;
		best = metric;
		snprintf(out, cap, "%s", name);
	}
	if (f)
		fclose(f);
	return best != ULONG_MAX;
}

void setup_machine_interface(const char *own, char *out, size_t cap)
{
	struct ifaddrs *all = NULL;
	struct ip_address one;
	*out = '\0';
	if (of_route(false, own, out, cap) || of_route(true, own, out, cap) || getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *i = all; i && !*out; i = i->ifa_next)
		if (i->ifa_flags & IFF_UP && is_fit(own, i->ifa_name)
			&& setup_machine_addresses(i->ifa_name, &one, 1) == 1)
			snprintf(out, cap, "%s", i->ifa_name);
	freeifaddrs(all);
}

bool setup_machine_is_ipv6_only(void)
{
	char name[IF_NAMESIZE];
	return !of_route(false, NULL, name, sizeof(name))
	       && of_route(true, NULL, name, sizeof(name));
}

bool setup_machine_has_interface(const char *own, const char *name, char *why, size_t cap)
{
	struct if_nameindex *all = if_nameindex();
	bool has = false;
	size_t n = (size_t)snprintf(why, cap, "this machine has no interface \"%s\"; it has", name);
	for (const struct if_nameindex *i = all; i && i->if_index; i++) {
		if (!is_fit(own, i->if_name))
			continue;
		has |= strcmp(i->if_name, name) == 0;
		if (n < cap)
			n += (size_t)snprintf(why + n, cap - n, " %s", i->if_name);
	}
	if (all)
		if_freenameindex(all);
	if (!has && is_own(own, name))
		snprintf(why, cap, "%s is weir's own interface, which no client reaches", name);
	else if (!has && if_nametoindex(name) != 0)
		snprintf(why, cap, "%s is no Ethernet interface: weir cannot share it", name);
	return has;
}

static bool setup_machine_is_wifi(const char *name)
{
	return sysroot_exists("/sys/class/net/%s/wireless", name)
	       || sysroot_exists("/sys/class/net/%s/phy80211", name);
}

static bool ipv4_of(const struct ifaddrs *i, struct ip_address *out)
{
	const struct sockaddr_in *a = (const void *)i->ifa_addr, *m = (const void *)i->ifa_netmask;
	if (!a || !m || a->sin_family != AF_INET)
		return false;
	*out = (struct ip_address){.version = 4};
	memcpy(out->bytes, &a->sin_addr, 4);
	for (uint32_t mask = ntohl(m->sin_addr.s_addr); mask & 0x80000000; mask <<= 1)
		out->prefix_len++;
	return true;
}

static bool bytes6_read(const char *hex, uint8_t out[16])
{
	for (unsigned i = 0; i < 16; i++)
		if (sscanf(hex + 2 * i, "%2hhx", &out[i]) != 1)
			return false;
	return true;
}

// Reads a line of /proc/net/if_inet6: a lasting address of the interface, and its flags.
static bool ipv6_of(
	const char *line, const char *interface, struct ip_address *out, unsigned *flags)
{
	char name[IF_NAMESIZE];
	unsigned prefix_len;
	*out = (struct ip_address){.version = 6};
	if (!bytes6_read(line, out->bytes)
		|| sscanf(line + 32, " %*x %x %*x %x %15s", &prefix_len, flags, name) != 3)
		return false;
	out->prefix_len = (uint8_t)prefix_len;
	return strcmp(name, interface) == 0
	       && !(*flags
		       & (IFA_F_TEMPORARY | IFA_F_DEPRECATED | IFA_F_TENTATIVE | IFA_F_DADFAILED))
	       && !(out->bytes[0] == 0xfe && (out->bytes[1] & 0xc0) == 0x80); // link-local
}

static bool is_host(const struct ip_address *a)
{
	return a->prefix_len == (a->version == 4 ? 32 : 128);
}

// Gives an address of DHCPv6, which is a host's, the prefix length of the network that a router has
// announced on the interface.
static void network6_find(const char *interface, struct ip_address *a)
{
	char path[SYSROOT_PATH_MAX], line[256], name[IF_NAMESIZE];
	uint8_t network[16];
	unsigned bits;
	FILE *f = fopen(sysroot_path(path, "/proc/net/ipv6_route"), "re");
	while (f && is_host(a) && fgets(line, sizeof(line), f))
		if (bytes6_read(line, network)
			&& sscanf(line + 32,
				   " %x %*s %*s 00000000000000000000000000000000 %*s %*s %*s %*s "
				   "%15s",
				   &bits, name)
				   == 2
			&& bits > 0 && bits < 128 && strcmp(name, interface) == 0
			&& bits_same(network, a->bytes, bits))
			a->prefix_len = (uint8_t)bits;
	if (f)
		fclose(f);
}

static unsigned addresses_read(const char *interface, struct ip_address *out, unsigned cap)
{
	struct ifaddrs *all = NULL;
	struct ip_address one;
	char path[SYSROOT_PATH_MAX], line[128];
	unsigned count = 0, flags;
	if (getifaddrs(&all) < 0)
		return 0;
	for (const struct ifaddrs *i = all; i && count < cap; i = i->ifa_next)
		if (strcmp(i->ifa_name, interface) == 0 && ipv4_of(i, &one))
			out[count++] = one;
	freeifaddrs(all);
	// Configured addresses come before addresses that expire.
	for (unsigned pass = 0; pass < 2; pass++) {
		FILE *f = fopen(sysroot_path(path, "/proc/net/if_inet6"), "re");
		while (f && count < cap && fgets(line, sizeof(line), f))
			if (ipv6_of(line, interface, &one, &flags)
				&& (flags & IFA_F_PERMANENT ? 0 : 1) == pass) {
				network6_find(interface, &one);
				out[count++] = one;
			}
		if (f)
			fclose(f);
	}
	return count;
}

unsigned setup_machine_addresses(const char *interface, struct ip_address *out, unsigned cap)
{
	struct ip_address all[4 * CONFIG_ADDRESSES_MAX];
	const unsigned all_count = addresses_read(interface, all, ARRAY_LEN(all));
	unsigned count = 0;
	static const struct {
		uint8_t version;
		bool hosts;
	} pass[] = {{4, false}, {4, true}, {6, false}, {6, true}};
	for (unsigned k = 0; k < ARRAY_LEN(pass); k++)
		for (unsigned i = 0; i < all_count && count < cap; i++)
			if (all[i].version == pass[k].version && is_host(&all[i]) == pass[k].hosts)
				out[count++] = all[i];
	return count;
}

static bool has_address(const struct ip_address *list, unsigned count, const struct ip_address *a)
{
	for (unsigned i = 0; i < count; i++)
		if (list[i].version == a->version && memcmp(list[i].bytes, a->bytes, 16) == 0)
			return true;
	return false;
}

static bool is_usable(const struct setup *s, const char *word)
{
	static const uint8_t local6[16] = {[15] = 1};
	struct ip_address a;
	if (ip_address_parse(word, &a) != 0 || (a.version == 4 && a.bytes[0] == 127)
		|| (a.version == 6 && memcmp(a.bytes, local6, 16) == 0))
		return false;
	return !has_address(s->address, s->address_count, &a)
	       && !has_address(s->former, s->former_count, &a);
}

// Finds the name servers of the machine, separated by blanks; without loopback and the addresses
// that weir has now or gets.
static void setup_machine_servers(const struct setup *s, char *out, size_t cap)
{
	// systemd-resolved keeps the servers that it asks in a file of its own.
	static const char *const files[] = {"/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"};
	size_t n = 0;
	*out = '\0';
	for (unsigned i = 0; i < ARRAY_LEN(files) && n == 0; i++) {
		char path[SYSROOT_PATH_MAX], line[512], word[SOCKET_ADDRESS_TEXT_MAX];
		FILE *f = fopen(sysroot_path(path, "%s", files[i]), "re");
		while (f && fgets(line, sizeof(line), f))
			if (sscanf(line, " nameserver %63s", word) == 1 && is_usable(s, word)
				&& n + strlen(word) + 2 < cap)
				n += (size_t)snprintf(out + n, cap - n, "%s%s", n ? " " : "", word);
		if (f)
			fclose(f);
	}
}

struct setup_piece {
	const char *section, *key;
	const char *lines; // lines for setup_text_put()
};

// Adds a text after `n` bytes of `shown`, and cuts it where `shown` ends.
ATTR_PRINTF(3, 4)
static size_t shown_add(char shown[SETUP_BLOCK_MAX], size_t n, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	if (n < SETUP_BLOCK_MAX)
		n += (size_t)vsnprintf(shown + n, SETUP_BLOCK_MAX - n, fmt, args);
	va_end(args);
	return n;
}

// Makes a text with all pieces; NULL: `why` has a sentence.
static char *pieces_put(const struct setup *s, const struct setup_piece *piece, unsigned count,
	char shown[SETUP_BLOCK_MAX], char why[SETUP_WHY_MAX])
{
	char *text = strdup(s->text);
	size_t n = shown_add(shown, 0, "%s", s->shown);
	for (unsigned i = 0; text && i < count; i++) {
		const char *reason;
		char *next = setup_text_put(
			text, piece[i].section, piece[i].key, piece[i].lines, &reason);
		if (*piece[i].lines)
			n = shown_add(shown, n, "%s.%s", piece[i].section, piece[i].lines);
		else if (next && strcmp(next, text) != 0)
			n = shown_add(
				shown, n, "%s.%s is removed\n", piece[i].section, piece[i].key);
		free(text);
		text = next;
		if (!text)
			snprintf(why, SETUP_WHY_MAX, "%s: %s: %s", s->c->config_path,
				piece[i].section, reason);
	}
	return text;
}

// Copies an error without its place: the file no longer exists when a person reads it.
static void why_set(char why[SETUP_WHY_MAX], const char *error, const char *path)
{
	snprintf(why, SETUP_WHY_MAX, "%s", error);
	char *place = strstr(why, path);
	if (place && place > why + 1 && place[-1] == '(' && place[-2] == ' ')
		place[-2] = '\0';
}

static struct config *text_load(struct setup *s, const char *text, char why[SETUP_WHY_MAX])
{
	struct config *config = NULL;
	struct config_errors errors = {0};
	char path[SETUP_PATH_MAX];
	const bool is_made = setup_file_make(s, text, why);
	if (is_made && config_load_all(setup_file_path(s, ".setup", path), &config, &errors) < 0) {
		why_set(why, errors.text[0], path);
		config = NULL;
	}
	setup_file_end(s);
	return config;
}

// Puts all pieces in and reads the result. `is_so` checks that it has what the answer wants: an
// included file may have more values of the same key. False: `why` has a sentence, and the text
// stays.
static bool text_change(struct setup *s, const struct setup_piece *piece, unsigned count,
	bool (*is_so)(const struct setup *s, const struct config *c), char why[SETUP_WHY_MAX])
{
	char shown[SETUP_BLOCK_MAX];
	char *text = pieces_put(s, piece, count, shown, why);
	struct config *config = text ? text_load(s, text, why) : NULL;
	const bool is_good = config && is_so(s, config);
	if (config && !is_good)
		snprintf(why, SETUP_WHY_MAX,
			"%s or a file that it includes has %s.%s in a way that setup does not "
			"change: answer `keep`, or edit it there",
			s->c->config_path, piece[0].section, piece[0].key);
	config_free(config);
	if (!is_good) {
		free(text);
		return false;
	}
	free(s->text);
	s->text = text;
	memcpy(s->shown, shown, sizeof(shown));
	return true;
}

// Adds the interfaces that a port makes: its exception interface, and a TAP's.
static void own_add(struct setup *s, const struct config_port *port)
{
	const char *tap =
		strncmp(port->device, "net_tap", 7) == 0 ? strstr(port->device, "iface=") : NULL;
	const size_t n = strlen(s->own);
	tap = tap ? tap + 6 : "";
	snprintf(s->own + n, sizeof(s->own) - n, " %.*s %s ", (int)strcspn(tap, ","), tap,
		port->exception);
}

// Is any service address not one of the shipped file's?
static bool has_addresses(const struct config_dataplane *dp)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	for (unsigned i = 0; i < dp->address_count; i++) {
		ip_address_text(&dp->addresses[i], true, text);
		if (strcmp(text, "198.18.0.53/24") != 0 && strcmp(text, "fd53::53/64") != 0)
			return true;
	}
	return false;
}

static bool has_upstreams(const struct config_upstreams *u)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	for (unsigned i = 0; i < u->count; i++) {
		const struct config_upstream *server = &u->server[i];
		socket_address_text(&server->address, text);
		if (server->host[0] || server->tls.is_on
			|| (strcmp(text, "9.9.9.9:53") != 0 && strcmp(text, "1.1.1.1:53") != 0))
			return true;
	}
	return u->mode != UPSTREAM_FORWARD;
}

bool setup_answer_begin(struct setup *s, char why[SETUP_WHY_MAX])
{
	struct config *config = NULL;
	struct config_errors errors = {0};
	if (config_load_all(s->c->config_path, &config, &errors) < 0) {
		snprintf(why, SETUP_WHY_MAX, "%s; correct that first (weirctl config check)",
			errors.text[0]);
		return false;
	}
	const struct config_dataplane *dp = &config->dataplane;
	for (unsigned i = 0; i < dp->port_count; i++) {
		s->is_serving |=
			dp->ports[i].xdp || strncmp(dp->ports[i].device, "net_tap", 7) != 0;
		if (!dp->ports[i].xdp)
			own_add(s, &dp->ports[i]);
		else if (!*s->present)
			snprintf(s->present, sizeof(s->present), "%.*s",
				(int)strcspn(dp->ports[i].xdp, ","), dp->ports[i].xdp);
	}
	s->keeps_addresses = has_addresses(dp);
	s->keeps_lists =
		s->is_serving || config->blocking.list_count || config->blocking.disabled_count;
	s->keeps_upstreams = s->is_serving || has_upstreams(&config->upstreams);
	s->mode = config->upstreams.mode;
	s->has_page = config->control.page;
	s->has_listen = config->control.listen_count > 0;
	if (s->has_listen)
		socket_address_text(&config->control.listen[0], s->page_at);
	s->address_count = dp->own_count;
	memcpy(s->address, dp->addresses, sizeof(s->address));
	s->former_count = dp->address_count;
	memcpy(s->former, dp->addresses, sizeof(s->former));
	config_free(config);
	return true;
}

bool setup_answer_restart(struct setup *s, char why[SETUP_WHY_MAX])
{
	free(s->text);
	s->text = strdup(s->before);
	*s->shown = *s->own = *s->interface = '\0';
	s->is_serving = false;
	snprintf(why, SETUP_WHY_MAX, "out of memory");
	return s->text && setup_answer_begin(s, why);
}

enum { WORDS_MAX = 16 };

// Cuts the answer into words at blanks and commas. Returns their number; WORDS_MAX + 1: too many.
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

static bool interface_accept(struct setup *s, const char *answer, char why[SETUP_WHY_MAX])
{
	char lines[SETUP_BLOCK_MAX];
	if (!setup_machine_has_interface(s->own, answer, why, SETUP_WHY_MAX))
		return false;
	snprintf(s->interface, sizeof(s->interface), "%s", answer);
	snprintf(lines, sizeof(lines), "ports:\n  - xdp: \"%s\"\n", answer);
	const struct setup_piece piece[] = {{"dataplane", "ports", lines}};
	if (!text_change(s, piece, ARRAY_LEN(piece), interface_is_so, why)) {
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

// Reads an address, with the prefix length of the interface's network if the answer has none.
static bool address_read(
	const struct setup *s, const char *word, struct ip_address *out, char why[SETUP_WHY_MAX])
{
	struct ip_address own[CONFIG_ADDRESSES_MAX];
	if (ip_address_parse(word, out) != 0)
		return refuse(why, "\"%s\" is no IP address", word);
	if (strchr(word, '/'))
		return true;
	const unsigned count = setup_machine_addresses(
		*s->interface ? s->interface : s->present, own, ARRAY_LEN(own));
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
	return c->dataplane.own_count == s->address_count;
}

// Warns if no address has a network: access and control name no neighbour by themselves then.
static void networks_check(const struct setup *s)
{
	char text[SOCKET_ADDRESS_TEXT_MAX];
	for (unsigned i = 0; i < s->address_count; i++)
		if (!is_host(&s->address[i]))
			return;
	printf("no neighbour is local to %s: write the prefix length of its network, or set "
	       "access.allow and control.allow\n",
		ip_address_text(&s->address[0], true, text));
}

static bool address_accept(struct setup *s, const char *answer, char why[SETUP_WHY_MAX])
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
	if (!text_change(s, piece, ARRAY_LEN(piece), address_is_so, why))
		return false;
	networks_check(s);
	return true;
}

static void lists_offer(const struct setup *s, char *out, size_t cap)
{
	snprintf(out, cap, "%s", s->keeps_lists ? "keep" : "oisd-small");
}

static bool lists_are_so(const struct setup *s, const struct config *c)
{
	return c->blocking.list_count == s->list_count;
}

static bool lists_accept(struct setup *s, const char *answer, char why[SETUP_WHY_MAX])
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
		const char *word = words[i], *url = known_list(word);
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
	return text_change(s, piece, ARRAY_LEN(piece), lists_are_so, why);
}

static void upstreams_offer(const struct setup *s, char *out, size_t cap)
{
	*out = '\0';
	if (s->keeps_upstreams)
		snprintf(out, cap, "keep");
	else
		setup_machine_servers(s, out, cap);
	if (!*out)
		snprintf(out, cap, "quad9");
}

static bool upstreams_are_so(const struct setup *s, const struct config *c)
{
	const enum upstream_mode mode = c->upstreams.mode;
	const unsigned count = s->server_count + (mode == UPSTREAM_FORWARD_FIRST); // recursion
	return mode == s->mode_next && (mode == UPSTREAM_RECURSIVE || c->upstreams.count == count);
}

static bool upstreams_accept(struct setup *s, const char *answer, char why[SETUP_WHY_MAX])
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
		const char *const *server = known_resolver(words[i], is_ipv6);
		for (server = server ? server : one; *server; server++, s->server_count++)
			n += (size_t)snprintf(
				lines + n, sizeof(lines) - n, "  - address: \"%s\"\n", *server);
	}
	const struct setup_piece piece[] = {{"upstreams", "servers", is_recursive ? "" : lines},
		{"upstreams", "mode", is_recursive ? "mode: recursive\n" : ""}};
	// Every mode has servers, except recursion alone.
	return text_change(s, piece, s->mode_next == s->mode ? 1 : 2, upstreams_are_so, why);
}

const struct setup_question setup_questions[SETUP_QUESTIONS] = {
	{"Interface that the clients reach", NULL, interface_offer, interface_accept},
	{"Address on which weir answers", NULL, address_offer, address_accept},
	{"Block lists, of a URL, a file, `none`, or of", known_list_names, lists_offer,
		lists_accept},
	{"Upstream servers: addresses, `recursion`, or over TLS", known_resolver_names,
		upstreams_offer, upstreams_accept},
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
	return text_change(s, piece, s->has_listen ? 1 : ARRAY_LEN(piece), page_is_so, why);
}
