// SPDX-License-Identifier: BSD-3-Clause
// Questions to the validator: the contexts of libunbound, a question's life, and replies that lead
// on.

#include "base/loop.h"
#include "base/table_registry.h"
#include "validator_internal.h"
#include "validator_library.h"

#include <errno.h>
#include <string.h>
#include <weir/clock.h>
#include <weir/dns_proto.h>
#include <weir/dns_query.h>
#include <weir/heap_site.h>
#include <weir/log.h>

// Replies that lead to a name which is not the library's to ask for (validator.h). The library's
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

bool validator_led_mark(
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

static enum validator_end end_of(const struct library_answer *a)
{
	static const enum validator_end ends[] = {[LIBRARY_INSECURE] = VALIDATOR_INSECURE,
		[LIBRARY_BOGUS] = VALIDATOR_BOGUS,
		[LIBRARY_SECURE] = VALIDATOR_SECURE};
	return a->rcode != 0 || a->len < DNS_HEADER_LEN ? VALIDATOR_FAILED : ends[a->security];
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
		.end = end_of(answer), .msg = answer->msg, .len = answer->len, .why = why};

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
