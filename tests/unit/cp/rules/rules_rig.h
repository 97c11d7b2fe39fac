// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// The rule manager with everything real: two loops on two threads, a publisher on a directory of
// its own, two list files.

#include "controlplane/rules/rules.h"
#include "tests/unit/unit.h"

static struct {
	char folder[64], state[80], list_path[2][96];
	struct shm_paths paths;
	struct config config;
	struct config_list list[2];
	struct dns_name allow;
	struct publisher *publisher;
	struct loop *resolver, *service;
	pthread_t resolver_thread, service_thread;
	struct rules *rules;
	struct rules_answer_policy policy;
	_Atomic int replies;
	struct rules_status last;
} env;

static inline void write_list(unsigned i, const char *text)
{
	text_to_file(env.list_path[i], text);
}

static inline int make_env(void **)
{
	char why[SHM_WHY_MAX];
	memset(&env, 0, sizeof(env));
	log_init("test", LOG_LEVEL_ERROR - 1); // quiet: failures are part of the tests
	if (folder_make(env.folder, "rules") || shm_paths_init(&env.paths, env.folder, "off", why))
		return -1;
	for (unsigned i = 0; i < 2; i++) {
		snprintf(env.list_path[i], sizeof(env.list_path[i]), "%s/list%u", env.folder, i);
		env.list[i].path = env.list_path[i];
	}
	env.list[0].name = strdup("blocked things");
	env.list[1].name = strdup("other things");
	snprintf(env.state, sizeof(env.state), "%s/state", env.folder); // not there yet
	env.config.runtime.state_directory = env.state;
	env.config.cache.l0_mb = 1;
	env.config.blocking.lists = env.list;
	env.config.blocking.list_count = 1;
	env.config.blocking.allow = &env.allow;
	env.config.blocking.allow_count = 1;
	if (dns_name_from_text("fine.ads.example", 16, &env.allow))
		return -1;
	return publisher_open(&env.publisher, &env.paths, &env.config, why);
}

static inline int remove_env(void **)
{
	publisher_close(env.publisher);
	free(env.list[0].name);
	free(env.list[1].name);
	shm_paths_remove(&env.paths);
	return folder_remove(env.folder, "");
}

static inline void *run_loop(void *arg)
{
	(void)loop_run(arg);
	return NULL;
}

static inline void close_rules(void)
{
	loop_stop(env.service);
	loop_stop(env.resolver);
	pthread_join(env.service_thread, NULL);
	pthread_join(env.resolver_thread, NULL);
	rules_close(env.rules);
	env.rules = NULL;
	loop_free(env.service);
	loop_free(env.resolver);
}

static inline void close_if_open(void *)
{
	if (env.rules)
		close_rules();
}

// They are closed behind the case, if not before.
static inline void open_rules(void)
{
	assert_int_equal(loop_new("resolver", &env.resolver), 0);
	assert_int_equal(loop_new("service", &env.service), 0);
	assert_int_equal(rules_open(&env.rules, &env.config, env.publisher, env.resolver,
				 env.service, env.policy),
		0);
	unit_at_end(close_if_open, NULL);
}

static inline void run(void)
{
	assert_int_equal(pthread_create(&env.resolver_thread, NULL, run_loop, env.resolver), 0);
	assert_int_equal(pthread_create(&env.service_thread, NULL, run_loop, env.service), 0);
}

static inline void run_rules(void)
{
	open_rules();
	run();
}

static inline void wait_replies(int count)
{
	WAIT_FOR(atomic_load(&env.replies) >= count);
	assert_int_equal(atomic_load(&env.replies), count);
}

static inline void on_done(void *, const struct rules_status *s)
{
	env.last = *s;
	atomic_fetch_add(&env.replies, 1);
}

// The calls below run on the service loop's thread, as the API's do.
struct reload_call {
	bool force;
	bool same; // the configuration is as it was given last
	unsigned times;
};

static inline void call_reload(void *arg)
{
	struct reload_call *c = arg;
	for (unsigned i = 0; i < c->times; i++)
		if ((!c->same && rules_follow(env.rules, &env.config))
			|| rules_reload(env.rules, c->force, on_done, NULL))
			abort();
}

struct service_call {
	void (*fn)(void *arg);
	void *arg;
	atomic_bool returned;
};

static inline void run_service_call(void *arg)
{
	struct service_call *c = arg;
	c->fn(c->arg);
	atomic_store(&c->returned, true);
}

// Calls `fn` on the service loop, and waits until it has returned, as `arg` may lie on the caller's
// stack, and until on_done was called `times` more. The last reply may come before the return.
static inline void on_service(void (*fn)(void *arg), void *arg, unsigned times)
{
	int before = atomic_load(&env.replies);
	struct service_call c = {.fn = fn, .arg = arg};
	assert_int_equal(loop_call(env.service, run_service_call, &c), 0);
	WAIT_FOR(atomic_load(&c.returned));
	wait_replies(before + (int)times);
}

static inline void reload_call(struct reload_call c)
{
	on_service(call_reload, &c, c.times);
}

// With env.config as it is by now.
static inline void reload(unsigned times, bool force)
{
	reload_call((struct reload_call){.force = force, .times = times});
}

static inline void reload_same(unsigned times, bool force)
{
	reload_call((struct reload_call){.force = force, .same = true, .times = times});
}

// With that outcome of the last.
#define RELOAD(times, force, result) \
	(reload(times, force), assert_int_equal(env.last.outcome, result))
#define RELOAD_SAME(times, force, result) \
	(reload_same(times, force), assert_int_equal(env.last.outcome, result))

// What the current image says of a name to everyone, and the titles of the lists that decided.
struct rules_why {
	struct rule_verdict verdict;
	char rule[DNS_NAME_TEXT_MAX]; // the listed name that decided
	unsigned list_count;
	char lists[16][RULE_TITLE_MAX];
};

static inline int rules_why(const struct dns_name *name, struct rules_why *why)
{
	static const uint64_t all[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};
	const struct rule_reader *r = rules_reader(env.rules);
	if (!r)
		return -ENOENT;
	*why = (struct rules_why){0};
	rule_decide(r, name, DNS_TYPE_A, all, &why->verdict);
	if (why->verdict.d.matched) {
		struct dns_name rule = rule_suffix(name, why->verdict.labels);
		dns_name_to_text(&rule, why->rule);
	}
	for (unsigned i = 0; why->verdict.d.matched && i < r->list_count; i++)
		if (why->verdict.set.lists[i / 64] >> i % 64 & 1
			&& why->list_count < ARRAY_LEN(why->lists))
			memcpy(why->lists[why->list_count++], r->lists[i].title, RULE_TITLE_MAX);
	return 0;
}

struct why_call {
	struct dns_name name;
	struct rules_why why;
	int ret;
};

static inline void call_why(void *arg)
{
	struct why_call *c = arg;
	c->ret = rules_why(&c->name, &c->why);
	atomic_fetch_add(&env.replies, 1);
}

static inline int try_ask(const char *text, struct rules_why *out)
{
	static struct why_call c;
	int before = atomic_load(&env.replies);
	assert_int_equal(dns_name_from_text(text, strlen(text), &c.name), 0);
	assert_int_equal(loop_call(env.service, call_why, &c), 0);
	wait_replies(before + 1);
	*out = c.why;
	return c.ret;
}

static inline struct rules_why ask(const char *text)
{
	struct rules_why why;
	assert_int_equal(try_ask(text, &why), 0);
	return why;
}

static inline uint64_t generation(void)
{
	struct publish_status s;
	publish_status(env.publisher, &s);
	return s.rule_image_generation;
}

static inline time_t image_inode(void)
{
	struct stat st;
	assert_int_equal(stat(text_from("%s/rules.img", env.state), &st), 0);
	return (time_t)st.st_ino;
}
