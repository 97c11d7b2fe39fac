// SPDX-License-Identifier: BSD-3-Clause

#include "dns_name_walk.h"

#include <errno.h>
#include <weir/ascii.h>
#include <weir/dns_name.h>

enum {
	LABEL_POINTER = 0xc0,
	POINTERS_MAX = 126, // one per label of the longest name: more cannot add a label each
};

int dns_name_read(struct rd *r, struct dns_name *out)
{
	const uint8_t *p = r->base + r->pos;
	uint8_t labels;
	size_t len = dns_name_walk(p, rd_left(r), NULL, &labels);
	if (len == 0) {
		r->bad = true;
		return -EBADMSG;
	}
	out->len = (uint8_t)len;
	out->labels = labels;
	ascii_lower_copy(out->wire, p, len);
	r->pos += len;
	return 0;
}

// Collects the labels into wire (DNS_NAME_MAX octets). Each pointer must lead below the octets of
// the run of labels that it ends, so runs only go down and the walk ends. *jumps: how many there
// were.
static size_t name_gather(struct rd *r, uint8_t *wire, uint8_t *labels, size_t *jumps)
{
	struct rd run = *r; // reads one run after the other
	size_t run_start = r->pos, len = 0, pointers = 0, end = 0;
	unsigned n = 0;
	for (;;) {
		uint8_t octet = rd_u8(&run);
		if (!rd_ok(&run))
			return 0;
		if ((octet & LABEL_POINTER) == LABEL_POINTER) {
			size_t target = (size_t)(octet & ~LABEL_POINTER) << 8 | rd_u8(&run);
			if (!rd_ok(&run) || target < DNS_HEADER_LEN || target >= run_start
				|| ++pointers > POINTERS_MAX)
				return 0;
			if (!end)
				end = run.pos;
			run.pos = run_start = target;
			continue;
		}
		if (octet > DNS_LABEL_MAX || len + 1 + octet > DNS_NAME_MAX - (octet ? 1u : 0u))
			return 0;
		const uint8_t *label = rd_bytes(&run, octet);
		if (!label)
			return 0;
		wire[len++] = octet;
		if (octet == 0)
			break;
		memcpy(wire + len, label, octet);
		len += octet;
		n++;
	}
	r->pos = end ? end : run.pos;
	*labels = (uint8_t)n;
	*jumps = pointers;
	return len;
}

int dns_name_read_bounded(struct rd *msg, struct dns_name *out, uint8_t *wire_case, size_t *left)
{
	uint8_t wire[DNS_NAME_MAX], labels;
	size_t jumps, len = name_gather(msg, wire, &labels, &jumps);
	if (len == 0) {
		msg->bad = true;
		return -EBADMSG;
	}
	size_t followed = len + jumps * 2;
	if (followed > *left) {
		msg->bad = true;
		return -E2BIG;
	}
	*left -= followed;
	out->len = (uint8_t)len;
	out->labels = labels;
	ascii_lower_copy(out->wire, wire, len);
	if (wire_case)
		memcpy(wire_case, wire, len);
	return 0;
}

int dns_name_read_compressed(struct rd *msg, struct dns_name *out, uint8_t *wire_case)
{
	size_t left = SIZE_MAX;
	return dns_name_read_bounded(msg, out, wire_case, &left);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

// One octet of a label, escapes resolved: how many characters it took, 0 for a bad escape.
static size_t text_octet(const char *text, size_t left, uint8_t *octet)
{
	if (text[0] != '\\') {
		*octet = (uint8_t)text[0];
		return 1;
	}
	if (left < 2)
		return 0;
	if (!is_digit(text[1])) {
		*octet = (uint8_t)text[1];
		return 2;
	}
	if (left < 4 || !is_digit(text[2]) || !is_digit(text[3]))
		return 0;
	int value = (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
	if (value > 255)
		return 0;
	*octet = (uint8_t)value;
	return 4;
}

int dns_name_from_text(const char *text, size_t len, struct dns_name *out)
{
	struct dns_name name = {.len = 1};
	if (len == 0)
		return -EINVAL;
	if (len == 1 && text[0] == '.') {
		*out = name;
		return 0;
	}

	size_t start = 0; // of the label being read, at its length octet
	size_t i = 0;
	while (i < len) {
		if (text[i] == '.') {
			if (name.len == start + 1)
				return -EINVAL;
			i++;
			start = name.len;
			if (i == len)
				break;
			if (name.len >= DNS_NAME_MAX - 1)
				return -EINVAL;
			name.len++;
			continue;
		}
		uint8_t octet;
		size_t used = text_octet(text + i, len - i, &octet);
		// The octet after the last label is the root's.
		if (used == 0 || name.len >= DNS_NAME_MAX - 1 || name.len - start > DNS_LABEL_MAX)
			return -EINVAL;
		if (name.len == start + 1)
			name.labels++;
		name.wire[name.len++] = ascii_lower(octet);
		name.wire[start] = (uint8_t)(name.len - start - 1);
		i += used;
	}
	name.wire[name.len++] = 0;
	*out = name;
	return 0;
}

char *dns_name_to_text(const struct dns_name *name, char *buf)
{
	return dns_name_wire_to_text(name->wire, name->len, buf);
}

char *dns_name_wire_to_text(const uint8_t *wire, size_t len, char *buf)
{
	char *p = buf;
	size_t pos = 0;
	while (pos < len && wire[pos] != 0 && pos + 1 + wire[pos] < len && len <= DNS_NAME_MAX) {
		const uint8_t *label = wire + pos + 1;
		size_t n = wire[pos];
		if (pos)
			*p++ = '.';
		for (size_t i = 0; i < n; i++) {
			uint8_t c = label[i];
			if (c == '.' || c == '\\') {
				*p++ = '\\';
				*p++ = (char)c;
			} else if (c >= 0x21 && c <= 0x7e) {
				*p++ = (char)c;
			} else {
				*p++ = '\\';
				*p++ = (char)('0' + c / 100);
				*p++ = (char)('0' + c / 10 % 10);
				*p++ = (char)('0' + c % 10);
			}
		}
		pos += 1 + n;
	}
	if (p == buf)
		*p++ = '.';
	*p = 0;
	return buf;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
	return a->len == b->len && memcmp(a->wire, b->wire, a->len) == 0;
}

bool dns_name_is_under(const struct dns_name *name, const struct dns_name *apex)
{
	if (apex->labels > name->labels || apex->len > name->len)
		return false;
	size_t pos = 0;
	for (unsigned skip = name->labels - apex->labels; skip; skip--)
		pos += 1u + name->wire[pos];
	return name->len - pos == apex->len && memcmp(name->wire + pos, apex->wire, apex->len) == 0;
}
