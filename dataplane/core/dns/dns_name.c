// SPDX-License-Identifier: BSD-3-Clause

#include "dns_name_walk.h"

#include <errno.h>
#include <weir/ascii.h>
#include <weir/dns_name.h>

enum {
	LABEL_POINTER = 0xc0,
	POINTER_TARGETS = 0x4000, // greatest offset in 14 bits
	POINTERS_MAX = 126,       // one per label of the longest name: more cannot add a label each
	SHORT_RUN = 16,           // bytes
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

// The facts collected about a name, besides its bytes.
struct gathered {
	size_t len, jumps;
	unsigned labels;
};

// Most runs of a compressed name are a label or two. Where the message goes on they are copied in
// one step, with bytes that the next run overwrites.
ATTR_INLINE void run_copy(uint8_t *to, const uint8_t *from, size_t len, size_t left)
{
	if (len <= SHORT_RUN && left >= SHORT_RUN)
		memcpy(to, from, SHORT_RUN);
	else
		memcpy(to, from, len);
}

// Labels in a row, of which `left` bytes may be read. How many bytes they have up to the one that
// is no label's; `left` if the message, or what a name may take, ends before it. Labels of one
// byte, of which a name can have most, have a loop of their own: where the next one begins does
// not wait for the byte to be read, only whether that was right.
ATTR_INLINE size_t run_gather(
	struct gathered *g, const uint8_t *run, size_t left, uint8_t *wire, uint8_t *label_off)
{
	size_t room = DNS_NAME_MAX - g->len, max = left < room ? left : room, pos = 0;
	unsigned n = g->labels;
	for (;;) {
		for (; pos < max && run[pos] == 1; pos += 2)
			label_off[n++] = (uint8_t)(g->len + pos);
		if (pos >= max)
			return left;
		unsigned byte = run[pos];
		if (byte - 1 >= DNS_LABEL_MAX)
			break;
		label_off[n++] = (uint8_t)(g->len + pos);
		pos += 1 + byte;
	}
	if (pos) {
		run_copy(wire + g->len, run, pos, left);
		g->labels = n;
		g->len += pos;
	}
	return pos;
}

// Each pointer must lead below the bytes of the run of labels that it ends, so runs only go down
// and the walk ends.
static bool name_gather(struct rd *r, struct gathered *g, uint8_t *wire, uint8_t *label_off)
{
	const uint8_t *msg = r->base;
	size_t len = r->len, at = r->pos, end = 0;
	g->len = g->jumps = g->labels = 0;
	if (r->bad)
		return false;
	for (;;) {
		size_t pos = at + run_gather(g, msg + at, len - at, wire, label_off);
		if (pos == len)
			return false;
		if (msg[pos] == 0) {
			wire[g->len++] = 0;
			r->pos = end ? end : pos + 1;
			return true;
		}
		if (msg[pos] < LABEL_POINTER || pos + 1 == len)
			return false;
		size_t target = get_u16(msg + pos) & (POINTER_TARGETS - 1);
		if (target < DNS_HEADER_LEN || target >= at || ++g->jumps > POINTERS_MAX)
			return false;
		end = end ? end : pos + 2;
		at = target;
	}
}

// `wire_case` may be NULL; label_off has room for one more than a name's labels.
static int name_read(
	struct rd *msg, struct dns_name *out, uint8_t *wire_case, uint8_t *label_off, size_t *left)
{
	struct gathered g;
	uint8_t wire[DNS_NAME_MAX + SHORT_RUN];
	if (!name_gather(msg, &g, wire, label_off)) {
		msg->bad = true;
		return -EBADMSG;
	}
	size_t followed = g.len + g.jumps * 2;
	if (followed > *left) {
		msg->bad = true;
		return -E2BIG;
	}
	*left -= followed;
	out->len = (uint8_t)g.len;
	out->labels = (uint8_t)g.labels;
	ascii_lower_copy(out->wire, wire, g.len);
	if (wire_case)
		memcpy(wire_case, wire, g.len);
	return 0;
}

int dns_name_read_bounded(
	struct rd *msg, struct dns_name *out, struct dns_spelling *spelling, size_t *left)
{
	uint8_t label_off[DNS_LABELS_MAX + 1];
	return name_read(msg, out, spelling ? spelling->wire : NULL,
		spelling ? spelling->label_off : label_off, left);
}

int dns_name_read_compressed(struct rd *msg, struct dns_name *out, uint8_t *wire_case)
{
	size_t left = SIZE_MAX;
	uint8_t label_off[DNS_LABELS_MAX + 1];
	return name_read(msg, out, wire_case, label_off, &left);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

// One byte of a label, escapes resolved: how many characters it took, 0 for a bad escape.
static size_t text_byte(const char *text, size_t left, uint8_t *byte)
{
	if (text[0] != '\\') {
		*byte = (uint8_t)text[0];
		return 1;
	}
	if (left < 2)
		return 0;
	if (!is_digit(text[1])) {
		*byte = (uint8_t)text[1];
		return 2;
	}
	if (left < 4 || !is_digit(text[2]) || !is_digit(text[3]))
		return 0;
	int value = (text[1] - '0') * 100 + (text[2] - '0') * 10 + (text[3] - '0');
	if (value > 255)
		return 0;
	*byte = (uint8_t)value;
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

	size_t start = 0; // length byte of the label that is being read
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
		uint8_t byte;
		if ((uint8_t)text[i] >= 0x80)
			return -EILSEQ;
		size_t used = text_byte(text + i, len - i, &byte);
		// The byte after the last label is the root's.
		if (used == 0 || name.len >= DNS_NAME_MAX - 1 || name.len - start > DNS_LABEL_MAX)
			return -EINVAL;
		if (name.len == start + 1)
			name.labels++;
		name.wire[name.len++] = ascii_lower(byte);
		name.wire[start] = (uint8_t)(name.len - start - 1);
		i += used;
	}
	name.wire[name.len++] = 0;
	*out = name;
	return 0;
}

const char *dns_name_text_why(int err)
{
	return err == -EILSEQ ? "is not ASCII: write it with xn--" : "is not a domain name";
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

int dns_name_order(const uint8_t *a, size_t a_len, const uint8_t *b, size_t b_len)
{
	return a_len != b_len ? (a_len < b_len ? -1 : 1) : memcmp(a, b, a_len);
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
