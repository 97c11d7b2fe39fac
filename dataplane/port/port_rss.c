// SPDX-License-Identifier: BSD-3-Clause

#include "port_rss.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum {
	RETA_MAX = RTE_ETH_RSS_RETA_SIZE_512,
	INDEX_BITS_MAX = 9, // bits of an entry's number in the largest table
	INDEX_BITS = 7,     // bits for a port that does not say how many entries it has
	VARYING_BITS = 12,  // the last ones of a field, which differ most among clients
	KEY_TRIES = 64,
};

// `count` bits of the key from bit `from` on.
static unsigned key_bits(const uint8_t *key, unsigned from, unsigned count)
{
	unsigned out = 0;
	for (unsigned i = from; i < from + count; i++)
		out = out << 1 | (key[i / 8] >> (7 - i % 8) & 1);
	return out;
}

// Whether the last bits of the field that ends before input bit `end` reach each entry of the
// table. Toeplitz's hash is linear: bit i of the input adds the key's 32 bits from i on, of which
// the last ones choose the entry; so these must have full rank.
static bool field_spreads(const uint8_t *key, unsigned end, unsigned index_bits)
{
	unsigned basis[INDEX_BITS_MAX] = {0}, rank = 0; // vectors by their highest bit

	for (unsigned i = end - VARYING_BITS; i < end; i++) {
		unsigned row = key_bits(key, i + 32 - index_bits, index_bits);
		for (unsigned b = index_bits; b-- > 0 && row;) {
			if (!(row >> b & 1))
				continue;
			rank += basis[b] == 0;
			unsigned with = basis[b];
			if (with == 0)
				basis[b] = row;
			row = with ? row ^ with : 0;
		}
	}
	return rank == index_bits;
}

// One key in 256 would leave half of the table to no client of a network, or to no source port.
static bool key_spreads(const uint8_t *key, size_t len, unsigned index_bits)
{
	static const unsigned ends[] = {32, 80, 128, 272}; // source and its port, IPv4 and IPv6
	for (unsigned i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i] + 31 <= len * 8 && !field_spreads(key, ends[i], index_bits))
			return false;
	return true;
}

static unsigned index_bits_of(uint16_t reta_size)
{
	unsigned bits = 0;
	while (bits < INDEX_BITS_MAX && 2u << bits <= reta_size)
		bits++;
	return bits ? bits : INDEX_BITS;
}

static int make_key(enum rss_mode mode, unsigned index_bits, uint8_t *key, size_t len)
{
	if (mode == RSS_SYMMETRIC) {
		for (size_t i = 0; i < len; i++)
			key[i] = i % 2 ? 0x5a : 0x6d;
		return 0;
	}
	for (unsigned i = 0; i < KEY_TRIES; i++) {
		if (getrandom(key, len, 0) != (ssize_t)len)
			return -EIO;
		if (key_spreads(key, len, index_bits))
			break;
	}
	return 0;
}

int port_rss_choose(const struct rte_eth_dev_info *info, unsigned queues, enum rss_mode mode,
	uint8_t *key, struct rte_eth_conf *conf)
{
	const uint64_t fields =
		info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP);
	if (queues < 2 || fields == 0)
		return 0;
	// Some drivers do not say how long their key is; it is Toeplitz's 40 bytes then.
	uint8_t len = info->hash_key_size ? info->hash_key_size : PORT_RSS_KEY_LEN;
	if (len <= PORT_RSS_KEY_MAX) {
		int rc = make_key(mode, index_bits_of(info->reta_size), key, len);
		if (rc)
			return rc;
		conf->rx_adv_conf.rss_conf.rss_key = key;
		conf->rx_adv_conf.rss_conf.rss_key_len = len;
	}
	conf->rx_adv_conf.rss_conf.rss_hf = fields;
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	return 0;
}

int port_rss_spread(
	uint16_t port_id, const struct rte_eth_dev_info *info, unsigned first, unsigned queues)
{
	struct rte_eth_rss_reta_entry64 table[RETA_MAX / RTE_ETH_RETA_GROUP_SIZE];
	unsigned size = info->reta_size;
	if (size == 0 || size > RETA_MAX || size % RTE_ETH_RETA_GROUP_SIZE != 0)
		return 0;
	memset(table, 0, sizeof(table));
	for (unsigned i = 0; i < size; i++) {
		struct rte_eth_rss_reta_entry64 *group = &table[i / RTE_ETH_RETA_GROUP_SIZE];
		group->mask = UINT64_MAX;
		group->reta[i % RTE_ETH_RETA_GROUP_SIZE] = (uint16_t)(first + i % queues);
	}
	int rc = rte_eth_dev_rss_reta_update(port_id, table, (uint16_t)size);
	if (rc == -ENOTSUP)
		return 0;
	return rc ? rc : 1;
}
