// SPDX-License-Identifier: BSD-3-Clause
#include "services_table.h"

#include <string.h>

// clang-format off
static const char *const domains[SERVICE_COUNT] = {
	[SERVICE_TIKTOK] = "tiktok.com tiktokv.com tiktokv.eu tiktokv.us tiktokcdn.com tiktokcdn-us.com "
		"tiktokcdn-eu.com tiktokw.us tiktokw.eu ttwstatic.com musical.ly muscdn.com ttlivecdn.com "
		"tiktokd.net tiktokd.org tiktokrow-cdn.com",
	[SERVICE_ROBLOX] = "roblox.com rbxcdn.com rbx.com roblox.cn robloxcdn.com",
	[SERVICE_YOUTUBE] = "youtube.com youtu.be yt.be youtubei.googleapis.com youtube.googleapis.com "
		"youtube-nocookie.com youtubekids.com youtubegaming.com youtubeeducation.com ytimg.com "
		"googlevideo.com youtube-ui.l.google.com yt3.ggpht.com yt4.ggpht.com",
	[SERVICE_INSTAGRAM] = "instagram.com cdninstagram.com ig.me igcdn.com igsonar.com instagr.am",
	[SERVICE_NETFLIX] = "netflix.com netflix.net nflxext.com nflximg.com nflximg.net nflxso.net "
		"nflxvideo.net nflxsearch.net",
	[SERVICE_FACEBOOK] = "facebook.com facebook.net fb.com fb.me fb.gg fb.watch fbcdn.net fbcdn.com "
		"fbsbx.com messenger.com m.me tfbnw.net",
	[SERVICE_SNAPCHAT] = "snapchat.com snap.com sc-cdn.net sc-static.net sc-gw.com sc-prod.net "
		"sc-jpl.com snapads.com snapkit.com snap-dev.net impala-media-production.s3.amazonaws.com",
	[SERVICE_TWITTER] = "twitter.com x.com t.co twimg.com pscp.tv periscope.tv tweetdeck.com twttr.com "
		"twitter.co ads-twitter.com",
	[SERVICE_DISCORD] = "discord.com discord.gg discord.gift discord.media discord.new discord.store "
		"discordapp.com discordapp.net discordapp.io discordcdn.com discord.co dis.gd discord-activities.com "
		"discordsays.com",
	[SERVICE_TWITCH] = "twitch.tv ttvnw.net jtvnw.net twitchcdn.net twitchsvc.net ext-twitch.tv "
		"twitch.a2z.com",
	[SERVICE_REDDIT] = "reddit.com redd.it redditmedia.com redditstatic.com redditinc.com reddituploads.com "
		"redditspace.com redditblog.com",
	[SERVICE_PINTEREST] = "pinterest.com pinimg.com pin.it pinterest.co.uk pinterest.de pinterest.fr "
		"pinterest.es pinterest.it pinterest.ca pinterest.com.au pinterest.jp pinterest.at pinterest.ch "
		"pinterest.pt pinterest.se pinterest.dk pinterest.nz pinterest.ie pinterest.com.mx pinterest.cl "
		"pinterest.co.kr pinterest.ph pinterest.ru",
	[SERVICE_WHATSAPP] = "whatsapp.com whatsapp.net wa.me whatsappbrand.com",
	[SERVICE_TELEGRAM] = "telegram.org telegram.me telegram.dog t.me tg.dev telegra.ph telesco.pe graph.org "
		"cdn-telegram.org telegram-cdn.org comments.app tdesktop.com contest.com fragment.com",
	[SERVICE_LINKEDIN] = "linkedin.com licdn.com lnkd.in linkedin.cn linkedin.at bizographics.com",
	[SERVICE_SPOTIFY] = "spotify.com spotify.net scdn.co spotifycdn.com spotifycdn.net spoti.fi "
		"pscdn.co audio-ak-spotify-com.akamaized.net audio4-ak-spotify-com.akamaized.net "
		"heads-ak-spotify-com.akamaized.net spotify.design",
	[SERVICE_FORTNITE] = "fortnite.com fortnite-public-service-prod11.ol.epicgames.com "
		"fngw-mcp-gc-livefn.ol.epicgames.com fortnite-matchmaking-public-service-live.ol.epicgames.com "
		"fortnitewaitingroom-public-service-prod.ol.epicgames.com fortnite-vod.akamaized.net",
	[SERVICE_FOURCHAN] = "4chan.org 4channel.org 4cdn.org",
	[SERVICE_FIVE_HUNDRED_PX] = "500px.com 500px.org 500px.me",
	[SERVICE_NINEGAG] = "9gag.com 9cache.com",
	[SERVICE_ALIEXPRESS] = "aliexpress.com aliexpress.us aliexpress.ru aliexpress-media.com "
		"ae-rus.net",
	[SERVICE_AMAZON] = "amazon.com amazon.co.uk amazon.de amazon.fr amazon.it amazon.es amazon.nl amazon.se "
		"amazon.pl amazon.com.be amazon.ie amazon.ca amazon.com.mx amazon.com.br amazon.co.jp amazon.in "
		"amazon.cn amazon.com.au amazon.sg amazon.ae amazon.sa amazon.eg amazon.com.tr amzn.to amzn.com "
		"a.co media-amazon.com ssl-images-amazon.com",
	[SERVICE_APPLE_MUSIC] = "music.apple.com applemusic.com",
	[SERVICE_APPLE_TV] = "tv.apple.com play.itunes.apple.com play-edge.itunes.apple.com "
		"uts-api.itunes.apple.com np-edge.itunes.apple.com hls.itunes.apple.com hls-amt.itunes.apple.com",
	[SERVICE_ARCHIVE_OF_OUR_OWN] = "archiveofourown.org ao3.org",
	[SERVICE_AUDIBLE] = "audible.com audible.co.uk audible.de audible.fr audible.it audible.es "
		"audible.ca audible.com.au audible.in audible.co.jp",
	[SERVICE_BANDCAMP] = "bandcamp.com bcbits.com",
	[SERVICE_BATTLE_NET] = "battle.net battlenet.com.cn blizzard.com blzstatic.cn blz-contentstack.com "
		"blznav.akamaized.net worldofwarcraft.com overwatch.com playoverwatch.com playhearthstone.com",
	[SERVICE_BEREAL] = "bereal.com bere.al",
	[SERVICE_BET365] = "bet365.com bet365.es bet365.it bet365.de bet365.gr bet365.com.au",
	[SERVICE_BETFAIR] = "betfair.com betfair.es betfair.it betfair.ro betfair.com.au",
	[SERVICE_BETWAY] = "betway.com betway.es betway.it betway.de betway.be",
	[SERVICE_BIGO_LIVE] = "bigo.tv bigo.sg bigolive.tv",
	[SERVICE_BILIBILI] = "bilibili.com bilibili.tv bilibili.cn b23.tv biligame.com bilivideo.com "
		"bilivideo.cn hdslb.com acg.tv bilicdn1.com bilicdn2.com bilicdn3.com",
	[SERVICE_BINANCE] = "binance.com binance.us bnbstatic.com",
	[SERVICE_BLUESKY] = "bsky.app bsky.social bsky.network",
	[SERVICE_BOX] = "box.com box.net boxcdn.net boxcloud.com",
	[SERVICE_BUMBLE] = "bumble.com bumbcdn.com badoo.com badoocdn.com",
	[SERVICE_CALL_OF_DUTY] = "callofduty.com activision.com demonware.net",
	[SERVICE_CHARACTER_AI] = "character.ai c.ai",
	[SERVICE_CHATGPT] = "chatgpt.com openai.com oaistatic.com oaiusercontent.com sora.com",
	[SERVICE_CHATURBATE] = "chaturbate.com highwebmedia.com",
	[SERVICE_CHESS_COM] = "chess.com chesscomfiles.com",
	[SERVICE_CLAUDE] = "claude.ai claude.com claudeusercontent.com anthropic.com",
	[SERVICE_COINBASE] = "coinbase.com",
	[SERVICE_COPILOT] = "copilot.microsoft.com copilot.com sydney.bing.com",
	[SERVICE_CRAZYGAMES] = "crazygames.com",
	[SERVICE_CRUNCHYROLL] = "crunchyroll.com vrv.co",
	[SERVICE_DAILYMOTION] = "dailymotion.com dm-event.net dmcdn.net dai.ly dmxleo.com",
	[SERVICE_DAZN] = "dazn.com dazn-api.com dazndn.com indazn.com",
	[SERVICE_DEEPSEEK] = "deepseek.com",
	[SERVICE_DEEZER] = "deezer.com deezer.page.link dzcdn.net deezerdev.com",
	[SERVICE_DEVIANTART] = "deviantart.com deviantart.net fav.me sta.sh",
	[SERVICE_DISCOVERYPLUS] = "discoveryplus.com discoveryplus.co.uk discoveryplus.it dplay.com",
	[SERVICE_DISNEYPLUS] = "disneyplus.com disney-plus.net dssott.com dssedge.com bamgrid.com "
		"disneystreaming.com starplus.com cdn.registerdisney.go.com disneyplus.bn5x.net",
	[SERVICE_DOUBAN] = "douban.com doubanio.com douban.fm",
	[SERVICE_DOUYIN] = "douyin.com iesdouyin.com douyincdn.com douyinpic.com douyinstatic.com "
		"douyinvod.com",
	[SERVICE_DRAFTKINGS] = "draftkings.com",
	[SERVICE_DROPBOX] = "dropbox.com dropboxapi.com dropboxstatic.com dropboxusercontent.com "
		"dropbox-dns.com getdropbox.com db.tt",
	[SERVICE_DZEN] = "dzen.ru",
	[SERVICE_EBAY] = "ebay.com ebay.co.uk ebay.de ebay.fr ebay.it ebay.es ebay.at ebay.ch ebay.ie ebay.nl "
		"ebay.be ebay.pl ebay.ca ebay.com.au ebay.com.hk ebay.com.my ebay.com.sg ebay.ph ebay.in "
		"ebayimg.com ebaystatic.com ebaycdn.net ebayrtm.com ebay.us",
	[SERVICE_ELECTRONIC_ARTS] = "ea.com origin.com eaassets-a.akamaihd.net easports.com battlefield.com "
		"tnt-ea.com",
	[SERVICE_EPIC_GAMES] = "epicgames.com epicgames.dev unrealengine.com "
		"epicgamescdn.com epicgames-download1.akamaized.net fortnite.com rocketleague.com fallguys.com",
	[SERVICE_ESPN] = "espn.com espncdn.com espn.net espn.go.com espn.co.uk espn.com.br espncricinfo.com",
	[SERVICE_ETSY] = "etsy.com etsystatic.com",
	[SERVICE_FANDUEL] = "fanduel.com",
	[SERVICE_FLICKR] = "flickr.com staticflickr.com flic.kr",
	[SERVICE_GEFORCE_NOW] = "geforcenow.com nvidiagrid.net",
	[SERVICE_GEMINI] = "gemini.google.com bard.google.com gemini.google",
	[SERVICE_GIPHY] = "giphy.com gph.is",
	[SERVICE_GOG] = "gog.com gog-statics.com",
	[SERVICE_GOOGLE_MEET] = "meet.google.com",
	[SERVICE_GRINDR] = "grindr.com grindr.mobi grindr.io",
	[SERVICE_GROK] = "grok.com x.ai",
	[SERVICE_HAPPN] = "happn.com happn.fr",
	[SERVICE_HBO_MAX] = "hbomax.com hbo.com hbomaxcdn.com hbogo.com hbonow.com max.com hbomaxdash.s.llnwi.net "
		"discomax.com",
	[SERVICE_HINGE] = "hinge.co",
	[SERVICE_HOTSTAR] = "hotstar.com hotstarext.com jiohotstar.com",
	[SERVICE_HOYOVERSE] = "hoyoverse.com hoyolab.com mihoyo.com",
	[SERVICE_HULU] = "hulu.com huluim.com hulustream.com huluad.com hulu.tv huluqa.com",
	[SERVICE_IHEARTRADIO] = "iheart.com iheartradio.com ihrhls.com",
	[SERVICE_IMGUR] = "imgur.com imgur.io",
	[SERVICE_IMO] = "imo.im",
	[SERVICE_IQIYI] = "iqiyi.com iq.com qiyi.com iqiyipic.com qiyipic.com qy.net",
	[SERVICE_IVI] = "ivi.ru ivi.tv",
	[SERVICE_JOYN] = "joyn.de",
	[SERVICE_KAKAOTALK] = "talk.kakao.com kakaotalk.com",
	[SERVICE_KICK] = "kick.com",
	[SERVICE_KINOPOISK] = "kinopoisk.ru",
	[SERVICE_KUAISHOU] = "kuaishou.com kwai.com gifshow.com yximgs.com",
	[SERVICE_LAZADA] = "lazada.com lazada.sg lazada.com.my lazada.com.ph lazada.co.id lazada.co.th "
		"lazada.vn slatic.net",
	[SERVICE_LETTERBOXD] = "letterboxd.com ltrbxd.com",
	[SERVICE_LICHESS] = "lichess.org lichess1.org",
	[SERVICE_LINE] = "line.me line-apps.com line-scdn.net line-cdn.net line.naver.jp "
		"lin.ee line-apps-beta.com",
	[SERVICE_MASTODON] = "joinmastodon.org mastodon.social mastodon.online mastodon.world mstdn.social "
		"mstdn.jp mas.to mastodon.cloud pawoo.net fosstodon.org techhub.social infosec.exchange "
		"mastodon.nl mastodon.uno mastodon.scot mastodon.art mstdn.ca hachyderm.io chaos.social troet.cafe",
	[SERVICE_MATCH] = "match.com",
	[SERVICE_MEDIUM] = "medium.com",
	[SERVICE_MEGA] = "mega.nz mega.co.nz mega.io",
	[SERVICE_MERCADO_LIBRE] = "mercadolibre.com mercadolibre.com.ar mercadolibre.com.mx mercadolibre.cl "
		"mercadolibre.com.co mercadolibre.com.uy mercadolibre.com.pe mercadolivre.com.br",
	[SERVICE_META_AI] = "meta.ai",
	[SERVICE_META_QUEST] = "oculus.com oculuscdn.com",
	[SERVICE_MICROSOFT_TEAMS] = "teams.microsoft.com teams.live.com teams.cloud.microsoft",
	[SERVICE_MIDJOURNEY] = "midjourney.com",
	[SERVICE_MINECRAFT] = "minecraft.net mojang.com minecraftservices.com minecraft-services.net "
		"minecraftprod.rtep.msgamestudios.com",
	[SERVICE_NEXTDOOR] = "nextdoor.com nextdoor.co.uk nextdoor.de nextdoor.fr",
	[SERVICE_NICONICO] = "nicovideo.jp nimg.jp nico.ms",
	[SERVICE_NINTENDO] = "nintendo.com nintendo.net nintendo.co.jp nintendo.eu nintendo.co.uk nintendo.de "
		"nintendo.fr nintendo.es nintendo.it nintendo.nl nintendo.be nintendo.at nintendo.ch nintendo.com.au "
		"nintendowifi.net nintendoswitch.com nintendo-europe.com animal-crossing.com",
	[SERVICE_ODNOKLASSNIKI] = "ok.ru odnoklassniki.ru okcdn.ru mycdn.me odkl.ru",
	[SERVICE_ODYSEE] = "odysee.com odysee.tv lbry.com lbry.tv",
	[SERVICE_OKCUPID] = "okcupid.com",
	[SERVICE_ONLYFANS] = "onlyfans.com",
	[SERVICE_PANDORA] = "pandora.com p-cdn.com p-cdn.us",
	[SERVICE_PARAMOUNTPLUS] = "paramountplus.com pplusstatic.com",
	[SERVICE_PATREON] = "patreon.com patreonusercontent.com",
	[SERVICE_PEACOCK] = "peacocktv.com",
	[SERVICE_PERPLEXITY] = "perplexity.ai pplx.ai",
	[SERVICE_PIXIV] = "pixiv.net pixiv.org pximg.net fanbox.cc pixivision.net",
	[SERVICE_PLAYSTATION] = "playstation.com playstation.net playstationnetwork.com sonyentertainmentnetwork.com "
		"sie-rd.com scea.com gaikai.com psn.com",
	[SERVICE_PLENTY_OF_FISH] = "pof.com plentyoffish.com",
	[SERVICE_PLEX] = "plex.tv plex.direct plexapp.com",
	[SERVICE_PLUTO_TV] = "pluto.tv",
	[SERVICE_POE] = "poe.com",
	[SERVICE_POKEMON_GO] = "pokemongolive.com nianticlabs.com",
	[SERVICE_POKI] = "poki.com poki-gdn.com",
	[SERVICE_POLYMARKET] = "polymarket.com",
	[SERVICE_PORNHUB] = "pornhub.com pornhubpremium.com phncdn.com",
	[SERVICE_PRIME_VIDEO] = "primevideo.com amazonvideo.com aiv-cdn.net aiv-delivery.net pv-cdn.net "
		"atv-ps.amazon.com atv-ps-eu.amazon.com atv-ps-fe.amazon.com atv-ext.amazon.com atv-ext-eu.amazon.com "
		"atv-ext-fe.amazon.com prime-video.com video.a2z.com",
	[SERVICE_QOBUZ] = "qobuz.com",
	[SERVICE_QUORA] = "quora.com quoracdn.net",
	[SERVICE_RAKUTEN_VIKI] = "viki.com viki.io",
	[SERVICE_REC_ROOM] = "recroom.com rec.net",
	[SERVICE_REPLIKA] = "replika.com replika.ai",
	[SERVICE_RIOT_GAMES] = "riotgames.com leagueoflegends.com lolesports.com playvalorant.com pvp.net rgpub.io "
		"riotcdn.net lolstatic.com lolusercontent.com teamfighttactics.com legendsofruneterra.com "
		"riotgames.com.cn",
	[SERVICE_ROCKSTAR_GAMES] = "rockstargames.com rsg.sc",
	[SERVICE_RUMBLE] = "rumble.com rmbl.ws 1a-1791.com",
	[SERVICE_RUTUBE] = "rutube.ru",
	[SERVICE_SHAZAM] = "shazam.com",
	[SERVICE_SHEIN] = "shein.com shein.co.uk sheingsp.com ltwebstatic.com romwe.com",
	[SERVICE_SHOPEE] = "shopee.com shopee.sg shopee.com.my shopee.ph shopee.co.id shopee.co.th shopee.vn "
		"shopee.tw shopee.com.br shopeemobile.com",
	[SERVICE_SIGNAL] = "signal.org whispersystems.org signal.me signal.group signal.art signal.link",
	[SERVICE_SIRIUSXM] = "siriusxm.com siriusxm.ca",
	[SERVICE_SKYPE] = "skype.com skypeassets.com skypeforbusiness.com skypedata.akadns.net "
		"skypeecs-prod-usw-0-b.cloudapp.net",
	[SERVICE_SLACK] = "slack.com slack-edge.com slack-msgs.com slack-files.com slack-imgs.com slackb.com "
		"slack-redir.net",
	[SERVICE_SONYLIV] = "sonyliv.com",
	[SERVICE_SOUNDCLOUD] = "soundcloud.com sndcdn.com soundcloud.app.goo.gl snd.sc",
	[SERVICE_STAKE] = "stake.com stake.us",
	[SERVICE_STEAM] = "steampowered.com steamcommunity.com steamgames.com steamusercontent.com steamcontent.com "
		"steamstatic.com steamserver.net steam-chat.com steamchina.com steamdeck.com steam.tv s.team "
		"valvesoftware.com steamcdn-a.akamaihd.net steamstore-a.akamaihd.net steamuserimages-a.akamaihd.net "
		"steamcommunity-a.akamaihd.net steambroadcast.akamaized.net",
	[SERVICE_STRAVA] = "strava.com",
	[SERVICE_SUBSTACK] = "substack.com substackcdn.com",
	[SERVICE_SUPERCELL] = "supercell.com supercell.net clashofclans.com clashroyale.com brawlstars.com",
	[SERVICE_TAOBAO] = "taobao.com tmall.com taobaocdn.com tbcdn.cn",
	[SERVICE_TEMU] = "temu.com kwcdn.com temu.to",
	[SERVICE_TENOR] = "tenor.com tenor.co",
	[SERVICE_THREADS] = "threads.net threads.com",
	[SERVICE_THREEMA] = "threema.ch",
	[SERVICE_TIDAL] = "tidal.com tidalhifi.com wimpmusic.com tidal-cms.s3.amazonaws.com",
	[SERVICE_TINDER] = "tinder.com gotinder.com tindersparks.com tinderops.com",
	[SERVICE_TRUTH_SOCIAL] = "truthsocial.com",
	[SERVICE_TUBI] = "tubi.tv tubitv.com",
	[SERVICE_TUMBLR] = "tumblr.com tmblr.co txmblr.com",
	[SERVICE_UBISOFT] = "ubisoft.com ubi.com ubisoftconnect.com uplay.com ubisoft-connect.com "
		"ubistatic-a.akamaihd.net rainbow6.com assassinscreed.com",
	[SERVICE_VIBER] = "viber.com viber.io vb.me",
	[SERVICE_VIMEO] = "vimeo.com vimeocdn.com vhx.tv livestream.com",
	[SERVICE_VINTED] = "vinted.com vinted.co.uk vinted.de vinted.fr vinted.es vinted.it vinted.nl "
		"vinted.be vinted.pl vinted.at vinted.net",
	[SERVICE_VK] = "vk.com vk.ru vk.me vk.cc vkontakte.ru userapi.com vk-cdn.net vk-portal.net vkuser.net "
		"vkuseraudio.net vkuservideo.net vkuserlive.net vkvideo.ru vk-apps.com",
	[SERVICE_VRCHAT] = "vrchat.com vrchat.cloud",
	[SERVICE_WALMART] = "walmart.com walmartimages.com",
	[SERVICE_WARGAMING] = "wargaming.net worldoftanks.com worldoftanks.eu worldoftanks.asia "
		"worldofwarships.com worldofwarships.eu worldofwarships.asia wotblitz.com",
	[SERVICE_WATTPAD] = "wattpad.com",
	[SERVICE_WEBEX] = "webex.com wbx2.com ciscospark.com",
	[SERVICE_WECHAT] = "wechat.com weixin.com weixin.qq.com wx.qq.com weixinbridge.com wechatapp.com "
		"wechatpay.com wechatlegal.net servicewechat.com wx.qlogo.cn",
	[SERVICE_WEIBO] = "weibo.com weibo.cn weibocdn.com weibo.com.cn t.cn",
	[SERVICE_WETRANSFER] = "wetransfer.com we.tl",
	[SERVICE_WILDBERRIES] = "wildberries.ru wb.ru wbstatic.net",
	[SERVICE_WISH] = "wish.com contextlogic.com",
	[SERVICE_XBOX] = "xbox.com xboxlive.com xboxservices.com xboxab.com gamepass.com halowaypoint.com "
		"xboxlive.cn",
	[SERVICE_XHAMSTER] = "xhamster.com xhcdn.com",
	[SERVICE_XIAOHONGSHU] = "xiaohongshu.com xhscdn.com xhscdn.net xhslink.com rednote.com",
	[SERVICE_XNXX] = "xnxx.com xnxx-cdn.com",
	[SERVICE_XVIDEOS] = "xvideos.com xvideos-cdn.com",
	[SERVICE_YOUKU] = "youku.com ykimg.com soku.com",
	[SERVICE_YUBO] = "yubo.live",
	[SERVICE_ZALANDO] = "zalando.com zalando.de zalando.at zalando.ch zalando.co.uk zalando.fr "
		"zalando.it zalando.es zalando.nl zalando.be zalando.pl ztat.net",
	[SERVICE_ZALO] = "zalo.me zalo.vn zaloapp.com zdn.vn",
	[SERVICE_ZATTOO] = "zattoo.com zahs.tv",
	[SERVICE_ZEE5] = "zee5.com",
	[SERVICE_ZHIHU] = "zhihu.com zhimg.com",
	[SERVICE_ZOOM] = "zoom.us zoom.com zoomgov.com zoom.com.cn zoomcdn.cn",
};
// clang-format on

int services_table_each(
	unsigned service, int (*take)(void *arg, const struct dns_name *name), void *arg)
{
	int rc = 0;
	for (const char *p = domains[service]; rc == 0 && *p;) {
		struct dns_name name;
		size_t len = strcspn(p, " ");
		rc = dns_name_from_text(p, len, &name);
		if (rc == 0)
			rc = take(arg, &name);
		p += len + (p[len] == ' ');
	}
	return rc;
}
