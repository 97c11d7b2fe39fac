// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Names of the services that can be blocked, in the configuration and in weirctl. Their domains are
// in controlplane/policy/services_table.c. The order may change between versions.

#include "attr.h"

#include <stdbool.h>
#include <stdint.h>

// X(word, enumerator)
#define SERVICES(X)                                 \
	X("tiktok", TIKTOK)                         \
	X("roblox", ROBLOX)                         \
	X("youtube", YOUTUBE)                       \
	X("instagram", INSTAGRAM)                   \
	X("netflix", NETFLIX)                       \
	X("facebook", FACEBOOK)                     \
	X("snapchat", SNAPCHAT)                     \
	X("twitter", TWITTER)                       \
	X("discord", DISCORD)                       \
	X("twitch", TWITCH)                         \
	X("reddit", REDDIT)                         \
	X("pinterest", PINTEREST)                   \
	X("whatsapp", WHATSAPP)                     \
	X("telegram", TELEGRAM)                     \
	X("linkedin", LINKEDIN)                     \
	X("spotify", SPOTIFY)                       \
	X("fortnite", FORTNITE)                     \
	X("4chan", FOURCHAN)                        \
	X("500px", FIVE_HUNDRED_PX)                 \
	X("9gag", NINEGAG)                          \
	X("aliexpress", ALIEXPRESS)                 \
	X("amazon", AMAZON)                         \
	X("apple_music", APPLE_MUSIC)               \
	X("apple_tv", APPLE_TV)                     \
	X("archive_of_our_own", ARCHIVE_OF_OUR_OWN) \
	X("audible", AUDIBLE)                       \
	X("bandcamp", BANDCAMP)                     \
	X("battle_net", BATTLE_NET)                 \
	X("bereal", BEREAL)                         \
	X("bet365", BET365)                         \
	X("betfair", BETFAIR)                       \
	X("betway", BETWAY)                         \
	X("bigo_live", BIGO_LIVE)                   \
	X("bilibili", BILIBILI)                     \
	X("binance", BINANCE)                       \
	X("bluesky", BLUESKY)                       \
	X("box", BOX)                               \
	X("bumble", BUMBLE)                         \
	X("call_of_duty", CALL_OF_DUTY)             \
	X("character_ai", CHARACTER_AI)             \
	X("chatgpt", CHATGPT)                       \
	X("chaturbate", CHATURBATE)                 \
	X("chess_com", CHESS_COM)                   \
	X("claude", CLAUDE)                         \
	X("coinbase", COINBASE)                     \
	X("copilot", COPILOT)                       \
	X("crazygames", CRAZYGAMES)                 \
	X("crunchyroll", CRUNCHYROLL)               \
	X("dailymotion", DAILYMOTION)               \
	X("dazn", DAZN)                             \
	X("deepseek", DEEPSEEK)                     \
	X("deezer", DEEZER)                         \
	X("deviantart", DEVIANTART)                 \
	X("discoveryplus", DISCOVERYPLUS)           \
	X("disneyplus", DISNEYPLUS)                 \
	X("douban", DOUBAN)                         \
	X("douyin", DOUYIN)                         \
	X("draftkings", DRAFTKINGS)                 \
	X("dropbox", DROPBOX)                       \
	X("dzen", DZEN)                             \
	X("ebay", EBAY)                             \
	X("electronic_arts", ELECTRONIC_ARTS)       \
	X("epic_games", EPIC_GAMES)                 \
	X("espn", ESPN)                             \
	X("etsy", ETSY)                             \
	X("fanduel", FANDUEL)                       \
	X("flickr", FLICKR)                         \
	X("geforce_now", GEFORCE_NOW)               \
	X("gemini", GEMINI)                         \
	X("giphy", GIPHY)                           \
	X("gog", GOG)                               \
	X("google_meet", GOOGLE_MEET)               \
	X("grindr", GRINDR)                         \
	X("grok", GROK)                             \
	X("happn", HAPPN)                           \
	X("hbo_max", HBO_MAX)                       \
	X("hinge", HINGE)                           \
	X("hotstar", HOTSTAR)                       \
	X("hoyoverse", HOYOVERSE)                   \
	X("hulu", HULU)                             \
	X("iheartradio", IHEARTRADIO)               \
	X("imgur", IMGUR)                           \
	X("imo", IMO)                               \
	X("iqiyi", IQIYI)                           \
	X("ivi", IVI)                               \
	X("joyn", JOYN)                             \
	X("kakaotalk", KAKAOTALK)                   \
	X("kick", KICK)                             \
	X("kinopoisk", KINOPOISK)                   \
	X("kuaishou", KUAISHOU)                     \
	X("lazada", LAZADA)                         \
	X("letterboxd", LETTERBOXD)                 \
	X("lichess", LICHESS)                       \
	X("line", LINE)                             \
	X("mastodon", MASTODON)                     \
	X("match", MATCH)                           \
	X("medium", MEDIUM)                         \
	X("mega", MEGA)                             \
	X("mercado_libre", MERCADO_LIBRE)           \
	X("meta_ai", META_AI)                       \
	X("meta_quest", META_QUEST)                 \
	X("microsoft_teams", MICROSOFT_TEAMS)       \
	X("midjourney", MIDJOURNEY)                 \
	X("minecraft", MINECRAFT)                   \
	X("nextdoor", NEXTDOOR)                     \
	X("niconico", NICONICO)                     \
	X("nintendo", NINTENDO)                     \
	X("odnoklassniki", ODNOKLASSNIKI)           \
	X("odysee", ODYSEE)                         \
	X("okcupid", OKCUPID)                       \
	X("onlyfans", ONLYFANS)                     \
	X("pandora", PANDORA)                       \
	X("paramountplus", PARAMOUNTPLUS)           \
	X("patreon", PATREON)                       \
	X("peacock", PEACOCK)                       \
	X("perplexity", PERPLEXITY)                 \
	X("pixiv", PIXIV)                           \
	X("playstation", PLAYSTATION)               \
	X("plenty_of_fish", PLENTY_OF_FISH)         \
	X("plex", PLEX)                             \
	X("pluto_tv", PLUTO_TV)                     \
	X("poe", POE)                               \
	X("pokemon_go", POKEMON_GO)                 \
	X("poki", POKI)                             \
	X("polymarket", POLYMARKET)                 \
	X("pornhub", PORNHUB)                       \
	X("prime_video", PRIME_VIDEO)               \
	X("qobuz", QOBUZ)                           \
	X("quora", QUORA)                           \
	X("rakuten_viki", RAKUTEN_VIKI)             \
	X("rec_room", REC_ROOM)                     \
	X("replika", REPLIKA)                       \
	X("riot_games", RIOT_GAMES)                 \
	X("rockstar_games", ROCKSTAR_GAMES)         \
	X("rumble", RUMBLE)                         \
	X("rutube", RUTUBE)                         \
	X("shazam", SHAZAM)                         \
	X("shein", SHEIN)                           \
	X("shopee", SHOPEE)                         \
	X("signal", SIGNAL)                         \
	X("siriusxm", SIRIUSXM)                     \
	X("skype", SKYPE)                           \
	X("slack", SLACK)                           \
	X("sonyliv", SONYLIV)                       \
	X("soundcloud", SOUNDCLOUD)                 \
	X("stake", STAKE)                           \
	X("steam", STEAM)                           \
	X("strava", STRAVA)                         \
	X("substack", SUBSTACK)                     \
	X("supercell", SUPERCELL)                   \
	X("taobao", TAOBAO)                         \
	X("temu", TEMU)                             \
	X("tenor", TENOR)                           \
	X("threads", THREADS)                       \
	X("threema", THREEMA)                       \
	X("tidal", TIDAL)                           \
	X("tinder", TINDER)                         \
	X("truth_social", TRUTH_SOCIAL)             \
	X("tubi", TUBI)                             \
	X("tumblr", TUMBLR)                         \
	X("ubisoft", UBISOFT)                       \
	X("viber", VIBER)                           \
	X("vimeo", VIMEO)                           \
	X("vinted", VINTED)                         \
	X("vk", VK)                                 \
	X("vrchat", VRCHAT)                         \
	X("walmart", WALMART)                       \
	X("wargaming", WARGAMING)                   \
	X("wattpad", WATTPAD)                       \
	X("webex", WEBEX)                           \
	X("wechat", WECHAT)                         \
	X("weibo", WEIBO)                           \
	X("wetransfer", WETRANSFER)                 \
	X("wildberries", WILDBERRIES)               \
	X("wish", WISH)                             \
	X("xbox", XBOX)                             \
	X("xhamster", XHAMSTER)                     \
	X("xiaohongshu", XIAOHONGSHU)               \
	X("xnxx", XNXX)                             \
	X("xvideos", XVIDEOS)                       \
	X("youku", YOUKU)                           \
	X("yubo", YUBO)                             \
	X("zalando", ZALANDO)                       \
	X("zalo", ZALO)                             \
	X("zattoo", ZATTOO)                         \
	X("zee5", ZEE5)                             \
	X("zhihu", ZHIHU)                           \
	X("zoom", ZOOM)

enum service {
#define X(word, id) SERVICE_##id,
	SERVICES(X)
#undef X
		SERVICE_COUNT
};

struct service_set {
	uint64_t bits[3];
};
static_assert((int)SERVICE_COUNT <= 192);

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
