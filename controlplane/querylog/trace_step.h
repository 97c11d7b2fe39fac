// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Steps of a watched question (trace.h): its name and the names of its two numbers ("": no number).
// A step with a server also has the name of the server.

#include <stdint.h>
#include <weir/attr.h>
#include <weir/log_msg.h>

#define TRACE_STEPS(X)                                                                             \
	X(received, "", "")         /* from the miss ring, or to the frontend */                   \
	X(settled, "", "")          /* answered by a rule, a limit or its form, without a cache */ \
	X(expired, "", "")          /* the client has asked again or left */                       \
	X(l0_hit, "", "age_s")      /* L0 was filled since the worker looked */                    \
	X(l0_stale, "", "age_s")    /* served stale at once */                                     \
	X(l0_scoped, "", "bits")    /* the answer there is for clients of its subnet alone */      \
	X(l0_miss, "", "")          /* L0 has nothing that may be served */                        \
	X(no_such_name, "", "")     /* NXDOMAIN, known from another type */                        \
	X(failed_recently, "", "")  /* the question failed a short while ago */                    \
	X(resolver_off, "", "")     /* a toggle switched the resolver off */                       \
	X(refused_inflight, "", "") /* a bound (bounds.h): no room for its question */             \
	X(refused_zone, "", "")     /* the zone has its share of questions */                      \
	X(refused_suffix, "", "")   /* the public suffix has its share */                          \
	X(refused_question, "", "") /* enough clients wait for the question */                     \
	X(refused_few, "", "")      /* the pool of waiting clients is three quarters full */       \
	X(refused_waiters, "", "")  /* no room for one more waiting client */                      \
	X(refused_client, "", "")   /* the client waits for enough answers */                      \
	X(began, "", "")            /* it began a new question */                                  \
	X(subnet, "", "bits")       /* sent with so many bits of the client's subnet */            \
	X(joined, "sends", "waiters") /* it joined a question in flight; waiters before it */      \
	X(renamed, "", "")            /* asked under another name: a local CNAME, safe search */   \
	X(local, "", "")              /* local data has an answer for that name */                 \
	X(forwarded, "", "")          /* to a zone's servers */                                    \
	X(followed, "", "cnames")     /* the answer leads on: to a name that weir asks for */      \
	X(dns64, "", "")              /* no AAAA record: weir asks for A */                        \
	X(l1_sent, "", "")                                                                         \
	X(l1_hit, "", "age_s")                                                                     \
	X(l1_miss, "", "")                                                                         \
	X(l1_bad, "", "")          /* no value of weir's; deleted */                               \
	X(l1_late, "", "")         /* past redis.lookup_timeout_ms */                              \
	X(l1_away, "", "")         /* Redis is not connected, or the connection ended */           \
	X(l1_unused, "", "")       /* stale, flushed since, or not newer than L0 */                \
	X(l1_locked, "", "")       /* this box has the lock to refresh it */                       \
	X(validator_asked, "", "") /* the validator asks the upstreams */                          \
	X(validator_full, "", "")  /* no room in the validator: a stale answer or SERVFAIL */      \
	X(validated, "", "secure") /* 1: with AD; 0: proven to be insecure */                      \
	X(bogus, "", "ede")        /* SERVFAIL, and no stale answer */                             \
	X(udp_sent, "attempt", "wait_ms")                                                          \
	X(tcp_queued, "attempt", "wait_ms") /* queued for a new or an open connection */           \
	X(tcp_sent, "attempt", "")          /* the last byte was sent */                           \
	X(send_failed, "attempt", "")                                                              \
	X(reply, "", "took_us")   /* time since the first query to this server */                  \
	X(truncated, "", "")      /* TC: the same server by TCP */                                 \
	X(ignored, "", "")        /* malformed: the wait goes on */                                \
	X(failed, "", "rcode")    /* the next server */                                            \
	X(unbelieved, "", "")     /* wrong sender, id or question */                               \
	X(without_subnet, "", "") /* the same server once more without the client's subnet */      \
	X(without_edns, "", "")   /* the same server once more without an OPT */                   \
	X(timed_out, "", "waited_us")                                                              \
	X(tcp_broken, "", "")        /* the connection ended before the reply */                   \
	X(subnet_missing, "", "")    /* reply without the subnet, others in flight: TCP */         \
	X(scope, "", "bits")         /* the answer is for a subnet of so many bits alone */        \
	X(upstreams_failed, "", "")  /* no server or no time is left */                            \
	X(stale_timer, "", "")       /* 1.8 s: is there a stale answer? */                         \
	X(stale_served, "", "age_s") /* workers may serve it too for a while */                    \
	X(stale_none, "", "")                                                                      \
	X(servfail_timer, "", "") /* a client has waited too long */                               \
	X(l0_stored, "", "ttl_s")                                                                  \
	X(l0_not_stored, "", "ttl_s") /* TTL 0, no room, checked by too much, flushed since */     \
	X(answered, "kind", "rcode")                                                               \
	X(unanswered, "", "")                                                                      \
	X(l1_stored, "", "")                                                                       \
	X(left_waiting, "", "") /* goes on without clients, to fill the cache */                   \
	X(ended, "", "")

enum trace_step {
#define X(name, n, value) TRACE_##name,
	TRACE_STEPS(X)
#undef X
		TRACE_STEP_COUNT
};

struct trace_event {
	uint32_t at_us;  // since the query arrived
	uint8_t step;    // enum trace_step
	uint8_t n;       // `n` and `value` as TRACE_STEPS names them
	uint16_t server; // number of struct upstream_book, or LOG_NO_UPSTREAM
	uint32_t value;
};
