#include "fake_tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "torture.h"

#define DAY_S ((long)86400)

struct link {
    struct link *next;
    struct fake_tls *owner;
    pthread_t thread;
    int client;
    int server;
    bool open; /* guarded by the owner's mutex */
};

struct fake_tls {
    struct fake_tls_options options;
    SSL_CTX *context;
    struct sockaddr_in server;
    int listener;
    char url[64];
    char file[256];
    char folder[128];
    pthread_t acceptor;
    pthread_mutex_t mutex; /* guards the fields below */
    bool stopping;
    struct link *links;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "fake_tls: %s\n", what);
    abort();
}

static void must(bool ok, const char *what)
{
    if (!ok) {
        die(what);
    }
}

/* ---- certificates ---- */

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;

    X509V3_set_ctx(&context, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);

    must(extension != NULL && X509_add_ext(cert, extension, -1) == 1, value);
    X509_EXTENSION_free(extension);
}

/* One signed by itself when issuer is NULL. */
static X509 *make_cert(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key,
                       const char *names, long from_s, long to_s)
{
    X509 *cert = X509_new();

    must(cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1, "X509_new");
    BIGNUM *serial = BN_new();

    must(serial != NULL && BN_rand(serial, 63, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
             BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(cert)) != NULL,
         "serial");
    BN_free(serial);
    must(X509_gmtime_adj(X509_getm_notBefore(cert), from_s) != NULL &&
             X509_gmtime_adj(X509_getm_notAfter(cert), to_s) != NULL,
         "time");
    X509_NAME *subject = X509_get_subject_name(cert);

    must(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1,
                                    -1, 0) == 1,
         "name");
    X509 *by = issuer == NULL ? cert : issuer;

    must(X509_set_issuer_name(cert, X509_get_subject_name(by)) == 1 &&
             X509_set_pubkey(cert, key) == 1,
         "issuer");
    add_extension(cert, by, NID_basic_constraints, names == NULL ? "critical,CA:TRUE" : "CA:FALSE");
    if (names != NULL) {
        add_extension(cert, by, NID_subject_alt_name, names);
    }
    must(X509_sign(cert, issuer == NULL ? key : issuer_key, EVP_sha256()) > 0, "X509_sign");
    return cert;
}

static void save(struct fake_tls *t, const char *name, X509 *cert, EVP_PKEY *key)
{
    FILE *file = fopen(fake_tls_file(t, name), "wb");

    must(file != NULL, name);
    must(cert == NULL || PEM_write_X509(file, cert) == 1, name);
    must(key == NULL || PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL) == 1, name);
    must(fclose(file) == 0, name);
}

static void make_context(struct fake_tls *t)
{
    const struct fake_tls_options *o = &t->options;
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");
    EVP_PKEY *key = EVP_EC_gen("P-256");

    must(ca_key != NULL && key != NULL, "EVP_EC_gen");
    X509 *ca = make_cert(ca_key, "fake authority", NULL, NULL, NULL, -DAY_S, DAY_S);
    X509 *other = make_cert(key, "other authority", NULL, NULL, NULL, -DAY_S, DAY_S);
    X509 *client = make_cert(key, "client", ca, ca_key, "DNS:client", -DAY_S, DAY_S);
    const char *names = o->names == NULL ? "DNS:localhost,IP:127.0.0.1" : o->names;
    X509 *server =
        make_cert(key, "fake server", o->self_signed ? NULL : ca, ca_key, names,
                  o->not_yet_valid ? DAY_S / 2 : -DAY_S, o->expired ? -DAY_S / 2 : DAY_S);

    save(t, "ca.pem", ca, NULL);
    save(t, "other_ca.pem", other, NULL);
    save(t, "client.pem", client, NULL);
    save(t, "client.key", NULL, key);
    t->context = SSL_CTX_new(TLS_server_method());
    must(t->context != NULL && SSL_CTX_use_certificate(t->context, server) == 1 &&
             SSL_CTX_use_PrivateKey(t->context, key) == 1,
         "SSL_CTX");
    if (o->wants_client) {
        must(X509_STORE_add_cert(SSL_CTX_get_cert_store(t->context), ca) == 1, "store");
        SSL_CTX_set_verify(t->context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        must(SSL_CTX_set_session_id_context(t->context, (const unsigned char *)"fake", 4) == 1,
             "session");
    }
    X509_free(ca);
    X509_free(other);
    X509_free(client);
    X509_free(server);
    EVP_PKEY_free(ca_key);
    EVP_PKEY_free(key);
}

/* ---- passing bytes on ---- */

static bool send_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

        if (n <= 0) {
            return false;
        }
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* Until one side ends. Both sockets block: what the test's client and server say is small enough
 * for that, or they take turns. */
static void relay(SSL *ssl, int client, int server)
{
    char bytes[16384];

    for (;;) {
        struct pollfd fds[] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN}};

        if (SSL_pending(ssl) == 0 && poll(fds, 2, -1) < 0 && errno != EINTR) {
            return;
        }
        if (SSL_pending(ssl) > 0 || fds[0].revents != 0) {
            int n = SSL_read(ssl, bytes, sizeof bytes);

            if (n <= 0 || !send_all(server, bytes, (size_t)n)) {
                return;
            }
        }
        if (fds[1].revents != 0) {
            ssize_t n = recv(server, bytes, sizeof bytes, 0);

            if (n <= 0 || SSL_write(ssl, bytes, (int)n) <= 0) {
                return;
            }
        }
    }
}

/* Lets the client read what was said: a close with bytes unread would be a reset. */
static void leave(int client)
{
    char ignored[4096];

    (void)shutdown(client, SHUT_WR);
    while (recv(client, ignored, sizeof ignored, 0) > 0) {
    }
}

static void *serve(void *arg)
{
    struct link *l = arg;
    SSL *ssl = SSL_new(l->owner->context);

    torture_spare_thread();
    must(ssl != NULL && SSL_set_fd(ssl, l->client) == 1, "SSL_new");
    if (SSL_accept(ssl) == 1 && connect(l->server, (const struct sockaddr *)&l->owner->server,
                                        sizeof l->owner->server) == 0) {
        relay(ssl, l->client, l->server);
        (void)SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    leave(l->client);
    (void)pthread_mutex_lock(&l->owner->mutex);
    l->open = false;
    (void)close(l->client);
    (void)close(l->server);
    (void)pthread_mutex_unlock(&l->owner->mutex);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct fake_tls *t = arg;

    torture_spare_thread();
    for (;;) {
        int fd = accept(t->listener, NULL, NULL);

        (void)pthread_mutex_lock(&t->mutex);
        if (t->stopping) {
            (void)pthread_mutex_unlock(&t->mutex);
            (void)close(fd);
            return NULL;
        }
        must(fd >= 0, "accept");
        struct link *l = calloc(1, sizeof *l);

        must(l != NULL, "calloc");
        const int yes = 1;

        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        *l = (struct link){.owner = t, .client = fd, .open = true, .next = t->links};
        l->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        (void)setsockopt(l->server, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        must(l->server >= 0 && pthread_create(&l->thread, NULL, serve, l) == 0, "link");
        t->links = l;
        (void)pthread_mutex_unlock(&t->mutex);
    }
}

/* ---- life ---- */

static void listen_on_loopback(struct fake_tls *t)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    t->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(t->listener >= 0 && bind(t->listener, (const struct sockaddr *)&address, len) == 0 &&
             listen(t->listener, 128) == 0 &&
             getsockname(t->listener, (struct sockaddr *)&address, &len) == 0,
         "listen");
    (void)snprintf(t->url, sizeof t->url, "https://127.0.0.1:%u", ntohs(address.sin_port));
}

struct fake_tls *fake_tls_new(const struct fake_tls_options *options)
{
    struct fake_tls *t = calloc(1, sizeof *t);
    sigset_t pipe;
    sigset_t before;

    must(t != NULL, "calloc");
    t->options = *options;
    (void)snprintf(t->folder, sizeof t->folder, "%s", options->folder);
    const char *port = strrchr(options->server_url, ':');

    must(port != NULL, options->server_url);
    t->server = (struct sockaddr_in){.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                     .sin_port = htons((uint16_t)strtoul(port + 1, NULL, 10))};
    make_context(t);
    listen_on_loopback(t);
    (void)pthread_mutex_init(&t->mutex, NULL);
    /* OpenSSL writes without MSG_NOSIGNAL: its threads inherit that the signal is blocked. */
    (void)sigemptyset(&pipe);
    (void)sigaddset(&pipe, SIGPIPE);
    (void)pthread_sigmask(SIG_BLOCK, &pipe, &before);
    must(pthread_create(&t->acceptor, NULL, accept_all, t) == 0, "pthread_create");
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return t;
}

void fake_tls_free(struct fake_tls *t)
{
    if (t == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&t->mutex);
    t->stopping = true;
    (void)pthread_mutex_unlock(&t->mutex);
    (void)shutdown(t->listener, SHUT_RDWR);
    (void)pthread_join(t->acceptor, NULL);
    (void)pthread_mutex_lock(&t->mutex);
    for (const struct link *l = t->links; l != NULL; l = l->next) {
        if (l->open) {
            (void)shutdown(l->client, SHUT_RDWR);
            (void)shutdown(l->server, SHUT_RDWR);
        }
    }
    (void)pthread_mutex_unlock(&t->mutex);
    while (t->links != NULL) {
        struct link *l = t->links;

        t->links = l->next;
        (void)pthread_join(l->thread, NULL);
        free(l);
    }
    (void)close(t->listener);
    (void)pthread_mutex_destroy(&t->mutex);
    SSL_CTX_free(t->context);
    free(t);
}

const char *fake_tls_url(const struct fake_tls *t)
{
    return t->url;
}

const char *fake_tls_file(struct fake_tls *t, const char *name)
{
    (void)snprintf(t->file, sizeof t->file, "%s/%s", t->folder, name);
    return t->file;
}
