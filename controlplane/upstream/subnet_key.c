// SPDX-License-Identifier: BSD-3-Clause
#include "subnet_key.h"

#include "upstream_edns.h"

#include <stdio.h>
#include <string.h>

// The label: version, prefix length and the nibbles of the prefix, as hexadecimal digits:
// 192.0.2.0/24 is "418c00002". Lower case, so reading the name changes nothing.
enum { HEAD_LEN = 3, NIBBLE = 4, LABEL_MAX = HEAD_LEN + 128 / NIBBLE };

static const char digits[] = "0123456789abcdef";

static unsigned label_write(const struct ip_address *subnet, uint8_t out[LABEL_MAX])
{
	unsigned n = 0;

	out[n++] = (uint8_t)('0' + subnet->version);
	out[n++] = (uint8_t)digits[subnet->prefix_len >> NIBBLE];
	out[n++] = (uint8_t)digits[subnet->prefix_len & 0xf];
	for (unsigned bit = 0; bit < subnet->prefix_len; bit += NIBBLE)
		out[n++] = (uint8_t)digits[subnet->bytes[bit / 8] >> (bit % 8 ? 0 : NIBBLE) & 0xf];
	return n;
}

bool subnet_key_make(const struct l0_reader *l0, const struct l0_key *whole,
	const struct ip_address *subnet, unsigned scope, struct subnet_key *out)
{
	const struct ip_address cut = upstream_subnet_cut(subnet->version, subnet->bytes, scope);
	uint8_t label[LABEL_MAX];
	const unsigned n = label_write(&cut, label);

	if (whole->name_len + 1u + n > sizeof(out->name))
		return false;
	out->name[0] = (uint8_t)n;
	memcpy(out->name + 1, label, n);
	memcpy(out->name + 1 + n, whole->name, whole->name_len);
	out->key = *whole;
	out->key.name = out->name;
	out->key.name_len = (uint8_t)(whole->name_len + 1u + n);
	out->key.flags |= L0_KEY_SUBNET;
	l0_key_hash(l0, &out->key);
	return true;
}

static unsigned digit_value(uint8_t c)
{
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (unsigned)(at - digits) : 0;
}

bool subnet_of_record(const struct l0_view *v, struct ip_address *out)
{
	const unsigned len = l0_subnet_len(v->key_flags, v->name, v->name_len);
	const uint8_t *label = v->name + 1;

	*out = (struct ip_address){0};
	if (len < 1 + HEAD_LEN)
		return false;
	out->version = label[0] == '6' ? 6 : 4;
	out->prefix_len = (uint8_t)(digit_value(label[1]) << NIBBLE | digit_value(label[2]));
	for (unsigned i = 0; i + 1 + HEAD_LEN < len && i < 2 * sizeof(out->bytes); i++)
		out->bytes[i / 2] |=
			(uint8_t)(digit_value(label[HEAD_LEN + i]) << (i % 2 ? 0 : NIBBLE));
	return true;
}

static const uint64_t *word_of(
	const struct subnet_lengths *l, const struct ip_address *subnet, unsigned bits)
{
	return subnet->version == 6 ? &l->ipv6[bits / 64] : &l->ipv4;
}

void subnet_lengths_add(struct subnet_lengths *l, const struct ip_address *subnet, unsigned scope)
{
	uint64_t *word = subnet->version == 6 ? &l->ipv6[scope / 64] : &l->ipv4;

	*word |= UINT64_C(1) << scope % 64;
}

int subnet_lengths_next(const struct subnet_lengths *l, const struct ip_address *subnet, int from)
{
	const int least = subnet->prefix_len ? 1 : 0;

	while (from >= least && !(*word_of(l, subnet, (unsigned)from) >> (unsigned)from % 64 & 1))
		from--;
	return from >= least ? from : -1;
}
