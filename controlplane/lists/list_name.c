// SPDX-License-Identifier: BSD-3-Clause
#include "list_name.h"

#include "byte_mask.h"
#include "zone_suffix.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <weir/ascii.h>
#include <weir/attr.h>
#include <weir/bytes.h>
#include <weir/rule_image.h>

// The bytes of a plain name of 8 to 63 bytes, sixteen at a time: lowered, checked, copied.
// list_name_scan_bytes handles the others; test_list_scan compares both.

enum { LIST_SCAN_MIN = 8, LIST_SCAN_MAX = 63 };

struct list_scan {
	uint64_t dots; // bit i: byte i is one
	uint64_t bad;  // neither a byte of a host name nor a dot
};

ATTR_INLINE ascii_vector list_scan_within(ascii_vector v, uint8_t first, uint8_t count)
{
	// Turned so that `first` is the least signed byte there is.
	ascii_signed_vector turned = (ascii_signed_vector)(v - first + 0x80);
	return (ascii_vector)(turned < (int8_t)(INT8_MIN + count));
}

ATTR_INLINE void list_scan_16(uint8_t *to, ascii_vector v, unsigned at, struct list_scan *s)
{
	v = ascii_lower_16(v);
	ascii_vector dot = (ascii_vector)(v == '.');
	ascii_vector good = list_scan_within(v, 'a', 26) | list_scan_within(v, '0', 10)
			    | (ascii_vector)(v == '-') | (ascii_vector)(v == '_') | dot;
	memcpy(to + at, &v, sizeof(v));
	s->dots |= (uint64_t)byte_mask(dot) << at;
	s->bad |= (uint64_t)(byte_mask(good) ^ 0xffff) << at;
}

// LIST_SCAN_MIN to LIST_SCAN_MAX bytes; `to` has room for 16 at least. The last vector takes some
// bytes a second time.
ATTR_INLINE struct list_scan list_scan(uint8_t *to, const char *from, size_t len)
{
	struct list_scan s = {0};
	ascii_vector v;
	if (len < sizeof(v)) {
		uint64_t part[2];
		memcpy(&part[0], from, 8);
		memcpy(&part[1], from + len - 8, 8);
		// Behind the end zeros, which are no bytes of a name.
		part[1] = len > 8 ? part[1] >> 8 * (16 - len) : 0;
		memcpy(&v, part, sizeof(v));
		list_scan_16(to, v, 0, &s);
		s.bad &= (UINT64_C(1) << len) - 1;
		return s;
	}
	for (unsigned at = 0; at + sizeof(v) <= len; at += sizeof(v)) {
		memcpy(&v, from + at, sizeof(v));
		list_scan_16(to, v, at, &s);
	}
	unsigned last = (unsigned)(len - sizeof(v));
	memcpy(&v, from + last, sizeof(v));
	list_scan_16(to, v, last, &s);
	return s;
}

// Names whose loss breaks a machine or a network; hosts files list them for other reasons.
static const struct list_text special_names[] = {
	LIST_TEXT("localhost"),
	LIST_TEXT("localdomain"),
	LIST_TEXT("localhost.localdomain"),
	LIST_TEXT("localhost4"),
	LIST_TEXT("localhost6"),
	LIST_TEXT("localhost4.localdomain4"),
	LIST_TEXT("localhost6.localdomain6"),
	LIST_TEXT("local"),
	LIST_TEXT("broadcasthost"),
	LIST_TEXT("ip6-localhost"),
	LIST_TEXT("ip6-loopback"),
	LIST_TEXT("ip6-localnet"),
	LIST_TEXT("ip6-mcastprefix"),
	LIST_TEXT("ip6-allnodes"),
	LIST_TEXT("ip6-allrouters"),
	LIST_TEXT("ip6-allhosts"),
	LIST_TEXT("in-addr.arpa"),
	LIST_TEXT("ip6.arpa"),
	LIST_TEXT("home.arpa"),
};

// Bytes of host names. OR-ing the first kind into such a byte lowers letters and changes no
// other.
enum { BYTE_LOWERS = 0x20, BYTE_AS_IS = 1 };
static const uint8_t byte_kind[256] = {
	['a' ... 'z'] = BYTE_LOWERS,
	['A' ... 'Z'] = BYTE_LOWERS,
	['0' ... '9'] = BYTE_LOWERS,
	['-'] = BYTE_LOWERS,
	['_'] = BYTE_AS_IS,
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static struct list_text without_last_dot(struct list_text t)
{
	t.len -= t.len > 1 && t.at[t.len - 1] == '.';
	return t;
}

// The last label begins behind byte `start` of the wire, where its length belongs.
static bool scan_end(struct dns_name *out, size_t len, unsigned start, unsigned labels)
{
	unsigned last = (unsigned)len - start;
	if (last == 0 || last > DNS_LABEL_MAX)
		return false;
	out->wire[start] = (uint8_t)last;
	out->wire[len + 1] = 0;
	out->len = (uint8_t)(len + 2);
	out->labels = (uint8_t)labels;
	return true;
}

static bool scan_vectors(struct list_text t, struct dns_name *out)
{
	unsigned start = 0, labels = 1;
	struct list_scan s = list_scan(out->wire + 1, t.at, t.len);
	if (s.bad)
		return false;
	for (uint64_t dots = s.dots; dots; dots &= dots - 1) {
		unsigned at = (unsigned)__builtin_ctzll(dots);
		if (at == start)
			return false;
		out->wire[start] = (uint8_t)(at - start); // no label is too long for one
		start = at + 1;
		labels++;
	}
	return scan_end(out, t.len, start, labels);
}

bool list_name_scan_bytes(struct list_text t, struct dns_name *out)
{
	unsigned start = 0, labels = 1;
	if (t.len == 0 || t.len > DNS_NAME_MAX - 2)
		return false;
	for (unsigned i = 0; i < t.len; i++) {
		uint8_t byte = (uint8_t)t.at[i], kind = byte_kind[byte];
		if (kind) {
			out->wire[i + 1] = byte | (kind & BYTE_LOWERS);
			continue;
		}
		if (byte != '.' || i == start || i - start > DNS_LABEL_MAX)
			return false;
		out->wire[start] = (uint8_t)(i - start);
		start = i + 1;
		labels++;
	}
	return scan_end(out, t.len, start, labels);
}

bool list_name_scan(struct list_text t, struct dns_name *out)
{
	t = without_last_dot(t);
	return t.len >= LIST_SCAN_MIN && t.len <= LIST_SCAN_MAX ? scan_vectors(t, out)
								: list_name_scan_bytes(t, out);
}

bool list_name_to_ascii(struct list_text text, char out[LIST_IDN_TEXT_MAX])
{
	char copy[4 * LIST_IDN_TEXT_MAX], *ascii = NULL;
	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.at, 0, text.len))
		return false;
	memcpy(copy, text.at, text.len);
	copy[text.len] = 0;
	int err = idn2_to_ascii_8z(copy, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
	bool good = err == IDN2_OK && strlen(ascii) < LIST_IDN_TEXT_MAX;
	if (good)
		memcpy(out, ascii, strlen(ascii) + 1);
	if (err == IDN2_OK)
		idn2_free(ascii);
	return good;
}

static enum list_reject answer_pattern_bytes(struct list_text t)
{
	enum list_reject verdict = LIST_REJECT_COUNT;
	for (size_t i = 0; i < t.len; i++) {
		if (memchr("|^$~,@=[]", t.at[i] ? t.at[i] : 'x', 9))
			return LIST_REJECT_FILTER;
		if (t.at[i] == '/')
			return LIST_REJECT_URL;
		if (!byte_kind[(uint8_t)t.at[i]] && t.at[i] != '.')
			verdict = LIST_REJECT_CHARACTER;
	}
	return verdict;
}

static enum list_reject answer_policy_labels(struct list_text t)
{
	size_t label = 0;
	for (size_t i = 0; i <= t.len; i++) {
		if (i < t.len && t.at[i] != '.') {
			label++;
			continue;
		}
		if (label == 0)
			return LIST_REJECT_EMPTY_LABEL;
		label = 0;
	}
	return LIST_REJECT_TOO_LONG;
}

// What list_name_scan does not take.
static enum list_reject read_slow(struct list_text t, struct dns_name *out)
{
	char ascii[LIST_IDN_TEXT_MAX];
	if (list_text_is_address(t))
		return LIST_REJECT_ADDRESS;
	enum list_reject why = answer_pattern_bytes(t);
	if (why == LIST_REJECT_CHARACTER) {
		bool international = false;
		for (size_t i = 0; i < t.len; i++)
			international = international || (uint8_t)t.at[i] > 127;
		if (!international)
			return why;
		if (!list_name_to_ascii(t, ascii))
			return LIST_REJECT_NON_ASCII;
		t = (struct list_text){ascii, strlen(ascii)};
		return list_name_scan(t, out) ? LIST_REJECT_COUNT : LIST_REJECT_NON_ASCII;
	}
	return why != LIST_REJECT_COUNT ? why : answer_policy_labels(t);
}

bool list_name_is_host(const struct dns_name *name)
{
	for (const uint8_t *label = name->wire; label[0]; label += 1u + label[0])
		for (unsigned i = 1; i <= label[0]; i++)
			if (!byte_kind[label[i]])
				return false;
	return name->labels > 0;
}

bool list_name_is_special(const struct dns_name *name)
{
	if (name->labels > 2)
		return false;
	const uint8_t *last = name->wire + (name->labels == 2 ? name->wire[0] + 1u : 0);
	if (name->labels == 2 && memcmp(last, "\4arpa", 6) != 0
		&& (last[0] < 11 || memcmp(last + 1, "localdomain", 11) != 0))
		return false;
	char buf[DNS_NAME_TEXT_MAX];
	dns_name_to_text(name, buf);
	struct list_text text = {buf, strlen(buf)};
	for (size_t i = 0; i < ARRAY_LEN(special_names); i++)
		if (list_text_is(text, special_names[i]))
			return true;
	return false;
}

// A last label of digits alone is an address, or a piece of one, and no top-level domain.
static bool ends_in_number(const struct dns_name *name)
{
	const uint8_t *last = name->wire;
	while (last[1u + last[0]] != 0)
		last += 1u + last[0];
	for (unsigned i = 1; i <= last[0]; i++)
		if (!is_digit((char)last[i]))
			return false;
	return true;
}

enum list_reject list_name_check(const struct dns_name *name, bool force)
{
	if (is_digit((char)name->wire[name->len - 2u]) && ends_in_number(name))
		return LIST_REJECT_ADDRESS;
	if (name->labels > RULE_LABELS_MAX)
		return LIST_REJECT_TOO_LONG;
	if (list_name_is_special(name))
		return LIST_REJECT_SPECIAL;
	if (force)
		return LIST_REJECT_COUNT;
	if (name->labels == 1)
		return LIST_REJECT_SINGLE_LABEL;
	return suffix_is_public(name) ? LIST_REJECT_PUBLIC_SUFFIX : LIST_REJECT_COUNT;
}

enum list_reject list_name_read(struct list_text text, bool force, struct dns_name *out)
{
	if (!list_name_scan(text, out)) {
		enum list_reject why = read_slow(without_last_dot(text), out);
		if (why != LIST_REJECT_COUNT)
			return why;
	}
	return list_name_check(out, force);
}

static bool read_address(struct list_text t, struct ip_address *out)
{
	char copy[INET6_ADDRSTRLEN + 1];
	if (t.len == 0 || t.len >= sizeof(copy) || memchr(t.at, 0, t.len))
		return false;
	for (size_t i = 0; i < t.len; i++) // most names end here
		if (!memchr("0123456789abcdefABCDEF:.", t.at[i], 24))
			return false;
	memcpy(copy, t.at, t.len);
	copy[t.len] = 0;
	*out = (struct ip_address){.version = 4, .prefix_len = 32};
	if (inet_pton(AF_INET, copy, out->bytes) == 1)
		return true;
	*out = (struct ip_address){.version = 6, .prefix_len = 128};
	return inet_pton(AF_INET6, copy, out->bytes) == 1;
}

bool list_text_is_address(struct list_text text)
{
	struct ip_address ignored;
	struct list_text zone = text;
	if (list_text_is(text, LIST_TEXT("0.0.0.0")) || list_text_is(text, LIST_TEXT("127.0.0.1")))
		return true;
	return read_address(list_text_cut(&zone, '%'), &ignored);
}

bool list_prefix_read(struct list_text text, struct ip_address *out)
{
	struct ip_address a;
	if (!read_address(list_text_cut(&text, '/'), &a))
		return false;
	if (text.at) {
		unsigned len = 0;
		if (text.len == 0 || text.len > 3)
			return false;
		for (size_t i = 0; i < text.len; i++) {
			if (!is_digit(text.at[i]))
				return false;
			len = len * 10 + (unsigned)(text.at[i] - '0');
		}
		if (len == 0 || len > a.prefix_len)
			return false;
		a.prefix_len = (uint8_t)len;
	}
	if (ip_address_mask(&a))
		return false;
	*out = a;
	return true;
}

// This host, private use, loopback, link-local; unique local and link-local IPv6.
const char *const list_own_prefixes[LIST_OWN_PREFIXES] = {"0.0.0.0/8", "10.0.0.0/8", "127.0.0.0/8",
	"169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16", "::/128", "::1/128", "fc00::/7",
	"fe80::/10"};

static bool is_own(const struct ip_address *a)
{
	for (unsigned i = 0; i < LIST_OWN_PREFIXES; i++) {
		const struct list_text text = {list_own_prefixes[i], strlen(list_own_prefixes[i])};
		struct ip_address own;
		if (!list_prefix_read(text, &own) || own.version != a->version)
			continue;
		const unsigned both =
			own.prefix_len < a->prefix_len ? own.prefix_len : a->prefix_len;
		if (bits_same(own.bytes, a->bytes, both))
			return true;
	}
	return false;
}

// `192.0.2.` as 192.0.2.0/24; two bytes at least.
static bool read_front(struct list_text text, struct ip_address *out)
{
	char whole[16];
	unsigned dots = 0;
	for (size_t i = 0; i < text.len; i++)
		dots += text.at[i] == '.';
	if (dots < 2 || dots > 3 || text.len > 12 || text.at[text.len - 1] != '.')
		return false;
	const int len = snprintf(
		whole, sizeof(whole), "%.*s%s", (int)text.len, text.at, dots == 2 ? "0.0" : "0");
	if (!read_address((struct list_text){whole, (size_t)len}, out) || out->version != 4)
		return false;
	out->prefix_len = (uint8_t)(8 * dots);
	return !ip_address_mask(out);
}

bool list_answer_read(struct list_text text, struct ip_address *out)
{
	struct ip_address a;
	if (text.len > 2 && text.at[0] == '[' && text.at[text.len - 1] == ']')
		text = (struct list_text){text.at + 1, text.len - 2};
	if ((!list_prefix_read(text, &a) && !read_front(text, &a)) || is_own(&a))
		return false;
	*out = a;
	return true;
}
