// SPDX-License-Identifier: BSD-3-Clause
// Questions to the validator: the contexts of libunbound, a question's life, and replies that lead
// on.

#include "base/clock_grace.h"
#include "base/loop.h"
#include "base/table_registry.h"
#include "lists/zone_suffix.h"
#include "validator_internal.h"
#include "validator_library.h"

#include <event2/event.h>

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
#include <weir/dns_query.h>
#include <weir/heap_site.h>
#include <weir/log.h>

static bool validator_led_mark(
	struct validators *v, const struct validator_fetch *f, const uint8_t *msg, size_t len);

// To the library an answer is bogus, too, when no server gave it a key or a DS above the answer,
// and it holds the zone for bad for a minute then. That is no fault of the zone. So a context knows
// those names, and which verdicts name one of them as their reason. An outage leaves as many as
// there are zones that clients ask for, and strangers add names of their own zones at will: a
// registrable domain has a share, beyond which its names push out its own.

enum { BAD_MS = 61000 }; // the library's time, and the second that it counts in

// False: it is not one that the library asks for to validate others.
static bool key_name(const uint8_t *question, uint16_t len, struct dns_name *out)
{
	struct rd rd = rd_init(question, len);

	if (dns_name_read(&rd, out) < 0)
		return false;
	const uint16_t qtype = rd_u16(&rd);
	return rd_ok(&rd) && (qtype == DNS_TYPE_DNSKEY || qtype == DNS_TYPE_DS);
}

static uint64_t text_hash(const struct validator_context *c, const char *text, size_t len)
{
	return keyhash(&c->owner->secret, text, len);
}

// The library writes names with the last dot.
static uint64_t name_hash(const struct validator_context *c, const struct dns_name *name)
{
	char text[DNS_NAME_TEXT_MAX + 1];

	dns_name_to_text(name, text);
	if (name->labels)
		strcat(text, ".");
	return text_hash(c, text, strlen(text));
}

// NULL: it is not missing.
static struct validator_missing *missing_find(struct validator_context *c, uint64_t text)
{
	const uint64_t now_ms = clock_mono_ms();

	for (unsigned i = 0; now_ms < c->missing_until_ms && i < VALIDATOR_MISSING; i++)
		if (c->missing[i].text == text && now_ms < c->missing[i].until_ms)
			return &c->missing[i];
	return NULL;
}

// A fetch ends with a reply: the key of its question is not missing.
static void validator_key_there(struct validator_context *c, const uint8_t *question, uint16_t len)
{
	struct validator_missing *one;
	struct dns_name name;

	if (clock_mono_ms() < c->missing_until_ms && key_name(question, len, &name)
		&& (one = missing_find(c, name_hash(c, &name))) != NULL)
		one->until_ms = 0;
}

// A free place; if the zone has as many as are free that of its oldest, else of the oldest of all.
static unsigned missing_place(struct validator_context *c, uint32_t zone)
{
	const uint64_t now_ms = clock_mono_ms();
	unsigned unused = 0, place = 0, own = 0, own_count = 0, oldest = 0;

	for (unsigned i = 0; i < VALIDATOR_MISSING; i++) {
		const uint64_t until_ms = c->missing[i].until_ms;
		if (until_ms <= now_ms) {
			place = unused++ ? place : i;
			continue;
		}
		if (c->missing[oldest].until_ms <= now_ms || until_ms < c->missing[oldest].until_ms)
			oldest = i;
		if (c->missing_zone[i] == zone
			&& (own_count++ == 0 || until_ms < c->missing[own].until_ms))
			own = i;
	}
	if (own_count && own_count >= unused)
		return own;
	return unused ? place : oldest;
}

// A fetch ends without a reply: the key of its question is missing.
static void validator_key_missing(
	struct validator_context *c, const uint8_t *question, uint16_t len)
{
	struct dns_name name;

	if (!key_name(question, len, &name))
		return;
	const uint64_t text = name_hash(c, &name);
	const uint32_t zone = zone_key(&name, &c->owner->secret);
	const struct validator_missing *known = missing_find(c, text);
	const unsigned place = known ? (unsigned)(known - c->missing) : missing_place(c, zone);
	c->missing_until_ms = clock_mono_ms() + BAD_MS;
	c->missing[place] = (struct validator_missing){text, c->missing_until_ms};
	c->missing_zone[place] = zone;
}

// Has the library an answer for bogus because no server gave that key?
static bool validator_key_is_missing(struct validator_context *c, const char *why)
{
	while (why && *why) {
		const size_t len = strcspn(why, " ");
		if (len && why[len - 1] == '.' && missing_find(c, text_hash(c, why, len)))
			return true;
		why += len + (why[len] == ' ');
	}
	return false;
}

enum {
	QUERY_MAX = 1024,
	REPLY_MAX = 65507, // the longest datagram over IPv4
	A_TURN = 64,
	RECEIVE_BYTES = 1 << 20,
	SEND_BYTES = 4 << 20,
};

static struct validator_fetch *of_ask(struct upstream_ask *a)
{
	return (struct validator_fetch *)(void *)((char *)a
						  - offsetof(struct validator_fetch, ask));
}

// A datagram that finds no room is lost: the library asks again, and gives up in the end.
static void reply_send(const struct validator_context *c, const struct sockaddr_in *peer,
	const uint8_t head[2], const uint8_t *rest, size_t len)
{
	uint8_t id[2] = {head[0], head[1]};
	struct sockaddr_in to = *peer;
	struct iovec part[2] = {
		{.iov_base = id, .iov_len = sizeof(id)},
		{.iov_base = (void *)(uintptr_t)rest, .iov_len = len},
	};
	const struct msghdr msg = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = part, .msg_iovlen = 2};
	(void)!sendmsg(c->fd, &msg, MSG_DONTWAIT);
}

static void servfail_send(const struct validator_context *c, const struct sockaddr_in *peer,
	uint16_t id, const uint8_t *question, uint16_t question_len)
{
	uint8_t msg[DNS_HEADER_LEN + UPSTREAM_QUESTION_MAX] = {0};

	put_u16(msg, id);
	put_u16(msg + 2, DNS_FLAG_QR | DNS_FLAG_RD | DNS_FLAG_RA | DNS_RCODE_SERVFAIL);
	put_u16(msg + 4, 1);
	memcpy(msg + DNS_HEADER_LEN, question, question_len);
	reply_send(c, peer, msg, msg + 2, DNS_HEADER_LEN - 2 + (size_t)question_len);
}

static void fetch_end(struct validator_fetch *f)
{
	struct validators *v = f->context->owner;

	upstream_ask_stop(&f->ask);
	v->owner.release(v->owner.arg, &f->servers);
	age_remove(&v->fetch_ages, &f->age);
	v->count.fetching--;
	f->context = NULL;
	v->zone[f - v->fetch] = 0;
	f->next = v->fetch_free;
	v->fetch_free = f;
}

static void fetch_fail(struct validator_fetch *f)
{
	servfail_send(f->context, &f->peer, f->id, f->question, f->question_len);
	validator_key_missing(f->context, f->question, f->question_len);
	fetch_end(f);
}

// The library reads the records, and the resolver what it makes of them. A reply that no datagram
// holds would leave the library waiting, and after some of that it asks this socket no more for a
// while.
static enum upstream_take on_reply(struct upstream_ask *ask, const uint8_t *msg, size_t len)
{
	struct validator_fetch *f = of_ask(ask);
	const uint16_t flags = get_u16(msg + 2), rcode = flags & DNS_FLAG_RCODE;
	uint8_t id[2];

	if (flags & DNS_FLAG_TC)
		return UPSTREAM_TRUNCATED;
	if (len > REPLY_MAX
		|| (rcode != DNS_RCODE_NOERROR && rcode != DNS_RCODE_NXDOMAIN
			&& rcode != DNS_RCODE_YXDOMAIN))
		return UPSTREAM_FAILED;
	if (validator_led_mark(f->context->owner, f, msg, len)) {
		fetch_fail(f);
		return UPSTREAM_TAKEN;
	}
	put_u16(id, f->id);
	reply_send(f->context, &f->peer, id, msg + 2, len - 2);
	validator_key_there(f->context, f->question, f->question_len);
	fetch_end(f);
	return UPSTREAM_TAKEN;
}

static void on_ended(struct upstream_ask *ask, enum upstream_end)
{
	fetch_fail(of_ask(ask));
}

static void validator_fetch_init(struct validators *v)
{
	v->callbacks = (struct upstream_callbacks){.reply = on_reply, .ended = on_ended};
	rng_bytes(&v->rng, v->secret.bytes, sizeof(v->secret.bytes));
}

// A zone may have as many as are free (Choudhury and Hahne 1998, dynamic thresholds): half of them
// when it is alone, and a part stays free whatever the others have.
static bool zone_is_full(const struct validators *v, uint32_t zone)
{
	return zone_count(v->zone, v->fetch_touched, zone) >= VALIDATOR_FETCHES - v->count.fetching;
}

static struct validator_fetch *fetch_new(struct validators *v, const struct dns_name *name)
{
	const uint32_t zone = zone_key(name, &v->secret);
	struct validator_fetch *f = v->fetch_free;

	if (zone_is_full(v, zone))
		return NULL;
	if (f)
		v->fetch_free = f->next;
	else if (v->fetch_touched < VALIDATOR_FETCHES)
		f = &v->fetch[v->fetch_touched++];
	else
		return NULL;
	memset(f, 0, sizeof(*f));
	v->zone[f - v->fetch] = zone;
	age_add(&v->fetch_ages, &f->age);
	if (++v->count.fetching > v->fetches_most)
		v->fetches_most = v->count.fetching;
	v->count.fetches++;
	return f;
}

// The token is an option of the OPT: a run of bytes that no question holds by chance.
static bool has_token(const struct validator_context *c, const uint8_t *msg, size_t len,
	const struct dns_query *q)
{
	const size_t from = DNS_HEADER_LEN + (size_t)q->question_len;
	return len > from && memmem(msg + from, len - from, c->token, VALIDATOR_TOKEN_LEN);
}

static void fetch_start(struct validator_context *c, const struct sockaddr_in *peer,
	const uint8_t *msg, const struct dns_query *q)
{
	struct validators *v = c->owner;
	const uint8_t *question = msg + DNS_HEADER_LEN;
	uint8_t lower[UPSTREAM_QUESTION_MAX];
	struct validator_servers servers;
	bool found = v->owner.servers(v->owner.arg, c->view, &q->name, q->qtype, &servers);
	struct validator_fetch *f = found ? fetch_new(v, &q->name) : NULL;

	if (!f) {
		v->count.fetches_refused += found;
		if (found)
			v->owner.release(v->owner.arg, &servers);
		servfail_send(c, peer, q->id, question, q->question_len);
		validator_key_missing(c, question, q->question_len);
		return;
	}
	f->context = c;
	f->servers = servers;
	f->peer = *peer;
	f->id = q->id;
	f->question_len = q->question_len;
	memcpy(f->question, question, q->question_len);
	memcpy(lower, question, q->question_len);
	memcpy(lower, q->name.wire, q->name.len);
	const struct upstream_request request = {
		.callbacks = &v->callbacks,
		.question = lower,
		.question_len = q->question_len,
		.cd = true,
		.dnssec_ok = true,
		.deadline_ms = clock_mono_ms() + VALIDATOR_FETCH_MS,
	};
	upstream_ask_start(servers.upstreams, &f->ask, &request);
}

static void on_readable(evutil_socket_t fd, short, void *arg)
{
	struct validator_context *c = arg;

	for (unsigned i = 0; i < A_TURN; i++) {
		uint8_t msg[QUERY_MAX];
		struct sockaddr_in peer = {0};
		socklen_t peer_len = sizeof(peer);
		struct dns_query q;
		ssize_t n = recvfrom(
			fd, msg, sizeof(msg), MSG_DONTWAIT, (struct sockaddr *)&peer, &peer_len);
		if (n < 0)
			return;
		if (dns_query_parse(msg, (size_t)n, &q) != DNS_QUERY_OK
			|| q.question_len > UPSTREAM_QUESTION_MAX
			|| !has_token(c, msg, (size_t)n, &q))
			c->owner->count.foreign++;
		else
			fetch_start(c, &peer, msg, &q);
	}
}

static void token_make(struct validator_context *c)
{
	uint8_t random[VALIDATOR_TOKEN_LEN / 2];

	rng_bytes(&c->owner->rng, random, sizeof(random));
	for (unsigned i = 0; i < sizeof(random); i++) {
		c->token[2 * i] = "0123456789abcdef"[random[i] >> 4];
		c->token[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
	}
	c->token[VALIDATOR_TOKEN_LEN] = '\0';
}

static int validator_socket_open(struct validator_context *c)
{
	struct sockaddr_in own = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(own);
	const int receive = RECEIVE_BYTES, send = SEND_BYTES;

	c->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	// The kernel may grant less.
	(void)setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &receive, sizeof(receive));
	(void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &send, sizeof(send));
	if (bind(c->fd, (struct sockaddr *)&own, sizeof(own)) < 0
		|| getsockname(c->fd, (struct sockaddr *)&own, &len) < 0)
		return -errno;
	c->port = ntohs(own.sin_port);
	token_make(c);
	c->readable =
		event_new(loop_base(c->owner->loop), c->fd, EV_READ | EV_PERSIST, on_readable, c);
	return c->readable && event_add(c->readable, NULL) == 0 ? 0 : -ENOMEM;
}

// Closes it, and ends its fetches without replies.
static void validator_socket_close(struct validator_context *c)
{
	struct validators *v = c->owner;

	for (unsigned i = 0; i < v->fetch_touched; i++)
		if (v->fetch[i].context == c)
			fetch_end(&v->fetch[i]);
	if (c->readable)
		event_free(c->readable);
	c->readable = NULL;
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

// Replies that lead to a name which is not the library's to ask for. The library's
// own queries for keys and DS sets have no CNAME that matters: it gets no such reply either.

// The hash of a question whose reply leads on. Never 0.
static uint64_t validator_asked_hash(
	const struct validators *v, const struct dns_name *name, uint16_t qtype)
{
	const uint64_t hash = keyhash(&v->secret, name->wire, name->len) ^ qtype;
	return hash ? hash : 1;
}

// `asked`: 0: all of the context.
static struct validation *next_of(
	struct validators *v, const struct validator_context *c, uint64_t asked, unsigned *at)
{
	while (*at < v->question_touched) {
		struct validation *q = &v->question[(*at)++];
		if (q->asked && (!asked || q->asked == asked) && q->context == c)
			return q;
	}
	return NULL;
}

static void mark(struct validation *q)
{
	q->context->led += !q->is_led;
	q->is_led = true;
}

static unsigned mark_all(struct validators *v, const struct validator_context *c, uint64_t asked)
{
	unsigned marked = 0, at = 0;
	for (struct validation *one; (one = next_of(v, c, asked, &at)); marked++)
		mark(one);
	return marked;
}

// A new one is as those of its context that have the same name and type: the library joins them.
static void validator_led_join(struct validators *v, struct validation *q)
{
	unsigned at = 0;

	if (!q->context->led)
		return;
	for (const struct validation *other; (other = next_of(v, q->context, q->asked, &at));)
		if (other->is_led)
			mark(q);
}

static bool has_alias(const uint8_t *msg, const struct dns_query *q)
{
	return get_u16(msg + 6) > 0 && q->qtype != DNS_TYPE_CNAME && q->qtype != DNS_TYPE_ANY;
}

// Does that reply to the fetch lead on? Its questions are marked then.
static bool validator_led_mark(
	struct validators *v, const struct validator_fetch *f, const uint8_t *msg, size_t len)
{
	struct dns_query q = {.qclass = DNS_CLASS_IN};
	struct rd rd = rd_init(f->question, f->question_len);

	if (dns_name_read(&rd, &q.name) < 0)
		return false;
	q.qtype = rd_u16(&rd);
	if (!has_alias(msg, &q) || !v->owner.leads_on(v->owner.arg, &f->servers, &q, msg, len))
		return false;
	// A name that no question has is a hop of one, the library does not say of which: of those
	// that are marked weir asks again only for those that fail.
	if (!mark_all(v, f->context, validator_asked_hash(v, &q.name, q.qtype)))
		(void)mark_all(v, f->context, 0);
	return true;
}

// The number of contexts that are open.
static unsigned validator_contexts(const struct validators *v)
{
	unsigned n = 0;
	for (unsigned i = 0; i < VALIDATOR_CONTEXTS; i++)
		n += v->context[i].library != NULL;
	return n;
}

// Counts at most the bound of each context. Memory above the bound appears in no account, so the
// meter notices a leak.
static uint64_t contexts_memory(const struct validators *v)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < VALIDATOR_CONTEXTS; i++) {
		uint64_t bytes = library_memory(v->context[i].library).bytes;
		sum += bytes < VALIDATOR_CONTEXT_MEMORY ? bytes : VALIDATOR_CONTEXT_MEMORY;
	}
	return sum;
}

void validators_status(const struct validators *v, struct validators_status *out)
{
	*out = v->count;
	out->contexts = validator_contexts(v);
}

void validators_tables(const struct validators *v, struct table_registry *tables)
{
	uint64_t now_ms = clock_mono_ms();
	struct validators_status s;

	validators_status(v, &s);
	table_register(tables, &(struct table_info){.name = "validations",
				       .owner = "resolver loop",
				       .eviction = "refuse: SERVFAIL",
				       .lifetime = "until the library's verdict",
				       TABLE_WORK_FOR(60000),
				       .cap = v->question_cap,
				       .used = s.questions,
				       .bytes = v->question_cap * sizeof(struct validation),
				       .high = v->questions_most,
				       .refused = s.refused,
				       .oldest_ms = table_age(age_since(&v->question_ages), now_ms),
				       .has = TABLE_AGES | TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "validator_fetches",
				       .owner = "resolver loop",
				       .eviction = "refuse: SERVFAIL to the validator",
				       .lifetime = "until a server's answer, or 4.5 s",
				       TABLE_WORK_FOR(VALIDATOR_FETCH_MS + 1000),
				       .cap = VALIDATOR_FETCHES,
				       .used = s.fetching,
				       .bytes = sizeof(struct validators),
				       .high = v->fetches_most,
				       .refused = s.fetches_refused,
				       .oldest_ms = table_age(age_since(&v->fetch_ages), now_ms),
				       .has = TABLE_AGES | TABLE_REFUSES});
	table_register(tables, &(struct table_info){.name = "validator_contexts",
				       .owner = "resolver loop",
				       .eviction = "evict the context that was idle for longest",
				       .lifetime = "until the settings change",
				       .kind = TABLE_CACHE,
				       .cap = VALIDATOR_CONTEXTS,
				       .used = s.contexts,
				       .bytes = contexts_memory(v),
				       .high = v->contexts_most,
				       .evicted = v->evicted,
				       .descriptors = s.contexts,
				       .has = TABLE_EVICTS});
}

int validators_new(struct validators **out, struct loop *loop, unsigned questions,
	const struct validator_owner *owner)
{
	struct validators *v = heap_calloc(1, sizeof(*v));
	struct validation *question = heap_calloc(questions, sizeof(*question));

	if (!v || !question) {
		heap_free(question);
		heap_free(v);
		return -ENOMEM;
	}
	v->loop = loop;
	v->owner = *owner;
	v->question = question;
	v->question_cap = questions;
	for (unsigned i = 0; i < VALIDATOR_CONTEXTS; i++)
		v->context[i] = (struct validator_context){.owner = v, .fd = -1};
	validator_fetch_init(v);
	*out = v;
	return 0;
}

static void context_close(struct validator_context *c)
{
	c->retired = true;
	c->calls++; // the library ends its questions, and a new one must not take this place
	validator_socket_close(c);
	library_close(c->library);
	*c = (struct validator_context){.owner = c->owner, .fd = -1};
}

void validators_free(struct validators *v)
{
	if (!v)
		return;
	for (unsigned i = 0; i < v->question_touched; i++)
		if (v->question[i].slot)
			validators_stop(&(struct validation *){&v->question[i]});
	for (unsigned i = 0; i < VALIDATOR_CONTEXTS; i++)
		context_close(&v->context[i]);
	FREE_AND_NULL(v->question);
	heap_free(v);
}

void validators_forget(struct validators *v)
{
	for (unsigned i = 0; i < VALIDATOR_CONTEXTS; i++) {
		struct validator_context *c = &v->context[i];
		if (!c->library || c->retired)
			continue;
		c->retired = true;
		c->retired_ms = clock_mono_ms();
	}
}

void validators_configure(struct validators *v, const struct validator_settings *settings)
{
	bool is_same = v->set.hash == settings->hash;

	v->set = *settings;
	if (!is_same)
		validators_forget(v);
}

void validators_beat(struct validators *v)
{
	uint64_t now_ms = clock_mono_ms();

	for (unsigned i = 0; i < VALIDATOR_CONTEXTS; i++) {
		struct validator_context *c = &v->context[i];
		if (c->library && c->retired
			&& (c->questions == 0 || now_ms >= c->retired_ms + VALIDATOR_DRAIN_MS))
			context_close(c);
	}
}

static int context_open(struct validator_context *c, uint16_t view)
{
	const struct validators *v = c->owner;
	char *config = NULL;
	size_t len = 0;
	int rc = validator_socket_open(c);

	if (rc == 0)
		rc = validator_config_write(&v->set, c->port, c->token, &config, &len);
	if (rc == 0)
		rc = library_open(&c->library, loop_base(v->loop), config, len);
	heap_free(config);
	if (rc < 0) {
		context_close(c);
		return rc;
	}
	library_be_patient(c->library, VALIDATOR_PATIENCE_MS);
	c->view = view;
	c->any_date = v->set.any_date;
	return 0;
}

// A free place, or that of the one that was idle for longest, or of a retired one with few
// questions, which fail; NULL: all have questions.
static struct validator_context *context_place(struct validators *v)
{
	struct validator_context *idle = NULL, *retired = NULL;

	for (unsigned i = 0; i < VALIDATOR_CONTEXTS; i++) {
		struct validator_context *c = &v->context[i];
		if (!c->library)
			return c;
		if (c->calls > 0)
			continue;
		if (c->questions == 0 && (!idle || c->used_ms < idle->used_ms))
			idle = c;
		if (c->retired && (!retired || c->questions < retired->questions))
			retired = c;
	}
	return idle && !(retired && retired->questions == 0) ? idle : retired;
}

static int context_of(struct validators *v, uint16_t view, struct validator_context **out)
{
	for (unsigned i = 0; i < VALIDATOR_CONTEXTS; i++) {
		struct validator_context *c = &v->context[i];
		if (c->library && !c->retired && c->view == view) {
			*out = c;
			return 0;
		}
	}
	struct validator_context *c = context_place(v);
	if (!c)
		return -EAGAIN;
	if (c->library) {
		v->evicted++;
		context_close(c);
	}
	int rc = context_open(c, view);
	if (rc < 0) {
		v->count.broken++;
		return rc;
	}
	unsigned contexts = validator_contexts(v);
	if (contexts > v->contexts_most)
		v->contexts_most = contexts;
	*out = c;
	return 0;
}

static void question_free(struct validators *v, struct validation *q)
{
	age_remove(&v->question_ages, &q->age);
	q->asked = 0;
	v->count.questions--;
	q->next = v->question_free;
	v->question_free = q;
}

static struct validation *question_new(struct validators *v)
{
	struct validation *q = v->question_free;

	if (q)
		v->question_free = q->next;
	else if (v->question_touched < v->question_cap)
		q = &v->question[v->question_touched++];
	else
		return NULL;
	*q = (struct validation){0};
	age_add(&v->question_ages, &q->age);
	if (++v->count.questions > v->questions_most)
		v->questions_most = v->count.questions;
	return q;
}

static void question_end(struct validation *q)
{
	if (q->slot)
		*q->slot = NULL;
	wheel_stop(&q->deadline);
	q->context->questions--;
	q->context->led -= q->is_led;
	question_free(q->context->owner, q);
}

static enum validator_end end_of(const struct validator_context *c, const struct library_answer *a)
{
	static const enum validator_end ends[] = {[LIBRARY_INSECURE] = VALIDATOR_INSECURE,
		[LIBRARY_BOGUS] = VALIDATOR_BOGUS,
		[LIBRARY_SECURE] = VALIDATOR_SECURE};
	if (a->rcode != 0 || a->len < DNS_HEADER_LEN || (c->any_date && !clock_grace_is_on()))
		return VALIDATOR_FAILED;
	return c->any_date && a->security == LIBRARY_SECURE ? VALIDATOR_INSECURE
							    : ends[a->security];
}

static void verdict_count(struct validators_status *count, enum validator_end end)
{
	uint64_t *const of[] = {[VALIDATOR_SECURE] = &count->secure,
		[VALIDATOR_INSECURE] = &count->insecure,
		[VALIDATOR_BOGUS] = &count->bogus,
		[VALIDATOR_FAILED] = &count->failed,
		[VALIDATOR_LED] = &count->led};
	++*of[end];
}

static void on_answer(void *arg, const struct library_answer *answer)
{
	struct validation *q = arg;
	struct validator_context *c = q->context;
	const validator_done_fn done = q->slot ? q->done : NULL;
	void *to = q->arg;
	char why[VALIDATOR_WHY_MAX] = "";
	struct validator_verdict verdict = {
		.end = end_of(c, answer), .msg = answer->msg, .len = answer->len, .why = why};

	if (verdict.end == VALIDATOR_BOGUS && validator_key_is_missing(c, answer->why))
		verdict.end = VALIDATOR_FAILED;
	if (verdict.end == VALIDATOR_FAILED && q->is_led)
		verdict.end = VALIDATOR_LED;
	verdict.ede =
		verdict.end == VALIDATOR_BOGUS ? validator_reason_ede(answer->why) : DNS_EDE_NONE;
	if (verdict.end == VALIDATOR_BOGUS)
		validator_reason_text(answer->why, why);
	question_end(q);
	verdict_count(&c->owner->count, verdict.end);
	c->calls++;
	if (done)
		done(to, &verdict);
	c->calls--;
}

// The library goes on, and keeps the keys that it finds.
static void on_deadline(void *arg)
{
	struct validation *q = arg;
	struct validators *v = q->context->owner;
	const struct validator_verdict verdict = {
		.end = VALIDATOR_FAILED, .ede = DNS_EDE_NONE, .why = ""};

	*q->slot = NULL;
	q->slot = NULL;
	v->count.late++;
	q->done(q->arg, &verdict);
}

static int question_begin(struct validators *v, uint16_t view, struct validation **out)
{
	struct validation *q = question_new(v);
	struct validator_context *c = NULL;
	int rc = q ? context_of(v, view, &c) : -EAGAIN;

	if (rc < 0) {
		v->count.refused += rc == -EAGAIN;
		if (q)
			question_free(v, q);
		return rc;
	}
	q->context = c;
	c->questions++;
	c->used_ms = clock_mono_ms();
	*out = q;
	return 0;
}

int validators_ask(
	struct validators *v, const struct validator_question *question, struct validation **slot)
{
	uint64_t now_ms = clock_mono_ms();
	char text[DNS_NAME_TEXT_MAX];
	struct validation *q = NULL;
	int rc = question_begin(v, question->view, &q);

	if (rc < 0)
		return rc;
	q->slot = slot;
	q->done = question->done;
	q->arg = question->arg;
	*slot = q;
	q->asked = validator_asked_hash(v, question->name, question->qtype);
	validator_led_join(v, q);
	q->deadline.fn = on_deadline;
	q->deadline.arg = q;
	wheel_start(loop_wheel(v->loop), &q->deadline,
		question->deadline_ms > now_ms ? question->deadline_ms - now_ms : 0, now_ms);
	dns_name_to_text(question->name, text);
	rc = library_ask(q->context->library, text, question->qtype, on_answer, q);
	if (rc < 0) {
		v->count.broken += rc == -EINVAL;
		question_end(q);
	}
	return rc;
}

void validators_stop(struct validation **slot)
{
	if (!*slot)
		return;
	wheel_stop(&(*slot)->deadline);
	(*slot)->slot = NULL;
	*slot = NULL;
}
