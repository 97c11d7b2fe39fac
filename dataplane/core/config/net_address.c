// SPDX-License-Identifier: BSD-3-Clause

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <weir/config.h>

// Accepts digits only; strtoul would accept signs, blanks and hexadecimal.
static int decimal_parse(const char *text, unsigned max, unsigned *out)
{
	unsigned value = 0;
	if (!*text || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		value = value * 10 + (unsigned)(*p - '0');
		if (value > max)
			return -EINVAL;
	}
	*out = value;
	return 0;
}

static int bare_address_parse(const char *text, size_t len, struct ip_address *out)
{
	char copy[INET6_ADDRSTRLEN];
	if (len == 0 || len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';

	struct ip_address a = {0};
	if (inet_pton(AF_INET, copy, a.bytes) == 1) {
		a.version = 4;
		a.prefix_len = 32;
	} else if (inet_pton(AF_INET6, copy, a.bytes) == 1) {
		a.version = 6;
		a.prefix_len = 128;
	} else {
		return -EINVAL;
	}
	*out = a;
	return 0;
}

int ip_address_parse(const char *text, struct ip_address *out)
{
	const char *slash = strchr(text, '/');
	struct ip_address a;
	if (bare_address_parse(text, slash ? (size_t)(slash - text) : strlen(text), &a) < 0)
		return -EINVAL;
	if (slash) {
		unsigned prefix_len;
		if (decimal_parse(slash + 1, a.prefix_len, &prefix_len) < 0)
			return -EINVAL;
		a.prefix_len = (uint8_t)prefix_len;
	}
	*out = a;
	return 0;
}

int socket_address_parse(const char *text, uint16_t default_port, struct socket_address *out)
{
	struct socket_address s = {.port = default_port};
	const char *port = NULL;
	const char *host = text;
	size_t host_len = strlen(text);
	const char *colon = strchr(text, ':');

	if (text[0] == '[') {
		const char *close = strchr(text, ']');
		if (!close || (close[1] && close[1] != ':'))
			return -EINVAL;
		host = text + 1;
		host_len = (size_t)(close - host);
		port = close[1] ? close + 2 : NULL;
	} else if (colon && !strchr(colon + 1, ':')) {
		host_len = (size_t)(colon - text);
		port = colon + 1;
	}

	if (bare_address_parse(host, host_len, &s.ip) < 0)
		return -EINVAL;
	if (text[0] == '[' && s.ip.version != 6)
		return -EINVAL;
	if (port) {
		unsigned number;
		if (decimal_parse(port, UINT16_MAX, &number) < 0 || number == 0)
			return -EINVAL;
		s.port = (uint16_t)number;
	}
	*out = s;
	return 0;
}

char *ip_address_text(
	const struct ip_address *a, bool with_prefix, char out[SOCKET_ADDRESS_TEXT_MAX])
{
	char bare[INET6_ADDRSTRLEN];
	if (!inet_ntop(a->version == 6 ? AF_INET6 : AF_INET, a->bytes, bare, sizeof(bare)))
		bare[0] = '\0';
	if (with_prefix)
		snprintf(out, SOCKET_ADDRESS_TEXT_MAX, "%s/%u", bare, a->prefix_len);
	else
		snprintf(out, SOCKET_ADDRESS_TEXT_MAX, "%s", bare);
	return out;
}

char *socket_address_text(const struct socket_address *a, char out[SOCKET_ADDRESS_TEXT_MAX])
{
	char bare[SOCKET_ADDRESS_TEXT_MAX];
	ip_address_text(&a->ip, false, bare);
	if (a->ip.version == 6)
		snprintf(out, SOCKET_ADDRESS_TEXT_MAX, "[%.46s]:%u", bare, a->port);
	else
		snprintf(out, SOCKET_ADDRESS_TEXT_MAX, "%.46s:%u", bare, a->port);
	return out;
}

bool socket_address_to_sockaddr(
	const struct socket_address *a, struct sockaddr_storage *out, socklen_t *len)
{
	memset(out, 0, sizeof(*out));
	if (a->ip.version == 4) {
		struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(a->port)};
		memcpy(&in.sin_addr, a->ip.bytes, 4);
		memcpy(out, &in, sizeof(in));
		*len = sizeof(in);
		return true;
	}
	if (a->ip.version == 6) {
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(a->port)};
		memcpy(&in6.sin6_addr, a->ip.bytes, 16);
		memcpy(out, &in6, sizeof(in6));
		*len = sizeof(in6);
		return true;
	}
	return false;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int config_mac_parse(const char *text, struct config_mac *out)
{
	struct config_mac mac;
	char separator = text[0] && text[1] ? text[2] : '\0';
	if (separator != ':' && separator != '-')
		return -EINVAL;
	for (unsigned i = 0; i < sizeof(mac.bytes); i++, text += 3) {
		int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0 || text[2] != (i + 1 < sizeof(mac.bytes) ? separator : '\0'))
			return -EINVAL;
		mac.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*out = mac;
	return 0;
}

char *config_mac_text(const struct config_mac *mac, char out[CONFIG_MAC_TEXT_MAX])
{
	const uint8_t *o = mac->bytes;
	snprintf(out, CONFIG_MAC_TEXT_MAX, "%02x:%02x:%02x:%02x:%02x:%02x", o[0], o[1], o[2], o[3],
		o[4], o[5]);
	return out;
}

static const char iid_mask[] = "::ffff:ffff:ffff:ffff";

int config_iid_parse(const char *text, struct config_iid *out)
{
	static const uint8_t zero[8];
	const char *slash = strchr(text, '/');
	struct ip_address a, mask, wanted;
	if (!slash || bare_address_parse(text, (size_t)(slash - text), &a) < 0 || a.version != 6
		|| memcmp(a.bytes, zero, sizeof(zero)) != 0)
		return -EINVAL;
	if (strcmp(slash + 1, "-64") != 0
		&& (bare_address_parse(slash + 1, strlen(slash + 1), &mask) < 0
			|| bare_address_parse(iid_mask, strlen(iid_mask), &wanted) < 0
			|| memcmp(&mask, &wanted, sizeof(mask)) != 0))
		return -EINVAL;
	memcpy(out->bytes, a.bytes + 8, sizeof(out->bytes));
	return 0;
}

char *config_iid_text(const struct config_iid *iid, char out[SOCKET_ADDRESS_TEXT_MAX])
{
	struct ip_address a = {.version = 6, .prefix_len = 128};
	char text[SOCKET_ADDRESS_TEXT_MAX];
	memcpy(a.bytes + 8, iid->bytes, sizeof(iid->bytes));
	ip_address_text(&a, false, text);
	snprintf(out, SOCKET_ADDRESS_TEXT_MAX, "%.40s/%s", text, iid_mask);
	return out;
}
