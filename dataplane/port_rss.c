// SPDX-License-Identifier: BSD-3-Clause

#include "port_rss.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

enum { RETA_MAX = RTE_ETH_RSS_RETA_SIZE_512 };

static int make_key(enum rss_mode mode, uint8_t *key, size_t len)
{
	if (mode == RSS_SYMMETRIC) {
		for (size_t i = 0; i < len; i++)
			key[i] = i % 2 ? 0x5a : 0x6d;
		return 0;
	}
	return getrandom(key, len, 0) == (ssize_t)len ? 0 : -EIO;
}

int port_rss_choose(const struct rte_eth_dev_info *info, unsigned queues, enum rss_mode mode,
	uint8_t *key, struct rte_eth_conf *conf)
{
	const uint64_t fields =
		info->flow_type_rss_offloads & (RTE_ETH_RSS_IP | RTE_ETH_RSS_UDP | RTE_ETH_RSS_TCP);
	if (queues < 2 || fields == 0)
		return 0;
	// Some drivers do not say how long their key is; it is Toeplitz's 40 octets then.
	uint8_t len = info->hash_key_size ? info->hash_key_size : PORT_RSS_KEY_LEN;
	if (len <= PORT_RSS_KEY_MAX) {
		int rc = make_key(mode, key, len);
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
	memset(table, 0, sizeof table);
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
