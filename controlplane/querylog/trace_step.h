// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Steps of a watched question (trace.h): a name and the meaning of two numbers ("": none). A step
// with a server also has its name.

#include <stdint.h>
#include <weir/attr.h>
#include <weir/log_msg.h>

#define TRACE_STEPS(X)                                                                            \
	X(received, "", "")           /* off the miss ring, or from a client of our own */        \
	X(settled, "", "")            /* without a cache: by a rule, a limit, its form */         \
	X(expired, "", "")            /* its client has asked again or left */                    \
	X(l0_hit, "", "age_s")        /* filled since the worker looked */                        \
	X(l0_stale, "", "age_s")      /* served stale at once */                                  \
	X(l0_scoped, "", "bits")      /* the answer there is for clients of its subnet alone */   \
	X(l0_miss, "", "")            /* nothing there that may be served */                      \
	X(no_such_name, "", "")       /* by the NXDOMAIN of another type */                       \
	X(failed_recently, "", "")    /* from the memory of failures */                           \
	X(resolver_off, "", "")       /* by a toggle */                                           \
	X(refused_inflight, "", "")   /* a bound (bounds.h): no room for its question */          \
	X(refused_zone, "", "")       /* its zone has its share */                                \
	X(refused_suffix, "", "")     /* its public suffix has its share */                       \
	X(refused_question, "", "")   /* enough clients wait for it */                            \
	X(refused_few, "", "")        /* the pool of waiting clients is three quarters full */    \
	X(refused_waiters, "", "")    /* no room for one more waiting client */                   \
	X(refused_client, "", "")     /* its client waits for enough answers */                   \
	X(began, "", "")              /* a question of its own */                                 \
	X(subnet, "", "bits")         /* it has the client's subnet of so many bits */            \
	X(joined, "sends", "waiters") /* a question in flight; its waiters before */              \
	X(renamed, "", "")            /* asked under another name: a local CNAME, safe search */  \
	X(local, "", "")              /* local data has an answer for that name */                \
	X(forwarded, "", "")          /* to a zone's servers */                                   \
	X(followed, "", "cnames")     /* the answer leads on: to a name that weir asks for */     \
	X(dns64, "", "")              /* no AAAA: weir asks for A */                              \
	X(l1_sent, "", "")                                                                        \
	X(l1_hit, "", "age_s")                                                                    \
	X(l1_miss, "", "")                                                                        \
	X(l1_bad, "", "")          /* no value of weir's; deleted */                              \
	X(l1_late, "", "")         /* past redis.lookup_timeout_ms */                             \
	X(l1_away, "", "")         /* not connected, or the connection ended */                   \
	X(l1_unused, "", "")       /* stale, flushed since, or no newer than what is here */      \
	X(l1_locked, "", "")       /* this box refreshes it */                                    \
	X(validator_asked, "", "") /* which asks the upstreams */                                 \
	X(validated, "", "secure") /* 1: with AD; 0: proven to be insecure */                     \
	X(bogus, "", "ede")        /* SERVFAIL, and no stale answer */                            \
	X(udp_sent, "attempt", "wait_ms")                                                         \
	X(tcp_queued, "attempt", "wait_ms") /* for a connection, or on one that is opened */      \
	X(tcp_sent, "attempt", "")          /* its last byte has left */                          \
	X(send_failed, "attempt", "")                                                             \
	X(reply, "", "took_us")   /* since the first query of this leg */                         \
	X(truncated, "", "")      /* TC: the same server by TCP */                                \
	X(ignored, "", "")        /* malformed: the wait goes on */                               \
	X(failed, "", "rcode")    /* the next server */                                           \
	X(unbelieved, "", "")     /* not from whom, or not what, was asked */                     \
	X(without_subnet, "", "") /* the same server once more without the client's subnet */     \
	X(without_edns, "", "")   /* the same server once more without an OPT */                  \
	X(timed_out, "", "waited_us")                                                             \
	X(tcp_broken, "", "")        /* the connection ended under it */                          \
	X(subnet_missing, "", "")    /* in a reply, with questions of others in flight: by TCP */ \
	X(scope, "", "bits")         /* the answer is for a subnet of so many bits alone */       \
	X(upstreams_failed, "", "")  /* nobody is left to ask, or no time */                      \
	X(stale_timer, "", "")       /* 1.8 s: is there a stale answer? */                        \
	X(stale_served, "", "age_s") /* and workers may, for a while */                           \
	X(stale_none, "", "")                                                                     \
	X(servfail_timer, "", "") /* a client has waited long enough */                           \
	X(l0_stored, "", "ttl_s")                                                                 \
	X(l0_not_stored, "", "ttl_s") /* TTL 0, no room, checked by too much, flushed since */    \
	X(answered, "kind", "rcode")                                                              \
	X(unanswered, "", "")                                                                     \
	X(l1_stored, "", "")                                                                      \
	X(left_waiting, "", "") /* for a reply that fills the cache */                            \
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
	uint8_t n;       // these two as TRACE_STEPS says
	uint16_t server; // in the book of upstreams, or LOG_NO_UPSTREAM
	uint32_t value;
};
