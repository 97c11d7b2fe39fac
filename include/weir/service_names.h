// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names of the services that can be blocked, in the configuration and in weirctl. Their domains are
// in controlplane/policy/services_table.c. The order may change between versions.

#include "attr.h"

#include <stdbool.h>
#include <stdint.h>

// X(word, enumerator)
#define SERVICES(X)                           \
	X("tiktok", TIKTOK)                   \
	X("roblox", ROBLOX)                   \
	X("youtube", YOUTUBE)                 \
	X("instagram", INSTAGRAM)             \
	X("netflix", NETFLIX)                 \
	X("facebook", FACEBOOK)               \
	X("snapchat", SNAPCHAT)               \
	X("twitter", TWITTER)                 \
	X("discord", DISCORD)                 \
	X("twitch", TWITCH)                   \
	X("reddit", REDDIT)                   \
	X("pinterest", PINTEREST)             \
	X("whatsapp", WHATSAPP)               \
	X("telegram", TELEGRAM)               \
	X("linkedin", LINKEDIN)               \
	X("spotify", SPOTIFY)                 \
	X("fortnite", FORTNITE)               \
	X("4chan", FOURCHAN)                  \
	X("9gag", NINEGAG)                    \
	X("aliexpress", ALIEXPRESS)           \
	X("amazon", AMAZON)                   \
	X("apple_tv", APPLE_TV)               \
	X("battle_net", BATTLE_NET)           \
	X("bilibili", BILIBILI)               \
	X("bluesky", BLUESKY)                 \
	X("bumble", BUMBLE)                   \
	X("character_ai", CHARACTER_AI)       \
	X("chatgpt", CHATGPT)                 \
	X("crunchyroll", CRUNCHYROLL)         \
	X("dailymotion", DAILYMOTION)         \
	X("deezer", DEEZER)                   \
	X("disneyplus", DISNEYPLUS)           \
	X("ebay", EBAY)                       \
	X("electronic_arts", ELECTRONIC_ARTS) \
	X("epic_games", EPIC_GAMES)           \
	X("grindr", GRINDR)                   \
	X("hbo_max", HBO_MAX)                 \
	X("hulu", HULU)                       \
	X("imgur", IMGUR)                     \
	X("kick", KICK)                       \
	X("line", LINE)                       \
	X("mastodon", MASTODON)               \
	X("minecraft", MINECRAFT)             \
	X("nintendo", NINTENDO)               \
	X("odnoklassniki", ODNOKLASSNIKI)     \
	X("onlyfans", ONLYFANS)               \
	X("playstation", PLAYSTATION)         \
	X("prime_video", PRIME_VIDEO)         \
	X("quora", QUORA)                     \
	X("riot_games", RIOT_GAMES)           \
	X("rumble", RUMBLE)                   \
	X("shein", SHEIN)                     \
	X("signal", SIGNAL)                   \
	X("skype", SKYPE)                     \
	X("soundcloud", SOUNDCLOUD)           \
	X("steam", STEAM)                     \
	X("temu", TEMU)                       \
	X("threads", THREADS)                 \
	X("tidal", TIDAL)                     \
	X("tinder", TINDER)                   \
	X("tumblr", TUMBLR)                   \
	X("ubisoft", UBISOFT)                 \
	X("viber", VIBER)                     \
	X("vimeo", VIMEO)                     \
	X("vk", VK)                           \
	X("wechat", WECHAT)                   \
	X("weibo", WEIBO)                     \
	X("xbox", XBOX)                       \
	X("xiaohongshu", XIAOHONGSHU)         \
	X("zoom", ZOOM)

enum service {
#define X(word, id) SERVICE_##id,
	SERVICES(X)
#undef X
		SERVICE_COUNT
};

struct service_set {
	uint64_t bits[2];
};
static_assert((int)SERVICE_COUNT <= 128);

const char *service_word(unsigned service); // below SERVICE_COUNT
int service_find(const char *word);         // -1: there is none

static inline bool service_set_has(const struct service_set *s, unsigned service)
{
	return s->bits[service / 64] >> service % 64 & 1;
}

static inline void service_set_add(struct service_set *s, unsigned service)
{
	s->bits[service / 64] |= UINT64_C(1) << service % 64;
}
